"""The dates of a pattern. ``dateutil`` computes them in naive wall-clock time; what that means in a zone is decided here.

Policies (RFC 5545, 3.3.5 and 3.3.10, and where it is silent the design): a time that a DST gap swallows is read with the offset
before the gap and counts; an ambiguous time is the first of both; the start always counts, also towards COUNT; UNTIL is
inclusive, and a local one is read in the zone; COUNT is counted before dates are left out; two dates of one instant are one.

The work is bounded: expansion begins near the window instead of at the start where the rule allows it, and never goes
further than ``HORIZON_YEARS`` behind it. What was computed is kept per pattern and calendar year.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, lru_cache
from itertools import count, islice, takewhile
from typing import Final

from cachetools import LRUCache
from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule
from dateutil.rrule import weekday as dateutil_weekday

from groundwork.clock import Instant, from_datetime, to_datetime
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.refusal import Code, RuleRefused
from openmeet.recurrence.rule import Rule, Weekday
from openmeet.recurrence.wall_time import instant_of, local_of, zone

HORIZON_YEARS: Final = 100

_FREQ = {"DAILY": DAILY, "WEEKLY": WEEKLY, "MONTHLY": MONTHLY, "YEARLY": YEARLY}
_EVERY_DAY = tuple(Weekday(day) for day in range(7))
# A wall clock and the instant that it means differ by less than a day and a half anywhere on Earth, changes of the date line
# included.
_MARGIN = timedelta(days=2)
_LAST = datetime(2300, 1, 1)  # noqa: DTZ001  # wall time is naive here


@dataclass(frozen=True, slots=True, order=True)
class Occurrence:
    """One date. ``original`` is its naive wall-clock time by the rule: its name for ever (RECURRENCE-ID)."""

    at: Instant
    original: datetime


def between(pattern: Pattern, start: Instant, end: Instant, *, limit: int | None = None) -> list[Occurrence]:
    """The dates that begin in ``[start, end)``, in order; at most ``limit``."""
    found: list[Occurrence] = []
    if end <= start:
        return found
    year = first_year = max(_year(start), pattern.start.year - 1)
    last_year = min(_year(Instant(end - 1)), year + HORIZON_YEARS, _LAST.year)
    token = _token(pattern)
    while year <= last_year and (limit is None or len(found) < limit):
        # A year at a time, unless many are asked for at once: then in one sweep.
        for occurrences in _years(pattern, token, year, last_year if limit is None else min(year + 1, last_year)):
            # Only at its ends a window cuts through a year.
            first = bisect_left(occurrences, start, key=_at) if year == first_year else 0
            behind = bisect_left(occurrences, end, key=_at) if year == last_year else len(occurrences)
            found += occurrences[first:behind]
            year += 1
    return found if limit is None else found[:limit]


def following(pattern: Pattern, after: Instant, count: int) -> list[Occurrence]:
    """The next ``count`` dates at or after an instant; fewer where the pattern ends, or is silent for a hundred years."""
    far = local_of(after, "UTC").replace(tzinfo=None)
    end = min(datetime(far.year + HORIZON_YEARS, 1, 1), _LAST)  # noqa: DTZ001
    return between(pattern, after, instant_of(end, "UTC"), limit=count)


def is_date_of(pattern: Pattern, original: datetime) -> bool:
    """Whether this wall-clock time is one of the pattern's dates."""
    at = _instant(pattern, original)
    return any(occurrence.original == original for occurrence in between(pattern, at, Instant(at + 1)))


def check_occurs(pattern: Pattern) -> None:
    """Raises RuleRefused (NEVER_OCCURS) for a rule that names no date within a hundred years of the start."""
    rule = pattern.rule
    if rule is None:
        return
    # A long step only thins out what has to exist at all; where it ends is another question.
    rule = replace(rule, interval=1, count=None, until=None)
    horizon = pattern.start + timedelta(days=366 * HORIZON_YEARS)
    if next(_by_rule(pattern, rule, pattern.start, horizon), None) is None:
        raise RuleRefused(Code.NEVER_OCCURS, "", f"The rule names no date within {HORIZON_YEARS} years.")


def starts_by_rule(pattern: Pattern) -> bool:
    """Whether the rule names the start; where it does not, programs disagree whether the start counts towards COUNT."""
    if pattern.rule is None:
        return False
    return next(_by_rule(pattern, replace(pattern.rule, count=None), pattern.start, _LAST), None) == pattern.start


def first_by_rule(pattern: Pattern) -> datetime | None:
    """The first date that the rule names, at or after the start; None without a rule."""
    if pattern.rule is None:
        return None
    return next(_by_rule(pattern, replace(pattern.rule, count=None, until=None), pattern.start, _LAST), None)


def originals_with_count(pattern: Pattern) -> tuple[datetime, ...]:
    """Every wall-clock time that a rule with COUNT names, left out or not."""
    return _counted(pattern)


def last_of(pattern: Pattern) -> Occurrence | None:
    """The last date of a pattern that ends; None for one that goes on for ever, or has no date left."""
    if pattern.rule is not None and pattern.rule.count is None and pattern.rule.until is None:
        return None
    found = between(pattern, instant_of(pattern.start - _MARGIN, "UTC"), instant_of(_LAST, "UTC"))
    return found[-1] if found else None


def clear() -> None:
    """Forget what was computed: for measurements."""
    _kept.clear()
    _tokens.clear()
    _counted.cache_clear()


# (token of a pattern, year of the instant in UTC) -> its occurrences. Bounded by their number, because a year has one or thousands of
# them; one takes about 130 bytes, so all together stay below 30 MB. An empty year counts as one.
_kept: LRUCache[tuple[int, int], tuple[Occurrence, ...]] = LRUCache(200_000, getsizeof=lambda kept: len(kept) + 1)

# A pattern is long to hash: that is done once for each question, not once for each year.
_tokens: LRUCache[Pattern, int] = LRUCache(50_000)
_next_token = count()


def _token(pattern: Pattern) -> int:
    """A number that stands for this pattern and no other, also after it was forgotten."""
    known = _tokens.get(pattern)
    if known is None:
        known = _tokens[pattern] = next(_next_token)
    return known


def _years(pattern: Pattern, token: int, first: int, last: int) -> list[tuple[Occurrence, ...]]:
    known: list[tuple[Occurrence, ...]] = []
    for year in range(first, last + 1):
        occurrences = _kept.get((token, year))
        if occurrences is None:
            break
        known.append(occurrences)
    missing = first + len(known)
    if missing > last:
        return known
    computed = _occurrences(pattern, missing, last)
    start = bisect_left(computed, _begin(missing), key=_at)
    for year in range(missing, last + 1):
        end = bisect_left(computed, _begin(year + 1), lo=start, key=_at)
        occurrences = tuple(computed[start:end])
        _kept[token, year] = occurrences
        known.append(occurrences)
        start = end
    return known


def _occurrences(pattern: Pattern, first: int, last: int) -> list[Occurrence]:
    """Dates around these years, in order and without doubles."""
    start = datetime(first, 1, 1) - _MARGIN  # noqa: DTZ001
    end = datetime(last + 1, 1, 1) + _MARGIN  # noqa: DTZ001
    rule = pattern.rule
    if rule is not None and rule.count is not None:
        originals = [at for at in _counted(pattern) if start <= at < end]
    else:
        originals = [] if rule is None else list(_by_rule(pattern, rule, start, end))
        if start <= pattern.start < end:
            originals.append(pattern.start)
    originals += [at for at in pattern.added if start <= at < end]
    left_out = {_instant(pattern, at) for at in pattern.left_out}
    found: dict[Instant, datetime] = {}
    local = zone(pattern.zone_name or "UTC")
    for original in sorted(originals):
        at = from_datetime(original.replace(tzinfo=local))
        if at not in left_out:
            found.setdefault(at, original)
    return [Occurrence(at, original) for at, original in sorted(found.items())]


@lru_cache(maxsize=1_000)
def _counted(pattern: Pattern) -> tuple[datetime, ...]:
    """All dates of a rule with COUNT: the start is the first, whether the rule names it or not."""
    rule = pattern.rule
    assert rule is not None  # noqa: S101  # asked for rules with COUNT only
    assert rule.count is not None  # noqa: S101
    dates = _by_rule(pattern, replace(rule, count=None), pattern.start, _LAST)
    others = (at for at in dates if at != pattern.start)
    return (pattern.start, *islice(others, rule.count - 1))


def _by_rule(pattern: Pattern, rule: Rule, start: datetime, end: datetime) -> Iterator[datetime]:
    """Dates of a rule without COUNT in ``[start, end)`` by the wall clock, its own start included if it fits."""
    anchor = _anchor(pattern.start, rule, start)
    computed = _stepping(rule, anchor) if _is_plain(rule) else iter(_expander(rule, anchor, pattern.start))
    dates = takewhile(lambda at: at < end, (at for at in computed if at >= start and at >= pattern.start))
    until = rule.until
    if until is None:
        yield from dates
    elif until.is_date:
        yield from takewhile(lambda at: at.date() <= until.at.date(), dates)
    elif until.is_utc:
        last = instant_of(until.at, "UTC")
        yield from takewhile(lambda at: _instant(pattern, at) <= last, dates)
    else:
        yield from takewhile(lambda at: at <= until.at, dates)


def _anchor(first: datetime, rule: Rule, window: datetime) -> datetime:
    """Where expansion may begin instead of at ``first``: whole steps of the rule later, before the window."""
    step = {"DAILY": 1, "WEEKLY": 7}.get(rule.freq)
    days = (window - first).days
    if step is None or days <= 0:
        return first
    step *= rule.interval
    # One step earlier than needed: a week begins before its first day.
    return first + timedelta(days=max(0, days // step - 1) * step)


def _is_plain(rule: Rule) -> bool:
    """Whether it says no more than "every so many days", or weeks on these weekdays: nearly all rules of people."""
    return rule == Rule(
        rule.freq, rule.interval, until=rule.until, by_day=rule.by_day, week_start=rule.week_start
    ) and (rule.freq == "WEEKLY" or (rule.freq == "DAILY" and not rule.by_day))


def _stepping(rule: Rule, anchor: datetime) -> Iterator[datetime]:
    """What the library says of a plain rule, in a tenth of its time."""
    if rule.freq == "DAILY":
        week, days = anchor, [0]
        step = timedelta(days=rule.interval)
    else:
        since = (anchor.weekday() - rule.week_start) % 7
        week = anchor - timedelta(days=since)
        days = sorted({(day.day - rule.week_start) % 7 for day in rule.by_day} or {since})
        step = timedelta(weeks=rule.interval)
    offsets = [timedelta(days=day) for day in days]
    while week < _LAST:
        for offset in offsets:
            at = week + offset
            if at >= anchor:
                yield at
        week += step


def _expander(rule: Rule, anchor: datetime, first: datetime) -> rrule:
    """The library's view of a rule. ``first`` gives the times of day and what the rule leaves open."""
    freq, by_day = rule.freq, rule.by_day
    if freq == "DAILY" and rule.interval == 1 and not rule.by_position and (rule.by_month or rule.by_month_day):
        # The same days, found by month instead of by trying each day of the calendar.
        freq, by_day = "YEARLY", by_day or _EVERY_DAY
    return rrule(
        _FREQ[freq],  # type: ignore[arg-type]  # its constants are plain integers in the stubs
        dtstart=anchor,
        interval=rule.interval,
        wkst=rule.week_start,
        until=_LAST,
        bysetpos=rule.by_position or None,
        bymonth=rule.by_month or None,
        bymonthday=rule.by_month_day or None,
        byyearday=rule.by_year_day or None,
        byweekno=rule.by_week or None,
        byweekday=[dateutil_weekday(day.day, day.nth or None) for day in by_day] or None,
        byhour=rule.by_hour or first.hour,
        byminute=rule.by_minute or first.minute,
        bysecond=rule.by_second or first.second,
    )


def _instant(pattern: Pattern, local: datetime) -> Instant:
    return instant_of(local, pattern.zone_name or "UTC")


@cache
def _begin(year: int) -> Instant:
    """When a year begins in UTC."""
    return instant_of(datetime(year, 1, 1), "UTC")  # noqa: DTZ001  # read in UTC


def _year(at: Instant) -> int:
    """The year of an instant in UTC."""
    return to_datetime(at).year


def _at(occurrence: Occurrence) -> Instant:
    return occurrence.at

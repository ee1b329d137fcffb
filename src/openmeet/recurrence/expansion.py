"""Dates of a pattern: ``rule_dates`` yields naive wall-clock times; this module maps them into the time zone and
applies the end and the exclusions.

Policies (RFC 5545, sections 3.3.5 and 3.3.10; our own decisions where it is silent): a time inside a DST gap is read
with the offset before the gap and counts; an ambiguous time is the first of the two; the start always counts, also
towards COUNT; UNTIL is inclusive, and a local UNTIL is read in the pattern's zone; COUNT is applied before exclusions;
two dates at the same instant are one.

The work is bounded for any rule: expansion begins at the window, never goes more than ``HORIZON_YEARS`` beyond it, and
counts its steps (``rule_dates.MAX_STEPS``). ``between`` caches its results per pattern and calendar year; ``walk``
computes lazily.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, lru_cache
from heapq import heappop, heappush, merge
from itertools import chain, count, dropwhile, islice, takewhile
from operator import itemgetter
from threading import Lock
from typing import Final

from cachetools import LRUCache, cached

from groundwork.clock import Instant, from_datetime, to_datetime
from openmeet.recurrence import rule_dates
from openmeet.recurrence.errors import RecurrenceReason, RuleErrorCode, RuleRefused
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule import Rule
from openmeet.recurrence.rule_dates import END, Steps, dates_by_rule
from openmeet.recurrence.wall_time import instant_of, local_of, zone

HORIZON_YEARS: Final = 100

# Anywhere on Earth, wall-clock time differs from UTC by less than a day and a half, even when a place changes its side
# of the date line.
_MARGIN = timedelta(days=2)
# Leaves room to subtract the margin.
_BEGIN = datetime(2, 1, 1)  # noqa: DTZ001  # wall time is naive
_SEARCHED = range(instant_of(_BEGIN, "UTC"), instant_of(END, "UTC"))
# The longest time that clocks ever skipped is one day (Samoa, 2011).
_LONGEST_GAP = timedelta(hours=25)
_MOMENT = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, order=True)
class Occurrence:
    """One date. ``original`` is its naive wall-clock time by the rule, which identifies it permanently (RECURRENCE-ID)."""

    at: Instant
    original: datetime


def between(pattern: Pattern, start: Instant, end: Instant, *, limit: int | None = None) -> list[Occurrence]:
    """The dates that begin in ``[start, end)``, in order; at most ``limit``."""
    dates: list[Occurrence] = []
    if end <= start:
        return dates
    if limit is not None and _is_dense(pattern):
        # One year has thousands of dates, and the caller wants only a few.
        far = min(max(_year(start), pattern.start.year - 1) + HORIZON_YEARS, END.year)
        return list(islice(walk(pattern, start, min(end, _begin(far))), limit))
    year = first_year = max(_year(start), pattern.start.year - 1)
    last_year = min(_year(Instant(end - 1)), year + HORIZON_YEARS, END.year)
    token = _token(pattern)
    while year <= last_year and (limit is None or len(dates) < limit):
        # Two years at a time with a limit; without one, all years in one pass.
        for occurrences in _years(pattern, token, year, last_year if limit is None else min(year + 1, last_year)):
            # Only the first and last year can be partly outside the window.
            first = bisect_left(occurrences, start, key=_at) if year == first_year else 0
            behind = bisect_left(occurrences, end, key=_at) if year == last_year else len(occurrences)
            dates += occurrences[first:behind]
            year += 1
    return dates if limit is None else dates[:limit]


def walk(pattern: Pattern, start: Instant, end: Instant, steps: Steps | None = None) -> Iterator[Occurrence]:
    """The dates that begin in ``[start, end)``, in order, computed lazily.

    ``steps``: a limit that several walks share; each of them expands from its pattern's start. Raises RuleRefused
    (TOO_MANY_DATES) beyond it.
    """
    begin, behind = max(_wall(start), _BEGIN) - _MARGIN, min(_wall(end), END) + _MARGIN
    left_out = {pattern.instant_of(at) for at in _within(pattern.left_out, begin - _MARGIN, behind + _MARGIN)}
    last: Instant | None = None
    # Because of a DST gap, instants can be out of order by at most the length of the gap.
    early: list[Occurrence] = []
    for original in chain(_originals(pattern, begin, behind, steps), [None]):
        one = None if original is None else Occurrence(pattern.instant_of(original), original)
        while early and (one is None or early[0].at < one.at - _LONGEST_GAP // _MICROSECOND):
            occurrence = heappop(early)
            if start <= occurrence.at < end and occurrence.at != last and occurrence.at not in left_out:
                yield occurrence
            last = occurrence.at
        if one is not None:
            heappush(early, one)


def _originals(pattern: Pattern, begin: datetime, end: datetime, steps: Steps | None) -> Iterator[datetime]:
    """Wall-clock times in ``[begin, end)``, in order, possibly with duplicates and without applying exclusions."""
    rule = pattern.rule
    originals: Iterable[datetime] = ()
    if rule is not None and rule.count is not None and steps is None:
        originals = _within(_counted(*_counting(pattern)), begin, end)
    elif rule is not None and rule.count is not None:
        counted = islice(_from_start(pattern.start, rule, steps or Steps()), rule.count)
        originals = takewhile(lambda at: at < end, dropwhile(lambda at: at < begin, counted))
    elif rule is not None:
        originals = _by_rule(pattern, rule, begin, end, steps)
    return merge(originals, _within([pattern.start], begin, end), _within(pattern.added, begin, end))


def following(pattern: Pattern, after: Instant, count: int) -> list[Occurrence]:
    """The next ``count`` dates at or after an instant. Fewer if the pattern ends or has no more dates within a hundred
    years.
    """
    far = local_of(after, "UTC").replace(tzinfo=None)
    end = min(datetime(far.year + HORIZON_YEARS, 1, 1), END)  # noqa: DTZ001
    return between(pattern, after, instant_of(end, "UTC"), limit=count)


def is_date_of(pattern: Pattern, original: datetime) -> bool:
    """Whether this wall-clock time is one of the pattern's dates."""
    occurrence = _at_instant(pattern, pattern.instant_of(original))
    return occurrence is not None and occurrence.original == original


def check_occurs(pattern: Pattern) -> None:
    """Raises RuleRefused (NEVER_OCCURS) if the rule has no date within a hundred years of the start. The rule's end is
    ignored.
    """
    rule = pattern.rule
    if rule is None:
        return
    horizon = pattern.start + timedelta(days=366 * HORIZON_YEARS)
    if next(dates_by_rule(pattern.start, rule, pattern.start, horizon), None) is None:
        why = RecurrenceReason.NEVER_OCCURS(years=HORIZON_YEARS)
        raise RuleRefused(RuleErrorCode.NEVER_OCCURS, "", why)


def check_entered(pattern: Pattern) -> None:
    """Check a rule that a person entered. Raises RuleRefused if it has no date, or if it ends before it begins.

    The latter is accepted in imported data, where only the start is left.
    """
    check_occurs(pattern)
    until = None if pattern.rule is None else pattern.rule.until
    if until is None:
        return
    is_over = (
        pattern.instant_of(pattern.start) > instant_of(until.at, "UTC") if until.is_utc else until.at < pattern.start
    )
    if until.is_date:
        is_over = until.at.date() < pattern.start.date()
    if is_over:
        why = RecurrenceReason.ENDS_BEFORE_START(last=until.at.date(), first=pattern.start.date())
        raise RuleRefused(RuleErrorCode.BAD_UNTIL, "UNTIL", why)


@lru_cache(maxsize=32)  # called by the sentence and by the preview around it
def unused_exclusions(pattern: Pattern) -> tuple[datetime, ...]:
    """Exclusions that exclude nothing, because they are on another day or at another time of that day."""
    whole = replace(pattern, left_out=())
    return tuple(
        one
        for one in pattern.left_out
        # Nearly all exclusions match directly. Any other one may be the time that clocks showed instead of a skipped
        # one.
        if not _occurrences(whole, one, one + _MOMENT) and _at_instant(whole, pattern.instant_of(one)) is None
    )


def starts_by_rule(pattern: Pattern) -> bool:
    """Whether the rule selects the start. If it does not, programs disagree about whether the start counts towards
    COUNT.
    """
    if pattern.rule is None:
        return False
    until = replace(pattern.rule, count=None)
    return next(_by_rule(pattern, until, pattern.start, pattern.start + _MOMENT), None) == pattern.start


def first_by_rule(pattern: Pattern) -> datetime | None:
    """The first date that the rule selects, at or after the start; None without a rule."""
    if pattern.rule is None:
        return None
    return next(dates_by_rule(pattern.start, pattern.rule, pattern.start, END), None)


def originals_with_count(pattern: Pattern) -> tuple[datetime, ...]:
    """Every wall-clock time of a rule with COUNT, including excluded ones."""
    return _counted(*_counting(pattern))


def last_of(pattern: Pattern) -> Occurrence | None:
    """The last date of a pattern; None if it never ends or has no date left."""
    if pattern.rule is not None and pattern.rule.count is None and pattern.rule.until is None:
        return None
    ends = [pattern.start, *pattern.added[-1:]]
    if pattern.rule is not None and pattern.rule.count is not None:
        ends.append(originals_with_count(pattern)[-1])
    elif pattern.rule is not None and pattern.rule.until is not None:
        ends.append(min(pattern.rule.until.at, END))
    token = _token(pattern)
    # A time zone can move a date into an adjacent year. Search from the end, because there may be hundreds of thousands
    # of dates in between.
    for year in range(max(ends).year + 1, min(pattern.start, *pattern.added[:1], END).year - 2, -1):
        (occurrences,) = _years(pattern, token, year, year)
        if occurrences:
            return occurrences[-1]
    return None


def clear() -> None:
    """Clear the caches, for measurements."""
    with _lock:
        _kept.clear()
        _tokens.clear()
    _counted.cache_clear()
    unused_exclusions.cache_clear()
    rule_dates.named_days.cache_clear()


# Pages, the writer thread of SQLite and worker threads expand patterns at the same time, and ``cachetools`` has no lock.
_lock = Lock()

# (token of a pattern, year of the instant in UTC) -> its occurrences. The size is limited by the number of occurrences,
# because a year can have one or thousands. An occurrence takes about 130 bytes, so the cache stays below 30 MB. An
# empty year counts as one.
_kept: LRUCache[tuple[int, int], tuple[Occurrence, ...]] = LRUCache(200_000, getsizeof=lambda kept: len(kept) + 1)

# Hashing a pattern is slow, so it is done once per call and not once per year. The value is a token and the size,
# because the pattern is cached with it and may have a thousand exclusions and a thousand additions. The cache stays
# below 30 MB.
_tokens: LRUCache[Pattern, tuple[int, int]] = LRUCache(400_000, getsizeof=itemgetter(1))
_SHORTEST: Final = 8
_next_token = count()


def _token(pattern: Pattern) -> int:
    """A number that identifies this pattern and is never reused, even after eviction."""
    with _lock:
        known = _tokens.get(pattern)
        if known is None:
            known = _tokens[pattern] = next(_next_token), _SHORTEST + len(pattern.left_out) + len(pattern.added)
        return known[0]


def _years(pattern: Pattern, token: int, first: int, last: int) -> list[tuple[Occurrence, ...]]:
    known: list[tuple[Occurrence, ...]] = []
    with _lock:
        for year in range(first, last + 1):
            occurrences = _kept.get((token, year))
            if occurrences is None:
                break
            known.append(occurrences)
    missing = first + len(known)
    if missing > last:
        return known
    computed = _occurrences(
        pattern,
        datetime(missing, 1, 1) - _MARGIN,  # noqa: DTZ001  # wall time is naive
        datetime(last + 1, 1, 1) + _MARGIN,  # noqa: DTZ001
    )
    start = bisect_left(computed, _begin(missing), key=_at)
    with _lock:
        for year in range(missing, last + 1):
            end = bisect_left(computed, _begin(year + 1), lo=start, key=_at)
            occurrences = tuple(computed[start:end])
            _kept[token, year] = occurrences
            known.append(occurrences)
            start = end
    return known


def _is_dense(pattern: Pattern) -> bool:
    """Whether the pattern has several dates a day. One year then has thousands of dates."""
    return pattern.rule is not None and bool(pattern.rule.by_hour or pattern.rule.by_minute or pattern.rule.by_second)


def _at_instant(pattern: Pattern, at: Instant) -> Occurrence | None:
    """The date at exactly this instant. If several wall-clock times mean it because clocks skipped an hour, the first
    of them.
    """
    if at not in _SEARCHED:
        return None  # names of dates come from requests: nobody may ask for the hours before the year 1 or after 9999
    shown = local_of(at, pattern.zone_or_utc).replace(tzinfo=None)
    occurrences = _occurrences(pattern, shown - _LONGEST_GAP, shown + _MOMENT)
    return next((one for one in occurrences if one.at == at), None)


def _occurrences(pattern: Pattern, start: datetime, end: datetime) -> list[Occurrence]:
    """Dates in this interval of wall-clock time, in order and without duplicates."""
    rule = pattern.rule
    if rule is not None and rule.count is not None:
        originals = list(_within(_counted(*_counting(pattern)), start, end))
    else:
        originals = [] if rule is None else list(_by_rule(pattern, rule, start, end))
        if start <= pattern.start < end:
            originals.append(pattern.start)
    originals += _within(pattern.added, start, end)
    left_out = {pattern.instant_of(at) for at in _within(pattern.left_out, start - _MARGIN, end + _MARGIN)}
    local_by_instant: dict[Instant, datetime] = {}
    local = zone(pattern.zone_or_utc)
    for original in sorted(originals):
        at = from_datetime(original.replace(tzinfo=local))
        if at not in left_out:
            local_by_instant.setdefault(at, original)
    return [Occurrence(at, original) for at, original in sorted(local_by_instant.items())]


def _within(dates: Sequence[datetime], start: datetime, end: datetime) -> Sequence[datetime]:
    """The part of sorted dates inside the interval."""
    return dates[bisect_left(dates, start) : bisect_left(dates, end)]


def _counting(pattern: Pattern) -> tuple[datetime, Rule]:
    assert pattern.rule is not None  # noqa: S101  # asked for rules with COUNT only
    return pattern.start, pattern.rule


# Limited by the number of dates, not of rules, because a rule has up to ten thousand dates. The cache stays below 30
# MB.
@cached(LRUCache(500_000, getsizeof=len), lock=Lock())
def _counted(start: datetime, rule: Rule) -> tuple[datetime, ...]:
    """All dates of a rule with COUNT. The start is the first, whether the rule selects it or not."""
    return tuple(islice(_from_start(start, rule, Steps()), rule.count))


def _from_start(start: datetime, rule: Rule, steps: Steps) -> Iterator[datetime]:
    """The start, and the rule's dates after it, ignoring the rule's end."""
    return chain([start], (at for at in dates_by_rule(start, rule, start, END, steps) if at != start))


def _by_rule(
    pattern: Pattern, rule: Rule, start: datetime, end: datetime, steps: Steps | None = None
) -> Iterator[datetime]:
    """Dates of a rule without COUNT in ``[start, end)`` of wall-clock time, up to its UNTIL."""
    dates = dates_by_rule(pattern.start, rule, start, end, steps)
    until = rule.until
    if until is None:
        yield from dates
    elif until.is_date:
        yield from takewhile(lambda at: at.date() <= until.at.date(), dates)
    elif until.is_utc:
        last = instant_of(until.at, "UTC")
        yield from takewhile(lambda at: pattern.instant_of(at) <= last, dates)
    else:
        yield from takewhile(lambda at: at <= until.at, dates)


@cache
def _begin(year: int) -> Instant:
    """The beginning of a year in UTC."""
    return instant_of(datetime(year, 1, 1), "UTC")  # noqa: DTZ001  # read in UTC


def _wall(at: Instant) -> datetime:
    """The wall-clock time of an instant in UTC."""
    return to_datetime(at).replace(tzinfo=None)


def _year(at: Instant) -> int:
    """The year of an instant in UTC."""
    return to_datetime(at).year


def _at(occurrence: Occurrence) -> Instant:
    return occurrence.at

"""Split a pattern, and carry exclusions and dates over to a changed rule, so that a cancelled week stays cancelled."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.errors import Refused
from openmeet.recurrence import expansion
from openmeet.recurrence.errors import RecurrenceReason
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule import MAX_A_DAY, Until
from openmeet.recurrence.wall_time import instant_of

# More dates than a rule can have in the two days before a date. The next date by the rule is behind them.
_LOOKED_AT: Final = 3 * MAX_A_DAY


def split(pattern: Pattern, at: datetime) -> tuple[Pattern, Pattern]:
    """Split a pattern at one of its dates: the part before that date, and the rest, which begins with it.

    ``at`` is the date's wall-clock time by the rule; it may be excluded. Raises Refused if it is not a date of the
    pattern (``NoSuchDate``), or if it is the first one (``FirstDate``), because the first part would be empty.
    """
    dates = (*pattern.added, *pattern.left_out)
    if at not in dates and not expansion.is_date_of(pattern, at):
        raise Refused(RecurrenceReason.NO_SUCH_DATE, name="NoSuchDate")
    before = _before(pattern, at)
    if before is None:
        raise Refused(RecurrenceReason.FIRST_DATE, name="FirstDate")
    return before, behind(pattern, at)


def _before(pattern: Pattern, at: datetime) -> Pattern | None:
    added = tuple(date for date in pattern.added if date < at)
    left_out = tuple(date for date in pattern.left_out if date < at)
    rule = pattern.rule
    if rule is None or pattern.start >= at:
        if pattern.start < at:
            return replace(pattern, added=added, left_out=left_out)
        if not added:
            return None
        # If an added date is before the start of its half, it becomes the first date of that half.
        return replace(pattern, start=added[0], rule=None, added=added[1:], left_out=left_out)
    last = _last_by_rule(pattern, at)
    return replace(
        pattern,
        rule=replace(rule, count=None, until=Until(last, is_date=pattern.is_all_day)),
        added=added,
        left_out=left_out,
    )


def behind(pattern: Pattern, at: datetime) -> Pattern:
    """The part of a pattern that begins with one of its dates."""
    added = tuple(date for date in pattern.added if date >= at)
    left_out = tuple(date for date in pattern.left_out if date >= at)
    whole = replace(pattern, added=(), left_out=())
    rule = pattern.rule
    if pattern.start >= at:
        return replace(pattern, added=added, left_out=left_out)
    if rule is not None and rule.count is not None:
        remaining = expansion.originals_with_count(whole)
        later = tuple(date for date in remaining if date >= at)
        rule = replace(rule, count=len(later)) if later else None
        first = later[0] if later else None
    else:
        ahead = (
            expansion.following(whole, Instant(instant_of(at, pattern.zone_or_utc) - 2 * DAY), _LOOKED_AT)
            if rule
            else []
        )
        first = next((one.original for one in ahead if one.original >= at), None)
    if first is not None:
        return Pattern(first, pattern.zone_name, rule, left_out, added, is_all_day=pattern.is_all_day)
    # Only single dates are left.
    return Pattern(
        added[0] if added else at, pattern.zone_name, None, left_out, added[1:], is_all_day=pattern.is_all_day
    )


def _last_by_rule(pattern: Pattern, at: datetime) -> datetime:
    """The last date before ``at`` that the rule selects, or the start."""
    whole = replace(pattern, added=(), left_out=())
    zone = pattern.zone_or_utc
    end = instant_of(at, zone)
    reach = 400 * DAY
    while True:
        dates = [one.original for one in expansion.between(whole, Instant(end - reach), Instant(end + 2 * DAY))]
        earlier = [original for original in dates if original < at]
        if earlier:
            return earlier[-1]
        if end - reach < instant_of(pattern.start, zone):
            return pattern.start
        reach *= 4


_UNITS: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")


def carry_over_exclusions(old: Pattern, new: Pattern) -> tuple[datetime, ...]:
    """The sorted exclusions of the new pattern that keep everything excluded that the old pattern excluded.

    An exclusion applies to its day, week, month or year: the shorter of the periods of the two rules. A date that the
    new rule also selects is simply excluded again. If all old dates of a period were excluded, all new dates of that
    period are; if only some were, the dates that replace them are (``remap``). Exclusions without a counterpart are
    kept, in case the old rule is restored.
    """
    if old.rule is None or new.rule is None:
        return old.left_out
    before, behind = replace(old, left_out=(), added=()), replace(new, left_out=(), added=())
    unit = min(old.rule.freq, new.rule.freq, key=_UNITS.index)
    off = set(old.left_out)
    exclusions: set[datetime] = set()
    for at in old.left_out:
        begin, end = _period(at, unit)
        named = _within(behind, begin, end)
        were = _within(before, begin, end)
        if at in named or at not in were or not named:
            exclusions.add(at)
        elif off.issuperset(were):
            exclusions.update(named)
        else:
            place = remap(were, named)[at]
            exclusions.add(at if place is None else place)
    return tuple(sorted(exclusions))


def _period(at: datetime, unit: str) -> tuple[datetime, datetime]:
    """The day, week, month or year that contains a wall-clock time: its beginning and the beginning of the next one."""
    day = at.replace(hour=0, minute=0, second=0)
    match unit:
        case "DAILY":
            return day, day + timedelta(days=1)
        case "WEEKLY":
            begin = day - timedelta(days=day.weekday())
            return begin, begin + timedelta(weeks=1)
        case "MONTHLY":
            begin = day.replace(day=1)
            return begin, (begin + timedelta(days=32)).replace(day=1)
        case _:
            begin = day.replace(month=1, day=1)
            return begin, begin.replace(year=begin.year + 1)


def _within(pattern: Pattern, begin: datetime, end: datetime) -> list[datetime]:
    zone = pattern.zone_or_utc
    # Wall-clock time differs from UTC by less than two days.
    occurrences = expansion.between(
        pattern, Instant(instant_of(begin, zone) - 2 * DAY), Instant(instant_of(end, zone) + 2 * DAY)
    )
    return [one.original for one in occurrences if begin <= one.original < end]


# With fewer than two dates there is no usual distance between dates. They are then moved by at most this much.
_ALONE = timedelta(days=3)


def remap(
    old: Sequence[datetime], new: Sequence[datetime], *, apart: Collection[datetime] = ()
) -> dict[datetime, datetime | None]:
    """Map each old date to a new one, or to None if it has no counterpart. No new date is used twice.

    A date that still exists maps to itself. Otherwise it maps to the date on the same day. Otherwise it maps to the
    nearest free date that keeps the order and is closer than half the usual distance between dates, as when a weekly
    meeting moves from Tuesday to Wednesday.

    ``apart``: old dates that the old rule no longer selected. Such a date maps to a new one only at the same time or on
    the same day, if no other date needs it.
    """
    free = sorted(set(new))
    new_by_old: dict[datetime, datetime | None] = dict.fromkeys(sorted(set(old)))
    for date in new_by_old:
        if date in free:
            new_by_old[date] = date
            free.remove(date)
    for date in sorted(_open(new_by_old), key=lambda date: (date in apart, date)):
        same_day = next((other for other in free if other.date() == date.date()), None)
        if same_day is not None:
            new_by_old[date] = same_day
            free.remove(same_day)
    reach = _reach([date for date in new_by_old if date not in apart], new)
    for date in _open(new_by_old):
        if date in apart:
            continue
        near = [other for other in free if abs(other - date) <= reach and _keeps_order(new_by_old, date, other)]
        if near:
            nearest = min(near, key=lambda other: (abs(other - date), other))
            new_by_old[date] = nearest
            free.remove(nearest)
    return new_by_old


def _open(new_by_old: dict[datetime, datetime | None]) -> list[datetime]:
    return [date for date, other in new_by_old.items() if other is None]


def _reach(old: Sequence[datetime], new: Sequence[datetime]) -> timedelta:
    both = (sorted(old), sorted(new))
    gaps = [(behind - before).total_seconds() for dates in both for before, behind in pairwise(dates)]
    return timedelta(seconds=median(gaps) / 2) if gaps else _ALONE


def _keeps_order(new_by_old: dict[datetime, datetime | None], date: datetime, other: datetime) -> bool:
    return all(
        (before < date) == (taken < other)
        for before, taken in new_by_old.items()
        if taken is not None and before != date
    )

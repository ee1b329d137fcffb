"""Dates that were left out of a rule, where another rule takes its place: a week that is off stays off."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from groundwork.clock import DAY, Instant
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.remapping import remap
from openmeet.recurrence.wall_time import instant_of

_UNITS: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")


def still_left_out(old: Pattern, new: Pattern) -> tuple[datetime, ...]:
    """What the new pattern leaves out, so that nothing comes back that the old one left out; sorted.

    Who leaves out a date means its day, week, month or year, whichever is the shorter step of both rules. A date that the new rule
    names, too, stays out alone. Where everything was off that the old rule named there, so is everything that the new one names; where
    only some was, the dates that stand for those (``remap``). What nothing stands for is kept, in case the rule comes back.
    """
    if old.rule is None or new.rule is None:
        return old.left_out
    before, behind = replace(old, left_out=(), added=()), replace(new, left_out=(), added=())
    unit = min(old.rule.freq, new.rule.freq, key=_UNITS.index)
    off = set(old.left_out)
    found: set[datetime] = set()
    for at in old.left_out:
        begin, end = _period(at, unit)
        named = _within(behind, begin, end)
        were = _within(before, begin, end)
        if at in named or at not in were or not named:
            found.add(at)
        elif off.issuperset(were):
            found.update(named)
        else:
            place = remap(were, named)[at]
            found.add(at if place is None else place)
    return tuple(sorted(found))


def _period(at: datetime, unit: str) -> tuple[datetime, datetime]:
    """The day, week, month or year of a wall-clock time: its begin and that of the next one."""
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
    zone = pattern.zone_name or "UTC"
    # A wall clock and the instant that it means differ by less than two days.
    found = expansion.between(
        pattern, Instant(instant_of(begin, zone) - 2 * DAY), Instant(instant_of(end, zone) + 2 * DAY)
    )
    return [one.original for one in found if begin <= one.original < end]

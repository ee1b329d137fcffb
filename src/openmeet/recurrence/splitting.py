"""One pattern cut in two at a date: together both halves have the dates of the whole, and no COUNT starts again."""

from dataclasses import replace
from datetime import datetime

from groundwork.clock import DAY, Instant
from groundwork.errors import Refused
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule import Until
from openmeet.recurrence.wall_time import instant_of


def split(pattern: Pattern, at: datetime) -> tuple[Pattern, Pattern]:
    """What comes before a date of the pattern, and the rest with this date as its first.

    ``at`` is the date's wall-clock time by the rule; it may have been left out. Raises Refused where it is no date of
    the pattern (``NoSuchDate``), or the first one (``FirstDate``): there is nothing before it then.
    """
    dates = (*pattern.added, *pattern.left_out)
    if at not in dates and not expansion.is_date_of(pattern, at):
        raise Refused("The series has no such date.", name="NoSuchDate")
    before = _before(pattern, at)
    if before is None:
        raise Refused("This is the first date of the series: change all dates instead.", name="FirstDate")
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
        # The start comes later than a date that was added: that date is the first of its half.
        return replace(pattern, start=added[0], rule=None, added=added[1:], left_out=left_out)
    last = _last_by_rule(pattern, at)
    return replace(
        pattern,
        rule=replace(rule, count=None, until=Until(last, is_date=pattern.is_all_day)),
        added=added,
        left_out=left_out,
    )


def behind(pattern: Pattern, at: datetime) -> Pattern:
    """What is left of a pattern from one of its dates on."""
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
            expansion.following(whole, Instant(instant_of(at, pattern.zone_name or "UTC") - 2 * DAY), 60)
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
    """The newest date by the rule before ``at``; the start is one."""
    whole = replace(pattern, added=(), left_out=())
    zone = pattern.zone_name or "UTC"
    end = instant_of(at, zone)
    reach = 400 * DAY
    while True:
        found = [one.original for one in expansion.between(whole, Instant(end - reach), Instant(end + 2 * DAY))]
        earlier = [original for original in found if original < at]
        if earlier:
            return earlier[-1]
        if end - reach < instant_of(pattern.start, zone):
            return pattern.start
        reach *= 4

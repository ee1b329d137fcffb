"""What a calendar file says of "this and following" dates: how their series goes on there, if a rule can say it. Pure.

Source: RFC 5545, section 3.2.13: all dates from there on are shifted by as much as the first, and take as long. That is the split that an
edit of "this and following" makes; the dates of its outcome are looked at, because not every rule can say it.
"""

from datetime import datetime, timedelta

from groundwork.clock import Instant
from groundwork.errors import Refused
from openmeet.domain.series.model import Timing
from openmeet.domain.series.plan import moved
from openmeet.recurrence import expansion
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.splitting import split
from openmeet.recurrence.wall_time import instant_of

# Dates that are compared: of a weekly series those of two years.
_LOOKED_AT = 104


def rest_of(pattern: Pattern, at: datetime) -> Pattern | None:
    """The pattern from the date named ``at`` on; all of it at its first date, None where it has no such date."""
    try:
        return split(pattern, at)[1]
    except Refused as refused:
        return pattern if refused.name == "FirstDate" else None


def continued(rest: Pattern, at: datetime, starts: datetime, length: timedelta | None) -> Timing | None:
    """What is left of a series from ``at`` on, when that date begins at ``starts`` and all others as much later.

    None where a rule cannot say that: then these dates have to stay where they are.
    """
    try:
        made = moved(Timing(rest, length), at, starts, length)
        expansion.check_occurs(made.pattern)
    except (Refused, RuleRefused):
        return None
    is_exact = _names(made.pattern) == [name + (starts - at) for name in _names(rest)]
    return made if is_exact else None


def _names(pattern: Pattern) -> list[datetime]:
    begin = instant_of(min((pattern.start, *pattern.added)), pattern.zone_name or "UTC")
    return [one.original for one in expansion.following(pattern, Instant(begin - 1), _LOOKED_AT)]

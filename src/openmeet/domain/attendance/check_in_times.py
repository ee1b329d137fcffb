"""From when until when the attendees of an event can be checked in. Pure."""

from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.errors import Refused, Why
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.events.model import Event
from openmeet.i18n import formatting
from openmeet.recurrence import wall_time

# One day, because badges are handed out the evening before and the staff may be in another time zone.
_OPENS_BEFORE: Final = DAY
_CLOSES_AFTER: Final = 7 * DAY


def why_check_in_is_closed(event: Event, now: Instant) -> Why | None:
    """Why check-in is closed now and when it opens; None while it is open."""
    if event.starts_at is None or event.over_at is None:
        return AttendanceReason.CHECK_IN_NEEDS_DATE()
    if now < event.starts_at - _OPENS_BEFORE:
        opens = Instant(event.starts_at - _OPENS_BEFORE)
        return AttendanceReason.CHECK_IN_NOT_YET(opens=_time_label(event, opens, now))
    if now > event.over_at + _CLOSES_AFTER:
        closed = Instant(event.over_at + _CLOSES_AFTER)
        return AttendanceReason.CHECK_IN_OVER(closed=_time_label(event, closed, now))
    return None


def require_check_in_time(event: Event, now: Instant) -> None:
    """Raise Refused (``CheckInClosed``) outside the check-in time."""
    if why := why_check_in_is_closed(event, now):
        raise Refused(why, name="CheckInClosed")


def _time_label(event: Event, at: Instant, now: Instant) -> str:
    local, today = wall_time.local_of(at, event.time_zone), wall_time.local_of(now, event.time_zone).date()
    return f"{formatting.span(local, None, today)}, {formatting.zone_label(local, event.time_zone)}"

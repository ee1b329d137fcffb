"""From when until when people are checked in. Pure.

Who is checked in cannot take their answer back by themselves, so nobody is weeks before anybody stands at a door. Afterwards a list
on paper may still be entered.
"""

from groundwork.clock import DAY, Instant
from groundwork.errors import Refused
from openmeet.domain.events.model import Event
from openmeet.i18n import formatting
from openmeet.recurrence import wall_time

# The eve of an event: badges are handed out, and the zone of whoever does that is another one.
OPENS_BEFORE = DAY
CLOSES_AFTER = 7 * DAY


def closed_words(event: Event, now: Instant) -> str:
    """Why nobody is checked in now, and when they are; empty where they are."""
    if event.starts_at is None or event.over_at is None:
        return "Check-in opens a day before the start, and this event has no date yet."
    if now < event.starts_at - OPENS_BEFORE:
        return f"Check-in opens a day before the start: {_words(event, Instant(event.starts_at - OPENS_BEFORE))}."
    if now > event.over_at + CLOSES_AFTER:
        return f"Check-in closed a week after the end: {_words(event, Instant(event.over_at + CLOSES_AFTER))}."
    return ""


def must_be_open(event: Event, now: Instant) -> None:
    """Refused (``CheckInClosed``) before and after that time."""
    if why := closed_words(event, now):
        raise Refused(why, name="CheckInClosed")


def _words(event: Event, at: Instant) -> str:
    local = wall_time.local_of(at, event.time_zone)
    return f"{formatting.span(local, None)}, {formatting.zone_words(local, event.time_zone)}"

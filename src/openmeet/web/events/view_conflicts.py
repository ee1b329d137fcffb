"""The viewer's calendar conflicts with an event. Its page shows them to this viewer only."""

from dataclasses import dataclass
from datetime import date

from groundwork.clock import HOUR, Instant
from groundwork.database.transaction import Reader
from openmeet.domain.calendars.entries import conflicts
from openmeet.domain.calendars.model import CalendarEntry, ExcludedEvent, Span
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext
from openmeet.recurrence.wall_time import local_of

# Maximum number of conflicts shown.
MOST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """One conflict. ``path`` is empty for entries of subscribed calendars. ``when`` is in the event's time zone."""

    title: str
    path: str
    when: str


async def conflicts_of(reader: Reader, event: Event, viewer: UserId | None) -> list[Meanwhile]:
    """Conflicts in order, without the event itself. Empty for visitors who are not signed in, and once the event is
    over or cancelled.
    """
    if viewer is None or event.starts_at is None or event.is_cancelled or event.is_over(reader.now):
        return []
    # An event without an end is assumed to last one hour, as in the calendar.
    ends_at = event.ends_at if event.ends_at is not None else Instant(event.starts_at + HOUR)
    itself = ExcludedEvent(event.id, event.title, event.starts_at)
    [entries] = await conflicts(reader, viewer, [Span(event.starts_at, ends_at)], exclude=itself)
    day = local_of(event.starts_at, event.time_zone).date()
    return [
        Meanwhile(one.title, f"/events/{one.slug}" if one.slug else "", _time_label(one, event.time_zone, day))
        for one in entries[:MOST_SHOWN]
    ]


def _time_label(entry: CalendarEntry, zone: str, day: date) -> str:
    """The times, with the date if it is not the day of the event."""
    if entry.is_all_day:
        return gettext("all day")
    starts = local_of(entry.starts_at, zone)
    ends = local_of(entry.ends_at, zone) if entry.has_end else None
    if starts.date() == day and (ends is None or ends.date() == day):
        return formatting.time_of_day(starts) if ends is None else formatting.hours(starts, ends)
    return formatting.span(starts, ends)

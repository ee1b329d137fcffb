"""Changes since yesterday and regular attendees, in words."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance import activity
from openmeet.domain.attendance.activity import PastAttendance, RecentChanges
from openmeet.domain.events.model import EventId
from openmeet.i18n.catalogue import ngettext
from openmeet.recurrence.wall_time import instant_of, local_of


def yesterday(now: Instant, zone: str) -> Instant:
    """The start of yesterday in the event's time zone."""
    local = local_of(now, zone).date() - timedelta(days=1)
    return instant_of(datetime(local.year, local.month, local.day), zone)  # noqa: DTZ001  # wall time is naive here


async def since_yesterday(reader: Reader, event_ids: Sequence[EventId], zone: str) -> RecentChanges:
    """Changes at these events since the start of yesterday in this time zone."""
    return await activity.since(reader, event_ids, yesterday(reader.now, zone))


def parts_of(changes: RecentChanges, unconfirmed: int) -> list[str]:
    """``3 new answers``, ``1 can’t come``, ``2 wait for approval``. Empty if nothing happened and nobody is waiting."""
    parts = []
    if changes.answered:
        parts.append(ngettext("%(number)s new answer", "%(number)s new answers", changes.answered))
    if changes.cannot_come:
        parts.append(ngettext("%(number)s can’t come", "%(number)s can’t come", changes.cannot_come))
    if unconfirmed:
        parts.append(ngettext("%(number)s waits for approval", "%(number)s wait for approval", unconfirmed))
    return parts


def attendance_words(past: PastAttendance | None) -> str:
    """``Came to 4 of your last 5 events`` if attendees were checked in at all of those events. Otherwise a sentence
    about their RSVPs.

    An RSVP does not prove that somebody came.
    """
    if past is None:
        return ""
    if past.is_checked:
        if not past.came:
            return ""
        return ngettext(
            "Came to your last event", "Came to %(came)s of your last %(number)s events", past.events, came=past.came
        )
    return ngettext(
        "Said yes to your last event",
        "Said yes to %(yes)s of your last %(number)s events",
        past.events,
        yes=past.said_yes,
    )

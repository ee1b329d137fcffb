"""What is said to whom the host has removed from an event that they see no more of since: that they have no place there.

What it was called and when it was they knew: that stands in the news themselves, as it was then. Nothing else is said, neither where it
is nor what became of it since, and no page is named that would not open.
"""

from collections.abc import Sequence
from dataclasses import replace

from openmeet.domain.attendance.model import Attendance, AttendanceStatus
from openmeet.domain.events.model import Event
from openmeet.domain.icalendar.write import WrittenEvent
from openmeet.domain.notifications.model import Kind, Notification, Particulars


def newest_removal(news: Sequence[Notification], event: Event, mine: Attendance | None) -> Particulars | None:
    """What the newest of these news say of it; None where they do not, or it is otherwise now. Pure."""
    if mine is None or mine.status is not AttendanceStatus.REJECTED or event.is_gone or event.is_hidden:
        return None
    removals = [one.particulars for one in news if one.kind is Kind.ANSWER_DECLINED and one.particulars.said]
    return removals[-1] if removals else None


def as_known(event: Event, known: Particulars) -> Event:
    """The event with the name and the time that they knew. Pure."""
    starts = known.starts
    if starts is None:
        return replace(event, title=known.said, starts_at=None, ends_at=None)
    return replace(
        event, title=known.said, starts_at=starts.at, ends_at=None, time_zone=starts.time_zone, is_all_day=starts.is_day
    )


def bare(entry: WrittenEvent) -> WrittenEvent:
    """An entry of a calendar with its name and its time alone. Pure."""
    # Named one by one what stays: what is added to entries one day is left out by itself.
    return WrittenEvent(
        uid=entry.uid,
        pattern=entry.pattern,
        length=entry.length,
        summary=entry.summary,
        stamped_at=entry.stamped_at,
        changes=entry.changes,
        is_cancelled=entry.is_cancelled,
        is_tentative=entry.is_tentative,
        sequence=entry.sequence,
    )

"""News in words: who answered what, what an event was moved from and to, why it is cancelled."""

from collections.abc import Mapping
from dataclasses import dataclass

from groundwork.clock import Instant
from openmeet.attendance.model import AttendanceStatus
from openmeet.events.model import Event
from openmeet.notifications.model import Kind, Notification, When
from openmeet.recurrence import wall_time
from openmeet.site import times
from openmeet.users.model import UserId

_ANSWERS: Mapping[str, str] = {
    AttendanceStatus.ATTENDING: "is going to",
    AttendanceStatus.ATTENDED: "is going to",
    AttendanceStatus.INTERESTED: "is interested in",
    AttendanceStatus.DECLINED: "is not going to",
    AttendanceStatus.WAITLISTED: "is on the waitlist of",
    AttendanceStatus.PENDING: "would like to go to",
}


@dataclass(frozen=True, slots=True)
class NewsItem:
    """One line: what stands before and after the event's title, which is the link."""

    before: str
    after: str
    slug: str
    title: str
    when: str
    is_unread: bool


def item_of(one: Notification, event: Event, names: Mapping[UserId, str], now: Instant) -> NewsItem:
    """What a person reads of it; ``names`` has those of the people whom news are about."""
    before, after = _words(one, event, names)
    return NewsItem(before, after, event.slug, event.title, times.ago(one.created_at, now), one.read_at is None)


def _words(one: Notification, event: Event, names: Mapping[UserId, str]) -> tuple[str, str]:
    about = one.particulars
    match one.kind:
        case Kind.EVENT_CHANGED if about.starts and about.started:
            return "", f" was moved to {_moment(about.starts)}; it was {_moment(about.started)}."
        case Kind.EVENT_CHANGED if about.is_near:
            return "", " takes place nearby now: its page says where to those who are going."
        case Kind.EVENT_CHANGED if about.is_at:
            return "", f" takes place somewhere else now: {about.is_at}."
        case Kind.EVENT_CHANGED:
            return "", " was changed."
        case Kind.EVENT_CANCELLED:
            # Once it is back on, the reason is no longer true.
            return "", f" is cancelled: {event.status_reason}" if event.status_reason else " is cancelled."
        case Kind.EVENT_REINSTATED:
            return "", " is back on."
        case Kind.EVENT_DELETED:
            return "", " was deleted by its host."
        case Kind.MOVED_UP:
            return "A place became free: you are going to ", "."
        case Kind.NEW_ANSWER:
            name = names.get(about.person_id) if about.person_id else None
            return f"{name or 'Somebody'} {_ANSWERS.get(about.answer, 'answered')} ", "."
        case Kind.REMINDER:
            return "Coming up: ", f", {_start(event)}." if event.starts_at else "."
        case Kind.SERIES_PAUSED:
            return "The series of ", f" is paused{': ' + about.said if about.said else '.'}"
        case Kind.SERIES_RESUMED:
            return "The series of ", " goes on."
        case Kind.SERIES_OFFERED:
            name = names.get(about.person_id) if about.person_id else None
            return f"{name or 'Somebody'} would like to hand over to you the series of ", "."
        case Kind.NEW_DATE:
            more = f" and {about.more} more" if about.more else ""
            return "New in a series that you follow: ", f"{', ' + _moment(about.starts) if about.starts else ''}{more}."


def _start(event: Event) -> str:
    return "" if event.starts_at is None else _moment(When(event.starts_at, event.time_zone, event.is_all_day))


def _moment(when: When) -> str:
    local = wall_time.local_of(when.at, when.time_zone)
    if when.is_day:
        return times.day(local)
    return f"{times.span(local, None)} {times.zone_words(local, when.time_zone)}"

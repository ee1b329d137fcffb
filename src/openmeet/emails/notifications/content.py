"""Notifications in words: who responded how, what an event was moved from and to, why it is cancelled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.attendance.visibility import seen_by
from openmeet.domain.events import ownership, time_words
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.notifications.model import OF_GROUPS, Notification, NotificationKind, When
from openmeet.domain.notifications.queries import newest
from openmeet.domain.search import event_lists
from openmeet.domain.search.event_lists import EventCursor, events_by_ids
from openmeet.domain.users.model import UserId
from openmeet.emails.notifications import group_content
from openmeet.emails.notifications.group_content import GroupSentence
from openmeet.i18n import formatting
from openmeet.recurrence import wall_time

# Notifications per page.
NEWS_SHOWN: Final = 50

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
    """One line: the text before and after the link to ``path``, which is the title of the event or the name of the
    group.

    ``slug`` is that of the event or group. Both are empty where the person can open no page.
    """

    before: str
    after: str
    slug: str
    title: str
    when: str
    is_unread: bool
    path: str


async def some(
    reader: Reader, user_id: UserId, cursor: str, limit: int = NEWS_SHOWN
) -> tuple[list[Notification], str | None]:
    """A person's newest notifications, or those after a cursor; and the cursor of the page before, None on the first
    page.

    Raises InvalidInput (``InvalidCursor``).
    """
    after = event_lists.unpack(cursor)
    found = await newest(reader, user_id, limit + 1, None if after is None else (after.starts_at, after.event_id))
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], event_lists.pack(EventCursor(last.created_at, last.id))


def item_of(one: Notification, event: Event, names: Mapping[UserId, str], now: Instant) -> NewsItem:
    """The text of a notification; ``names`` has those of the people in it."""
    before, after = _words(one, event, names)
    path = f"/events/{quote(event.slug)}"
    return NewsItem(
        before, after, event.slug, event.title, formatting.ago(one.created_at, now), one.read_at is None, path
    )


async def items(reader: Reader, news: Sequence[Notification], viewer: UserId) -> list[tuple[Notification, NewsItem]]:
    """The texts of these notifications, in order; those the person may no longer see are left out."""
    events = await events_by_ids(reader, [EventId(one.subject_id) for one in news if one.kind not in OF_GROUPS])
    seen = await seen_by(reader, list(events.values()), viewer)
    names = await shown_names(reader, [one.particulars.person_id for one in news if one.particulars.person_id])
    of_groups = await group_content.facts_of(reader, news, viewer)
    found = []
    for one in news:
        if one.kind in OF_GROUPS:
            said = group_content.said(one, of_groups)
            if said is not None:
                found.append((one, _item_of_group(one, said, reader.now)))
            continue
        event = events.get(EventId(one.subject_id))
        is_kept_back = event is not None and event.is_hidden and event.author_id != viewer
        if event is None or is_kept_back or not event.title:
            continue
        if event.id not in seen:
            found += _of_removal(one, event, reader.now)
            continue
        found.append((one, item_of(one, event, names, reader.now)))
    return found


def _of_removal(one: Notification, event: Event, now: Instant) -> list[tuple[Notification, NewsItem]]:
    """A removed attendee reads only that, with the event's name as of then."""
    about = one.particulars
    if one.kind is not NotificationKind.ANSWER_DECLINED or not about.said or event.is_hidden:
        return []
    when = f", {_moment(about.starts)}" if about.starts else ""
    after = f"{when}. It is for invited people alone, so you do not see it any more."
    words = ("The host has taken you off the list of ", after)
    return [(one, NewsItem(*words, "", about.said, formatting.ago(one.created_at, now), one.read_at is None, ""))]


def _item_of_group(one: Notification, said: GroupSentence, now: Instant) -> NewsItem:
    group = said.group
    when = formatting.ago(one.created_at, now)
    return NewsItem(said.before, said.after, group.slug, group.details.name, when, one.read_at is None, said.path)


# Suffix of a notification about several dates, after the first.
_OTHERS = {
    NotificationKind.EVENT_CANCELLED: "Other dates are cancelled, too",
    NotificationKind.EVENT_REINSTATED: "Other dates are back on, too",
    NotificationKind.EVENT_DELETED: "Other dates were deleted, too",
}


def _words(one: Notification, event: Event, names: Mapping[UserId, str]) -> tuple[str, str]:
    before, after = _words_of_first(one, event, names)
    more = [time_words.rule_words(one.particulars)]
    others = (
        time_words.changed_too(one.particulars) if one.kind is NotificationKind.EVENT_CHANGED else _OTHERS.get(one.kind)
    )
    if others and one.particulars.others:
        more.insert(0, f"{others}: {time_words.others_words(one.particulars)}.")
    if not any(more):
        return before, after
    end = "" if after.endswith((".", "!", "?")) else "."
    return before, " ".join(filter(None, (f"{after}{end}", *more)))


def _words_of_first(one: Notification, event: Event, names: Mapping[UserId, str]) -> tuple[str, str]:
    about = one.particulars
    match one.kind:
        case NotificationKind.EVENT_CHANGED if about.starts and about.started:
            return "", f" was moved to {_moment(about.starts)}; it was {_moment(about.started)}."
        case NotificationKind.EVENT_CHANGED if about.is_near:
            return "", " takes place nearby now: its page says where to those who are going."
        case NotificationKind.EVENT_CHANGED if about.is_at:
            return "", f" takes place somewhere else now: {about.is_at}."
        case NotificationKind.EVENT_CHANGED:
            said = f" has changed: {about.said}." if about.said else " has changed."
            return "", _which(event) + said
        case NotificationKind.EVENT_CANCELLED:
            # When it takes place again, the old reason no longer holds.
            said = f" is cancelled: {event.status_reason}" if event.status_reason else " is cancelled."
            return "", _which(event) + said
        case NotificationKind.EVENT_REINSTATED:
            return "", _which(event) + " is back on."
        case NotificationKind.EVENT_DELETED:
            return "", _which(event) + " was deleted by its host."
        case NotificationKind.MOVED_UP:
            return "A place became free: you are going to ", "."
        case NotificationKind.NEW_ANSWER:
            name = names.get(about.person_id) if about.person_id else None
            return f"{name or 'Somebody'} {_ANSWERS.get(about.answer, 'answered')} ", "."
        case NotificationKind.HOST_MESSAGE:
            name = names.get(about.person_id) if about.person_id else None
            return f"{name or 'The host'} writes about ", f": {about.said}"
        case NotificationKind.MENTION:
            name = names.get(about.person_id) if about.person_id else None
            return f"{name or 'Somebody'} mentions you in ", "."
        case NotificationKind.SEAT_OFFERED:
            return "A place became free, and it is held for you: say whether you come to ", "."
        case NotificationKind.SEAT_WITHDRAWN:
            return "There are fewer places now, and the one held for you is gone; you wait as before for ", "."
        case NotificationKind.ANSWER_APPROVED if about.answer == AttendanceStatus.WAITLISTED:
            return "The host said yes. It is full, and you are on the waitlist for ", "."
        case NotificationKind.ANSWER_APPROVED:
            return "The host said yes: you are going to ", "."
        case NotificationKind.ANSWER_DECLINED:
            return "The host has no place for you at ", "."
        case NotificationKind.INVITED:
            return "You are invited to ", f" and {about.more} more of its dates." if about.more else "."
        case NotificationKind.FOREIGN_ANSWERS:
            return "People who were never here answered by other apps, and wait for you to confirm them: ", "."
        case NotificationKind.RECORD_DELETED:
            return (
                "Another app deleted ",
                ". It stays here, and guests haven’t been told. Its page says what can be done.",
            )
        case NotificationKind.MODERATED if about.answer == "hidden":
            return "", f" was hidden by a moderator: {about.said}"
        case NotificationKind.MODERATED:
            return "", " is shown to others now, as a moderator has decided."
        case NotificationKind.REMINDER:
            return "Coming up: ", f", {_start(event)}." if event.starts_at else "."
        case NotificationKind.SERIES_PAUSED:
            return "The series of ", f" is paused{': ' + about.said if about.said else '.'}"
        case NotificationKind.SERIES_RESUMED:
            return "The series of ", " goes on."
        case NotificationKind.SERIES_OFFERED if about.answer in {ownership.EVENT_TAKEN, ownership.SERIES_TAKEN}:
            name = names.get(about.person_id) if about.person_id else None
            what = "" if about.answer == ownership.EVENT_TAKEN else "the series of "
            return f"{name or 'Somebody'} has taken over {what}", "."
        case NotificationKind.SERIES_OFFERED if about.answer in {ownership.EVENT_DECLINED, ownership.SERIES_DECLINED}:
            name = names.get(about.person_id) if about.person_id else None
            what = "" if about.answer == ownership.EVENT_DECLINED else "the series of "
            return f"{name or 'Somebody'} does not take over {what}", ". It stays yours."
        case NotificationKind.SERIES_OFFERED:
            name = names.get(about.person_id) if about.person_id else None
            what = "" if about.answer == ownership.EVENT else "the series of "
            return f"{name or 'Somebody'} would like to hand over to you {what}", "."
        case NotificationKind.NEW_DATE:
            more = f" and {about.more} more" if about.more else ""
            whose = "to which you go" if about.answer else "that you follow"
            return f"New in a series {whose}: ", f"{', ' + _moment(about.starts) if about.starts else ''}{more}."
        case NotificationKind.SEARCH_FIND:
            return "You look for this: ", f"{', ' + _start(event) if event.starts_at else ''} ({about.said})."
        case NotificationKind.HOST_EVENT:
            return "New by somebody you follow: ", f"{', ' + _start(event) if event.starts_at else ''}."
        case NotificationKind.GROUP_EVENT:
            return "New in a group of yours: ", f", {_start(event)}." if event.starts_at else "."
        case _:
            raise ValueError(f"not about an event: {one.kind}")


def _which(event: Event) -> str:
    """The day between commas: it tells the dates of a series apart."""
    if event.starts_at is None:
        return ""
    return f", {formatting.day(wall_time.local_of(event.starts_at, event.time_zone))},"


def _start(event: Event) -> str:
    return "" if event.starts_at is None else _moment(When(event.starts_at, event.time_zone, event.is_all_day))


def _moment(when: When) -> str:
    local = wall_time.local_of(when.at, when.time_zone)
    if when.is_day:
        return formatting.day(local)
    return f"{formatting.span(local, None)} {formatting.zone_words(local, when.time_zone)}"

"""Notifications as lines of text, for the page and the JSON API."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events.model import EventId
from openmeet.domain.notifications.event_kinds import EVENT_CANCELLED, NEW_ANSWER, NewAnswer, Rejection
from openmeet.domain.notifications.model import SubjectType
from openmeet.domain.notifications.queries import Notification, newest
from openmeet.domain.page_paths import event_path, group_path
from openmeet.domain.search import my_event_lists
from openmeet.domain.search.my_event_lists import EventCursor
from openmeet.domain.users.model import UserId
from openmeet.emails.notifications import texts
from openmeet.emails.notifications.facts import Facts, facts_of
from openmeet.i18n import formatting

# Notifications per page.
NEWS_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class NotificationLine:
    """One notification: the text before and after the link to ``path``. The link's text is the title of the event or
    the name of the group.

    ``slug`` is the slug of the event or group, and empty for a chat. Both are empty if the person cannot open a page
    about it. ``person_id``: the person who caused the notification, and ``person`` their name; None if the reader may
    not know. ``next_path``: the page of the next date of a cancelled event's series.
    """

    before: str
    after: str
    slug: str
    title: str
    when: str
    is_unread: bool
    path: str
    person_id: UserId | None = None
    person: str = ""
    next_path: str = ""


async def newest_notifications(
    reader: Reader,
    user_id: UserId,
    cursor: str,
    limit: int = NEWS_SHOWN,
    *,
    kinds: Collection[str] = (),
    is_unread: bool = False,
) -> tuple[list[Notification], str | None]:
    """Return a person's newest notifications, or those after a cursor, and the cursor of the next page, which has
    older ones (None on the last page).

    ``kinds``: return only these kinds. ``is_unread``: return only unread notifications.

    Raises InvalidInput (``InvalidCursor``).
    """
    after = my_event_lists.unpack(cursor)
    before = None if after is None else (after.starts_at, after.event_id)
    notifications = await newest(reader, user_id, limit + 1, before, kinds=kinds, is_unread=is_unread)
    if len(notifications) <= limit:
        return notifications, None
    last = notifications[limit - 1]
    return notifications[:limit], my_event_lists.pack(EventCursor(last.created_at, last.id))


async def notification_lines(
    reader: Reader, news: Sequence[Notification], viewer: UserId
) -> list[tuple[Notification, NotificationLine]]:
    """The texts of these notifications, in order. Notifications that the person may no longer see are left out."""
    facts = await facts_of(reader, news, viewer)
    shown = ((one, _line_of(one, facts)) for one in news)
    return [(one, _with_person(one, item, facts)) for one, item in shown if item is not None]


@dataclass(frozen=True, slots=True)
class NotificationBundle:
    """Notifications of one kind about one subject, newest first, all read or all unread. ``headline`` speaks of all of
    them if ``is_collective``, otherwise of the newest.
    """

    newest: Notification
    headline: NotificationLine
    lines: tuple[NotificationLine, ...]
    is_collective: bool


async def notification_bundles(
    reader: Reader, news: Sequence[Notification], viewer: UserId
) -> list[NotificationBundle]:
    """The texts of these notifications, similar ones together, in the order of the newest of each bundle. Notifications
    that the person may no longer see are left out.
    """
    facts = await facts_of(reader, news, viewer)
    bundles: dict[tuple[str, ...], list[tuple[Notification, NotificationLine]]] = {}
    for notification in news:
        if (line := _line_of(notification, facts)) is not None:
            kind = notification.kind.name if line.path else notification.id
            key = (kind, notification.subject_id, str(line.is_unread), _answer_of(notification))
            bundles.setdefault(key, []).append((notification, _with_person(notification, line, facts)))
    return [_bundle_of(similar, facts) for similar in bundles.values()]


def _answer_of(notification: Notification) -> str:
    """What an answer was. Only people with the same answer share a line."""
    if not isinstance(notification.payload, NewAnswer):
        return ""
    answer = notification.payload.answer
    return AttendanceStatus.ATTENDING if answer == AttendanceStatus.ATTENDED else answer


def _bundle_of(similar: Sequence[tuple[Notification, NotificationLine]], facts: Facts) -> NotificationBundle:
    newest_one, headline = similar[0]
    payloads = [notification.payload for notification, _ in reversed(similar)]
    is_collective = newest_one.kind is NEW_ANSWER and len({payload.person_id for payload in payloads}) > 1
    if is_collective:
        event = facts.of_event(facts.events[EventId(newest_one.subject_id)])
        before, after = texts.line(newest_one.kind, newest_one.payload, event, facts.names, payloads=payloads)
        headline = replace(headline, before=before, after=after)
    return NotificationBundle(newest_one, headline, tuple(line for _, line in similar), is_collective)


def _with_person(notification: Notification, item: NotificationLine, facts: Facts) -> NotificationLine:
    person_id = notification.payload.person_id
    name = facts.names.get(person_id, "") if person_id else ""
    return replace(item, person_id=person_id, person=name) if name else item


def _line_of(notification: Notification, facts: Facts) -> NotificationLine | None:
    if notification.kind.subject is SubjectType.ROOM:
        return _of_chat(notification, facts)
    return _group_line(notification, facts) if notification.kind.is_of_group else _event_line(notification, facts)


def _of_chat(notification: Notification, facts: Facts) -> NotificationLine | None:
    state = facts.of_chat(notification)
    if state is None or state.chat is None:
        return None
    chat = state.chat
    return _item(
        notification,
        texts.line(notification.kind, notification.payload, state, facts.names),
        "",
        chat.title,
        chat.path,
        facts.now,
    )


def _event_line(notification: Notification, facts: Facts) -> NotificationLine | None:
    event = facts.events.get(EventId(notification.subject_id))
    if event is None or not event.title or (event.is_hidden and event.author_id != facts.viewer):
        return None
    if event.id in facts.seen:
        state = facts.of_event(event)
        sentence = texts.line(notification.kind, notification.payload, state, facts.names)
        item = _item(notification, sentence, event.slug, event.title, event_path(event.slug), facts.now)
        next_date = state.next_date if notification.kind is EVENT_CANCELLED else None
        return item if next_date is None else replace(item, next_path=event_path(next_date.slug))
    # A removed attendee sees only this, with the name that the event had at the time.
    if not isinstance(notification.payload, Rejection) or not notification.payload.title or event.is_hidden:
        return None
    sentence = texts.line(notification.kind, notification.payload, facts.of_event(event), facts.names, is_shut_out=True)
    return _item(notification, sentence, "", notification.payload.title, "", facts.now)


def _group_line(notification: Notification, facts: Facts) -> NotificationLine | None:
    state = facts.of_group(notification)
    if state is None or state.group is None:
        return None
    group = state.group
    sentence = texts.line(notification.kind, notification.payload, state, facts.names)
    return _item(
        notification,
        sentence,
        group.slug,
        group.details.name,
        f"{group_path(group.slug)}{notification.kind.page}",
        facts.now,
    )


def _item(
    notification: Notification, sentence: tuple[str, str], slug: str, title: str, path: str, now: Instant
) -> NotificationLine:
    return NotificationLine(
        *sentence, slug, title, formatting.ago(notification.created_at, now), notification.read_at is None, path
    )

"""The viewer's notifications, newest first, with what they offer in place, and marking them as read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, assert_never

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput
from groundwork.http.forms import read_form
from groundwork.ui.tones import tone_of
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.attendance.queries import counts as counts_of
from openmeet.domain.covers.model import tone_for
from openmeet.domain.events.model import EventId
from openmeet.domain.events.queries import several
from openmeet.domain.host_tasks.decisions import group_requests
from openmeet.domain.media.pictures import Size
from openmeet.domain.notifications import notify
from openmeet.domain.notifications.event_kinds import EVENT_CHANGED, INVITED, SEAT_OFFERED, NewAnswer
from openmeet.domain.notifications.group_kinds import JOIN_REQUEST
from openmeet.domain.notifications.kinds import KINDS
from openmeet.domain.notifications.model import (
    NotificationId,
    NotificationKind,
    NotificationReason,
    SubjectType,
)
from openmeet.domain.notifications.queries import Notification, count_unread_by_kind
from openmeet.domain.page_paths import group_path
from openmeet.domain.search import my_event_lists
from openmeet.domain.users.model import UserId
from openmeet.domain.users.queries import by_id
from openmeet.emails.notifications import content
from openmeet.emails.notifications.content import NEWS_SHOWN, NotificationBundle, NotificationLine
from openmeet.i18n.catalogue import LazyText, lazy
from openmeet.recurrence import wall_time
from openmeet.web.events.asking_people import AskingList, asking_by_event, asking_by_group, return_path_of
from openmeet.web.events.pending_decisions import MAX_WAITING, WaitingRow, tasks_of, waiting_rows
from openmeet.web.media.drawings import thumbnail
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import Avatar, Portraits, avatar_of, portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of
from openmeet.web.site.viewer import viewer_moderates

PATH: Final = "/notifications"

_MAX_FACES: Final = 3

# Kinds that are answered with buttons in the list.
_ANSWERED_IN_PLACE: Final = (INVITED, SEAT_OFFERED, EVENT_CHANGED)

_NEW: Final = lazy("New")
_SINCE_YESTERDAY: Final = lazy("Since yesterday")
_THIS_WEEK: Final = lazy("This week")
_EARLIER: Final = lazy("Earlier")


class NotificationFilter(StrEnum):
    """What the list shows. The value is used in the URL."""

    ALL = ""
    UNREAD = "unread"
    EVENTS = "events"
    GROUPS = "groups"
    CHAT = "chat"


_FILTER_LABELS: Final = {
    NotificationFilter.ALL: lazy("All"),
    NotificationFilter.UNREAD: lazy("Unread"),
    NotificationFilter.EVENTS: lazy("Events"),
    NotificationFilter.GROUPS: lazy("Groups"),
    NotificationFilter.CHAT: lazy("Chat"),
}
_EMPTY: Final = {
    NotificationFilter.ALL: (
        lazy("Nothing new"),
        lazy(
            "We’ll tell you here when an event you answered changes or is cancelled, or when a place becomes "
            "free for you."
        ),
    ),
    NotificationFilter.UNREAD: (lazy("You’ve read everything"), lazy("New notifications show up here.")),
    NotificationFilter.EVENTS: (
        lazy("Nothing about events"),
        lazy("Changes, cancellations, reminders and invitations show up here."),
    ),
    NotificationFilter.GROUPS: (
        lazy("Nothing about groups"),
        lazy("News from your groups and requests to join them show up here."),
    ),
    NotificationFilter.CHAT: (
        lazy("Nothing from chats"),
        lazy("Messages that mention you or were sent to you show up here."),
    ),
}


def _filter_of(kind: NotificationKind[Any]) -> NotificationFilter:
    match kind.subject:
        case SubjectType.EVENT:
            return NotificationFilter.EVENTS
        case SubjectType.ROOM:
            return NotificationFilter.CHAT
        case SubjectType.GROUP | SubjectType.MEMBERSHIP | SubjectType.ANNOUNCEMENT:
            return NotificationFilter.GROUPS
        case _:
            assert_never(kind.subject)


_FILTER_BY_KIND: Final = {name: _filter_of(kind) for name, kind in KINDS.items()}


@dataclass(frozen=True, slots=True)
class FilterLink:
    """A filter above the list, with its number of unread notifications."""

    words: LazyText
    path: str
    unread: int
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class NewsBundle:
    """A row: similar notifications. ``line`` is about the newest of them, or about all if ``is_collective``; ``more``
    has those that it does not show one by one. ``picture`` is empty if the subject has none.

    If several people are involved, ``faces`` shows them. ``asking`` has people to decide about, and ``reply`` buttons to
    answer the event.
    """

    line: NotificationLine
    more: Sequence[NotificationLine]
    is_collective: bool
    picture: str
    tone: int
    created_at: Instant
    faces: list[Avatar]
    asking: AskingList | None
    reply: WaitingRow | None


def routes() -> list[Route]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(PATH, mark_read, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    """The list. A script marks it as read automatically. Without scripts there is a button."""
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        cursor = request.query_params.get("before", "")
        shows = _shown_filter(request)
        kinds = [name for name, one in _FILTER_BY_KIND.items() if one is shows]
        news, older = await content.newest_notifications(
            reader, caller.user_id, cursor, kinds=kinds, is_unread=shows is NotificationFilter.UNREAD
        )
        unread = await count_unread_by_kind(reader, caller.user_id)
        bundles = await content.notification_bundles(reader, news, caller.user_id)
        is_first = not cursor and shows is NotificationFilter.ALL
        waiting = await waiting_rows(reader, services(request).settings.public_url, caller.user_id)
        tasks = (
            await tasks_of(reader, caller.user_id, services(request).code_key, moderates=viewer_moderates(request))
            if is_first
            else []
        )
        above = [*(row.asking for row in waiting), *(task.asking for task in tasks)] if is_first else []
        shown = [one for one in bundles if not _is_decided_in(above, one)]
        asking = await _asking_by_bundle(reader, shown, caller.user_id)
        pictures = await _event_pictures(reader, [one.newest for one in shown if one.headline.path])
        people = [line.person_id for one in shown for line in one.lines if line.person_id is not None]
        portraits = await portraits_of(reader, caller.user_id, people)
        rows = _rows(shown, pictures, portraits, asking, [] if is_first else waiting)
        context = {
            "back": return_path_of(request),
            "waiting": waiting if is_first else [],
            "tasks": tasks,
            "filters": _filters(unread, shows),
            "shows": shows.value,
            "empty": _EMPTY[shows],
            "parts_shown": _by_time(rows, reader.now, await _viewer_zone(request, reader, caller.user_id)),
            "older": older,
            "is_older": bool(cursor),
            # Reading a filtered list must not mark the rest as read.
            "has_unread": bool(unread) and shows in {NotificationFilter.ALL, NotificationFilter.UNREAD},
            # The clock of another process may be ahead of this one's.
            "until": max([reader.now, *(one.newest.created_at for one in bundles)]),
        }
    return page(request, "notifications/list.html", context)


async def mark_read(request: Request) -> Response:
    """Mark everything as read that existed when the page was rendered. Later notifications stay unread."""
    caller = caller_of(request)
    until = (await read_form(request)).get("until", "")
    if not (until.isascii() and until.isdigit() and len(until) <= 18):
        raise InvalidInput("until", NotificationReason.LIST_OUTDATED)
    async with database_of(request).transaction() as tx:
        await notify.mark_all_read(tx, caller.user_id, until=Instant(int(until)))
    return go(PATH)


def _shown_filter(request: Request) -> NotificationFilter:
    filter_name = request.query_params.get("show", "")
    return NotificationFilter(filter_name) if filter_name in set(NotificationFilter) else NotificationFilter.ALL


def _filters(unread: Mapping[str, int], selected: NotificationFilter) -> list[FilterLink]:
    counts = Counter[NotificationFilter]()
    for name, number in unread.items():
        counts[NotificationFilter.UNREAD] += number
        if (kind_filter := _FILTER_BY_KIND.get(name)) is not None:
            counts[kind_filter] += number
    return [
        FilterLink(words, PATH + (f"?show={one.value}" if one.value else ""), counts[one], one is selected)
        for one, words in _FILTER_LABELS.items()
    ]


async def _viewer_zone(request: Request, reader: Reader, user_id: UserId) -> str:
    user = await by_id(reader, user_id)
    return (user and user.time_zone) or services(request).settings.time_zone


def _by_time(bundles: Sequence[NewsBundle], now: Instant, zone: str) -> list[tuple[LazyText, list[NewsBundle]]]:
    """Unread ones first, then grouped by age in the reader's time zone. Empty groups are left out."""
    today = wall_time.local_of(now, zone).date()
    parts: dict[LazyText, list[NewsBundle]] = {_NEW: [], _SINCE_YESTERDAY: [], _THIS_WEEK: [], _EARLIER: []}
    for one in bundles:
        days = (today - wall_time.local_of(one.created_at, zone).date()).days
        words = _NEW if one.line.is_unread else _SINCE_YESTERDAY if days < 2 else _THIS_WEEK if days < 7 else _EARLIER
        parts[words].append(one)
    return [(words, some) for words, some in parts.items() if some]


def _rows(
    bundles: Sequence[NotificationBundle],
    pictures: Mapping[str, tuple[str, int]],
    portraits: Portraits,
    asking: Mapping[NotificationId, AskingList],
    waiting: Sequence[WaitingRow],
) -> list[NewsBundle]:
    return [
        NewsBundle(
            one.headline,
            one.lines if one.is_collective else one.lines[1:],
            one.is_collective,
            *pictures.get(one.newest.subject_id, ("", tone_of(one.newest.subject_id))),
            one.newest.created_at,
            _line_avatars(one.lines, portraits),
            asking.get(one.newest.id),
            _reply_row(one, waiting),
        )
        for one in bundles
    ]


def _line_avatars(lines: Sequence[NotificationLine], portraits: Portraits) -> list[Avatar]:
    people = {one.person_id: one.person for one in lines if one.person_id is not None}
    return [] if len(people) < 2 else [avatar_of(*one, portraits) for one in list(people.items())[:_MAX_FACES]]


async def _event_pictures(reader: Reader, news: Sequence[Notification]) -> dict[str, tuple[str, int]]:
    """The picture and tone of each event that the reader can open."""
    ids = {EventId(one.subject_id) for one in news if one.kind.subject is SubjectType.EVENT}
    events = await several(reader, sorted(ids))
    return {event.id: (thumbnail(event.content, Size.SMALL_SQUARE), tone_for(event.content)) for event in events}


def _is_request(notification: Notification) -> bool:
    """Whether somebody asked to join an event."""
    return isinstance(notification.payload, NewAnswer) and notification.payload.answer == AttendanceStatus.PENDING


def _is_decided_in(above: Sequence[AskingList | None], bundle: NotificationBundle) -> bool:
    """Whether it is about a request that one of these lists above the notifications has."""
    if _is_request(bundle.newest):
        return any(one is not None and one.key == bundle.newest.subject_id for one in above)
    person = bundle.headline.person_id
    return bundle.newest.kind is JOIN_REQUEST and any(one is not None and one.only(person) for one in above)


async def _asking_by_bundle(
    reader: Reader, bundles: Sequence[NotificationBundle], viewer: UserId
) -> dict[NotificationId, AskingList]:
    """The people to decide about for each bundle of requests, by its newest notification."""
    asking: dict[NotificationId, AskingList] = {}
    if of_events := {EventId(one.newest.subject_id): one.newest.id for one in bundles if _is_request(one.newest)}:
        hosted = await my_event_lists.with_requests(reader, viewer, NEWS_SHOWN)
        events = [event for event in hosted if event.id in of_events][:MAX_WAITING]
        counts = await counts_of(reader, [event.id for event in events])
        numbers = {event_id: one.pending_rsvps for event_id, one in counts.items()}
        lists = await asking_by_event(reader, events, viewer, numbers)
        asking |= {of_events[event_id]: one for event_id, one in lists.items()}
    if of_groups := [one for one in bundles if one.newest.kind is JOIN_REQUEST]:
        lists_by_group = await asking_by_group(reader, await group_requests(reader, viewer), viewer)
        for bundle in of_groups:
            alone = (one.only(bundle.headline.person_id) for one in lists_by_group.values())
            slug = bundle.headline.slug
            if found := next((one for one in alone if one and one.path == f"{group_path(slug)}/requests"), None):
                asking[bundle.newest.id] = found
    return asking


def _reply_row(bundle: NotificationBundle, waiting: Sequence[WaitingRow]) -> WaitingRow | None:
    """The row with the buttons to answer the event that the notification is about; None if there is nothing to answer."""
    if bundle.newest.kind not in _ANSWERED_IN_PLACE:
        return None
    return next((one for one in waiting if one.card.slug == bundle.headline.slug and one.buttons), None)

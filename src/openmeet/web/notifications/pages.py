"""The viewer's notifications, newest first, and marking them as read; and their topics, channels and times."""

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
from groundwork.errors import InvalidForm, InvalidInput, NotFound
from groundwork.http.forms import FormState, form_with_problems, outdated_form, read_form
from groundwork.ui.tones import tone_of
from openmeet.domain.covers.model import tone_for
from openmeet.domain.events.model import EventId
from openmeet.domain.events.queries import several
from openmeet.domain.media.pictures import Size
from openmeet.domain.notifications import email_links, notify, preferences, rules
from openmeet.domain.notifications.kinds import KINDS
from openmeet.domain.notifications.model import (
    BY_MAIL_ALONE,
    Channel,
    DeliveryHours,
    NotificationId,
    NotificationKind,
    NotificationReason,
    NotificationTopic,
    SubjectType,
)
from openmeet.domain.notifications.queries import Notification, count_unread_by_kind
from openmeet.domain.users.model import UserId, UserReason
from openmeet.domain.users.queries import by_id, lock
from openmeet.domain.validation import GeneralReason
from openmeet.emails.notifications import content
from openmeet.emails.notifications.content import NotificationBundle, NotificationLine
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import LazyText, gettext, lazy
from openmeet.i18n.formatting import OFFERED_ZONES, ZONES
from openmeet.recurrence import wall_time
from openmeet.web.api.etags import version_of_values
from openmeet.web.events.asking_people import AskingList, return_path_of
from openmeet.web.events.pending_decisions import WaitingRow, tasks_of, waiting_rows
from openmeet.web.media.drawings import thumbnail
from openmeet.web.notifications.requests import asking_by_bundle, is_decided_in, reply_row
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import Avatar, Portraits, avatar_of, portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of
from openmeet.web.site.viewer import viewer_moderates

PATH: Final = "/notifications"
PREFERENCES_PATH = "/settings/notifications"

_MAX_FACES: Final = 3

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
# One table row for each: the topic's label, and when a notification is sent.
_TOPICS = (
    (
        lazy("Events you go to"),
        (
            (
                NotificationTopic.CHANGES,
                lazy("Changes"),
                lazy("An event you answered is moved, cancelled, back on or deleted."),
            ),
            (
                NotificationTopic.OWN_ANSWERS,
                lazy("Your answers"),
                lazy("You say you’re going, and we send the time, the place and a calendar entry."),
            ),
            (NotificationTopic.REMINDERS, lazy("Reminders"), lazy("The day before an event you’re going to.")),
            (NotificationTopic.WAITLIST, lazy("Waitlist"), lazy("A place becomes free for you.")),
            (
                NotificationTopic.MESSAGES,
                lazy("Messages"),
                lazy("The host of an event that you answered writes to you."),
            ),
            (NotificationTopic.PHOTOS, lazy("Photos"), lazy("Somebody adds photos of an event that you were at.")),
            (
                NotificationTopic.MENTIONS,
                lazy("Mentions"),
                lazy("Somebody mentions your @name in one of your events or groups."),
            ),
        ),
    ),
    (
        lazy("Chat"),
        (
            (
                NotificationTopic.CHAT,
                lazy("Mentions and replies"),
                lazy("Somebody mentions you or replies to you in a chat."),
            ),
            (
                NotificationTopic.DIRECT,
                lazy("Questions"),
                lazy("Somebody asks you as a host, a host answers you, or your co-hosts write."),
            ),
            (
                NotificationTopic.ROOMS,
                lazy("Unread messages"),
                lazy("There are new messages in one of your chats."),
            ),
        ),
    ),
    (
        lazy("What you host and run"),
        (
            (NotificationTopic.ANSWERS, lazy("Answers"), lazy("Somebody answers an event that you host.")),
            (NotificationTopic.REQUESTS, lazy("Requests"), lazy("Somebody asks to join a group that you run.")),
        ),
    ),
    (
        lazy("Groups you’re in"),
        (
            (
                NotificationTopic.GROUP_EVENTS,
                lazy("Their events"),
                lazy("A group that you’re in, or follow, has a new event."),
            ),
            (
                NotificationTopic.ANNOUNCEMENTS,
                lazy("Announcements"),
                lazy("The organisers of a group you’re in write to all members."),
            ),
            (
                NotificationTopic.MEMBERSHIP,
                lazy("Your membership"),
                lazy("Your request is answered, your role changes, or a group is offered to you."),
            ),
        ),
    ),
    (
        lazy("What you follow"),
        (
            (NotificationTopic.NEW_DATES, lazy("New dates"), lazy("A series that you follow has a new date.")),
            (NotificationTopic.HOSTS, lazy("People"), lazy("Somebody you follow has a new public event.")),
            (
                NotificationTopic.SEARCHES,
                lazy("Searches"),
                lazy("A new or changed event matches one of your saved searches."),
            ),
        ),
    ),
)
# Hidden field with the version of the preferences that the form shows.
_VERSION: Final = "version"
_TopicRow = tuple[NotificationTopic, LazyText, LazyText]
# The choices of one group of topics in words, by whether they are shown on this site, and how they are mailed.
_STATES: Final = {
    (True, "email"): lazy("On this site, and soon by e-mail"),
    (True, "digest"): lazy("On this site, and in the daily e-mail"),
    (True, ""): lazy("On this site"),
    (False, "email"): lazy("Soon by e-mail"),
    (False, "digest"): lazy("In the daily e-mail"),
    (False, ""): lazy("Off"),
}
_MAIL = (("email", lazy("Soon")), ("digest", lazy("Daily")), ("", lazy("None")))
_MAIL_CHOICES: Final = (
    (Channel.EMAIL.value, lazy("E-mail soon")),
    (Channel.DIGEST.value, lazy("E-mail daily")),
    ("", lazy("No e-mail")),
)


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
        Route(PREFERENCES_PATH, show_preferences, methods=["GET"]),
        Route(PREFERENCES_PATH, save_preferences, methods=["POST"]),
        Route(f"{PREFERENCES_PATH}/revoke-links", revoke_links, methods=["POST"]),
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
        shown = [one for one in bundles if not is_decided_in(above, one)]
        asking = await asking_by_bundle(reader, shown, caller.user_id)
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
            reply_row(one, waiting),
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


async def show_preferences(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        values = await _preference_values(reader, caller.user_id)
    return await _preferences_page(request, FormState(values))


async def save_preferences(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    try:
        hours = rules.check_hours(form, frozenset(ZONES))
    except InvalidForm as wrong:
        return await _preferences_page(request, form_with_problems(form, wrong), status=400)
    async with database_of(request).transaction() as tx:
        await lock(tx, caller.user_id)
        current = await _preference_values(tx, caller.user_id)
        outdated = outdated_form(form, current, UserReason.CHANGED_WHILE_OPEN, versions=(_VERSION,), label=_value_label)
        is_changed = form.get(_VERSION, current[_VERSION]) != current[_VERSION]
        if not (is_changed and outdated.others):
            chosen = {topic: _channels(form, topic) for topic in NotificationTopic}
            await notify.set_channels(tx, caller.user_id, chosen)
            await notify.set_hours(tx, caller.user_id, hours)
            return go(PREFERENCES_PATH, flash="notifications_saved")
    return await _preferences_page(request, outdated, status=409)


async def revoke_links(request: Request) -> Response:
    """Revoke the links in all e-mails sent so far."""
    async with database_of(request).transaction() as tx:
        await email_links.revoke_all(tx, caller_of(request).user_id)
    return go(PREFERENCES_PATH, flash="links_revoked")


def _channels(form: dict[str, str], topic: NotificationTopic) -> frozenset[Channel]:
    mail = form.get(f"{topic}_mail", "")
    channels = {channel for channel in (Channel.EMAIL, Channel.DIGEST) if channel.value == mail}
    return frozenset(channels | ({Channel.IN_APP} if f"{topic}_in_app" in form else set()))


async def _preference_values(reader: Reader, user_id: UserId) -> dict[str, str]:
    """The form's values. Raises NotFound if there is no such user."""
    hours = await preferences.hours(reader, user_id)
    if hours is None:
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    values = _hours_values(hours) | _choice_values(await preferences.of_person(reader, user_id))
    return {**values, _VERSION: version_of_values(values)}


def _choice_values(channels_by_topic: dict[NotificationTopic, frozenset[Channel]]) -> dict[str, str]:
    values = {}
    for topic, channels in channels_by_topic.items():
        values[f"{topic}_mail"] = next((one.value for one in (Channel.EMAIL, Channel.DIGEST) if one in channels), "")
        if topic not in BY_MAIL_ALONE:
            values[f"{topic}_in_app"] = "on" if Channel.IN_APP in channels else ""
    return values


def _hours_values(hours: DeliveryHours) -> dict[str, str]:
    start, end = (one.isoformat("minutes") for one in hours.quiet) if hours.quiet else ("", "")
    return {
        "time_zone": hours.time_zone,
        "quiet_from": start,
        "quiet_until": end,
        "digest_hour": str(hours.digest_hour),
    }


def _value_label(name: str, text: str) -> str:
    if name == f"{NotificationTopic.WEEK}_mail":
        return gettext("On") if text else gettext("Off")
    if name.endswith("_in_app"):
        return gettext("on the page") if text else gettext("not on the page")
    if name.endswith("_mail"):
        return gettext("by e-mail: %(when)s", when=str(dict(_MAIL)[text]).lower())
    return text.replace("_", " ") if name == "time_zone" else text


def _topic_fields(rows: Sequence[_TopicRow]) -> list[str]:
    """The names of the form's fields about these topics."""
    return [f"{topic}_{channel}" for topic, *_ in rows for channel in ("in_app", "mail")]


def _state_of(form_state: FormState, rows: Sequence[_TopicRow]) -> str:
    """What is chosen for all of these topics."""
    sites = {bool(form_state.value(f"{topic}_in_app")) for topic, *_ in rows if topic not in BY_MAIL_ALONE}
    mails = {form_state.value(f"{topic}_mail") for topic, *_ in rows}
    state = (sites == {True}, next(iter(mails)))
    if len(sites) > 1 or len(mails) > 1 or state not in _STATES:
        return gettext("Different for each")
    return str(_STATES[state])


async def _preferences_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        user = await by_id(reader, caller_of(request).user_id)
    context = {
        "typed": form_state,
        "topics": [(heading, rows, _topic_fields(rows), _state_of(form_state, rows)) for heading, rows in _TOPICS],
        "mail": _MAIL_CHOICES,
        "hours": [("", gettext("Not set")), *((f"{hour:02}:00", formatting.full_hour(hour)) for hour in range(24))],
        "by_mail_alone": BY_MAIL_ALONE,
        "week_hour": rules.WEEK_BEGINS_AT.hour,
        "zones": OFFERED_ZONES,
        "email": user.email if user else None,
    }
    return page(request, "notifications/settings.html", context, status=status)

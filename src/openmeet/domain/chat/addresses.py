"""Titles and pages of rooms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, assert_never
from urllib.parse import quote, urlencode

from groundwork.database.transaction import Reader
from openmeet.domain.chat.model import Room, RoomId, RoomKind, RoomSubject, SubjectKind
from openmeet.domain.chat.rooms import GENERAL, RoomTarget
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import Group
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.page_paths import event_path, group_path, series_path
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import Series
from openmeet.domain.series.split_queries import living_halves
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import gettext, ngettext


class ConversationSubject(NamedTuple):
    """The subject of a conversation, and its page."""

    subject: RoomSubject
    title: str
    path: str
    time_zone: str


def subject_page_of(about: Event | Series | Group) -> ConversationSubject:
    """Subject and page of this event, series or group."""
    if isinstance(about, Event):
        return ConversationSubject(
            RoomSubject(SubjectKind.EVENT, about.id), about.title, event_path(about.slug), about.time_zone
        )
    if isinstance(about, Series):
        return ConversationSubject(
            RoomSubject(SubjectKind.SERIES, about.id),
            about.content.title,
            series_path(about.slug),
            about.zone_name,
        )
    zone = about.details.time_zone or "UTC"
    return ConversationSubject(
        RoomSubject(SubjectKind.GROUP, about.id), about.details.name, group_path(about.slug), zone
    )


def host_of(about: Event | Series | Group) -> UserId | None:
    """The owner of an event or series; None for a group, which can have several hosts."""
    if isinstance(about, Group):
        return None
    return about.author_id if isinstance(about, Event) else about.owner_id


def subtitle_of(target: RoomTarget, person: str, viewer: UserId | None) -> str:
    """A few words that say who is in a room."""
    if target.kind is RoomKind.DIRECT:
        return (
            gettext("You and the hosts")
            if target.with_user_id == viewer
            else gettext("%(name)s and the hosts", name=person)
        )
    if target.kind is RoomKind.CHANNEL:
        return gettext("Group chat") if target.name == GENERAL else f"# {target.name}"
    return {
        RoomKind.SERIES: gettext("People who answered a date"),
        RoomKind.EVENT: gettext("People who answered"),
        RoomKind.DATE: gettext("People who answered this date"),
        RoomKind.HOSTS: gettext("Hosts only"),
    }[target.kind]


def subtitle_with_number(target: RoomTarget, subtitle: str, people: int) -> str:
    """The same with the number of people, short enough for the head of a chat on a phone."""
    match target.kind:
        case RoomKind.DIRECT:
            return subtitle
        case RoomKind.EVENT:
            return ngettext("%(number)s person who answered", "%(number)s people who answered", people)
        case RoomKind.SERIES:
            return ngettext("%(number)s person who answered a date", "%(number)s people who answered a date", people)
        case RoomKind.DATE:
            return ngettext(
                "%(number)s person who answered this date", "%(number)s people who answered this date", people
            )
        case RoomKind.CHANNEL | RoomKind.HOSTS:
            number = ngettext("%(number)s person", "%(number)s people", people)
            return f"{subtitle} · {number}"
        case _:
            assert_never(target.kind)


@dataclass(frozen=True, slots=True)
class RoomAddress:
    """A room, its title and page. ``name`` is the title, followed by who is in the room if that is not everyone.
    ``content`` is the content of the event or series, None for a group. ``is_private`` is True if only invited people
    may know of it. ``group_picture`` is the key of the group’s picture, if it has one. ``host_id`` owns the event or
    series.
    """

    title: str
    name: str
    path: str
    subtitle: str
    time_zone: str
    content: Content | None = None
    is_private: bool = False
    group_picture: str | None = None
    host_id: UserId | None = None


async def addresses_of(reader: Reader, rooms: Sequence[Room], viewer: UserId | None) -> dict[RoomId, RoomAddress]:
    """Title and page of each room. Rooms whose subject was deleted are left out."""
    of_events = {
        one.id: one for one in await event_queries.several(reader, [room.event_id for room in rooms if room.event_id])
    }
    series = await series_queries.by_ids(reader, [room.series_id for room in rooms if room.series_id])
    # If a part of a split series was deleted, its conversation continues with the first part that still exists.
    living = await living_halves(reader, [one.id for one in series.values() if one.deleted_at is not None])
    halves = await series_queries.by_ids(reader, list(living.values()))
    series |= {ended: halves[half] for ended, half in living.items()}
    of_groups = await group_queries.by_ids(reader, [room.group_id for room in rooms if room.group_id])
    names = await shown_names(reader, [room.with_user_id for room in rooms if room.with_user_id])
    addresses = {}
    for room in rooms:
        about: Event | Series | Group | None
        if room.event_id is not None:
            about = of_events.get(room.event_id)
        elif room.series_id is not None:
            about = series.get(room.series_id)
        else:
            about = of_groups.get(room.group_id) if room.group_id else None
        if about is None:
            continue
        subject, title, path, zone = subject_page_of(about)
        target = RoomTarget(room.kind, subject, room.with_user_id, room.name)
        subtitle = subtitle_of(target, names.get(room.with_user_id, "") if room.with_user_id else "", viewer)
        content = None if isinstance(about, Group) else about.content
        narrowest = about.visibility if isinstance(about, Event) else content.visibility if content else None
        is_for_all = room.kind in {RoomKind.EVENT, RoomKind.SERIES}
        name = title if is_for_all else f"{title} · {subtitle}"
        addresses[room.id] = RoomAddress(
            title,
            name,
            _page_of(target, path, viewer),
            subtitle,
            zone,
            content,
            is_private=narrowest is Visibility.PRIVATE,
            group_picture=about.picture.key if isinstance(about, Group) and about.picture else None,
            host_id=host_of(about),
        )
    return addresses


def _page_of(target: RoomTarget, path: str, viewer: UserId | None) -> str:
    _, kind, slug = path.split("/")
    of_kind = {"events": "event", "series": "series", "groups": "group"}[kind]
    match target.kind:
        case RoomKind.EVENT | RoomKind.SERIES:
            return f"{path}/chat"
        case RoomKind.DATE:
            return f"{path}/chat/date"
        case RoomKind.CHANNEL:
            return f"{path}/chat/{quote(target.name, safe='')}"
        case RoomKind.HOSTS:
            return f"/chat/hosts/{of_kind}/{slug}"
        case RoomKind.DIRECT:
            further = "" if target.with_user_id == viewer else "?" + urlencode({"with": target.with_user_id})
            return f"/chat/direct/{of_kind}/{slug}{further}"

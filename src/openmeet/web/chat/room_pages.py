"""Find the room that the URL of a page refers to.

People who can see the event, series or group but are not in its conversation get a page that explains how to get in.
All others get NotFound, whether the room exists or not.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.requests import Request

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from openmeet.domain.attendance.visibility import visible_event
from openmeet.domain.chat import room_queries, rooms
from openmeet.domain.chat.access import access
from openmeet.domain.chat.addresses import host_of, subject_page_of, subtitle_of, subtitle_with_number
from openmeet.domain.chat.model import SIGNALS_BEFORE, Access, Room, RoomKind, RoomSubject, SubjectKind
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.rooms import GENERAL, RoomTarget
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.time_and_place import removal_notice, short_start_label
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups.model import Group, GroupId, GroupSlug
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.media.pictures import Size
from openmeet.domain.page_paths import event_path, group_path, series_path
from openmeet.domain.series import agenda
from openmeet.domain.series.model import Series, SeriesSlug
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import gettext
from openmeet.web.chat.room_faces import face_of_question, group_picture
from openmeet.web.media.drawings import thumbnail
from openmeet.web.site.caller import caller_of, viewer_of
from openmeet.web.site.faces import Avatar, avatar_of
from openmeet.web.site.reader_zone import ShownZone, zone_of
from openmeet.web.site.slugs import event_slug_of, group_slug_of, series_slug_of


@dataclass(frozen=True, slots=True)
class RoomPage:
    """A conversation and its page. ``room`` is None if nobody has opened it yet.

    ``subject_path`` is the path of the event, series or group. ``heading`` is the original date of the occurrence whose
    page leads here.
    """

    target: RoomTarget
    room: Room | None
    access: Access
    title: str
    subtitle: str
    path: str
    query: str
    subject_path: str
    time_zone: str
    face: Avatar
    heading: str | None = None
    # Start and end of an event.
    span: tuple[Instant, Instant] | None = None
    event_id: EventId | None = None
    # Start of an event in words, and its zone if it has to be named.
    when: str = ""
    zone: ShownZone | None = None
    # Says that the event is removed after its date.
    removal_notice: str = ""
    # The group itself, or the group that the event or series belongs to.
    group_id: GroupId | None = None
    # Path of the picture of the event, series or group. Empty for a direct thread and for a group without a picture,
    # which are represented by ``face``.
    picture: str = ""

    @property
    def is_square(self) -> bool:
        """Whether ``face`` is that of a group rather than of a person."""
        return self.target.kind is not RoomKind.DIRECT

    def subtitle_with_number(self, people: int) -> str:
        """The subtitle with the number of people, if they were counted."""
        return subtitle_with_number(self.target, self.subtitle, people) if people else self.subtitle

    def is_under_way(self, now: Instant) -> bool:
        """Whether people are currently on their way to the event or at the event."""
        return self.span is not None and self.span[0] - SIGNALS_BEFORE <= now <= self.span[1]

    def path_of_related_room(self, page: str, person: UserId | None = None) -> str:
        """The path of the hosts' own room (``hosts``) or of a thread with the hosts (``direct``) about the same event,
        series or group. Empty if this room is itself of one of these kinds.
        """
        if self.target.kind in {RoomKind.HOSTS, RoomKind.DIRECT}:
            return ""
        _, nouns, slug = self.subject_path.split("/")
        kind = {"events": "event", "series": "series", "groups": "group"}[nouns]
        return f"/chat/{page}/{kind}/{slug}" + (f"?{urlencode({'with': person})}" if person else "")

    def page(self, *more: str) -> str:
        """The path of this page, or of one below it."""
        return "/".join([self.path, *more]) + (f"?{self.query}" if self.query else "")


Find = Callable[[Reader, Request], Awaitable[RoomPage]]


async def of_event(reader: Reader, request: Request) -> RoomPage:
    """The conversation of an event. For a date of a series, that of the series, opened at that date. Raises NotFound."""
    event = await _visible_event(reader, request)
    of_series = event.position_in_series
    return await _room_page_of(
        reader,
        request,
        event,
        RoomKind.EVENT,
        f"{event_path(event.slug)}/chat",
        heading=of_series.original_date if of_series else None,
    )


async def of_date(reader: Reader, request: Request) -> RoomPage:
    """The separate room of one date. Raises NotFound."""
    event = await _visible_event(reader, request)
    return await _room_page_of(reader, request, event, RoomKind.DATE, f"{event_path(event.slug)}/chat/date")


async def of_series(reader: Reader, request: Request) -> RoomPage:
    """The conversation of a series. Raises NotFound, Gone."""
    series = await agenda.visible(reader, series_slug_of(request), viewer_of(request))
    return await _room_page_of(reader, request, series, RoomKind.SERIES, f"{series_path(series.slug)}/chat")


async def of_channel(reader: Reader, request: Request) -> RoomPage:
    """A channel of a group. Raises NotFound."""
    group, _ = await group_actions.visible(reader, group_slug_of(request), viewer_of(request))
    name = request.path_params.get("channel", GENERAL)
    path = f"{group_path(group.slug)}/chat/{quote(name, safe='')}"
    return await _room_page_of(reader, request, group, RoomKind.CHANNEL, path, name=name)


async def of_hosts(reader: Reader, request: Request) -> RoomPage:
    """The hosts' own room. Raises NotFound."""
    subject, path = await _subject_and_path(reader, request, "hosts")
    return await _room_page_of(reader, request, subject, RoomKind.HOSTS, path)


async def of_question(reader: Reader, request: Request) -> RoomPage:
    """The thread of one person with the hosts: the caller's own, or for hosts that of the person in ``?with=``.

    Raises NotFound, and NotSignedIn if the visitor can see the event, series or group that the question is about.
    """
    subject, path = await _subject_and_path(reader, request, "direct")
    caller = caller_of(request)
    person = UserId(request.query_params.get("with") or caller.user_id)
    return await _room_page_of(reader, request, subject, RoomKind.DIRECT, path, with_user_id=person)


async def _subject_and_path(reader: Reader, request: Request, page: str) -> tuple[Event | Series | Group, str]:
    kind, slug = request.path_params["kind"], request.path_params["slug"]
    path = f"/chat/{page}/{quote(kind)}/{quote(slug)}"
    if kind == SubjectKind.EVENT:
        return await _visible_event(reader, request), path
    if kind == SubjectKind.SERIES:
        return await agenda.visible(reader, SeriesSlug(slug), viewer_of(request)), path
    if kind == SubjectKind.GROUP:
        return (await group_actions.visible(reader, GroupSlug(slug), viewer_of(request)))[0], path
    raise NotFound(ChatReason.NO_SUCH_ROOM)


async def _visible_event(reader: Reader, request: Request) -> Event:
    event, _ = await visible_event(reader, event_slug_of(request), viewer_of(request))
    return event


async def _room_page_of(
    reader: Reader,
    request: Request,
    about: Event | Series | Group,
    kind: RoomKind,
    path: str,
    *,
    with_user_id: UserId | None = None,
    name: str = "",
    heading: str | None = None,
) -> RoomPage:
    viewer = viewer_of(request)
    subject, title, subject_path, zone = subject_page_of(about)
    target = await rooms.target_of(reader, kind, subject, with_user_id=with_user_id, name=name)
    room = await rooms.room_at(reader, target)
    if room is None:
        level = await rooms.access_before_opening(reader, target, viewer)
    else:
        level = await access(reader, room.id, viewer)
    if level is Access.NONE and (target.kind is RoomKind.HOSTS or with_user_id not in {None, viewer}):
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    if room is None and with_user_id not in {None, viewer}:
        # Check this before showing the person's name, because the URL could contain any id.
        await rooms.require_answered(reader, target)
    if room is None and target.kind in {RoomKind.HOSTS, RoomKind.DATE} and level is not Access.MODERATE:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    if room is None and target.kind is RoomKind.CHANNEL and target.name != GENERAL:
        # The admins of a group open channels with a form that requires the name.
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    person = "" if with_user_id is None else (await shown_names(reader, [with_user_id]))[with_user_id]
    is_direct = target.kind is RoomKind.DIRECT
    # Also computed before the thread exists. Hosts reach this point only for people who have answered, see above.
    face = await face_of_question(reader, viewer, with_user_id, host_of(about)) if is_direct else None
    return RoomPage(
        target=target,
        room=room,
        access=level,
        title=title,
        subtitle=subtitle_of(target, person, viewer),
        path=path,
        query=urlencode({"with": with_user_id}) if with_user_id not in {None, viewer} else "",
        subject_path=subject_path,
        time_zone=zone,
        face=face or avatar_of(subject_path.rpartition("/")[2], title),
        heading=heading,
        span=_span_of(about) if isinstance(about, Event) else None,
        event_id=about.id if isinstance(about, Event) else None,
        when=short_start_label(about, reader.now) if isinstance(about, Event) else "",
        zone=zone_of(about) if isinstance(about, Event) else None,
        removal_notice=removal_notice(about, reader.now) if isinstance(about, Event) else "",
        group_id=about.id if isinstance(about, Group) else about.group.id if about.group else None,
        picture=_picture_of(about, is_direct=is_direct),
    )


def _picture_of(about: Event | Series | Group, *, is_direct: bool) -> str:
    if is_direct:
        return ""
    if isinstance(about, Group):
        return group_picture(about.picture.key if about.picture else None, Size.THUMBNAIL)
    return thumbnail(about.content, Size.SMALL)


async def further_rooms(reader: Reader, room_page: RoomPage, viewer: UserId | None) -> list[tuple[str, str]]:
    """Path and name of the related rooms that this person can open: the room of the hosts, the room of one date, other
    channels.
    """
    links = []
    runs = room_page.access is Access.MODERATE
    if runs and room_page.path_of_related_room("hosts"):
        links.append((room_page.path_of_related_room("hosts"), gettext("Chat of the hosts")))
    if room_page.target.kind is RoomKind.SERIES and room_page.event_id is not None:
        date_room = await rooms.room_at(
            reader, RoomTarget(RoomKind.DATE, RoomSubject(SubjectKind.EVENT, room_page.event_id))
        )
        if date_room is not None and await access(reader, date_room.id, viewer):
            links.append((f"{room_page.subject_path}/chat/date", gettext("Chat of this date only")))
        elif date_room is None and runs:
            links.append((f"{room_page.subject_path}/chat/date", gettext("Open a chat for this date only")))
    if room_page.target.kind is RoomKind.DATE:
        links.append((f"{room_page.subject_path}/chat", gettext("Chat of all dates")))
    if room_page.target.kind is RoomKind.CHANNEL and room_page.access is not Access.NONE:
        channels = await room_queries.of_subject(reader, room_page.target.subject, [RoomKind.CHANNEL])
        names = [GENERAL, *(one.name for one in channels if one.name != GENERAL)]
        links += [
            (
                f"{room_page.subject_path}/chat/{quote(name, safe='')}",
                gettext("Group chat") if name == GENERAL else f"# {name}",
            )
            for name in names
            if name != room_page.target.name
        ]
    return links


def _span_of(event: Event) -> tuple[Instant, Instant] | None:
    if event.starts_at is None or event.over_at is None:
        return None
    return event.starts_at, event.over_at

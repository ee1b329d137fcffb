"""Shared by chat requests: ids, subjects by slug, cursors, and rate limits."""

import re
from collections.abc import Sequence
from typing import Final

from starlette.requests import Request

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput, NotFound, TooMany
from groundwork.rate_limit.contract import Limit, spend
from groundwork.sealing import Sealer
from openmeet.domain.attendance.visibility import visible_event
from openmeet.domain.chat import messages, queries, writing_rules
from openmeet.domain.chat.model import ChatMessageId, RoomId, RoomSubject, SubjectKind
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.search import ChatSearchCursor
from openmeet.domain.events.model import EventSlug
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups.model import GroupSlug
from openmeet.domain.paging import packed, unpacked
from openmeet.domain.series import agenda
from openmeet.domain.series.model import SeriesSlug
from openmeet.domain.users.model import UserId
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

_REPORTS: Final = (Limit("chat_report_hour", 20, 3_600), Limit("chat_report_day", 60, 86_400))
_REPORTS_IN_ROOM: Final = Limit("chat_report_room", 10, 3_600)
_OPENINGS: Final = (Limit("chat_open_minute", 5, 60), Limit("chat_open_hour", 40, 3_600))
# Each picture is decoded, encoded again, and stored until it is sent.
_PICTURES: Final = (Limit("chat_picture_hour", 40, 3_600), Limit("chat_picture_day", 120, 86_400))
# An export reads a whole room.
_EXPORTS: Final = (Limit("chat_export_minute", 5, 60), Limit("chat_export_hour", 20, 3_600))
_GUESTS: Final = (Limit("chat_guest_hour", 60, 3_600), Limit("chat_guest_day", 200, 86_400))
_MAX_DIGITS: Final = 18
_ID: Final = r"([0-9a-f-]{1,64})"
_AT: Final = r"([0-9]{1,18})"
ROOM_PLACE: Final = re.compile(rf"([01])\.{_AT}\.{_ID}")
NUMBER_PLACE: Final = re.compile(_AT)
NAME_PLACE: Final = re.compile(rf"((?:[0-9a-f]{{2}}){{0,400}})\.{_ID}")
# Sort position of a message, of a room, or of both.
_SEARCH_PLACE: Final = re.compile(rf"(?:{_AT}\.{_ID})?(?:/{_AT}\.{_ID})?")


def room_id(request: Request) -> RoomId:
    return RoomId(request.path_params["room"])


def message_id(request: Request) -> ChatMessageId:
    return ChatMessageId(request.path_params["id"])


def integer_parameter(request: Request, name: str) -> int | None:
    """A number in the query string, or None if it is absent. Raises InvalidInput."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise InvalidInput(name, ChatReason.MALFORMED_NUMBER)
    return int(text)


async def subject_of(
    reader: Reader,
    viewer: UserId | None,
    *,
    event: str | None = None,
    series_slug: str | None = None,
    group: str | None = None,
) -> RoomSubject:
    """The event, series or group with this slug. Raises the same NotFound if it does not exist and if it is hidden from
    this person.
    """
    try:
        if event:
            shown, _ = await visible_event(reader, EventSlug(event), viewer)
            return RoomSubject(SubjectKind.EVENT, shown.id)
        if series_slug:
            return RoomSubject(SubjectKind.SERIES, (await agenda.visible(reader, SeriesSlug(series_slug), viewer)).id)
        if group:
            visible_group, _ = await group_actions.visible(reader, GroupSlug(group), viewer)
            return RoomSubject(SubjectKind.GROUP, visible_group.id)
    except NotFound:
        raise NotFound(ChatReason.NO_SUCH_ROOM) from None
    raise NotFound(ChatReason.NO_SUCH_ROOM)


def search_cursor(position: ChatSearchCursor | None) -> str | None:
    if position is None:
        return None
    message = f"{position.message[0]}.{position.message[1]}" if position.message else ""
    rooms = f"/{position.rooms[0]}.{position.rooms[1]}" if position.rooms else ""
    return packed(message + rooms)


def search_place(cursor: str) -> ChatSearchCursor | None:
    """The position where a page of results begins, or None if the cursor is empty. Raises InvalidInput (``cursor``)."""
    if not cursor:
        return None
    match = unpacked(_SEARCH_PLACE, cursor)
    return ChatSearchCursor(
        (int(match[1]), match[2]) if match[1] else None,
        (int(match[3]), match[4]) if match[3] else None,
    )


async def spend_on_message(request: Request, person: UserId, room: RoomId | None) -> None:
    """Count one message against three limits: the person's in all rooms, the person's in this room, and the room's.
    ``room`` is None if the room has not been opened yet.

    Raises TooMany.
    """
    an_hour = writing_rules.messages_per_hour(services(request).settings.chat_messages_per_hour)
    charges = [(limit, str(person)) for limit in (writing_rules.MESSAGES_PER_MINUTE, an_hour)]
    if room is not None:
        charges.append((writing_rules.MESSAGES_IN_ONE_ROOM, f"{room}/{person}"))
    await _spend_all(request, charges, ChatReason.TOO_FAST)
    if room is not None:
        await _spend_all(request, [(writing_rules.MESSAGES_OF_EVERYBODY_IN_ROOM, room)], ChatReason.ROOM_TOO_BUSY)


async def spend_on_change(request: Request, person: UserId, message: ChatMessageId) -> None:
    """Count an edit, a reaction or a vote against three limits: the person's in all rooms, the person's in this room,
    and the room's.

    Raises TooMany, and NotFound if the person may not read the message.
    """
    await _spend_all(request, [(limit, str(person)) for limit in writing_rules.CHANGES], ChatReason.TOO_MANY_CHANGES)
    room = await _room_of(request, person, message)
    await _spend_all(request, [(writing_rules.CHANGES_IN_ONE_ROOM, f"{room}/{person}")], ChatReason.TOO_MANY_CHANGES)
    await _spend_all(request, [(writing_rules.MESSAGES_OF_EVERYBODY_IN_ROOM, room)], ChatReason.ROOM_TOO_BUSY)


async def spend_on_report(request: Request, person: UserId, message: ChatMessageId) -> None:
    """Count a report against two limits: the person's in all rooms and in this room. Raises TooMany, and NotFound like
    ``spend_on_change``.
    """
    await _spend_all(request, [(limit, str(person)) for limit in _REPORTS], ChatReason.TOO_MANY_REPORTS)
    room = await _room_of(request, person, message)
    await _spend_all(request, [(_REPORTS_IN_ROOM, f"{room}/{person}")], ChatReason.TOO_MANY_REPORTS)


async def spend_on_picture(request: Request, person: UserId) -> None:
    """Count an uploaded picture. Raises TooMany."""
    await _spend_all(request, [(limit, str(person)) for limit in _PICTURES], ChatReason.PICTURES_TOO_OFTEN)


async def spend_on_opening(request: Request, person: UserId) -> None:
    """Count a room that a person opens. Raises TooMany."""
    await _spend_all(request, [(limit, str(person)) for limit in _OPENINGS], ChatReason.TOO_MANY_ROOMS_OPENED)


async def spend_on_export(request: Request, person: UserId) -> None:
    """Count the download of a room. Raises TooMany."""
    await _spend_all(request, [(limit, str(person)) for limit in _EXPORTS], ChatReason.TOO_MANY_EXPORTS)


async def spend_on_guest(request: Request, person: UserId) -> None:
    """Count an invitation by address, or any other decision about a guest from Matrix. Raises TooMany."""
    await _spend_all(request, [(limit, str(person)) for limit in _GUESTS], ChatReason.TOO_MANY_CHANGES)


async def _room_of(request: Request, person: UserId, message: ChatMessageId) -> RoomId:
    async with database_of(request).reader() as reader:
        _, room, _ = await queries.visible_message(reader, message, person)
    return room.id


async def _spend_all(request: Request, charges: Sequence[tuple[Limit, str]], reason: ChatReason) -> None:
    site = services(request)
    if site.settings.is_unlimited:
        return
    try:
        await spend(site.counters, charges, now=site.clock.now())
    except TooMany as refused:
        raise TooMany(reason, after_seconds=refused.after_seconds, headers=refused.headers) from None


def removal_sealer(request: Request) -> Sealer:
    """Seals the texts of removed messages."""
    return messages.removal_sealer(services(request).code_key)

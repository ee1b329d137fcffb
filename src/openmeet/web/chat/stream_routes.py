"""Live streams of a conversation, as ``text/event-stream``: for its page, authenticated by the session cookie, and for
other programs, with each message as the JSON API shows it.

Events: ``message``, ``edited``, ``removed``, ``reactions`` (the row as JSON and, for the page, as HTML), ``pins``,
``room``, ``rooms`` (unread messages in other rooms; has no id), ``again`` (reload the page), ``out``. The id of an
event is ``room:number``. ``Last-Event-ID`` or ``after`` resumes after that number.
"""

import json
from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.http.application import client_network
from groundwork.token_hash import hash_token
from openmeet.domain.api_tokens.tokens import PREFIX
from openmeet.domain.chat import rooms
from openmeet.domain.chat.access import reading_floor
from openmeet.domain.chat.addresses import addresses_of
from openmeet.domain.chat.model import Access, ChatLogEntry, ChatMessage, LogKind, Room, RoomId
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import current, speaking
from openmeet.web.chat import view
from openmeet.web.chat.schemas import ChatMessageShown, message_shown
from openmeet.web.chat.view import seen_by
from openmeet.web.site.caller import caller_or_none, viewer_of
from openmeet.web.site.chat_stream_feed import ChatSource
from openmeet.web.site.chat_streams import ChatStream, Encode, RoomEvent, RowView
from openmeet.web.site.layout import environment
from openmeet.web.site.server_sent_events import EventStreamResponse, StreamCredential
from openmeet.web.site.services import services
from openmeet.web.site.session import bearer_of, cookie_token
from openmeet.web.site.tenant_routing import database_of

EVENT_NAMES: Final = {
    LogKind.POSTED: "message",
    LogKind.EDITED: "edited",
    LogKind.REMOVED: "removed",
    LogKind.RESTORED: "message",
    LogKind.REACTED: "reactions",
    LogKind.PINNED: "pins",
    LogKind.ROOM: "room",
}
# The events contain no translated text, so all readers can share them.
_NO_LANGUAGE = ""


class ChatEvent(msgspec.Struct, rename="camel"):
    """An event in a room. ``number`` is its number in the room's log. ``message`` is the message as it is now; null in
    ``room`` events. In ``room`` events ``isClosed`` says whether the room is closed for writing. In others it is null.
    """

    number: int
    message: ChatMessageShown | None
    is_closed: bool | None


def routes() -> list[Route]:
    return [Route("/chat/live", follow, methods=["GET"])]


async def follow(request: Request) -> Response:
    """Open the stream of a room for its page. Raises NotFound, and Unavailable if too many streams are open."""
    # Use the session in the cookie and ignore any other credential in the request.
    credential = StreamCredential(hash_token(cookie_token(request))) if caller_or_none(request) else None
    settings = services(request).settings

    async def encoder(reader: Reader, room: Room, person: UserId | None) -> Encode:
        address = (await addresses_of(reader, [room], person)).get(room.id)
        return _page_encoder(settings.site_name, settings.public_url, address.time_zone if address else "UTC")

    return await open_stream(request, credential, current().tag, encoder)


async def follow_room(request: Request) -> Response:
    """Open the stream for a program. Raises NotFound, and Unavailable if too many streams are open."""
    token = bearer_of(request)
    credential = StreamCredential(hash_token(token), token.startswith(PREFIX)) if caller_or_none(request) else None
    return await open_stream(request, credential, _NO_LANGUAGE, _encoder)


async def open_stream(
    request: Request,
    credential: StreamCredential | None,
    language: str,
    encoder: Callable[[Reader, Room, UserId | None], Awaitable[Encode]],
) -> Response:
    """The stream of the room named in the query, for the caller of the request. Raises NotFound, Unavailable."""
    site = services(request)
    person = viewer_of(request)
    holder = person or f"address:{client_network(request)}"
    await site.chat_streams.slots.make_room(holder)
    slot = site.chat_streams.slots.take(holder, site.settings.live_streams)
    try:
        async with database_of(request).reader() as reader:
            room, _, _ = await rooms.readable_room(reader, RoomId(request.query_params.get("room", "")), person)
            stream = ChatStream(
                room=room.id,
                person=person,
                slot=slot,
                language=language,
                entered=await reading_floor(reader, room, person, Access.READ),
                number=_resume_number(request, room.id, room.last_number),
                credential=credential,
                encode=await encoder(reader, room, person),
            )
    except BaseException:
        slot.give_back()
        raise
    source = ChatSource(
        database_of(request), site.settings.tenant_database_url, site.settings.database_schema or "public"
    )
    return EventStreamResponse(slot, partial(site.chat_streams.run, stream, source))


def _resume_number(request: Request, room: RoomId, last: int) -> int:
    """The number after which the stream resumes. If the client sends none, the last number of the room."""
    of_room, _, number = request.headers.get("last-event-id", "").rpartition(":")
    if of_room != room:
        number = request.query_params.get("after", "")
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 16 else last


def event_frame(entry: ChatLogEntry, data: bytes) -> bytes:
    """The frame of a log entry. ``data`` is JSON on one line."""
    return f"id: {entry.room_id}:{entry.number}\nevent: {EVENT_NAMES[entry.kind]}\ndata: ".encode() + data + b"\n\n"


class _PageEncoder:
    """Encodes events for the readers of one room."""

    __slots__ = ("_parts", "_zone")

    def __init__(self, site_name: str, public_url: str, zone: str) -> None:
        self._parts = environment(site_name, public_url).get_template("chat/parts.html").module
        self._zone = zone

    def __call__(self, event: RoomEvent, reader: RowView) -> bytes:
        entry, shown = event.entry, event.message
        data: dict[str, object] = {"number": entry.number}
        if entry.kind is LogKind.ROOM:
            data["closed"] = event.room.is_closed
        elif shown is not None:
            data |= {"message": _json_of(shown.message, shown.name), "html": self._html(event, reader)}
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        return event_frame(entry, text.encode())

    def _html(self, event: RoomEvent, reader: RowView) -> str:
        shown = event.message
        assert shown is not None, "the caller has looked"  # noqa: S101 - for the type checker
        as_seen = view.seen_by(
            shown, is_author=reader.is_author, is_folded=reader.is_folded, hides_quote=reader.hides_quote
        )
        with speaking(reader.language):
            viewed_by = view.MessageReader(self._zone, event.now, reader.may_write)
            row = view.message_view(as_seen, event.room, set(event.hosts), viewed_by)
            macro = getattr(self._parts, "notice" if row.is_notice else "message")
            return str(macro(row)).strip()


@cache
def _page_encoder(site_name: str, public_url: str, zone: str) -> _PageEncoder:
    """The encoder for all readers in a time zone, who share its output."""
    return _PageEncoder(site_name, public_url, zone)


def _json_of(message: ChatMessage, name: str) -> dict[str, object]:
    return {
        "id": message.id,
        "room": message.room_id,
        "number": message.number,
        "kind": message.kind.value,
        "author": message.user_id or message.matrix_sender,
        "name": name,
        "text": message.body,
        "about": message.about,
        "replyTo": message.reply_to,
        "revision": message.revision,
        "saidAt": formatting.iso(message.said_at),
        "editedAt": formatting.iso_or_none(message.edited_at),
        "isRemoved": message.is_removed,
        "isHeld": message.is_held,
    }


async def _encoder(_reader: Reader, _room: Room, _person: UserId | None) -> Encode:
    return _encode


def _encode(event: RoomEvent, reader: RowView) -> bytes:
    message = None
    if event.message is not None:
        as_seen = seen_by(
            event.message, is_author=reader.is_author, is_folded=reader.is_folded, hides_quote=reader.hides_quote
        )
        message = _without_viewer_parts(message_shown(as_seen))
    is_closed = event.room.is_closed if event.entry.kind is LogKind.ROOM else None
    return event_frame(event.entry, msgspec.json.encode(ChatEvent(event.entry.number, message, is_closed)))


def _without_viewer_parts(shown: ChatMessageShown) -> ChatMessageShown:
    """The message without the parts of reactions and votes that differ between readers."""
    poll = shown.poll
    if poll is not None:
        poll = msgspec.structs.replace(
            poll, choices=[msgspec.structs.replace(choice, is_mine=msgspec.UNSET) for choice in poll.choices]
        )
    reactions = [msgspec.structs.replace(each, is_mine=msgspec.UNSET) for each in shown.reactions]
    return msgspec.structs.replace(shown, reactions=reactions, poll=poll)

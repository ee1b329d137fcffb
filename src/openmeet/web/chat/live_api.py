"""Live stream of a chat for other programs: the events of ``live``, with each message as the JSON API shows it."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader
from openmeet.domain.api_tokens.tokens import PREFIX
from openmeet.domain.chat.model import LogKind, Room
from openmeet.domain.sign_in.model import hash_token
from openmeet.domain.users.model import UserId
from openmeet.web.chat.live import event_frame, open_stream
from openmeet.web.chat.schemas import ChatMessageShown, message_shown
from openmeet.web.chat.view import seen_by
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.event_streams import StreamCredential
from openmeet.web.site.live_streams import Encode, RoomEvent, RowView
from openmeet.web.site.session import bearer_of

# The events contain no translated text, so all readers can share them.
_NO_LANGUAGE = ""


class ChatEvent(msgspec.Struct, rename="camel"):
    """An event in a room. ``number`` is its number in the room's log. ``message`` is the message as it is now; null in
    ``room`` events. In ``room`` events ``isClosed`` says whether the room is closed for writing. In others it is null.
    """

    number: int
    message: ChatMessageShown | None
    is_closed: bool | None


async def follow_room(request: Request) -> Response:
    """Open the stream. Raises NotFound, and Unavailable if too many streams are open."""
    token = bearer_of(request)
    credential = StreamCredential(hash_token(token), token.startswith(PREFIX)) if caller_or_none(request) else None
    return await open_stream(request, credential, _NO_LANGUAGE, _encoder)


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

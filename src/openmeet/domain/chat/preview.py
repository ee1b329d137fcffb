"""What the page of an event shows of its chat: the newest pinned message and the latest messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.chat import room_queries, rooms
from openmeet.domain.chat.access import access_in
from openmeet.domain.chat.model import MAX_PINS, WRITTEN, Access, RoomKind, RoomSubject, SubjectKind
from openmeet.domain.chat.queries import MessageFilter, ShownMessage, page_of_messages
from openmeet.domain.events.model import EventId
from openmeet.domain.users.model import UserId

_LATEST: Final = 2
# Among these, the preview looks for messages that the viewer wants to see.
_READ: Final = 20


@dataclass(frozen=True, slots=True)
class ChatPreview:
    """``latest`` are the last messages in order, possibly none."""

    pin: ShownMessage | None
    latest: Sequence[ShownMessage]


async def preview_of(reader: Reader, event: EventId, viewer: UserId | None) -> ChatPreview | None:
    """The preview for this viewer. None if they may not read the chat, or if it does not exist yet.

    In the chat of a series, only messages about this date or about none count. Removed messages, and messages by people
    whom the viewer muted or blocked, are left out.
    """
    subject = RoomSubject(SubjectKind.EVENT, event)
    room = await rooms.room_at(reader, await rooms.target_of(reader, RoomKind.EVENT, subject))
    if room is None or (level := await access_in(reader, room, viewer)) is Access.NONE:
        return None
    of_series = await room_queries.series_of_event(reader, event)
    about = {None, of_series[1] if of_series else None}

    async def shown(wanted: MessageFilter, limit: int) -> list[ShownMessage]:
        page = await page_of_messages(reader, room, viewer, wanted, limit=limit, level=level)
        return [
            one
            for one in page.messages
            if one.message.about in about and not (one.is_folded or one.message.is_removed or one.message.is_held)
        ]

    pins = await shown(MessageFilter(pinned=True), MAX_PINS)
    latest = await shown(MessageFilter(kinds=WRITTEN), _READ)
    return ChatPreview(pins[-1] if pins else None, latest[-_LATEST:])

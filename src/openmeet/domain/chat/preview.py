"""What the pages of events and series show of their chats: the newest pinned message and the latest messages, or only
whether the viewer may enter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.chat import room_queries, rooms
from openmeet.domain.chat.access import access_in
from openmeet.domain.chat.model import MAX_PINS, WRITTEN, Access, Room, RoomKind, RoomSubject, SubjectKind
from openmeet.domain.chat.queries import MessageFilter, ShownMessage, page_of_messages
from openmeet.domain.chat.rooms import RoomTarget
from openmeet.domain.events.model import EventId
from openmeet.domain.series.model import SeriesId
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
    """The preview for this viewer. None if they may not enter the chat. It is empty if nobody has opened the chat yet.

    In the chat of a series, only messages about this date or about none count. Removed messages, and messages by people
    whom the viewer muted or blocked, are left out.
    """
    subject = RoomSubject(SubjectKind.EVENT, event)
    target = await rooms.target_of(reader, RoomKind.EVENT, subject)
    room = await rooms.room_at(reader, target)
    level = await _access_to(reader, target, room, viewer)
    if level is Access.NONE:
        return None
    if room is None:
        return ChatPreview(None, ())
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


async def may_enter_chat_of_series(reader: Reader, series: SeriesId, viewer: UserId | None) -> bool:
    """Whether this viewer may read the chat of a series, or write its first message."""
    target = await rooms.target_of(reader, RoomKind.SERIES, RoomSubject(SubjectKind.SERIES, series))
    return await _access_to(reader, target, await rooms.room_at(reader, target), viewer) is not Access.NONE


async def _access_to(reader: Reader, target: RoomTarget, room: Room | None, viewer: UserId | None) -> Access:
    if room is not None:
        return await access_in(reader, room, viewer)
    level = await rooms.access_before_opening(reader, target, viewer)
    # People who may only read cannot open a room.
    return level if level >= Access.WRITE else Access.NONE

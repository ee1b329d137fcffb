"""People, subjects and chat rooms for tests of chat."""

from groundwork.database.transaction import Transaction
from openmeet.domain.chat import messages, rooms
from openmeet.domain.chat.model import (
    ChatMessage,
    NewMessage,
    Room,
    RoomKind,
    RoomSubject,
    SubjectKind,
)
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller


def about(event: Event) -> RoomSubject:
    return RoomSubject(SubjectKind.EVENT, event.id)


async def room_of(
    tx: Transaction, who: Caller, subject: RoomSubject, kind: RoomKind = RoomKind.EVENT, **further: object
) -> Room:
    """Open the chat room as this person and return it."""
    room, _ = await rooms.open_room(tx, who, await rooms.target_of(tx, kind, subject, **further))
    return room


async def say(tx: Transaction, who: Caller, room: Room, text: str = "Hello", **further: object) -> ChatMessage:
    one, _ = await messages.send(tx, who, room.id, NewMessage(text=text, **further))
    return one

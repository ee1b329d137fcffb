"""People, subjects and chat rooms for tests of chat."""

from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import messages, rooms
from openmeet.domain.chat.model import ChatMessage, NewMessage, Room, RoomKind, RoomSubject, SubjectKind
from openmeet.domain.chat.queries import MessageFilter, page_of_messages
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from tests.openmeet.site_under_test import event_by, person


def subject_of_event(event: Event) -> RoomSubject:
    return RoomSubject(SubjectKind.EVENT, event.id)


async def room_of(
    tx: Transaction, who: Caller, subject: RoomSubject, kind: RoomKind = RoomKind.EVENT, **further: object
) -> Room:
    """Open the chat room as this person and return it."""
    room, _ = await rooms.open_room(tx, who, await rooms.target_of(tx, kind, subject, **further))
    return room


async def send_text(tx: Transaction, who: Caller, room: Room, text: str = "Hello", **further: object) -> ChatMessage:
    one, _ = await messages.send(tx, who, room.id, NewMessage(text=text, **further))
    return one


async def create_event_with_people(tx, **typed: str):
    """Ana hosts, Ben is going, Cleo is not involved."""
    ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
    event = await event_by(tx, ana, **typed)
    await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    return event, ana, ben, cleo


async def message_texts(reader, room, who):
    page = await page_of_messages(reader, room, who.user_id, MessageFilter())
    return [one.message.body for one in page.messages]

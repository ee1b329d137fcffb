"""One event of a mirrored room, applied to the room here, by the rights that its sender has here."""

from dataclasses import replace

from groundwork.database.transaction import Transaction
from groundwork.errors import Failure
from groundwork.outbox import jobs
from groundwork.uuid7 import new_id
from openmeet.domain.chat import headings, log, message_queries, messages, room_queries
from openmeet.domain.chat.access import access
from openmeet.domain.chat.model import Access, ChatMessage, ChatMessageId, MessageKind, NewMessage, Room, RoomId
from openmeet.domain.chat.search_terms import search_index_terms
from openmeet.domain.chat.texts import cleaned
from openmeet.domain.users.model import Caller
from openmeet.i18n.catalogue import gettext, speaking
from openmeet.matrix import content, store
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.calls import JsonObject
from openmeet.outbox.kinds import JobKind


async def apply(tx: Transaction, bridge: Bridge, room_id: RoomId, matrix_room: str, event: JsonObject) -> bool:
    """Apply an event, once by its id. True where the Matrix room is to be compared with what it should be."""
    read = content.incoming(event)
    if read is None or bridge.is_ours(read.sender) or await store.is_known(tx, room_id, read.event_id):
        return False
    said_at = content.sent_at(event)
    if said_at is not None and await store.is_from_before(tx, room_id, said_at):
        return False
    room = await room_queries.by_id(tx, room_id)
    if room is None:
        return False
    user = await store.person_of_account(tx, read.sender)
    who = None if user is None else Caller(user, "")
    match read:
        case content.IncomingMessage():
            is_accepted = await _message(tx, room, who, read)
            if not is_accepted:
                await _undo(tx, matrix_room, read.event_id)
            elif read.picture is not None:
                await jobs.enqueue(tx, JobKind.MATRIX_CALL, f"picture {matrix_room} {read.event_id}")
        case content.IncomingRedaction():
            await _redaction(tx, bridge, room, who, read)
        case content.IncomingMembership():
            # Somebody who leaves is let go; any other change by others is compared with access here.
            return not (read.membership == "leave" and read.user_id == read.sender)
        case content.IncomingOther():
            if read.kind == "m.room.encrypted":
                await _undo(tx, matrix_room, read.event_id)
                await jobs.enqueue(tx, JobKind.MATRIX_CALL, f"plain {matrix_room}")
                return False
            return True
        case content.IncomingReaction():
            pass
    return False


async def _message(tx: Transaction, room: Room, who: Caller | None, read: content.IncomingMessage) -> bool:
    """Store what was said; False where its sender may not say it."""
    if read.replaces is not None:
        return await _edit(tx, room, who, read)
    answered = await store.message_of(tx, room.id, read.reply_to) if read.reply_to else None
    if who is None:
        return await _guest_message(tx, room, read, answered)
    before = None if answered is None else await message_queries.by_id(tx, answered)
    about = before.about if before is not None else await headings.usual_heading(tx, room)
    new = NewMessage(text=cleaned(read.text), about=about, reply_to=answered)
    try:
        one, _ = await messages.send(tx, who, room.id, new)
    except Failure:
        return False
    await tx.execute("update chat_messages set external_id = :event where id = :id", event=read.event_id, id=one.id)
    # What waits for a moderator here is not to be read there before that.
    await store.settle(tx, room.id, one.number, None if one.is_held else read.event_id, by_delivery=False)
    return not one.is_held


async def _guest_message(
    tx: Transaction, room: Room, read: content.IncomingMessage, answered: ChatMessageId | None
) -> bool:
    """Somebody without an account here that hosts invited."""
    if not room.matrix_guests or room.is_closed:
        return False
    entry = await log.next_entry(tx, room.id)
    one = ChatMessage(
        id=ChatMessageId(new_id(tx.now)),
        room_id=room.id,
        number=entry.number,
        user_id=None,
        matrix_sender=read.sender,
        client_id=None,
        kind=MessageKind.TEXT,
        body=cleaned(read.text),
        details={},
        about=await headings.usual_heading(tx, room),
        reply_to=answered,
        external_id=read.event_id,
        revision=1,
        said_at=tx.now,
        edited_at=None,
        removed_at=None,
        removed_by=None,
        held_at=tx.now if room.holds_messages else None,
    )
    await message_queries.insert(tx, entry, one, search_index_terms(one))
    await store.settle(tx, room.id, one.number, None if one.is_held else read.event_id, by_delivery=False)
    return not one.is_held


async def _edit(tx: Transaction, room: Room, who: Caller | None, read: content.IncomingMessage) -> bool:
    """Anybody can send an edit of anybody's event; only one of the sender's own counts."""
    target = await store.message_of(tx, room.id, read.replaces or "")
    one = None if target is None else await message_queries.by_id(tx, target)
    if one is None or who is None or one.external_id != read.replaces or one.user_id != who.user_id:
        return False
    try:
        changed = await messages.edit(tx, who, one.id, cleaned(read.text))
    except Failure:
        return False
    if changed.revision != one.revision:
        await _settle_last(tx, replace(changed, room_id=room.id), read.event_id)
    return True


async def _settle_last(tx: Transaction, one: ChatMessage, event_id: str | None) -> None:
    row = await tx.fetch_one("select max(number) as number from chat_log where message_id = :id", id=one.id)
    assert row is not None, "an aggregate has a row"  # noqa: S101 - for the type checker
    await store.settle(tx, one.room_id, row["number"], event_id, by_delivery=False)


async def _redaction(
    tx: Transaction, bridge: Bridge, room: Room, who: Caller | None, read: content.IncomingRedaction
) -> None:
    """By its writer: taken back. By a moderator: removed. Delivery then redacts the edits, which this one does not reach."""
    target = await store.message_of(tx, room.id, read.target)
    one = None if target is None else await message_queries.by_id(tx, target)
    if one is None or who is None or one.is_removed:
        return
    if one.user_id == who.user_id:
        await messages.take_back(tx, who, one.id)
    elif await access(tx, room.id, who.user_id) is Access.MODERATE:
        with speaking(bridge.language):
            reason = read.reason or gettext("Removed in Matrix")
        await messages.remove(tx, who, one.id, reason, bridge.sealer)


async def _undo(tx: Transaction, matrix_room: str, event_id: str) -> None:
    await jobs.enqueue(tx, JobKind.MATRIX_CALL, f"redact {matrix_room} {event_id}")

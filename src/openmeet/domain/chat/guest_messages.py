"""What guests from Matrix say, change, take back and react with: by the rules of everybody, and their own messages alone.

A guest mentions nobody, and calls nobody: names are looked up for people whom somebody here can hold to account.
"""

from dataclasses import replace
from typing import Final

from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Forbidden, NotFound, Refused, TooMany
from groundwork.uuid7 import new_id
from openmeet.domain.chat import log, matrix_guests, message_queries, messages, pictures, reactions, room_queries
from openmeet.domain.chat.model import (
    EDITABLE_FOR,
    ChatMessage,
    ChatMessageId,
    LogKind,
    MessageKind,
    Room,
    RoomId,
)
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.search_terms import search_index_terms
from openmeet.domain.chat.texts import checked_text, has_link

# Messages of a guest that wait for a moderator if they hold a link.
_FIRST_MESSAGES: Final = 3


async def say(
    tx: Transaction,
    room_id: RoomId,
    sender: str,
    text: str,
    *,
    external_id: str,
    about: str | None,
    reply_to: ChatMessageId | None,
) -> ChatMessage:
    """Store a message of a guest. Raises NotFound, Forbidden (``ReadOnly``, ``RoomClosed``), TooMany (``SlowMode``), InvalidForm."""
    room = await _writable(tx, room_id, sender)
    body = checked_text(text)
    await _check_pace(tx, room, sender)
    is_held = await _waits(tx, room, sender, body)
    entry = log.entry_after(room)
    one = ChatMessage(
        id=ChatMessageId(new_id(tx.now)),
        room_id=room.id,
        number=entry.number,
        user_id=None,
        matrix_sender=sender,
        client_id=None,
        kind=MessageKind.TEXT,
        body=body,
        details={},
        about=about,
        reply_to=reply_to,
        external_id=external_id,
        revision=1,
        said_at=tx.now,
        edited_at=None,
        removed_at=None,
        removed_by=None,
        held_at=tx.now if is_held else None,
    )
    await message_queries.insert(tx, entry, one, search_index_terms(one))
    return one


async def edit(tx: Transaction, sender: str, message_id: ChatMessageId, text: str) -> ChatMessage:
    """Change a guest's own text within a day. Raises NotFound, Forbidden (``AuthorOnly`` …), Refused (``TooLate``, ``Removed``),
    InvalidForm.
    """
    one = await _own(tx, sender, message_id)
    room = await _writable(tx, one.room_id, sender)
    if one.is_removed:
        raise Refused(ChatReason.MESSAGE_REMOVED, name="Removed")
    if tx.now >= one.said_at + EDITABLE_FOR:
        raise Refused(ChatReason.TOO_LATE_TO_EDIT, name="TooLate")
    body = checked_text(text, is_needed=not one.pictures)
    if body == one.body:
        return one
    is_held = one.is_held or await _waits(tx, room, sender, body)
    changed = replace(
        one,
        body=body,
        revision=one.revision + 1,
        edited_at=tx.now,
        held_at=(one.held_at or tx.now) if is_held else None,
    )
    await message_queries.keep_earlier_text(tx, one)
    await messages.write_message(tx, changed)
    await log.append(tx, one.room_id, LogKind.EDITED, one.id)
    return changed


async def take_back(tx: Transaction, sender: str, message_id: ChatMessageId) -> ChatMessage:
    """Empty a guest's own message, also after they left. A second time changes nothing. Raises NotFound, Forbidden (``AuthorOnly``)."""
    one = await _own(tx, sender, message_id)
    if one.is_taken_back:
        return one
    await tx.execute("delete from chat_removed where message_id = :id", id=one.id)
    await pictures.release(tx, [one.id])
    return await messages.empty(tx, one, None)


async def react(tx: Transaction, sender: str, message_id: ChatMessageId, emoji: str, external_id: str) -> None:
    """Add a guest's reaction. Raises NotFound, Forbidden, InvalidForm (``emoji``), Refused (``Removed``, ``TooManyReactions``)."""
    one = await message_queries.by_id(tx, message_id)
    if one is None or one.is_held:
        raise NotFound(ChatReason.NO_SUCH_MESSAGE)
    await _writable(tx, one.room_id, sender)
    await reactions.add(tx, one, emoji, matrix_sender=sender, external_id=external_id)


async def _own(tx: Transaction, sender: str, message_id: ChatMessageId) -> ChatMessage:
    known = await message_queries.by_id(tx, message_id)
    if known is None:
        raise NotFound(ChatReason.NO_SUCH_MESSAGE)
    await room_queries.lock(tx, known.room_id)
    one = await message_queries.by_id(tx, message_id) or known
    if one.matrix_sender != sender:
        raise Forbidden(ChatReason.AUTHOR_ONLY, name="AuthorOnly")
    return one


async def _writable(tx: Transaction, room_id: RoomId, sender: str) -> Room:
    """The room, locked. Raises NotFound, Forbidden."""
    room = await room_queries.lock(tx, room_id)
    if room is None:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    if room.is_closed:
        raise Forbidden(ChatReason.ROOM_CLOSED, name="RoomClosed")
    if not await matrix_guests.may_write(tx, room, sender):
        raise Forbidden(ChatReason.READ_ONLY, name="ReadOnly")
    return room


async def _check_pace(reader: Reader, room: Room, sender: str) -> None:
    if not room.slow_seconds:
        return
    row = await reader.fetch_one(
        "select max(said_at) as last from chat_messages where matrix_sender = :sender and room_id = :room",
        sender=sender,
        room=room.id,
    )
    last = row["last"] if row else None
    left = 0 if last is None else Instant(last + room.slow_seconds * SECOND - reader.now)
    if left > 0:
        seconds = -(-left // SECOND)
        raise TooMany(ChatReason.SLOW_MODE, after_seconds=seconds, name="SlowMode", seconds=seconds)


async def _waits(reader: Reader, room: Room, sender: str, body: str) -> bool:
    """Whether it waits for a moderator: where all do, and a link in one of the first messages of the guest."""
    if room.holds_messages:
        return True
    if not has_link(body):
        return False
    row = await reader.fetch_one(
        "select count(*) as number from (select 1 as one from chat_messages where matrix_sender = :sender"
        " and held_at is null and removed_at is null limit :most) m",
        sender=sender,
        most=_FIRST_MESSAGES,
    )
    return row is None or row["number"] < _FIRST_MESSAGES

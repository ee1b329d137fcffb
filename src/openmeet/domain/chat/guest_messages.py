"""Messages and reactions of guests from Matrix. The usual rules apply (``writing_rules``). Guests can only
change what they sent themselves.

A guest can mention people by name if everyone may know that they are in the room, but cannot mention all hosts or
everyone.
"""

from collections.abc import Collection

from groundwork.database.transaction import Transaction
from groundwork.errors import Forbidden, NotFound
from groundwork.uuid7 import new_id
from openmeet.domain.chat import (
    log,
    matrix_guests,
    message_queries,
    messages,
    pictures,
    reactions,
    room_queries,
    writing_rules,
)
from openmeet.domain.chat.model import ChatMessage, ChatMessageId, LogKind, MessageAuthor, MessageKind, Room, RoomId
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.texts import checked_text, search_index_terms
from openmeet.domain.users.model import UserId


async def send(
    tx: Transaction,
    room_id: RoomId,
    sender: str,
    text: str,
    *,
    external_id: str,
    about: str | None,
    reply_to: ChatMessageId | None,
    mentions: Collection[UserId] = (),
) -> ChatMessage:
    """Store a guest's message. ``mentions`` has people in addition to those named in the text.

    Raises NotFound, Forbidden (``ReadOnly``, ``RoomClosed``), TooMany (``SlowMode``), InvalidForm.
    """
    room = await _writable(tx, room_id, sender)
    body = checked_text(text)
    author = MessageAuthor(matrix_sender=sender)
    await writing_rules.check_slow_mode(tx, room, author)
    is_held = await writing_rules.waits_for_moderator(tx, room, author, body)
    entry = log.entry_after(room)
    message = ChatMessage(
        id=ChatMessageId(new_id(tx.now)),
        room_id=room.id,
        number=entry.number,
        kind=MessageKind.TEXT,
        body=body,
        said_at=tx.now,
        matrix_sender=sender,
        about=about,
        reply_to=reply_to,
        external_id=external_id,
        held_at=tx.now if is_held else None,
    )
    await message_queries.insert(tx, entry, message, search_index_terms(message))
    await messages.add_mentions(tx, room, message, mentions)
    return message


async def edit(tx: Transaction, sender: str, message_id: ChatMessageId, text: str) -> ChatMessage:
    """Change a guest's own text, up to a day after it was sent. Raises NotFound, Forbidden (``AuthorOnly`` …), Refused
    (``TooLate``, ``Removed``), InvalidForm.
    """
    message = await _own(tx, sender, message_id)
    room = await _writable(tx, message.room_id, sender)
    edited = writing_rules.checked_edit(message, text, tx.now)
    if not edited.changes:
        return message
    waits = await writing_rules.waits_for_moderator(tx, room, MessageAuthor(matrix_sender=sender), edited.text)
    changed = edited.message(tx.now, waits=waits)
    await message_queries.keep_earlier_text(tx, message)
    await messages.write_message(tx, changed)
    await log.append(tx, message.room_id, LogKind.EDITED, message.id)
    return changed


async def retract(tx: Transaction, sender: str, message_id: ChatMessageId) -> ChatMessage:
    """Empty a guest's own message, even after they left. Idempotent. Raises NotFound, Forbidden (``AuthorOnly``)."""
    message = await _own(tx, sender, message_id)
    if message.is_taken_back:
        return message
    await tx.execute("delete from chat_removed where message_id = :id", id=message.id)
    await pictures.release(tx, [message.id])
    return await messages.empty(tx, message, None)


async def react(tx: Transaction, sender: str, message_id: ChatMessageId, emoji: str, external_id: str) -> None:
    """Add a guest's reaction. Raises NotFound, Forbidden, InvalidForm (``emoji``), Refused (``Removed``,
    ``TooManyReactions``).
    """
    message = await message_queries.by_id(tx, message_id)
    if message is None or message.is_held:
        raise NotFound(ChatReason.NO_SUCH_MESSAGE)
    await _writable(tx, message.room_id, sender)
    await reactions.add(tx, message, emoji, matrix_sender=sender, external_id=external_id)


async def _own(tx: Transaction, sender: str, message_id: ChatMessageId) -> ChatMessage:
    message = await message_queries.by_id(tx, message_id)
    if message is None:
        raise NotFound(ChatReason.NO_SUCH_MESSAGE)
    await room_queries.lock(tx, message.room_id)
    own = await message_queries.by_id(tx, message_id) or message
    if own.matrix_sender != sender:
        raise Forbidden(ChatReason.AUTHOR_ONLY, name="AuthorOnly")
    return own


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

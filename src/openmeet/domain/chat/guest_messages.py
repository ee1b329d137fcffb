"""Messages and reactions of guests from Matrix. The usual rules apply (``posting``). A guest can only change what they
sent themselves.

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
    posting,
    reactions,
    room_queries,
)
from openmeet.domain.chat.model import (
    ChatMessage,
    ChatMessageId,
    LogKind,
    MessageAuthor,
    MessageKind,
    Room,
    RoomId,
)
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.search_terms import search_index_terms
from openmeet.domain.chat.texts import checked_text
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
    await posting.check_slow_mode(tx, room, author)
    is_held = await posting.waits_for_moderator(tx, room, author, body)
    entry = log.entry_after(room)
    one = ChatMessage(
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
    await message_queries.insert(tx, entry, one, search_index_terms(one))
    await messages.add_mentions(tx, room, one, mentions)
    return one


async def edit(tx: Transaction, sender: str, message_id: ChatMessageId, text: str) -> ChatMessage:
    """Change a guest's own text, up to a day after it was sent. Raises NotFound, Forbidden (``AuthorOnly`` …), Refused
    (``TooLate``, ``Removed``), InvalidForm.
    """
    one = await _own(tx, sender, message_id)
    room = await _writable(tx, one.room_id, sender)
    edited = posting.checked_edit(one, text, tx.now)
    if not edited.changes:
        return one
    waits = await posting.waits_for_moderator(tx, room, MessageAuthor(matrix_sender=sender), edited.text)
    changed = edited.message(tx.now, waits=waits)
    await message_queries.keep_earlier_text(tx, one)
    await messages.write_message(tx, changed)
    await log.append(tx, one.room_id, LogKind.EDITED, one.id)
    return changed


async def retract(tx: Transaction, sender: str, message_id: ChatMessageId) -> ChatMessage:
    """Empty a guest's own message, even after they left. Idempotent. Raises NotFound, Forbidden (``AuthorOnly``)."""
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
    message = await message_queries.by_id(tx, message_id)
    if message is None:
        raise NotFound(ChatReason.NO_SUCH_MESSAGE)
    await room_queries.lock(tx, message.room_id)
    one = await message_queries.by_id(tx, message_id) or message
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

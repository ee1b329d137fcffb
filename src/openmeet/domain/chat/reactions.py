"""Reactions, pins and votes. Setting something that is already set changes nothing and writes no log entry."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Forbidden, InvalidForm, Refused
from openmeet.domain.chat import log, message_queries, mirroring, room_queries
from openmeet.domain.chat.access import require_access
from openmeet.domain.chat.messages import lock_visible_message, require_write_access, write_message
from openmeet.domain.chat.model import (
    MAX_EMOJI_KINDS,
    MAX_OWN_REACTIONS,
    MAX_PINS,
    Access,
    ChatMessage,
    ChatMessageId,
    LogKind,
    MessageKind,
    RoomId,
)
from openmeet.domain.chat.polls import Poll, poll_in
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.users.model import Caller, UserId

_MAX_CODE_POINTS = 12
_SELECTOR = "\ufe0f"
# The Unicode blocks that contain emoji (UTS 51), except brackets and digits.
_SYMBOLS = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u2328\u232b-\u23ff\u24c2\u25a0-\u2767\u2794-\u27bf\u2934\u2935"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001f0ff\U0001f170-\U0001f19a\U0001f200-\U0001faff"
)
_PICTURE = f"[{_SYMBOLS}][\ufe0f\U0001f3fb-\U0001f3ff]{{0,2}}"
# Country flags, keycaps, regional flags, and pictures joined by U+200D, each with its skin tone or variation selector.
_EMOJI = re.compile(
    f"(?:[\U0001f1e6-\U0001f1ff]{{2}}|[0-9#*]\ufe0f?\u20e3"
    f"|\U0001f3f4[\U000e0030-\U000e007a]{{2,8}}\U000e007f|{_PICTURE}(?:\u200d{_PICTURE}){{0,5}})"
)


def checked_emoji(text: str) -> str:
    """Validate one emoji. Raises InvalidForm (``emoji``) for anything else."""
    plain = text.strip()
    if len(plain) > _MAX_CODE_POINTS or not _EMOJI.fullmatch(plain):
        raise InvalidForm({"emoji": ChatReason.NOT_AN_EMOJI()})
    return plain


async def react(
    tx: Transaction, caller: Caller, message_id: ChatMessageId, emoji: str, *, external_id: str | None = None
) -> None:
    """Add one's reaction. ``external_id`` is the id of its Matrix event. Raises NotFound, Forbidden, InvalidForm
    (``emoji``), Refused (``Removed``, ``TooManyReactions``).
    """
    message = await _writable(tx, caller, message_id)
    await add(tx, message, emoji, user_id=caller.user_id, external_id=external_id)


async def add(
    tx: Transaction,
    message: ChatMessage,
    emoji: str,
    *,
    user_id: UserId | None = None,
    matrix_sender: str | None = None,
    external_id: str | None = None,
) -> None:
    """Add a reaction of a person or a guest. The caller has checked access and locked the room. Raises InvalidForm
    (``emoji``), Refused.
    """
    picture = checked_emoji(emoji)
    if message.is_removed:
        raise Refused(ChatReason.MESSAGE_REMOVED, name="Removed")
    kinds = await tx.fetch(
        "select distinct emoji from chat_reactions where message_id = :id order by emoji", id=message.id
    )
    emojis = {row["emoji"] for row in kinds}
    # Clients write the same emoji with or without the variation selector of its coloured form.
    picture = next((each for each in sorted(emojis) if _is_same(each, picture)), picture)
    if len(emojis) >= MAX_EMOJI_KINDS and picture not in emojis:
        raise Refused(ChatReason.TOO_MANY_REACTIONS, name="TooManyReactions", most=MAX_EMOJI_KINDS)
    own_reactions = await tx.fetch(
        "select emoji from chat_reactions where message_id = :id"
        " and (user_id = cast(:person as text) or matrix_sender = cast(:sender as text)) order by emoji",
        id=message.id,
        person=user_id,
        sender=matrix_sender,
    )
    if len(own_reactions) >= MAX_OWN_REACTIONS and picture not in {row["emoji"] for row in own_reactions}:
        raise Refused(ChatReason.TOO_MANY_OWN_REACTIONS, name="TooManyReactions", most=MAX_OWN_REACTIONS)
    made = await tx.execute(
        "insert into chat_reactions (message_id, user_id, matrix_sender, emoji, external_id, at)"
        " values (:id, :person, :sender, :emoji, :external, :now) on conflict do nothing",
        id=message.id,
        person=user_id,
        sender=matrix_sender,
        emoji=picture,
        external=external_id,
        now=tx.now,
    )
    if not made and external_id is not None:
        # They already reacted on this site. Their own Matrix event replaces the event that was sent for them.
        made = await tx.execute(
            "update chat_reactions set external_id = :external where message_id = :id and emoji = :emoji"
            " and user_id = cast(:person as text) and external_id is null",
            external=external_id,
            id=message.id,
            emoji=picture,
            person=user_id,
        )
    if made:
        await log.append(tx, message.room_id, LogKind.REACTED, message.id)


def _is_same(one: str, other: str) -> bool:
    return one.replace(_SELECTOR, "") == other.replace(_SELECTOR, "")


@dataclass(frozen=True, slots=True)
class MatrixReaction:
    """A reaction that was made in Matrix, by a person with a linked account or by a guest. ``external_id`` is the id of
    its event.
    """

    room_id: RoomId
    message_id: ChatMessageId
    user_id: UserId | None
    matrix_sender: str | None
    external_id: str

    def is_by(self, address: str, caller: Caller | None) -> bool:
        return self.matrix_sender == address if caller is None else self.user_id == caller.user_id


async def from_matrix(reader: Reader, room: RoomId, external_id: str) -> MatrixReaction | None:
    """The reaction in a room that has this Matrix event id."""
    row = await reader.fetch_one(
        "select c.message_id, c.user_id, c.matrix_sender from chat_reactions c join chat_messages m on m.id = c.message_id"
        " where c.external_id = :external and m.room_id = :room",
        external=external_id,
        room=room,
    )
    if row is None:
        return None
    user_id = None if row["user_id"] is None else UserId(row["user_id"])
    return MatrixReaction(room, ChatMessageId(row["message_id"]), user_id, row["matrix_sender"], external_id)


async def drop(tx: Transaction, made: MatrixReaction) -> None:
    """Delete a reaction whose event was redacted. The caller has checked who may do so."""
    await room_queries.lock(tx, made.room_id)
    await tx.execute("delete from chat_reactions where external_id = :external", external=made.external_id)
    await log.append(tx, made.room_id, LogKind.REACTED, made.message_id)


async def unreact(tx: Transaction, caller: Caller, message_id: ChatMessageId, emoji: str) -> None:
    """Remove one's reaction, including its Matrix event if it was made on Matrix. Raises NotFound."""
    message, room, _ = await lock_visible_message(tx, caller, message_id)
    rows = await tx.fetch(
        "select emoji, external_id from chat_reactions where message_id = :id and user_id = :person order by emoji",
        id=message.id,
        person=caller.user_id,
    )
    removed_rows = [row for row in rows if _is_same(row["emoji"], emoji.strip())]
    if not removed_rows:
        return
    await tx.execute(
        "delete from chat_reactions where message_id = :id and user_id = :person and emoji in :emojis",
        id=message.id,
        person=caller.user_id,
        emojis=[row["emoji"] for row in removed_rows],
    )
    await mirroring.redact(tx, room.id, [row["external_id"] for row in removed_rows if row["external_id"] is not None])
    await log.append(tx, room.id, LogKind.REACTED, message.id)


async def pin(tx: Transaction, caller: Caller, message_id: ChatMessageId) -> None:
    """Pin a message. Raises NotFound, Forbidden (``NotAModerator``), Refused (``TooManyPins``, ``Removed``)."""
    message, room, _ = await lock_visible_message(tx, caller, message_id)
    await require_access(tx, room.id, caller.user_id, Access.MODERATE)
    if message.is_removed:
        raise Refused(ChatReason.MESSAGE_REMOVED, name="Removed")
    made = await tx.execute(
        "insert into chat_pins (message_id, room_id, pinned_by, at) values (:id, :room, :person, :now) "
        "on conflict do nothing",
        id=message.id,
        room=room.id,
        person=caller.user_id,
        now=tx.now,
    )
    row = await tx.fetch_one("select count(*) as number from chat_pins where room_id = :room", room=room.id)
    if row is not None and row["number"] > MAX_PINS:
        raise Refused(ChatReason.TOO_MANY_PINS, name="TooManyPins", most=MAX_PINS)
    if made:
        await log.append(tx, room.id, LogKind.PINNED, message.id)


async def unpin(tx: Transaction, caller: Caller, message_id: ChatMessageId) -> None:
    """Unpin a message. Raises NotFound, Forbidden (``NotAModerator``)."""
    message, room, _ = await lock_visible_message(tx, caller, message_id)
    await require_access(tx, room.id, caller.user_id, Access.MODERATE)
    if await tx.execute("delete from chat_pins where message_id = :id", id=message.id):
        await log.append(tx, room.id, LogKind.PINNED, message.id)


async def vote(tx: Transaction, caller: Caller, message_id: ChatMessageId, choices: Collection[int]) -> None:
    """Replace one's votes in a poll. Without choices, the votes are withdrawn.

    Raises NotFound, Forbidden, InvalidForm (``choices``), Refused (``NotAPoll``, ``PollClosed``).
    """
    message = await _writable(tx, caller, message_id)
    poll = _open_poll(message, tx.now)
    chosen_numbers = sorted(set(choices))
    if any(not 0 <= number < len(poll.choices) for number in chosen_numbers) or (
        len(chosen_numbers) > 1 and not poll.several
    ):
        raise InvalidForm({"choices": ChatReason.NO_SUCH_CHOICE()})
    await tx.execute(
        "delete from chat_votes where message_id = :id and user_id = :person", id=message.id, person=caller.user_id
    )
    await tx.execute_many(
        "insert into chat_votes (message_id, user_id, choice) values (:id, :person, :choice)",
        [{"id": message.id, "person": caller.user_id, "choice": number} for number in chosen_numbers],
    )
    await log.append(tx, message.room_id, LogKind.REACTED, message.id)


async def close_poll(tx: Transaction, caller: Caller, message_id: ChatMessageId) -> ChatMessage:
    """End a poll now. Raises NotFound, Forbidden (``AuthorOnly``), Refused (``NotAPoll``, ``PollClosed``)."""
    message = await _writable(tx, caller, message_id)
    if message.user_id != caller.user_id:
        raise Forbidden(ChatReason.AUTHOR_ONLY, name="AuthorOnly")
    _open_poll(message, tx.now)
    ended = replace(message, details={**message.details, "endsAt": int(tx.now)}, revision=message.revision + 1)
    await write_message(tx, ended)
    await log.append(tx, message.room_id, LogKind.EDITED, message.id)
    return ended


async def toggle_vote(tx: Transaction, caller: Caller, message_id: ChatMessageId, choice: int, *, is_on: bool) -> None:
    """Add a choice to one's votes, or withdraw it. In a single-choice poll, the new choice replaces the earlier one.
    Raises the same errors as ``vote``.
    """
    message = await message_queries.by_id(tx, message_id)
    if message is not None:
        # Concurrent taps of one person must not overwrite each other's choice.
        await room_queries.lock(tx, message.room_id)
    rows = await tx.fetch(
        "select choice from chat_votes where message_id = :id and user_id = :person order by choice",
        id=message_id,
        person=caller.user_id,
    )
    own_choices = {int(row["choice"]) for row in rows}
    poll = poll_in(message.details) if message else None
    if is_on and poll is not None and not poll.several:
        own_choices.clear()
    await vote(tx, caller, message_id, own_choices | {choice} if is_on else own_choices - {choice})


def _open_poll(message: ChatMessage, now: Instant) -> Poll:
    poll = poll_in(message.details)
    if message.kind is not MessageKind.POLL or poll is None:
        raise Refused(ChatReason.NOT_A_POLL, name="NotAPoll")
    if poll.is_over(now):
        raise Refused(ChatReason.POLL_CLOSED, name="PollClosed")
    return poll


async def _writable(tx: Transaction, caller: Caller, message_id: ChatMessageId) -> ChatMessage:
    """Return the message with its room locked, for a person who may write there. Raises NotFound, Forbidden, Refused."""
    message, room, level = await lock_visible_message(tx, caller, message_id)
    await require_write_access(tx, room, caller.user_id, level)
    if message.is_removed:
        raise Refused(ChatReason.MESSAGE_REMOVED, name="Removed")
    return message

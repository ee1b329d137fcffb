"""Apply one event of a mirrored room to the room here, with the rights that the sender has here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from groundwork.errors import Explanation, Failure, Forbidden, NotFound, TooMany, encode_explanation
from groundwork.outbox import jobs
from groundwork.rate_limit.contract import Limit, spend
from openmeet.domain.chat import (
    date_headings,
    matrix_guests,
    matrix_people,
    message_queries,
    messages,
    reactions,
    room_queries,
    writing_rules,
)
from openmeet.domain.chat.access import access
from openmeet.domain.chat.model import Access, ChatMessage, ChatMessageId, NewMessage, Room, RoomId
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.texts import cleaned
from openmeet.domain.users.model import Caller, UserId
from openmeet.i18n.catalogue import gettext, speaking
from openmeet.matrix import content, store
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.calls import JsonObject
from openmeet.outbox.kinds import JobKind


@dataclass(frozen=True, slots=True)
class _Sender:
    """The sender of an event: a user with a linked account, or an unknown Matrix account, which may be a guest. ``at``:
    when the event was sent, for rate limits.
    """

    address: str
    caller: Caller | None
    at: Instant

    @property
    def key(self) -> str:
        return self.address if self.caller is None else str(self.caller.user_id)


async def apply(tx: Transaction, bridge: Bridge, room_id: RoomId, matrix_room: str, event: JsonObject) -> bool:
    """Apply an event; an event id that was seen before is ignored. Returns True if the Matrix room needs to be compared
    with its desired state.
    """
    incoming = content.incoming(event)
    if incoming is None or bridge.is_ours(incoming.sender) or await store.is_known(tx, room_id, incoming.event_id):
        return False
    sent_at = content.sent_at(event)
    if sent_at is not None and await store.is_older_than_adoption(tx, room_id, sent_at):
        return False
    room = await room_queries.by_id(tx, room_id)
    if room is None:
        return False
    user = await store.person_of_account(tx, incoming.sender)
    if user is not None and await matrix_guests.is_only_guest(tx, room, incoming.sender, user):
        user = None
    # Only the time reported by our own homeserver is trusted.
    is_local = incoming.sender.endswith(f":{bridge.homeserver.server_name}")
    at = min(sent_at, tx.now) if sent_at is not None and is_local else tx.now
    sender = _Sender(incoming.sender, None if user is None else Caller(user, ""), Instant(at))
    match incoming:
        case content.IncomingMessage() | content.IncomingReaction():
            await _accept(tx, bridge, room, matrix_room, sender, incoming)
        case content.IncomingRedaction():
            await _redaction(tx, bridge, room, sender, incoming)
        case content.IncomingMembership():
            # A leave is accepted and stored. Any other change is compared with the access rights here and reverted if
            # it differs.
            return await _membership(tx, room, sender, incoming)
        case content.IncomingOther():
            if incoming.kind == "m.room.encrypted":
                await _undo(tx, matrix_room, incoming.event_id, ChatReason.NOT_ENCRYPTED_HERE())
                await jobs.enqueue(tx, JobKind.MATRIX_CALL, f"plain {matrix_room}")
                return False
            return True
    return False


async def _accept(
    tx: Transaction,
    bridge: Bridge,
    room: Room,
    matrix_room: str,
    sender: _Sender,
    incoming: content.IncomingMessage | content.IncomingReaction,
) -> None:
    """Store a message or reaction. If it is not allowed here, the bot redacts it."""
    try:
        if isinstance(incoming, content.IncomingReaction):
            await _reaction(tx, bridge, room, sender, incoming)
        elif incoming.replaces is not None:
            await _spend(bridge, sender, room, writing_rules.CHANGES, writing_rules.CHANGES_IN_ONE_ROOM)
            if not await _edit(tx, room, sender, incoming):
                await _undo(tx, matrix_room, incoming.event_id, ChatReason.WAITS_FOR_MODERATOR())
        else:
            hourly = writing_rules.messages_per_hour(bridge.messages_per_hour)
            await _spend(
                bridge, sender, room, (writing_rules.MESSAGES_PER_MINUTE, hourly), writing_rules.MESSAGES_IN_ONE_ROOM
            )
            is_shown = await _message(tx, bridge, room, sender, incoming)
            if not is_shown:
                # A message that waits for a moderator here must not be readable on Matrix before it is approved.
                await _undo(tx, matrix_room, incoming.event_id, ChatReason.WAITS_FOR_MODERATOR())
            elif incoming.picture is not None:
                await jobs.enqueue(tx, JobKind.MATRIX_CALL, f"picture {matrix_room} {incoming.event_id}")
    except Failure as failure:
        await _undo(tx, matrix_room, incoming.event_id, _public_reason(failure))


# Everybody in the room can read why something was redacted, and must not learn that its author is muted.
_PRIVATE_REASONS: Final = frozenset({ChatReason.MUTED.value, ChatReason.MUTED_UNTIL.value})


def _public_reason(failure: Failure) -> Explanation | None:
    """Return the reason for a rejection that everybody in the room may read; None if there is nothing to say."""
    match failure:
        case NotFound():
            return None
        case TooMany() if not isinstance(failure.why, Explanation):
            return ChatReason.TOO_FAST()
        case _ if isinstance(failure.why, Explanation):
            return ChatReason.READ_ONLY() if failure.why.code in _PRIVATE_REASONS else failure.why
    return None


async def _spend(bridge: Bridge, sender: _Sender, room: Room, own: Sequence[Limit], in_room: Limit) -> None:
    """Charge a message or change to the rate limits. Only guests have a limit per room: if members had one, they would
    lose the text that they typed.

    Raises TooMany.
    """
    if bridge.counters is None:
        return
    charges = [(limit, sender.key) for limit in own]
    if sender.caller is None:
        charges.append((in_room, f"{room.id}/{sender.key}"))
    await spend(bridge.counters, charges, now=sender.at)


async def _message(
    tx: Transaction, bridge: Bridge, room: Room, sender: _Sender, incoming: content.IncomingMessage
) -> bool:
    """Store a message; returns False if it waits for a moderator."""
    replied_to = await store.message_of(tx, room.id, incoming.reply_to) if incoming.reply_to else None
    before = None if replied_to is None else await message_queries.by_id(tx, replied_to)
    about = before.about if before is not None else await date_headings.default_heading(tx, room)
    mentions = await _mentioned(tx, bridge, incoming.mentions)
    if sender.caller is None:
        message = await matrix_guests.send_message(
            tx,
            room.id,
            sender.address,
            cleaned(incoming.text),
            external_id=incoming.event_id,
            about=about,
            reply_to=replied_to,
            mentions=mentions,
        )
    else:
        new = NewMessage(text=cleaned(incoming.text), about=about, reply_to=replied_to, mentions=mentions)
        message, _ = await messages.send(tx, sender.caller, room.id, new)
        await message_queries.set_external_id(tx, message.id, incoming.event_id)
    await store.note_sent(
        tx, room.id, message.number, None if message.is_held else incoming.event_id, by_delivery=False
    )
    return not message.is_held


async def _mentioned(tx: Transaction, bridge: Bridge, accounts: Sequence[str]) -> tuple[UserId, ...]:
    """Return the users behind the mentioned accounts, which are ghost users of ours or linked accounts."""
    mentioned: list[UserId] = []
    for account in accounts:
        part = bridge.random_part(account)
        user = await (store.person_of_account(tx, account) if part is None else store.person_of_ghost(tx, part))
        if user is not None:
            mentioned.append(user)
    return tuple(mentioned)


async def _edit(tx: Transaction, room: Room, sender: _Sender, incoming: content.IncomingMessage) -> bool:
    """Store an edit. On Matrix anybody can send an edit of any event; only the author's own edits are accepted. Returns
    False if the new text waits for a moderator.

    Raises NotFound, Forbidden, Refused.
    """
    target = await store.message_of(tx, room.id, incoming.replaces or "")
    message = None if target is None else await message_queries.by_id(tx, target)
    if message is None or message.external_id != incoming.replaces or not _wrote(sender, message):
        raise Forbidden(ChatReason.AUTHOR_ONLY)
    text = cleaned(incoming.text)
    if sender.caller is None:
        changed = await matrix_guests.edit_message(tx, sender.address, message.id, text)
    else:
        changed = await messages.edit(tx, sender.caller, message.id, text)
    if changed.revision != message.revision:
        await _note_last_sent(tx, replace(changed, room_id=room.id), None if changed.is_held else incoming.event_id)
    return not changed.is_held


def _wrote(sender: _Sender, message: ChatMessage) -> bool:
    return (
        message.matrix_sender == sender.address if sender.caller is None else message.user_id == sender.caller.user_id
    )


async def _note_last_sent(tx: Transaction, message: ChatMessage, event_id: str | None) -> None:
    row = await tx.fetch_one("select max(number) as number from chat_log where message_id = :id", id=message.id)
    assert row is not None, "an aggregate has a row"  # noqa: S101 - for the type checker
    await store.note_sent(tx, message.room_id, row["number"], event_id, by_delivery=False)


async def _reaction(
    tx: Transaction, bridge: Bridge, room: Room, sender: _Sender, incoming: content.IncomingReaction
) -> None:
    target = await store.message_of(tx, room.id, incoming.target)
    if target is None:
        # The target is not stored here: it was sent before mirroring began, or was refused.
        return
    await _spend(bridge, sender, room, writing_rules.CHANGES, writing_rules.CHANGES_IN_ONE_ROOM)
    if sender.caller is None:
        await matrix_guests.react(tx, sender.address, target, incoming.emoji, incoming.event_id)
    else:
        await reactions.react(tx, sender.caller, target, incoming.emoji, external_id=incoming.event_id)


async def _redaction(
    tx: Transaction, bridge: Bridge, room: Room, sender: _Sender, incoming: content.IncomingRedaction
) -> None:
    """Retract the message if its author redacted it; remove it if a moderator did. Delivery then redacts its edits as
    well.
    """
    target: ChatMessageId | None = await store.message_of(tx, room.id, incoming.target)
    message = None if target is None else await message_queries.by_id(tx, target)
    moderates = sender.caller is not None and await access(tx, room.id, sender.caller.user_id) is Access.MODERATE
    if message is None:
        made = await reactions.from_matrix(tx, room.id, incoming.target)
        if made is not None and (moderates or made.is_by(sender.address, sender.caller)):
            await reactions.drop(tx, made)
        return
    if message.is_removed:
        return
    if _wrote(sender, message):
        if sender.caller is None:
            await matrix_guests.retract_message(tx, sender.address, message.id)
        else:
            await messages.retract(tx, sender.caller, message.id)
    elif sender.caller is not None and moderates:
        with speaking(bridge.language):
            reason = incoming.reason or gettext("Removed in Matrix")
        await messages.remove(tx, sender.caller, message.id, reason, bridge.sealer)


async def _membership(tx: Transaction, room: Room, sender: _Sender, incoming: content.IncomingMembership) -> bool:
    """Apply a membership change; returns whether the Matrix room needs to be compared. If a moderator kicks a guest on
    Matrix, the guest is removed here.
    """
    if incoming.user_id == incoming.sender:
        if incoming.membership == "leave":
            if sender.caller is not None:
                await matrix_people.note_leaving(tx, room.id, sender.caller.user_id)
            await matrix_guests.note_presence(tx, room.id, incoming.user_id, matrix_guests.GuestPresence.LEFT)
            return False
        return True
    if incoming.membership == "leave" and sender.caller is not None:
        try:
            await matrix_guests.remove(tx, sender.caller, room.id, incoming.user_id, incoming.reason)
        except (Forbidden, NotFound):
            # The sender has no right to do this here, so the change is reverted.
            return True
    return True


async def _undo(tx: Transaction, matrix_room: str, event_id: str, why: Explanation | None) -> None:
    """Redact an event. Clients show ``why`` to everybody in the room."""
    await jobs.enqueue(tx, JobKind.MATRIX_CALL, f"redact {matrix_room} {event_id} {encode_explanation(why)}".rstrip())

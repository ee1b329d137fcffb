"""Guests from Matrix: people without a local account whom hosts of a public event, series or group invite by their
Matrix address; and their messages and reactions.

A guest is known only by the address and is not on any attendee list. The usual rules apply to what they write
(``writing_rules``). They can only change what they sent themselves. They can mention people by name if everyone may
know that they are in the room, but cannot mention all hosts or everyone.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import Forbidden, InvalidForm, NotFound, Refused
from groundwork.uuid7 import new_id
from openmeet.domain.chat import (
    log,
    message_queries,
    messages,
    mirroring,
    pictures,
    reactions,
    room_queries,
    writing_rules,
)
from openmeet.domain.chat.access import access, require_access
from openmeet.domain.chat.audit_log import ChatModerationAction, note_action
from openmeet.domain.chat.mirroring import MirrorState
from openmeet.domain.chat.model import (
    MAX_REASON,
    Access,
    ChatMessage,
    ChatMessageId,
    LogKind,
    MessageAuthor,
    MessageKind,
    Room,
    RoomId,
)
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.texts import checked_text, search_index_terms
from openmeet.domain.users.model import Caller, UserId

MAX_GUESTS: Final = 100
# Matrix specification, Appendices, User Identifiers: at most 255 bytes.
MAX_ADDRESS: Final = 255
# Addresses as people type them. The historical grammar also allows other characters, which ``openmeet.matrix.names``
# accepts from a homeserver.
_ADDRESS = re.compile(r"@[a-z0-9._=\-/+]{1,200}:[A-Za-z0-9.\-\[\]:]{1,200}")


class GuestState(StrEnum):
    """The hosts' decision about a guest."""

    INVITED = "invited"
    REMOVED = "removed"
    BANNED = "banned"


class GuestPresence(StrEnum):
    """A guest's state as reported by the homeserver. ``REFUSED``: it could not invite them. ``UNKNOWN``: it has not
    been queried yet.
    """

    UNKNOWN = ""
    INVITED = "invite"
    JOINED = "join"
    LEFT = "leave"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class MatrixGuest:
    """A guest of a room. ``is_due``: an invitation must be sent even if they left. ``by_user_id`` is None if they were
    already in an adopted room.
    """

    room_id: RoomId
    mxid: str
    state: GuestState
    presence: GuestPresence
    is_due: bool
    reason: str
    by_user_id: UserId | None
    at: Instant


async def guests_of(
    reader: Reader, room: RoomId, *, states: tuple[GuestState, ...] = tuple(GuestState)
) -> list[MatrixGuest]:
    """Guests of a room, ordered by address."""
    rows = await reader.fetch(
        "select room_id, mxid, state, membership, is_due, reason, by_user_id, at from matrix_guests"
        " where room_id = :room and state in :states order by mxid",
        room=room,
        states=[one.value for one in states],
    )
    return [_guest(row) for row in rows]


async def guest(reader: Reader, room: RoomId, mxid: str) -> MatrixGuest | None:
    row = await reader.fetch_one(
        "select room_id, mxid, state, membership, is_due, reason, by_user_id, at from matrix_guests"
        " where room_id = :room and mxid = :mxid",
        room=room,
        mxid=mxid,
    )
    return _guest(row) if row else None


async def are_allowed(reader: Reader, room: Room) -> bool:
    """Whether the room may have guests now: its hosts allow them, and its subject is public."""
    is_on = room.matrix_state == MirrorState.ON and room.matrix_guests
    return is_on and not await mirroring.is_subject_restricted(reader, room.id)


async def may_write(reader: Reader, room: Room, mxid: str) -> bool:
    """Whether a person without a local account is a guest who may write in the room now."""
    matrix_guest = None if room.is_closed else await guest(reader, room.id, mxid)
    return matrix_guest is not None and matrix_guest.state is GuestState.INVITED and await are_allowed(reader, room)


async def is_only_guest(reader: Reader, room: Room, mxid: str, user_id: UserId) -> bool:
    """Whether the owner of this linked account can access the room only as a guest."""
    matrix_guest = await guest(reader, room.id, mxid)
    if matrix_guest is None or matrix_guest.state is not GuestState.INVITED:
        return False
    return await access(reader, room.id, user_id) is Access.NONE


async def invite(
    tx: Transaction, caller: Caller, room_id: RoomId, address: str, *, only_of_server: str = ""
) -> MatrixGuest:
    """Invite a person by their Matrix address, even if they were removed or banned, or left.

    ``only_of_server`` is the name of the homeserver if it does not federate. Raises NotFound, Forbidden
    (``NotAModerator``), Refused (``NoGuests``, ``TooManyGuests``), InvalidForm (``address``).
    """
    room = await _moderated(tx, caller, room_id)
    if not await are_allowed(tx, room):
        raise Refused(ChatReason.NO_GUESTS_HERE, name="NoGuests")
    mxid = checked_address(address, only_of_server)
    before = await guest(tx, room_id, mxid)
    if before is not None and before.state is GuestState.INVITED and before.presence is not GuestPresence.LEFT:
        # Try again if the homeserver refused before. A guest who is already in the room is not invited again.
        await _write(tx, room_id, mxid, GuestState.INVITED, caller, is_due=True)
        await log.wake_mirror(tx, room_id)
        return await _stored(tx, room_id, mxid)
    row = await tx.fetch_one(
        "select count(*) as number from matrix_guests where room_id = :room and state = 'invited'", room=room_id
    )
    if row is not None and row["number"] >= MAX_GUESTS:
        raise Refused(ChatReason.TOO_MANY_GUESTS, name="TooManyGuests", most=MAX_GUESTS)
    await _write(tx, room_id, mxid, GuestState.INVITED, caller, is_due=True)
    await note_action(tx, room_id, ChatModerationAction.GUEST_INVITED, by=caller.user_id, reason=mxid)
    await log.append(tx, room_id, LogKind.ROOM)
    return await _stored(tx, room_id, mxid)


async def remove(
    tx: Transaction, caller: Caller, room_id: RoomId, address: str, reason: str = ""
) -> MatrixGuest | None:
    """Remove a guest, who can be invited again. A banned guest stays banned. Return None if there is no such guest.

    Raises NotFound, Forbidden (``NotAModerator``).
    """
    return await _decide(tx, caller, room_id, address, GuestState.REMOVED, ChatModerationAction.GUEST_REMOVED, reason)


async def ban(tx: Transaction, caller: Caller, room_id: RoomId, address: str, reason: str = "") -> MatrixGuest | None:
    """Ban a guest until a host invites them again. Return None if there is no such guest. Raises NotFound, Forbidden
    (``NotAModerator``).
    """
    return await _decide(tx, caller, room_id, address, GuestState.BANNED, ChatModerationAction.GUEST_BANNED, reason)


async def admit(tx: Transaction, room: RoomId, mxid: str) -> None:
    """Add a member of an adopted room as a guest, unless hosts have already removed or banned them."""
    await tx.execute(
        "insert into matrix_guests (room_id, mxid, state, membership, at) values (:room, :mxid, 'invited', 'join', :now)"
        " on conflict do nothing",
        room=room,
        mxid=mxid,
        now=tx.now,
    )


async def note_presence(tx: Transaction, room: RoomId, mxid: str, presence: GuestPresence) -> None:
    """Store what the homeserver last reported about a guest."""
    await tx.execute(
        "update matrix_guests set membership = :presence where room_id = :room and mxid = :mxid "
        "and membership <> :presence",
        presence=presence.value,
        room=room,
        mxid=mxid,
    )


async def note_invitation(tx: Transaction, room: RoomId, mxid: str, presence: GuestPresence) -> None:
    """Record that the due invitation was sent, or that the homeserver refused it."""
    await tx.execute(
        "update matrix_guests set membership = :presence, is_due = 0 where room_id = :room and mxid = :mxid",
        presence=presence.value,
        room=room,
        mxid=mxid,
    )


async def become_person(tx: Transaction, mxid: str, user_id: UserId) -> None:
    """Turn a guest into the person who linked the account. They are no longer a guest in rooms where they have access,
    and bans of the guest become bans of the person.
    """
    rows = await tx.fetch(
        "select room_id, state, reason, by_user_id, at from matrix_guests where mxid = :mxid order by room_id",
        mxid=mxid,
    )
    for row in rows:
        level = await access(tx, RoomId(row["room_id"]), user_id)
        if row["state"] == GuestState.INVITED and level is Access.NONE:
            continue
        await tx.execute(
            "delete from matrix_guests where room_id = :room and mxid = :mxid", room=row["room_id"], mxid=mxid
        )
        if row["state"] != GuestState.BANNED or level is Access.MODERATE or row["by_user_id"] in {None, user_id}:
            continue
        await tx.execute(
            """
            insert into chat_sanctions (room_id, user_id, kind, of_site, until, reason, by_user_id, at)
            values (:room, :user, 'ban', 0, null, :reason, :by, :at) on conflict do nothing
            """,
            room=row["room_id"],
            user=user_id,
            reason=row["reason"],
            by=row["by_user_id"],
            at=row["at"],
        )


def checked_address(text: str, only_of_server: str = "") -> str:
    """Validate an address ``@name:server`` as people write it. Raises InvalidForm (``address``)."""
    plain = text.strip().removeprefix("https://matrix.to/#/")
    if len(plain) > MAX_ADDRESS or not _ADDRESS.fullmatch(plain):
        raise InvalidForm({"address": ChatReason.NO_MATRIX_ADDRESS()})
    if plain.startswith(f"@{mirroring.NAMESPACE}"):
        raise InvalidForm({"address": ChatReason.OUR_MATRIX_ADDRESS()})
    if only_of_server and not plain.endswith(f":{only_of_server}"):
        raise InvalidForm({"address": ChatReason.FOREIGN_MATRIX_SERVER(server=only_of_server)})
    return plain


async def _moderated(tx: Transaction, caller: Caller, room_id: RoomId) -> Room:
    room = await room_queries.lock(tx, room_id)
    await require_access(tx, room_id, caller.user_id, Access.MODERATE)
    assert room is not None, "somebody may moderate it"  # noqa: S101 - for the type checker
    return room


async def _decide(
    tx: Transaction,
    caller: Caller,
    room_id: RoomId,
    address: str,
    state: GuestState,
    act: ChatModerationAction,
    reason: str,
) -> MatrixGuest | None:
    await _moderated(tx, caller, room_id)
    before = await guest(tx, room_id, address.strip())
    if before is None or before.state is state or (state is GuestState.REMOVED and before.state is GuestState.BANNED):
        return before
    cleaned_reason = " ".join(reason.split())[:MAX_REASON]
    await _write(tx, room_id, before.mxid, state, caller, reason=cleaned_reason)
    await note_action(
        tx,
        room_id,
        act,
        by=caller.user_id,
        reason=f"{before.mxid}: {cleaned_reason}" if cleaned_reason else before.mxid,
    )
    await log.append(tx, room_id, LogKind.ROOM)
    return await _stored(tx, room_id, before.mxid)


async def _write(
    tx: Transaction,
    room: RoomId,
    mxid: str,
    state: GuestState,
    caller: Caller,
    *,
    reason: str = "",
    is_due: bool = False,
) -> None:
    await tx.execute(
        """
        insert into matrix_guests (room_id, mxid, state, is_due, reason, by_user_id, at)
        values (:room, :mxid, :state, :is_due, :reason, :by, :now)
            on conflict (room_id, mxid) do update
           set state = excluded.state, is_due = excluded.is_due, reason = excluded.reason,
               by_user_id = excluded.by_user_id,
               at = excluded.at
        """,
        room=room,
        mxid=mxid,
        state=state.value,
        is_due=int(is_due),
        reason=reason,
        by=caller.user_id,
        now=tx.now,
    )


async def _stored(reader: Reader, room: RoomId, mxid: str) -> MatrixGuest:
    matrix_guest = await guest(reader, room, mxid)
    assert matrix_guest is not None, "it was written in this transaction"  # noqa: S101 - for the type checker
    return matrix_guest


def _guest(row: Row) -> MatrixGuest:
    return MatrixGuest(
        RoomId(row["room_id"]),
        row["mxid"],
        GuestState(row["state"]),
        GuestPresence(row["membership"]),
        bool(row["is_due"]),
        row["reason"],
        None if row["by_user_id"] is None else UserId(row["by_user_id"]),
        row["at"],
    )


async def send_message(
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


async def edit_message(tx: Transaction, sender: str, message_id: ChatMessageId, text: str) -> ChatMessage:
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


async def retract_message(tx: Transaction, sender: str, message_id: ChatMessageId) -> ChatMessage:
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
    if not await may_write(tx, room, sender):
        raise Forbidden(ChatReason.READ_ONLY, name="ReadOnly")
    return room

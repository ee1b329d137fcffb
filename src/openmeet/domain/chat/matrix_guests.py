"""Guests from Matrix: people without a local account whom hosts of a public event, series or group invite by their
Matrix address.

A guest is known only by the address and is not on any attendee list. For what they write, see ``guest_messages``.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import InvalidForm, Refused
from openmeet.domain.chat import log, mirroring, room_queries
from openmeet.domain.chat.access import access, require_access
from openmeet.domain.chat.audit_log import ModerationAct, note_act
from openmeet.domain.chat.mirroring import MirrorState
from openmeet.domain.chat.model import MAX_REASON, Access, LogKind, Room, RoomId
from openmeet.domain.chat.reasons import ChatReason
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
    await note_act(tx, room_id, ModerationAct.GUEST_INVITED, by=caller.user_id, reason=mxid)
    await log.append(tx, room_id, LogKind.ROOM)
    return await _stored(tx, room_id, mxid)


async def remove(
    tx: Transaction, caller: Caller, room_id: RoomId, address: str, reason: str = ""
) -> MatrixGuest | None:
    """Remove a guest, who can be invited again. A banned guest stays banned. Return None if there is no such guest.

    Raises NotFound, Forbidden (``NotAModerator``).
    """
    return await _decide(tx, caller, room_id, address, GuestState.REMOVED, ModerationAct.GUEST_REMOVED, reason)


async def ban(tx: Transaction, caller: Caller, room_id: RoomId, address: str, reason: str = "") -> MatrixGuest | None:
    """Ban a guest until a host invites them again. Return None if there is no such guest. Raises NotFound, Forbidden
    (``NotAModerator``).
    """
    return await _decide(tx, caller, room_id, address, GuestState.BANNED, ModerationAct.GUEST_BANNED, reason)


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
        "update matrix_guests set membership = :presence where room_id = :room and mxid = :mxid and membership <> :presence",
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
    act: ModerationAct,
    reason: str,
) -> MatrixGuest | None:
    await _moderated(tx, caller, room_id)
    before = await guest(tx, room_id, address.strip())
    if before is None or before.state is state or (state is GuestState.REMOVED and before.state is GuestState.BANNED):
        return before
    cleaned_reason = " ".join(reason.split())[:MAX_REASON]
    await _write(tx, room_id, before.mxid, state, caller, reason=cleaned_reason)
    await note_act(
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
           set state = excluded.state, is_due = excluded.is_due, reason = excluded.reason, by_user_id = excluded.by_user_id,
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

"""Which mirrored rooms a person’s own Matrix account is invited to: all, chosen ones, or none.

A person who leaves a room on Matrix is not invited again until they ask for it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import NotFound
from openmeet.domain.chat import mirroring, room_queries
from openmeet.domain.chat.access import access_to_own, require_access
from openmeet.domain.chat.addresses import addresses_of
from openmeet.domain.chat.log import wake_mirror
from openmeet.domain.chat.model import Access, RoomId
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.users.model import Caller, UserId


class InvitationMode(StrEnum):
    """Which rooms invite the account. ``ALL``: rooms where they may write and that they have not left on Matrix.
    ``CHOSEN``: only rooms whose invitation they requested.
    """

    ALL = "all"
    CHOSEN = "chosen"
    NONE = "none"


class RoomWish(StrEnum):
    """A person's choice for one room. ``STOP``: they left it on Matrix, or do not want to be invited."""

    INVITE = "invite"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class MirroredRoomChoice:
    """A mirrored room of a person. ``is_invited`` says whether it invites their account, by the mode and their choice."""

    room_id: RoomId
    name: str
    path: str
    is_invited: bool


def invites_account(mode: InvitationMode, wish: RoomWish | None) -> bool:
    """Whether a room invites the account, by the mode and the choice for this room."""
    match mode:
        case InvitationMode.ALL:
            return wish is not RoomWish.STOP
        case InvitationMode.CHOSEN:
            return wish is RoomWish.INVITE
        case InvitationMode.NONE:
            return False


async def mode_of(reader: Reader, user_id: UserId) -> InvitationMode:
    row = await reader.fetch_one("select invites from matrix_people where user_id = :user", user=user_id)
    return InvitationMode(row["invites"]) if row else InvitationMode.ALL


async def choose_mode(tx: Transaction, caller: Caller, mode: InvitationMode) -> None:
    """Set which rooms invite the account. Invitations that are no longer wanted are withdrawn, but nobody is removed
    from a room.
    """
    await mirroring.make_person(tx, caller.user_id)
    await tx.execute(
        "update matrix_people set invites = :mode where user_id = :user", mode=mode.value, user=caller.user_id
    )
    await mirroring.wake_rooms_of(tx, caller.user_id)


async def choose_room(tx: Transaction, caller: Caller, room_id: RoomId, *, invited: bool) -> None:
    """Ask to be invited to one mirrored room, even after leaving it, or ask not to be. Raises NotFound."""
    room = await room_queries.by_id(tx, room_id)
    await require_access(tx, room_id, caller.user_id, Access.READ)
    if room is None or not room.is_mirrored:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    await _write(tx, room_id, caller.user_id, RoomWish.INVITE if invited else RoomWish.STOP, is_due=invited)
    await wake_mirror(tx, room_id)


async def note_leaving(tx: Transaction, room_id: RoomId, user_id: UserId) -> None:
    """Record that a person left the room on Matrix, so that it no longer invites them."""
    await _write(tx, room_id, user_id, RoomWish.STOP, is_due=False)


async def note_invitations(tx: Transaction, room_id: RoomId, people: Collection[UserId]) -> None:
    """Record that these people were invited as they asked. If they leave afterwards, the room no longer invites them."""
    await tx.execute(
        "update matrix_choices set is_due = 0 where room_id = :room and user_id in :people and is_due = 1",
        room=room_id,
        people=sorted(people) or [""],
    )


async def rooms_to_choose(reader: Reader, user_id: UserId, limit: int) -> list[MirroredRoomChoice]:
    """The mirrored rooms in which a person may write, those with the latest messages first."""
    access_by_room = await access_to_own(reader, user_id, "r.matrix_state = 'on'")
    ids = [room for room, level in access_by_room.items() if level >= Access.WRITE][:limit]
    rooms = await room_queries.by_ids(reader, ids)
    addresses = await addresses_of(reader, list(rooms.values()), user_id)
    mode = await mode_of(reader, user_id)
    rows = await reader.fetch(
        "select room_id, wish from matrix_choices where user_id = :user order by room_id", user=user_id
    )
    wishes = {RoomId(row["room_id"]): RoomWish(row["wish"]) for row in rows}
    return [
        MirroredRoomChoice(room, addresses[room].name, addresses[room].path, invites_account(mode, wishes.get(room)))
        for room in ids
        if room in addresses
    ]


async def _write(tx: Transaction, room_id: RoomId, user_id: UserId, wish: RoomWish, *, is_due: bool) -> None:
    await tx.execute(
        """
        insert into matrix_choices (room_id, user_id, wish, is_due) values (:room, :user, :wish, :is_due)
            on conflict (room_id, user_id) do update set wish = excluded.wish, is_due = excluded.is_due
        """,
        room=room_id,
        user=user_id,
        wish=wish.value,
        is_due=int(is_due),
    )

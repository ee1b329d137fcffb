"""People on Matrix: their consent, the link to their own Matrix account, and which mirrored rooms it is invited to.

No one's messages or name are sent to Matrix without their consent; the default is no. A person who leaves a room on
Matrix is not invited again until they ask for it.
"""

import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import NotFound
from groundwork.outbox import jobs
from groundwork.outbox.jobs import JobState
from openmeet.domain.chat import room_queries
from openmeet.domain.chat.access import access_to_own, require_access
from openmeet.domain.chat.addresses import addresses_of
from openmeet.domain.chat.log import wake_mirror
from openmeet.domain.chat.mirroring import MirrorState, wake_all, wake_rooms_of
from openmeet.domain.chat.model import Access, Room, RoomId
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox.kinds import JobKind

LINK_CODE_LASTS: Final = 10 * MINUTE
# Letters and digits that are not easily confused. There are 31, so ten of them are 49 bits.
_CODE_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_CODE_LENGTH: Final = 10
# Rows of deleted people who have nothing left to redact.
_FORGET_DELETED: Final = """
    delete from matrix_people where exists (select 1 from users u where u.id = matrix_people.user_id and u.created_at = 0)
       and not exists (select 1 from outbox_jobs j
                        where j.kind = 'matrix_person' and j.subject = matrix_people.user_id and j.state not in {over})
"""


class MatrixConsent(StrEnum):
    """A person's consent: the data about them that may be sent to the homeserver."""

    NAME_AND_WORDS = "name_and_words"
    NONE = "none"


class InvitationMode(StrEnum):
    """Which rooms invite the account. ``ALL``: rooms where they may write and that they have not left on Matrix.
    ``CHOSEN``: only rooms whose invitation they requested.
    """

    ALL = "all"
    CHOSEN = "chosen"
    NONE = "none"


class InvitationChoice(StrEnum):
    """A person's choice for one room. ``STOP``: they left it on Matrix, or do not want to be invited."""

    INVITE = "invite"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class MatrixPerson:
    """What the bridge needs about a person. ``localpart`` is the random part of their user name at the homeserver,
    ``mxid`` their own linked account.

    ``answered_at`` is None if they have not been asked yet.
    """

    user_id: UserId
    localpart: str
    consent: MatrixConsent
    answered_at: Instant | None
    mxid: str | None
    linked_at: Instant | None


@dataclass(frozen=True, slots=True)
class MirroredRoomChoice:
    """A mirrored room of a person. ``is_invited`` says whether it invites their account, by the mode and their choice."""

    room_id: RoomId
    name: str
    path: str
    is_invited: bool


async def person(reader: Reader, user_id: UserId) -> MatrixPerson | None:
    """A person's decisions. None if they have not been asked anything yet."""
    row = await reader.fetch_one(
        "select user_id, localpart, consent, answered_at, mxid, linked_at from matrix_people where user_id = :user",
        user=user_id,
    )
    if row is None:
        return None
    return MatrixPerson(
        UserId(row["user_id"]),
        row["localpart"],
        MatrixConsent(row["consent"]),
        row["answered_at"],
        row["mxid"],
        row["linked_at"],
    )


async def answer_consent(tx: Transaction, caller: Caller, consent: MatrixConsent) -> None:
    """Store a person's decision. Messages from before their consent are not sent. Withdrawing consent redacts what was
    sent.
    """
    before = await person(tx, caller.user_id)
    await make_person(tx, caller.user_id)
    changed = await tx.execute(
        "update matrix_people set consent = :consent, answered_at = :now"
        " where user_id = :user and (consent <> :consent or answered_at is null)",
        consent=consent.value,
        now=tx.now,
        user=caller.user_id,
    )
    # Withdrawing consent redacts what was sent. New consent gives the person's ghost user its name again.
    if changed and before is not None and before.answered_at is not None:
        await jobs.enqueue_again(tx, JobKind.MATRIX_PERSON, [caller.user_id])


async def is_to_be_asked(reader: Reader, room: Room, user_id: UserId) -> bool:
    """Whether a person who writes in this room must be asked for consent: the room is mirrored, and they have not
    answered yet.
    """
    if room.matrix_state != MirrorState.ON:
        return False
    matrix_person = await person(reader, user_id)
    return matrix_person is None or matrix_person.answered_at is None


async def withdraw(tx: Transaction, user_id: UserId) -> None:
    """Withdraw the consent of a person who deletes their account, which redacts what was sent. No effect without
    consent.
    """
    matrix_person = await person(tx, user_id)
    if matrix_person is not None and matrix_person.consent is not MatrixConsent.NONE:
        await answer_consent(tx, Caller(user_id, ""), MatrixConsent.NONE)


async def is_withdrawing(reader: Reader, user_id: UserId) -> bool:
    """Whether messages of this person still have to be redacted."""
    job = await jobs.find(reader, JobKind.MATRIX_PERSON, user_id)
    return job is not None and job.state in {JobState.DUE, JobState.LEASED}


async def forget_deleted(tx: Transaction, user_id: UserId) -> None:
    """Delete the row of a person whose account was deleted, once everything that was sent to Matrix is redacted."""
    over = "('completed', 'leased')"  # the job that runs this is leased itself
    await tx.execute(_FORGET_DELETED.format(over=over) + " and user_id = :user", user=user_id)


async def new_link_code(tx: Transaction, caller: Caller) -> tuple[str, Instant]:
    """Return a new code and when it expires. Sent from a Matrix account, it proves that the account belongs to the
    person. It replaces earlier codes.
    """
    await make_person(tx, caller.user_id)
    code = "".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_LENGTH))
    ends = Instant(tx.now + LINK_CODE_LASTS)
    await tx.execute(
        "update matrix_people set link_code_hash = :hash, link_expires_at = :ends where user_id = :user",
        hash=_hash(code),
        ends=ends,
        user=caller.user_id,
    )
    return code, ends


async def link(tx: Transaction, mxid: str, code: str) -> UserId | None:
    """Link the account that sent the code. Return None if the code is not valid. An account belongs to the person who
    linked it last.
    """
    row = await tx.fetch_one(
        "select user_id, link_code_hash from matrix_people where link_code_hash = :hash and link_expires_at > :now",
        hash=_hash(code.strip().upper()),
        now=tx.now,
    )
    if row is None or not hmac.compare_digest(bytes(row["link_code_hash"]), _hash(code.strip().upper())):
        return None
    await tx.execute(
        "update matrix_people set mxid = null, linked_at = null where mxid = :mxid and user_id <> :user",
        mxid=mxid,
        user=row["user_id"],
    )
    await tx.execute(
        "update matrix_people set mxid = :mxid, linked_at = :now, link_code_hash = null, link_expires_at = null"
        " where user_id = :user",
        mxid=mxid,
        now=tx.now,
        user=row["user_id"],
    )
    await wake_rooms_of(tx, UserId(row["user_id"]))
    return UserId(row["user_id"])


async def unlink(tx: Transaction, caller: Caller) -> None:
    """Unlink the person's own Matrix account. It is removed from the rooms."""
    await tx.execute(
        "update matrix_people set mxid = null, linked_at = null, link_code_hash = null, link_expires_at = null"
        " where user_id = :user",
        user=caller.user_id,
    )
    await wake_rooms_of(tx, caller.user_id)


async def reconcile_rooms(db: Database) -> None:
    """Nightly: call ``wake_all``, and ``forget_deleted`` for people whose redactions were not complete when their job
    ran.
    """
    async with db.transaction() as tx:
        await tx.execute(_FORGET_DELETED.format(over="('completed')"))
        await wake_all(tx)


async def make_person(tx: Transaction, user_id: UserId) -> None:
    """Create the person's row. Their Matrix user name is random (80 bits), so that it reveals neither handle nor
    account.
    """
    await tx.execute(
        "insert into matrix_people (user_id, localpart) values (:user, :localpart) on conflict (user_id) do nothing",
        user=user_id,
        localpart=secrets.token_hex(10),
    )


def _hash(code: str) -> bytes:
    return sha256(f"openmeet/matrix/link/{code}".encode()).digest()


def invites_account(mode: InvitationMode, choice: InvitationChoice | None) -> bool:
    """Whether a room invites the account, by the mode and the choice for this room."""
    match mode:
        case InvitationMode.ALL:
            return choice is not InvitationChoice.STOP
        case InvitationMode.CHOSEN:
            return choice is InvitationChoice.INVITE
        case InvitationMode.NONE:
            return False


async def mode_of(reader: Reader, user_id: UserId) -> InvitationMode:
    row = await reader.fetch_one("select invites from matrix_people where user_id = :user", user=user_id)
    return InvitationMode(row["invites"]) if row else InvitationMode.ALL


async def choose_mode(tx: Transaction, caller: Caller, mode: InvitationMode) -> None:
    """Set which rooms invite the account. Invitations that are no longer wanted are withdrawn, but nobody is removed
    from a room.
    """
    await make_person(tx, caller.user_id)
    await tx.execute(
        "update matrix_people set invites = :mode where user_id = :user", mode=mode.value, user=caller.user_id
    )
    await wake_rooms_of(tx, caller.user_id)


async def choose_room(tx: Transaction, caller: Caller, room_id: RoomId, *, invited: bool) -> None:
    """Ask to be invited to one mirrored room, even after leaving it, or ask not to be. Raises NotFound."""
    room = await room_queries.by_id(tx, room_id)
    await require_access(tx, room_id, caller.user_id, Access.READ)
    if room is None or not room.is_mirrored:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    await _write(
        tx, room_id, caller.user_id, InvitationChoice.INVITE if invited else InvitationChoice.STOP, is_due=invited
    )
    await wake_mirror(tx, room_id)


async def note_leaving(tx: Transaction, room_id: RoomId, user_id: UserId) -> None:
    """Record that a person left the room on Matrix, so that it no longer invites them."""
    await _write(tx, room_id, user_id, InvitationChoice.STOP, is_due=False)


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
    choices = {RoomId(row["room_id"]): InvitationChoice(row["wish"]) for row in rows}
    return [
        MirroredRoomChoice(room, addresses[room].name, addresses[room].path, invites_account(mode, choices.get(room)))
        for room in ids
        if room in addresses
    ]


async def _write(tx: Transaction, room_id: RoomId, user_id: UserId, choice: InvitationChoice, *, is_due: bool) -> None:
    await tx.execute(
        """
        insert into matrix_choices (room_id, user_id, wish, is_due) values (:room, :user, :wish, :is_due)
            on conflict (room_id, user_id) do update set wish = excluded.wish, is_due = excluded.is_due
        """,
        room=room_id,
        user=user_id,
        wish=choice.value,
        is_due=int(is_due),
    )

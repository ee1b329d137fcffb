"""SQL for recovery keys.

A key is made before the custodial account, used to create it, and given to the user who takes the account over.
"""

from dataclasses import dataclass, field

from at_protocol.syntax.did import Did
from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.users.model import UserId

INSERT = """
    insert into recovery_keys (public_key, user_id, did, sealed, taken_over_at, created_at)
    values (:public_key, :user_id, null, :sealed, null, :now)
"""

WAITING = """
    select public_key, did, sealed, taken_over_at from recovery_keys
     where user_id = :user_id and taken_over_at is not null
     order by taken_over_at, public_key limit 1
"""

NOTE_TAKEN_OVER = "update recovery_keys set taken_over_at = :now where did = :did and taken_over_at is null"

ERASE_WAITING = """
    delete from recovery_keys
     where user_id = :user_id and public_key = :public_key and taken_over_at is not null
"""


@dataclass(frozen=True, slots=True)
class WaitingKey:
    """The recovery key of an account whose user has taken it over but has not saved the key yet. ``public_key`` is a
    did:key.
    """

    public_key: str
    did: Did
    sealed: bytes = field(repr=False)
    taken_over_at: Instant


async def replace_unused(tx: Transaction, user_id: UserId, public_key: str, sealed: bytes) -> None:
    """Store the key for an account that is about to be created. Replaces an unused key."""
    await tx.execute("delete from recovery_keys where user_id = :user_id and did is null", user_id=user_id)
    await tx.execute(INSERT, public_key=public_key, user_id=user_id, sealed=sealed, now=tx.now)


async def unused(reader: Reader, user_id: UserId) -> str | None:
    """The public part of the unused key."""
    row = await reader.fetch_one(
        "select public_key from recovery_keys where user_id = :user_id and did is null", user_id=user_id
    )
    return None if row is None else str(row["public_key"])


async def note_used(tx: Transaction, user_id: UserId, did: str) -> None:
    """Note that the account was created with the unused key."""
    await tx.execute(
        "update recovery_keys set did = :did where user_id = :user_id and did is null", user_id=user_id, did=did
    )


async def has_key(reader: Reader, did: str) -> bool:
    """Whether we hold the recovery key of an account, even if the user has taken the account over."""
    return await reader.fetch_one("select 1 as found from recovery_keys where did = :did", did=did) is not None


async def note_taken_over(tx: Transaction, did: str) -> None:
    """Note that the user took the account over. The recovery key is now shown to them, and its retention period starts."""
    await tx.execute(NOTE_TAKEN_OVER, did=did, now=tx.now)


async def unsaved_key(reader: Reader, user_id: UserId) -> WaitingKey | None:
    """The recovery key that a user still has to save; the oldest if there are several."""
    row = await reader.fetch_one(WAITING, user_id=user_id)
    if row is None:
        return None
    return WaitingKey(row["public_key"], Did(row["did"]), bytes(row["sealed"]), Instant(row["taken_over_at"]))


async def erase_unsaved(tx: Transaction, user_id: UserId, public_key: str) -> bool:
    """Delete a recovery key that its owner has not saved yet. False if it does not exist (any more)."""
    return await tx.execute(ERASE_WAITING, user_id=user_id, public_key=public_key) > 0


async def erase_of(tx: Transaction, did: str) -> None:
    """Delete the recovery key of an account that was deleted or unlinked."""
    await tx.execute("delete from recovery_keys where did = :did", did=did)


async def erase_waiting_since(tx: Transaction, before: Instant) -> int:
    """Delete recovery keys that were not saved in time. Returns the number deleted."""
    return await tx.execute("delete from recovery_keys where taken_over_at < :before", before=before)

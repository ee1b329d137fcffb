"""SQL for pending OAuth sign-ins. Each can be completed once."""

from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction

INSERT = """
    insert into oauth_requests (state_hash, sealed, created_at, expires_at, used_at)
    values (:state_hash, :sealed, :now, :expires_at, null)
"""
FIND = "select sealed, expires_at from oauth_requests where state_hash = :state_hash and used_at is null"
USE = """
    update oauth_requests set used_at = :now where state_hash = :state_hash and used_at is null and expires_at > :now
"""
# Rows are kept for a day after expiry, to tell an expired sign-in from an unknown one.
FORGET = "delete from oauth_requests where expires_at <= :before or used_at is not null"


@dataclass(frozen=True, slots=True)
class PendingAuthorization:
    """A sign-in that was started but not completed."""

    sealed: bytes
    is_over: bool


async def insert(tx: Transaction, state_hash: bytes, sealed: bytes, *, expires_at: Instant) -> None:
    await tx.execute(INSERT, state_hash=state_hash, sealed=sealed, expires_at=expires_at, now=tx.now)


async def find(reader: Reader, state_hash: bytes) -> PendingAuthorization | None:
    row = await reader.fetch_one(FIND, state_hash=state_hash)
    return None if row is None else PendingAuthorization(bytes(row["sealed"]), row["expires_at"] <= reader.now)


async def use(tx: Transaction, state_hash: bytes) -> bool:
    """Consume the row. If two callbacks have the same state, only one of them gets it."""
    return await tx.execute(USE, state_hash=state_hash, now=tx.now) == 1


async def forget_old(tx: Transaction, before: Instant) -> int:
    return await tx.execute(FORGET, before=before)

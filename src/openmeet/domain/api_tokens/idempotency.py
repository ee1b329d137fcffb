"""Storage of idempotency keys: per user and key, the digest of a request and its sealed response."""

from dataclasses import dataclass
from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.users.model import UserId

# No client retries a request after this long.
REQUESTS_KEPT: Final = DAY

_BEGIN = """
    insert into idempotency_keys (user_id, request_key, digest, status, answer, created_at)
    values (:user_id, :key, :digest, null, null, :now)
    on conflict (user_id, request_key) do update
       set digest = excluded.digest, status = null, answer = null, created_at = excluded.created_at
     where idempotency_keys.created_at <= :forgotten
    returning user_id
"""

_FIND = "select digest, status, answer from idempotency_keys where user_id = :user_id and request_key = :key"

_END = """
    update idempotency_keys set status = :status, answer = :answer where user_id = :user_id and request_key = :key
"""


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request that was carried out: the digest of the request, and the status and sealed content of its response."""

    digest: bytes
    status: int
    sealed_response: bytes


async def begin(tx: Transaction, user_id: UserId, key: str, digest: bytes) -> bool:
    """Store the key of a new request. False if the key was already used; waits for a request that is using it."""
    forgotten = Instant(tx.now - REQUESTS_KEPT)
    row = await tx.fetch_one(_BEGIN, user_id=user_id, key=key, digest=digest, now=tx.now, forgotten=forgotten)
    return row is not None


async def end(tx: Transaction, user_id: UserId, key: str, status: int, sealed_response: bytes) -> None:
    """Store the response of the request that began in this transaction."""
    await tx.execute(_END, user_id=user_id, key=key, status=status, answer=sealed_response)


async def find(reader: Reader, user_id: UserId, key: str) -> StoredRequest | None:
    """The request that used this key; None if there is none, or if it has no response."""
    row = await reader.fetch_one(_FIND, user_id=user_id, key=key)
    if row is None or row["answer"] is None:
        return None
    return StoredRequest(bytes(row["digest"]), row["status"], bytes(row["answer"]))


async def forget_requests(tx: Transaction) -> int:
    """Delete idempotency keys that are too old for any client to retry."""
    return await delete_some(tx, "idempotency_keys", "created_at <= :before", before=Instant(tx.now - REQUESTS_KEPT))

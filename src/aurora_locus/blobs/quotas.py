"""Blob storage quotas: the server's default, or an account's own.

Usage is counted under a lock on one row per account, held until the commit, so concurrent uploads see each other even
in different processes.
"""

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from groundwork.database.transaction import Database, Reader, Writer
from groundwork.errors import TooLarge

_LOCK = """
    insert into blob_quotas (did) values (:did)
    on conflict (did) do update set max_bytes = blob_quotas.max_bytes
    returning max_bytes
"""
_OWN = "select max_bytes from blob_quotas where did = :did"
_SET = """
    insert into blob_quotas (did, max_bytes) values (:did, :max_bytes)
    on conflict (did) do update set max_bytes = excluded.max_bytes
"""
_FORGET = "delete from blob_quotas where did = :did"
_STORED = "select cast(coalesce(sum(size), 0) as bigint) from blobs where did = :did and cid <> :cid"


async def require_room(db: Database, did: Did, size: int, default: int) -> None:
    """Raise TooLarge if this many bytes do not fit now."""
    async with db.reader() as reader:
        quota, stored_bytes = await quota_and_usage(reader, did, default)
    _require(stored_bytes + size, quota)


async def quota_and_usage(reader: Reader, did: Did, default: int) -> tuple[int, int]:
    """Return the account's quota and the size of its blobs, including temporary ones, in bytes."""
    row = await reader.fetch_one(_OWN, did=did)
    stored = await reader.fetch_one(_STORED, did=did, cid=b"")
    quota = default if row is None or row["max_bytes"] is None else int(row["max_bytes"])
    return quota, int(stored[0]) if stored else 0


def take_room(w: Writer, did: Did, cid: Cid, size: int, default: int) -> None:
    """Raise TooLarge unless a blob that was inserted in this transaction fits."""
    row = w.fetch_one(_LOCK, did=did)
    stored = w.fetch_one(_STORED, did=did, cid=bytes(cid))
    quota = default if row is None or row["max_bytes"] is None else int(row["max_bytes"])
    _require((int(stored[0]) if stored else 0) + size, quota)


def set_quota(w: Writer, did: Did, max_bytes: int | None) -> None:
    """Give an account its own quota; None restores the server's default."""
    w.execute(_SET, did=did, max_bytes=max_bytes)


def forget(w: Writer, did: Did) -> None:
    """Delete the quota of a deleted account."""
    w.execute(_FORGET, did=did)


def _require(would_be: int, quota: int) -> None:
    if would_be > quota:
        raise TooLarge(f"This account's blobs would exceed its {quota} bytes.", name="BlobQuotaExceeded")

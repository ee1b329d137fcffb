"""Statements on the rows of blobs."""

from collections.abc import Sequence
from dataclasses import dataclass

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from groundwork.clock import Instant
from groundwork.database.transaction import Database, Row, Writer

_FIND = "select cid, mime_type, size, state, takedown_ref from blobs where did = :did and cid = :cid"
_EXISTING = "select cid, takedown_ref from blobs where did = :did and cid in :cids"

# If the same bytes are uploaded again, the blob keeps its first type, but its age starts again, so that the sweep does
# not delete it before the record that will refer to it is written. An import may have referred to the blob before it
# arrived; it is then public at once.
_PUT = """
    insert into blobs (did, cid, mime_type, size, state, created_at)
    select :did, :cid, :mime_type, :size,
           case when exists (select 1 from blob_references r where r.did = :did and r.cid = :cid)
                then 'permanent' else 'temporary' end,
           :created_at
     where true
    on conflict (did, cid) do update set created_at = excluded.created_at
    returning cid, mime_type, size, state, takedown_ref
"""

_LIST = """
    select distinct x.cid
      from blob_references x
      join records r on r.did = x.did and r.collection = x.collection and r.rkey = x.rkey
      join blobs b on b.did = x.did and b.cid = x.cid
     where x.did = :did and x.cid > :cursor and r.rev > :since and b.takedown_ref is null
     order by x.cid
     limit :limit
"""

_LIST_MISSING = """
    select x.cid, min(x.collection || '/' || x.rkey) as path
      from blob_references x
     where x.did = :did and x.cid > :cursor
       and not exists (select 1 from blobs b where b.did = x.did and b.cid = x.cid)
     group by x.cid
     order by x.cid
     limit :limit
"""

_LIST_KEPT = """
    select cid, mime_type, size, state, takedown_ref from blobs
     where did = :did and cid > :cursor and state = 'permanent'
     order by cid
     limit :limit
"""

_STALE = """
    select did, cid, created_at from blobs
     where state = 'temporary' and takedown_ref is null
       and created_at < :older_than and (created_at, did, cid) > (:created_at, :did, :cid)
     order by created_at, did, cid
     limit :limit
"""
_TAKEN_DOWN = """
    select did, cid from blobs
     where takedown_ref is not null and (did, cid) > (:did, :cid)
     order by did, cid
     limit :limit
"""
# A blob that is taken down keeps its row, so that a new upload of the same bytes is recognized.
_DROP_TEMPORARY = """
    delete from blobs
     where did = :did and cid = :cid and state = 'temporary' and takedown_ref is null and created_at < :older_than
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobRow:
    """The row of a blob."""

    cid: Cid
    mime_type: str
    size: int
    is_public: bool
    is_taken_down: bool


def _from_row(row: Row) -> BlobRow:
    return BlobRow(
        cid=Cid(row["cid"]),
        mime_type=row["mime_type"],
        size=row["size"],
        is_public=row["state"] == "permanent",
        is_taken_down=row["takedown_ref"] is not None,
    )


async def find(db: Database, did: Did, cid: Cid) -> BlobRow | None:
    """Find a blob of an account, whatever its state."""
    async with db.reader() as reader:
        row = await reader.fetch_one(_FIND, did=did, cid=bytes(cid))
    return None if row is None else _from_row(row)


async def existing(db: Database, did: Did, cids: Sequence[Cid]) -> dict[Cid, bool]:
    """Return the blobs among these that have a row, and whether each is taken down."""
    async with db.reader() as reader:
        rows = await reader.fetch(_EXISTING, did=did, cids=[bytes(cid) for cid in cids])
    return {Cid(row["cid"]): row["takedown_ref"] is not None for row in rows}


async def taken_down(db: Database, did: str, cid: bytes, limit: int) -> list[tuple[Did, Cid]]:
    """Return blobs that are taken down, ordered by account and CID, after the given one."""
    async with db.reader() as reader:
        rows = await reader.fetch(_TAKEN_DOWN, did=did, cid=cid, limit=limit)
    return [(Did(row["did"]), Cid(row["cid"])) for row in rows]


def put(w: Writer, did: Did, cid: Cid, mime_type: str, size: int) -> BlobRow:
    """Record an upload whose file has been stored."""
    (row,) = w.fetch(_PUT, did=did, cid=bytes(cid), mime_type=mime_type, size=size, created_at=w.now)
    return _from_row(row)


async def list_public(db: Database, did: Did, *, since: str, cursor: Cid | None, limit: int) -> list[Cid]:
    """Return the CIDs of blobs that records newer than the rev ``since`` refer to, sorted, after ``cursor``."""
    after = b"" if cursor is None else bytes(cursor)
    async with db.reader() as reader:
        rows = await reader.fetch(_LIST, did=did, since=since, cursor=after, limit=limit)
    return [Cid(row["cid"]) for row in rows]


async def list_missing(db: Database, did: Did, *, cursor: Cid | None, limit: int) -> list[tuple[Cid, Nsid, RecordKey]]:
    """Return blobs that records refer to but that are missing on this server, each with one such record."""
    after = b"" if cursor is None else bytes(cursor)
    async with db.reader() as reader:
        rows = await reader.fetch(_LIST_MISSING, did=did, cursor=after, limit=limit)
    missing = []
    for row in rows:
        collection, _, rkey = row["path"].partition("/")
        missing.append((Cid(row["cid"]), Nsid(collection), RecordKey(rkey)))
    return missing


async def list_permanent(db: Database, did: Did, *, cursor: Cid | None, limit: int) -> list[BlobRow]:
    """Return the account's stored blobs that records refer to, ordered by CID. Includes those that are taken down."""
    after = b"" if cursor is None else bytes(cursor)
    async with db.reader() as reader:
        rows = await reader.fetch(_LIST_KEPT, did=did, cursor=after, limit=limit)
    return [_from_row(row) for row in rows]


async def stale_uploads(
    db: Database, older_than: Instant, after: tuple[int, str, bytes], limit: int
) -> list[tuple[int, Did, Cid]]:
    """Return temporary blobs that were uploaded before this instant and are not taken down, oldest first, after the given
    one.
    """
    async with db.reader() as reader:
        rows = await reader.fetch(
            _STALE, older_than=older_than, created_at=after[0], did=after[1], cid=after[2], limit=limit
        )
    return [(row["created_at"], Did(row["did"]), Cid(row["cid"])) for row in rows]


def drop_temporary(w: Writer, did: Did, cid: Cid, older_than: Instant) -> bool:
    """Delete a temporary blob, unless a record has referred to it, it was uploaded again, or it was taken down in the
    meantime. Return whether it was deleted.
    """
    return w.execute(_DROP_TEMPORARY, did=did, cid=bytes(cid), older_than=older_than) == 1

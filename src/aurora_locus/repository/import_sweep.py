"""Delete the staged rows of a failed import, in pages, because there may be a million.

First the import's row is marked, after which nothing more is staged under its rev. The row itself is deleted last, so
that an interrupted sweep is found again. A running export may still need blocks of an import; the caller must check
that.
"""

from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid
from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Database, Writer

# Longer than a step of a running import, which takes two seconds at most.
ABANDONED_AFTER = 2 * MINUTE

_ROWS_AT_ONCE = 2000

_ABANDON = "update imports set is_abandoned = 1 where did = :did and rev = :rev"
_ABANDON_OLD = "update imports set is_abandoned = 1 where is_abandoned = 0 and touched_at <= :before"
_FIND_ABANDONED = "select did, rev from imports where is_abandoned = 1 order by did"
_FORGET = "delete from imports where did = :did and rev = :rev and is_abandoned = 1"

_RECORDS_UP_TO = """
    select collection, rkey from records
     where did = :did and (collection, rkey) > (:collection, :rkey)
     order by collection, rkey
     limit 1 offset :rows
"""
_REMOVE_RECORDS = """
    delete from records where did = :did and rev = :rev and (collection, rkey) > (:collection, :rkey)
"""
_REMOVE_SOME_RECORDS = f"{_REMOVE_RECORDS} and (collection, rkey) <= (:last_collection, :last_rkey)"

_BLOCKS_UP_TO = "select cid from blocks where did = :did and cid > :cid order by cid limit 1 offset :rows"
_REMOVE_BLOCKS = "delete from blocks where did = :did and rev = :rev and cid > :cid"
_REMOVE_SOME_BLOCKS = f"{_REMOVE_BLOCKS} and cid <= :last"


async def sweep(db: Database, did: Did, rev: Tid) -> None:
    """Delete everything staged under this rev."""
    await db.write(lambda w: w.execute(_ABANDON, did=did, rev=rev))
    at: tuple[str, str] | None = ("", "")
    while at is not None:
        at = await db.write(lambda w, at=at: _remove_records(w, did, rev, at))  # type: ignore[misc]  # a default binds it now
    after: bytes | None = b""
    while after is not None:
        after = await db.write(lambda w, after=after: _remove_blocks(w, did, rev, after))  # type: ignore[misc]  # a default binds it now
    await db.write(lambda w: w.execute(_FORGET, did=did, rev=rev))


async def abandon(db: Database, before: Instant) -> None:
    """Mark every import that was last renewed before this instant as abandoned, because its process has ended."""
    await db.write(lambda w: w.execute(_ABANDON_OLD, before=before))


async def abandoned(db: Database) -> list[tuple[Did, Tid]]:
    """Return the abandoned imports that still have to be swept."""
    async with db.reader() as reader:
        rows = await reader.fetch(_FIND_ABANDONED)
    return [(Did(row["did"]), Tid(row["rev"])) for row in rows]


def _remove_records(w: Writer, did: Did, rev: Tid, at: tuple[str, str]) -> tuple[str, str] | None:
    place = {"did": did, "collection": at[0], "rkey": at[1]}
    last = w.fetch_one(_RECORDS_UP_TO, **place, rows=_ROWS_AT_ONCE)
    if last is None:
        w.execute(_REMOVE_RECORDS, **place, rev=rev)
        return None
    w.execute(_REMOVE_SOME_RECORDS, **place, rev=rev, last_collection=last[0], last_rkey=last[1])
    return last[0], last[1]


def _remove_blocks(w: Writer, did: Did, rev: Tid, after: bytes) -> bytes | None:
    last = w.fetch_one(_BLOCKS_UP_TO, did=did, cid=after, rows=_ROWS_AT_ONCE)
    if last is None:
        w.execute(_REMOVE_BLOCKS, did=did, rev=rev, cid=after)
        return None
    w.execute(_REMOVE_SOME_BLOCKS, did=did, rev=rev, cid=after, last=last[0])
    return bytes(last[0])

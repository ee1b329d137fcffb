"""Queue of file removals. An entry is inserted in the transaction that deletes the row, and claimed before the file is
touched.

A claim and a new upload of the same bytes contend for one row. Either the upload cancels the removal before it is
claimed, or it is refused and can be retried when the file is gone. So every row has its file, even if several processes
share a store; a removal interrupted by a crash is done later. While a pin is set (a backup is running), no file is
removed.
"""

from collections.abc import Iterable, Sequence

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Database, Writer
from groundwork.errors import Unavailable

# Longer than removing a file takes. A claim of a crashed process expires after this time.
CLAIM = 5 * MINUTE

_ENQUEUE = """
    insert into blob_removals (did, cid, owed_at) values (:did, :cid, :now) on conflict (did, cid) do nothing
"""
_ENQUEUE_ALL = """
    insert into blob_removals (did, cid, owed_at)
    select did, cid, :now from blobs where did = :did
    on conflict (did, cid) do nothing
"""
_CLAIM = """
    update blob_removals set claimed_until = :until
     where did = :did and cid in :cids and claimed_until <= :now
       and not exists (select 1 from blobs b where b.did = blob_removals.did and b.cid = blob_removals.cid)
       and not exists (select 1 from blob_pins p where p.until > :now)
    returning cid
"""
_DONE = "delete from blob_removals where did = :did and cid in :cids and claimed_until = :until"
_POSTPONE = "update blob_removals set owed_at = :now where did = :did and cid in :cids and claimed_until = :until"
_TAKE_BACK = "delete from blob_removals where did = :did and cid = :cid and claimed_until <= :now"
_CLAIMED = "select 1 from blob_removals where did = :did and cid = :cid"
_DUE = """
    select did, cid, owed_at from blob_removals
     where claimed_until <= :now and (owed_at, did, cid) > (:owed_at, :did, :cid)
     order by owed_at, did, cid
     limit :limit
"""
_PIN = """
    insert into blob_pins (holder, until) values (:holder, :until)
    on conflict (holder) do update set until = excluded.until
"""
_UNPIN = "delete from blob_pins where holder = :holder or until <= :now"


def enqueue(w: Writer, did: Did, cids: Iterable[Cid]) -> None:
    """Queue the removal of these blobs' files. The caller deletes their rows in the same transaction."""
    w.execute_many(_ENQUEUE, [{"did": did, "cid": bytes(cid), "now": w.now} for cid in cids])


def enqueue_all(w: Writer, did: Did) -> None:
    """Queue the removal of every blob of an account. Call it before their rows are deleted."""
    w.execute(_ENQUEUE_ALL, did=did, now=w.now)


def claim(w: Writer, did: Did, cids: Sequence[Cid]) -> list[Cid]:
    """Claim queued files. Until ``CLAIM`` expires, only the caller may remove the returned files."""
    rows = w.fetch(_CLAIM, did=did, cids=[bytes(cid) for cid in cids], now=w.now, until=w.now + CLAIM)
    return [Cid(row["cid"]) for row in rows]


def settle(w: Writer, did: Did, removed: Sequence[Cid], failed: Sequence[Cid], claimed_at: Instant) -> None:
    """Of the entries claimed at this instant, delete those whose files were removed, and move those whose removal failed
    to the end of the queue.
    """
    until = claimed_at + CLAIM
    if removed:
        w.execute(_DONE, did=did, cids=[bytes(cid) for cid in removed], until=until)
    if failed:
        w.execute(_POSTPONE, did=did, cids=[bytes(cid) for cid in failed], until=until, now=w.now)


def cancel_removal(w: Writer, did: Did, cid: Cid) -> None:
    """Cancel a removal because the blob was uploaded again. Raises Unavailable while its file is being removed."""
    w.execute(_TAKE_BACK, did=did, cid=bytes(cid), now=w.now)
    if w.fetch_one(_CLAIMED, did=did, cid=bytes(cid)) is not None:
        raise Unavailable("The same blob is being removed. Upload it again in a moment.")


async def list_due(db: Database, after: tuple[int, str, bytes], limit: int) -> list[tuple[int, Did, Cid]]:
    """Return unclaimed removals, oldest first, after the given one."""
    async with db.reader() as reader:
        rows = await reader.fetch(_DUE, now=reader.now, owed_at=after[0], did=after[1], cid=after[2], limit=limit)
    return [(row["owed_at"], Did(row["did"]), Cid(row["cid"])) for row in rows]


async def pin(db: Database, holder: str, microseconds: int) -> None:
    """Keep every file for this time, in microseconds, or extend such a pin. Renew it before it expires."""
    await db.write(lambda w: w.execute(_PIN, holder=holder, until=w.now + microseconds))


async def unpin(db: Database, holder: str) -> None:
    """Release a pin, so that files can be removed again."""
    await db.write(lambda w: w.execute(_UNPIN, holder=holder, now=w.now))

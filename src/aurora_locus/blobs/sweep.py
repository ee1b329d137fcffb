"""Garbage collection: unreferenced uploads, queued removals, and files without a row.

It marks first and deletes later: a statement deletes the row if it still qualifies and queues the file, then the file
is removed under the account's lock and a claim (``removals``).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from aurora_locus.blobs import queries, removals
from aurora_locus.blobs.uploads import QUARANTINE, BlobService, object_name, quarantine_name
from groundwork.blobstore.contract import StoredBlob
from groundwork.clock import HOUR, SECOND, Instant
from groundwork.database.transaction import Writer
from groundwork.isolation import each_alone

# An upload is kept for at least an hour, even if a shorter time is configured, because people may take long to write a
# post.
SHORTEST_GRACE = HOUR
_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """Number of deleted uploads, of removed files (queued ones, among them those of these uploads, and unknown ones),
    and of files moved into or out of quarantine.
    """

    uploads: int = 0
    files: int = 0
    orphans: int = 0
    moved: int = 0


async def sweep(blobs: BlobService, now: Instant, grace: int = 6 * HOUR) -> int:
    """Delete temporary blobs older than ``grace`` microseconds, and queued files. Return the number of uploads.

    The statement that deletes a blob checks again that it is still temporary. So a record that is written concurrently
    either finds the blob or is refused; it is never stored without its blob.
    """
    uploads = await _drop_stale(blobs, now, grace)
    await remove_due(blobs)
    await blobs.wait_for_removals()
    return uploads


async def _drop_stale(blobs: BlobService, now: Instant, grace: int) -> int:
    older_than = Instant(now - max(grace, SHORTEST_GRACE))
    removed_count = 0
    after: tuple[int, str, bytes] = (0, "", b"")

    async def drop(stale: tuple[int, Did, Cid]) -> int:
        _, did, cid = stale
        async with blobs.locks.hold(did):
            return await blobs.db.write(lambda w: _drop(w, did, cid, older_than))

    while page := await queries.stale_uploads(blobs.db, older_than, after, _BATCH):
        created_at, did, cid = page[-1]
        after = (created_at, did, bytes(cid))
        removed_count += await each_alone("uploads", page, drop)
    return removed_count


def _drop(w: Writer, did: Did, cid: Cid, older_than: Instant) -> bool:
    if not queries.drop_temporary(w, did, cid, older_than):
        return False
    removals.enqueue(w, did, [cid])
    return True


async def remove_due(blobs: BlobService) -> int:
    """Remove queued files, including those queued by processes that have stopped. Return how many.

    Raises Unavailable if the store is; the next sweep begins with other files.
    """
    removed_count = 0
    after: tuple[int, str, bytes] = (0, "", b"")
    while page := await removals.list_due(blobs.db, after, _BATCH):
        for owed_at, did, cid in page:
            after = (owed_at, did, bytes(cid))
            async with blobs.locks.hold(did):
                removed_count += await blobs.remove_due(did, [cid])
    return removed_count


async def sweep_all(blobs: BlobService, now: Instant, grace: int = 6 * HOUR) -> SweepResult:
    """Sweep everything, including files without a row and the quarantine, which requires a scan of the whole store."""
    uploads = await _drop_stale(blobs, now, grace)
    files = await remove_due(blobs)
    await blobs.wait_for_removals()
    return SweepResult(uploads=uploads, files=files, orphans=await _sweep_orphans(blobs), moved=await quarantine(blobs))


async def _sweep_orphans(blobs: BlobService) -> int:
    # Modification times come from the store's clock, not from the clock that was passed to the program.
    before = time.time() - SHORTEST_GRACE / SECOND
    removed_count = 0
    page: list[StoredBlob] = []
    async for stored in blobs.store.list():
        if stored.modified_at < before:
            page.append(stored)
        if len(page) >= _BATCH:
            removed_count += await _remove_unknown(blobs, page)
            page = []
    return removed_count + await _remove_unknown(blobs, page)


async def _remove_unknown(blobs: BlobService, page: Sequence[StoredBlob]) -> int:
    by_account: dict[Did, list[Cid]] = {}
    for stored in page:
        did_and_cid = parse_name(stored.key)
        if did_and_cid is not None:
            by_account.setdefault(did_and_cid[0], []).append(did_and_cid[1])

    async def remove(did: Did) -> int:
        cids = by_account[did]
        existing = await queries.existing(blobs.db, did, cids)
        unknown = [cid for cid in dict.fromkeys(cids) if cid not in existing]
        if not unknown:
            return 0
        await blobs.db.write(lambda w: removals.enqueue(w, did, unknown))
        async with blobs.locks.hold(did):
            return await blobs.remove_due(did, unknown)

    return await each_alone("files", by_account, remove)


def parse_name(key: str) -> tuple[Did, Cid] | None:
    """Return the owner and CID in a file's key; None for a file of another program, which is left unchanged."""
    owner, slash, cid = key.removeprefix(f"{QUARANTINE}/").partition("/")
    try:
        return (parse_did(owner.replace("_", "%")), Cid.parse(cid)) if slash else None
    except Malformed:
        return None


async def quarantine(blobs: BlobService) -> int:
    """Move files of taken-down blobs into quarantine and those of restored blobs back. Return how many were moved."""
    moved_count = 0
    after: tuple[str, bytes] = ("", b"")

    async def move(did_and_cid: tuple[Did, Cid]) -> int:
        return await move_to_place(blobs, *did_and_cid)

    while page := await queries.taken_down(blobs.db, *after, _BATCH):
        after = (page[-1][0], bytes(page[-1][1]))
        moved_count += await each_alone("quarantine", page, move)
    async for stored in blobs.store.list(QUARANTINE):
        did_and_cid = parse_name(stored.key)
        if did_and_cid is not None:
            moved_count += await each_alone("quarantine", [did_and_cid], move)
    return moved_count


async def move_to_place(blobs: BlobService, did: Did, cid: Cid) -> bool:
    """Move a blob's file to where it belongs according to its row. Return whether it was moved."""
    async with blobs.locks.hold(did):
        existing = await queries.existing(blobs.db, did, [cid])
        if cid not in existing:
            return False
        object_key, quarantine_key = object_name(did, cid), quarantine_name(did, cid)
        return await (
            blobs.store.move(object_key, quarantine_key)
            if existing[cid]
            else blobs.store.move(quarantine_key, object_key)
        )

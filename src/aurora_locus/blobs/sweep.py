"""Collecting uploads that no record ever referred to."""

from aurora_locus.blobs import queries
from aurora_locus.blobs.uploads import Blobs
from groundwork.clock import HOUR, Instant

# An upload is kept for at least an hour, whatever is configured: people write long posts.
SHORTEST_GRACE = HOUR
_BATCH = 200


async def sweep(blobs: Blobs, now: Instant, grace: int = 6 * HOUR) -> int:
    """Remove temporary blobs older than ``grace`` microseconds; how many went.

    Each is dropped by a statement that asks again whether it is still temporary, so a record that refers to it in
    this moment either finds it or is refused, never left without it.
    """
    older_than = Instant(now - max(grace, SHORTEST_GRACE))
    removed = 0
    while stale := await queries.stale_uploads(blobs.db, older_than, _BATCH):
        for did, cid in stale:
            if await blobs.db.write(lambda w, did=did, cid=cid: queries.drop_temporary(w, did, cid, older_than)):  # type: ignore[misc]  # defaults bind now
                blobs.remove_files_soon(did, [cid])
                removed += 1
        if len(stale) < _BATCH:
            break
    await blobs.settle()
    return removed

"""Keeping a picture, and forgetting those that nothing shows any more."""

import secrets
from functools import partial

from groundwork.blobstore.contract import BlobStore, put
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database
from groundwork.errors import TooLarge, TooMany
from groundwork.workers.pool import ChargedPool
from openmeet.domain.media import queries
from openmeet.domain.media.pictures import MAX_UPLOAD_BYTES, PictureKey, Prepared, Size, blob_key
from openmeet.domain.media.preparing import prepare

# A host tries a few; a machine that fills the disk is stopped.
MAX_A_DAY = 50

# Long enough to be sent in one tab and put to an event in another.
UNUSED_FOR = 7 * DAY
ROUND = 200


async def keep(
    db: Database, store: BlobStore, workers: ChargedPool, user_id: str, body: bytes
) -> tuple[PictureKey, Prepared]:
    """Make the picture anew, in another process, and keep it. Raises InvalidForm (``picture``), TooLarge, TooMany, Unavailable.

    The bytes are stored before the row: a crash in between leaves bytes without a row, never a row without bytes.
    """
    if len(body) > MAX_UPLOAD_BYTES:
        raise TooLarge(f"A picture has at most {MAX_UPLOAD_BYTES // 1_000_000} MB.")
    async with db.reader() as reader:
        if await queries.sent_since(reader, user_id, Instant(reader.now - DAY)) >= MAX_A_DAY:
            raise TooMany(f"At most {MAX_A_DAY} pictures a day.", after_seconds=24 * 3600)
    made = await workers.run(partial(prepare, body))
    key = PictureKey(secrets.token_hex(16))
    for size, bytes_ in made.bodies.items():
        await put(store, blob_key(key, size), bytes_)
    async with db.transaction() as tx:
        total = sum(map(len, made.bodies.values()))
        await queries.insert(tx, key, user_id, made.width, made.height, total)
    return key, made


async def forget_unused(db: Database, store: BlobStore) -> int:
    """Drop pictures that nothing shows; how many."""
    async with db.reader() as reader:
        found = await queries.unused(reader, Instant(reader.now - UNUSED_FOR), ROUND)
    for key in found:
        async with db.transaction() as tx:
            await queries.delete(tx, key)
        for size in Size:
            await store.delete(blob_key(key, size))
    return len(found)

"""Copy one blob store to another, resumably: values that already exist in the target are not sent again.

The value of a key never changes and appears whole or not at all, so a value with the same key and size is the same
value.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from groundwork.blobstore.contract import BlobStore, StoredBlob
from groundwork.errors import NotFound, Unavailable

# Each request to a bucket is slow, but a bucket handles many at the same time.
AT_ONCE = 8


@dataclass
class CopyProgress:
    """Progress of a copy: values and bytes sent, values that already existed, and values deleted in the meantime."""

    sent: int = 0
    sent_bytes: int = 0
    known: int = 0
    gone: int = 0

    @property
    def looked_at(self) -> int:
        return self.sent + self.known + self.gone


async def copy_missing(
    source: BlobStore, target: BlobStore, on_progress: Callable[[CopyProgress], None]
) -> CopyProgress:
    """Copy the values that the target lacks. ``on_progress`` is called for each value that was checked.

    Raises Unavailable if either store does not work. The values copied so far are kept, and the next run continues from
    there.
    """
    copied = CopyProgress()
    # Limits how many copies are in progress, however many values are listed.
    places = asyncio.Semaphore(AT_ONCE)

    async def one(stored: StoredBlob) -> None:
        try:
            await _copy(source, target, stored, copied)
            on_progress(copied)
        finally:
            places.release()

    try:
        async with asyncio.TaskGroup() as group:
            async for stored in source.list():
                await places.acquire()
                group.create_task(one(stored))
    except* Unavailable as away:
        raise away.exceptions[0] from None
    return copied


async def remove_copied(source: BlobStore, target: BlobStore) -> int:
    """Delete the values from the source that the target holds in the same size. Returns how many were deleted."""
    removed = 0
    async for stored in source.list():
        if await _size(target, stored.key) == stored.size:
            removed += await source.delete(stored.key)
    return removed


async def _copy(source: BlobStore, target: BlobStore, stored: StoredBlob, copied: CopyProgress) -> None:
    if await _size(target, stored.key) == stored.size:
        copied.known += 1
        return
    try:
        async with target.upload() as upload:
            async for piece in source.read(stored.key):
                await upload.write(piece)
            if upload.size != stored.size:
                raise Unavailable(f"{stored.key} has {upload.size} bytes, but the store says {stored.size}.")
            await upload.keep(stored.key)
    except NotFound:
        copied.gone += 1  # nothing refers to it any longer
        return
    copied.sent += 1
    copied.sent_bytes += stored.size


async def _size(store: BlobStore, key: str) -> int | None:
    try:
        return await store.size(key)
    except NotFound:
        return None

"""Copy one store to another, resumably: values that are there already are not sent again.

Values never change under their key, and appear whole or not at all; so a value of the same size is the same value.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from groundwork.blobstore.contract import BlobStore, StoredBlob
from groundwork.errors import NotFound, Unavailable

# A bucket is slow per request, and takes many at once.
AT_ONCE = 8


@dataclass
class Copied:
    """Progress of a copy: values and bytes sent, values that were there already, values deleted in between."""

    sent: int = 0
    sent_bytes: int = 0
    known: int = 0
    gone: int = 0

    @property
    def looked_at(self) -> int:
        return self.sent + self.known + self.gone


async def copy_missing(source: BlobStore, target: BlobStore, on_progress: Callable[[Copied], None]) -> Copied:
    """Copy what the target lacks; ``on_progress`` is called for each value that was checked.

    Raises Unavailable where either store cannot work; what was copied by then stays, and the next run continues after
    it.
    """
    copied = Copied()
    # A fixed number is in progress, however many are listed.
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
    """Delete from the source what the target holds in the same size; returns how many. The rest stays."""
    removed = 0
    async for stored in source.list():
        if await _size(target, stored.key) == stored.size:
            removed += await source.delete(stored.key)
    return removed


async def _copy(source: BlobStore, target: BlobStore, stored: StoredBlob, copied: Copied) -> None:
    if await _size(target, stored.key) == stored.size:
        copied.known += 1
        return
    try:
        async with target.upload() as upload:
            async for piece in source.read(stored.key):
                await upload.write(piece)
            if upload.size != stored.size:
                raise Unavailable(f"{stored.key} has {upload.size} bytes, and not {stored.size} as the store says.")
            await upload.keep(stored.key)
    except NotFound:
        copied.gone += 1  # nothing refers to it any more
        return
    copied.sent += 1
    copied.sent_bytes += stored.size


async def _size(store: BlobStore, key: str) -> int | None:
    try:
        return await store.size(key)
    except NotFound:
        return None

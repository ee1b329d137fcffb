"""From one store to another, again and again until nothing is missing: what is there already is not sent a second time.

Values never change under their key, and appear whole or not at all; so a value of the same size is the same value.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from groundwork.blobstore.contract import BlobStore, StoredBlob
from groundwork.errors import NotFound, Unavailable

# A bucket answers slowly, and much at once.
AT_ONCE = 8


@dataclass
class Copied:
    """How far a copy is: values and bytes that were sent, values that were there, values that went meanwhile."""

    sent: int = 0
    sent_bytes: int = 0
    known: int = 0
    gone: int = 0

    @property
    def looked_at(self) -> int:
        return self.sent + self.known + self.gone


async def copy_missing(source: BlobStore, target: BlobStore, tell: Callable[[Copied], None]) -> Copied:
    """Copy what the target lacks; ``tell`` hears of each value that was looked at.

    Raises Unavailable where either store cannot work; whatever was copied by then is there, and the next run goes on behind it.
    """
    copied = Copied()
    # As many are on their way as there are places, whatever is listed.
    places = asyncio.Semaphore(AT_ONCE)

    async def one(stored: StoredBlob) -> None:
        try:
            await _copy(source, target, stored, copied)
            tell(copied)
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
    """Delete from the source what the target holds in the same size; how many. What it does not hold stays."""
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
        copied.gone += 1  # nothing shows it any more
        return
    copied.sent += 1
    copied.sent_bytes += stored.size


async def _size(store: BlobStore, key: str) -> int | None:
    try:
        return await store.size(key)
    except NotFound:
        return None

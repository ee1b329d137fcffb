"""Contract of a blob store, and its valid keys.

An upload gets its key at the end, after all bytes were received, because the key is usually the hash of the bytes.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

# Segments of letters, digits, dot, hyphen, underscore and colon, none of which starts with a dot. DIDs and CIDs can be
# used unchanged, and neither file systems nor URLs can interpret such a key in another way.
_KEY = re.compile(r"[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,254}(?:/[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,254}){0,7}")

PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """One entry of a listing. ``modified_at`` is when the store received it, in seconds since 1970 by the store's own
    clock.
    """

    key: str
    size: int
    modified_at: float = field(default=0.0, compare=False)


class Upload(Protocol):
    """An upload in progress. It is discarded if its block ends without ``keep``."""

    @property
    def size(self) -> int:
        """The number of bytes written so far."""
        ...

    async def write(self, piece: bytes, /) -> None: ...

    async def keep(self, key: str, /) -> None:
        """Store the upload durably under its key, replacing an earlier value. Nothing can be written afterwards."""
        ...


class BlobStore(Protocol):
    """A blob store.

    Methods raise NotFound for keys that do not exist, Unavailable if the store does not work, and ValueError for
    invalid keys.
    """

    def upload(self) -> AbstractAsyncContextManager[Upload]: ...

    async def size(self, key: str) -> int: ...

    def read(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes from ``start`` to ``end`` (exclusive) in pieces of at most 256 KiB."""
        ...

    async def delete(self, key: str) -> bool:
        """Delete a value. Returns whether it existed."""
        ...

    async def move(self, key: str, to: str) -> bool:
        """Rename a value, replacing the target. Returns whether the value existed."""
        ...

    def list(self, folder: str = "") -> AsyncIterator[StoredBlob]:
        """List everything below a folder (``did:plc:…``), or everything, in key order within a folder."""
        ...


async def put(store: BlobStore, key: str, body: bytes) -> None:
    """Store a small value in a single call."""
    async with store.upload() as upload:
        await upload.write(body)
        await upload.keep(key)


async def try_writing(store: BlobStore, name: str) -> None:
    """Check that the store is writable by storing a few bytes and deleting them again. ``name`` identifies the caller.

    Raises Unavailable.
    """
    key = f"probe/{name}"
    await put(store, key, b"probe")
    await store.delete(key)


def check_key(key: str) -> str:
    """Return the key if it is valid. Raises ValueError if a file system could interpret it in another way."""
    if not _KEY.fullmatch(key) or len(key) > 512:
        raise ValueError(f"not a key of a blob store: {key[:80]!r}")
    return key

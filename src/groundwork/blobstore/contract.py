"""Contract of a blob store, and its valid keys.

An upload is received first and named at the end, because its name is usually the hash of its bytes.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

# Segments of letters, digits, dot, hyphen, underscore and colon, none starting with a dot: DIDs and CIDs fit unchanged,
# and a file system or a URL cannot read them differently.
_KEY = re.compile(r"[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,254}(?:/[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,254}){0,7}")

PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """One entry of a listing; ``modified_at`` is when the store got it, in seconds since 1970 by the store's own clock."""

    key: str
    size: int
    modified_at: float = field(default=0.0, compare=False)


class Upload(Protocol):
    """An upload in progress; discarded when its block ends without ``keep``."""

    @property
    def size(self) -> int:
        """How many bytes have been written so far."""
        ...

    async def write(self, piece: bytes, /) -> None: ...

    async def keep(self, key: str, /) -> None:
        """Store it durably under its name, replacing an earlier value. Nothing can be written afterwards."""
        ...


class BlobStore(Protocol):
    """Raises ``NotFound`` for keys that are not there, ``Unavailable`` when the store cannot work, ValueError for bad keys."""

    def upload(self) -> AbstractAsyncContextManager[Upload]: ...

    async def size(self, key: str) -> int: ...

    def read(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to ``end`` (exclusive), in pieces of at most 256 KiB."""
        ...

    async def delete(self, key: str) -> bool:
        """Returns whether there was something to delete."""
        ...

    async def move(self, key: str, to: str) -> bool:
        """Rename a value, replacing the target; returns whether there was something to move."""
        ...

    def list(self, folder: str = "") -> AsyncIterator[StoredBlob]:
        """Everything below a folder (``did:plc:…``), or everything, in key order within a folder."""
        ...


async def put(store: BlobStore, key: str, body: bytes) -> None:
    """Store a small value in one go."""
    async with store.upload() as upload:
        await upload.write(body)
        await upload.keep(key)


async def try_writing(store: BlobStore, name: str) -> None:
    """Probe: store a few bytes and delete them again; ``name`` identifies the caller. Raises Unavailable."""
    key = f"probe/{name}"
    await put(store, key, b"probe")
    await store.delete(key)


def check_key(key: str) -> str:
    """The key itself; ValueError when it could mean something else to a file system."""
    if not _KEY.fullmatch(key) or len(key) > 512:
        raise ValueError(f"not a key of a blob store: {key[:80]!r}")
    return key

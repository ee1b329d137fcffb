"""Objects as files of one folder. Received into ``incoming/``, moved into place when kept; synced before that.

A name's first segment and the end of its last make the folder, so that no folder grows beyond what a file system likes.
File work happens on threads: a slow disk must not hold up the event loop.
"""

import asyncio
import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from groundwork.errors import NotFound

CHUNK_BYTES = 256 * 1024
_SEGMENT = re.compile(r"[A-Za-z0-9._:%-]{1,2048}")


class DiskReceiving:
    """One file under ``incoming/``."""

    def __init__(self, store: "DiskBlobStore", path: Path, file: BinaryIO) -> None:
        self._store = store
        self._path = path
        self._file = file

    async def write(self, chunk: bytes) -> None:
        await asyncio.to_thread(self._file.write, chunk)

    async def keep(self, name: str) -> None:
        await asyncio.to_thread(self._keep, self._store.path_of(name))

    def _keep(self, place: Path) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        place.parent.mkdir(parents=True, exist_ok=True)
        self._path.replace(place)
        # The name is as durable as the bytes only when its folder is synced too.
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def end(self) -> None:
        """Close, and remove what was not kept."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class DiskBlobStore:
    """Objects below a folder, which is made if need be; left-overs of a stopped process are removed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        for left in self._incoming.iterdir():
            left.unlink()

    @asynccontextmanager
    async def receive(self) -> AsyncIterator[DiskReceiving]:
        """See the contract."""
        path = self._incoming / secrets.token_hex(16)
        receiving = DiskReceiving(self, path, await asyncio.to_thread(path.open, "xb"))
        try:
            yield receiving
        finally:
            await asyncio.to_thread(receiving.end)

    async def read(self, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See the contract."""
        try:
            file = await asyncio.to_thread(self.path_of(name).open, "rb")
        except FileNotFoundError:
            raise NotFound(f"There is no object {name}.") from None
        try:
            await asyncio.to_thread(file.seek, start)
            left = None if end is None else end - start
            while left is None or left > 0:
                chunk = await asyncio.to_thread(file.read, CHUNK_BYTES if left is None else min(left, CHUNK_BYTES))
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk
        finally:
            await asyncio.to_thread(file.close)

    async def remove(self, name: str) -> None:
        """See the contract."""
        await asyncio.to_thread(self.path_of(name).unlink, missing_ok=True)

    def path_of(self, name: str) -> Path:
        """The file of a name. Raises ValueError for names that are not plain segments."""
        segments = name.split("/")
        if not all(_SEGMENT.fullmatch(segment) and segment.strip(".") for segment in segments):
            raise ValueError(f"{name!r} is not a name of plain segments")
        # Colons are not allowed in file names everywhere; `%` stays unambiguous because quote encodes it too.
        *folders, last = (quote(segment, safe="")[-200:] for segment in segments)
        return self._folder.joinpath("objects", *folders, last[-2:], last)

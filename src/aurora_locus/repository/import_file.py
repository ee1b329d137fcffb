"""Files of an import, in a folder of their own: the uploaded CAR, and the data that server and check exchange.

The server appends the bytes that arrive and does not decode them; a worker process reads the file by its path
(``import_check``). The folder is locked while its import runs and deleted afterwards. After a crash it is no longer
locked, and ``sweep`` deletes it.
"""

import asyncio
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from groundwork.errors import TooLarge, Unavailable
from groundwork.threads import on_thread

# The smallest records that apps write (a like, a follow) take about 150 bytes in a CAR. A file with many smaller blocks
# is only meant to fill the index of the check, which takes about 200 bytes per block.
_LEAST_SECTION_BYTES = 100
_WRITTEN_AT_ONCE = 256 * 1024
# For a short time after it was created, a folder is not locked yet.
_LOCKED_WITHIN_SECONDS = 60.0
# Bits for the length in a packed position. Blocks are shorter than 16 MiB.
_LENGTH_BITS = 24


@dataclass(frozen=True, slots=True)
class ImportFiles:
    """The files of one import, created by ``receive``. ``most_blocks`` is the maximum number of blocks in the CAR."""

    folder: Path
    most_blocks: int

    @property
    def car(self) -> Path:
        """The upload as received."""
        return self.folder / "repository.car"

    @property
    def exchange(self) -> Path:
        """The file through which server and check exchange data (``import_check.Exchange``)."""
        return self.folder / "exchange.db"

    @property
    def size(self) -> int:
        """Size of the upload in bytes."""
        return self.car.stat().st_size


def pack_place(offset: int, length: int) -> int:
    """Pack the position of a block in the file into one number, because millions of them are held in memory."""
    return offset << _LENGTH_BITS | length


def read_place(file: BinaryIO, place: int) -> bytes:
    """Read the block at a packed position."""
    file.seek(place >> _LENGTH_BITS)
    return file.read(place & ((1 << _LENGTH_BITS) - 1))


def import_folder(data_directory: Path) -> Path:
    """The folder of uploads. Each import has its own folder in it."""
    return data_directory / "imports"


@asynccontextmanager
async def receive(
    folder: Path, body: AsyncIterator[bytes], *, max_bytes: int, content_length: int | None
) -> AsyncIterator[ImportFiles]:
    """Receive the whole upload on disk without looking at it. It is deleted when the context ends.

    Raises TooLarge (before anything is read if ``content_length`` is too large), and Unavailable if the disk is full.
    """
    if content_length is not None and content_length > max_bytes:
        raise _too_large(max_bytes)
    try:
        # This does not run in another thread, because a cancellation at that moment would leave the folder behind.
        path, lock = _locked_folder(folder)
    except OSError as error:
        raise no_room() from error
    try:
        files = ImportFiles(path, max(1, max_bytes // _LEAST_SECTION_BYTES))
        try:
            await _append(files.car, body, max_bytes)
        except OSError as error:
            raise no_room() from error
        yield files
    finally:
        # Deleting a large file takes a while; a cancelled caller does not wait for it.
        await asyncio.shield(asyncio.to_thread(_remove, path, lock))


def sweep(folder: Path) -> None:
    """Delete the folders of imports whose process has ended."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        try:
            lock = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue  # its import has just ended
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_mtime < time.time() - _LOCKED_WITHIN_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            pass  # its import is running
        finally:
            os.close(lock)


def no_room() -> Unavailable:
    """The error for a disk that is full or cannot be written to."""
    return Unavailable("The file cannot be stored here at the moment.")


def _locked_folder(folder: Path) -> tuple[Path, int]:
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=folder))
    lock = os.open(path, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return path, lock


def _remove(path: Path, lock: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)


async def _append(path: Path, body: AsyncIterator[bytes], max_bytes: int) -> None:
    pending: list[bytes] = []
    pending_bytes = size = 0
    with path.open("wb") as file:
        async for chunk in body:
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(max_bytes)
            pending.append(chunk)
            pending_bytes += len(chunk)
            if pending_bytes >= _WRITTEN_AT_ONCE:
                await on_thread(file.write, b"".join(pending))
                pending.clear()
                pending_bytes = 0
        await on_thread(file.write, b"".join(pending))


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The file is larger than the {limit} bytes allowed here.", name="PayloadTooLarge")

"""Blobs as files in a folder. A file appears under its name only when it is complete and fsynced.

The order is: write to ``incoming/``, fsync the file, rename it, fsync the folder. Without the last step, a power
failure could lose the name of a blob whose record is already committed (invariant 1). A crash leaves files in
``incoming/``; they are removed when the store is opened at least a day later.
"""

import asyncio
import contextlib
import itertools
import os
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO

from groundwork.blobstore.contract import PIECE_BYTES, StoredBlob, check_key
from groundwork.errors import NotFound, Unavailable
from groundwork.private_file import sync_folder

# Longer than any upload takes, because another process might be receiving one right now.
_LEFT_BEHIND_SECONDS = 24 * 3600

_LIST_PAGE = 500


@contextmanager
def _meaning(sentence: str) -> Iterator[None]:
    """Translate the system's errors: a missing file is NotFound, every other fault is Unavailable with this sentence."""
    try:
        yield
    except FileNotFoundError:
        raise NotFound("There is no such blob.", name="BlobNotFound") from None
    except OSError as error:
        raise Unavailable(sentence) from error


_NOT_READ = "The blob cannot be read at the moment."


def _no_room() -> Unavailable:
    return Unavailable("The blob cannot be stored at the moment.")


class DiskUpload:
    """One file in ``incoming/``."""

    def __init__(self, store: "DiskBlobStore", path: Path) -> None:
        self.size = 0
        self._store = store
        self._path = path
        self.is_kept = False
        self._file: BinaryIO | None = None
        self._is_discarded = False
        # A cancelled caller continues while the thread that works for it is still running.
        self._lock = threading.Lock()

    def open(self) -> None:
        """Create the file, unless the upload has been discarded in the meantime."""
        self._store.prepare()
        with self._lock:
            if not self._is_discarded:
                self._file = self._path.open("xb")

    async def write(self, piece: bytes, /) -> None:
        try:
            await asyncio.to_thread(self._opened().write, piece)
        except OSError as error:
            raise _no_room() from error
        self.size += len(piece)

    async def keep(self, key: str, /) -> None:
        target = self._store.path_of(key)
        try:
            await asyncio.to_thread(self._finish, target)
        except OSError as error:
            raise _no_room() from error
        self.is_kept = True

    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise RuntimeError("this upload has no file")
        return self._file

    def _finish(self, target: Path) -> None:
        with self._lock:
            file = self._opened()
            file.flush()
            os.fsync(file.fileno())
            file.close()
            _make_folder(target.parent)
            self._path.replace(target)
            sync_folder(target.parent)

    def discard(self) -> None:
        """Close the upload, and remove its file if it was not kept."""
        with self._lock:
            self._is_discarded = True
            if self._file is None:
                return
            # Closing flushes the buffer, which fails again on a full disk. Those bytes are not needed.
            with contextlib.suppress(OSError):
                self._file.close()
            self._path.unlink(missing_ok=True)


class DiskBlobStore:
    """A blob store in a folder that contains ``blobs/`` and ``incoming/``, or in two folders given separately.

    Raises ValueError if the two are on different file systems, because an upload could then not be renamed atomically.
    ``may_be_unmounted`` means that the file system might be mounted later; the folders are then created with the first
    upload.
    """

    def __init__(
        self, root: Path, *, blobs: Path | None = None, incoming: Path | None = None, may_be_unmounted: bool = False
    ) -> None:
        self._blobs = blobs or root / "blobs"
        self._incoming = incoming or root / "incoming"
        self._is_prepared = False
        if not may_be_unmounted:
            self.prepare()

    def prepare(self) -> None:
        """Create the folders if necessary, and remove what interrupted uploads left behind."""
        if self._is_prepared:
            return
        _make_folder(self._blobs)
        _make_folder(self._incoming)
        if self._blobs.stat().st_dev != self._incoming.stat().st_dev:
            raise ValueError(f"{self._blobs} and {self._incoming} are on different disks")
        # File times come from the machine's clock, not from the program's clock.
        remove_left_behind(self._incoming, older_than=time.time() - _LEFT_BEHIND_SECONDS)
        self._is_prepared = True

    def path_of(self, key: str) -> Path:
        """Return the path of a key. Raises ValueError for an invalid key."""
        return self._blobs / check_key(key)

    @asynccontextmanager
    async def upload(self) -> AsyncIterator[DiskUpload]:
        upload = DiskUpload(self, self._incoming / secrets.token_hex(16))
        try:
            try:
                await asyncio.to_thread(upload.open)
            except OSError as error:
                raise _no_room() from error
            yield upload
        finally:
            if not upload.is_kept:
                # Shielded: if the caller is cancelled a second time, the discard must stay in the executor's queue.
                await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, upload.discard))

    async def size(self, key: str) -> int:
        path = self.path_of(key)
        with _meaning(_NOT_READ):
            return (await asyncio.to_thread(path.stat)).st_size

    async def read(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        path = self.path_of(key)
        at = start
        while end is None or at < end:
            size = PIECE_BYTES if end is None else min(PIECE_BYTES, end - at)
            # The file is opened for each chunk, so that an abandoned reader holds no open file. The bytes of a key do
            # not change.
            with _meaning(_NOT_READ):
                piece = await asyncio.to_thread(_read_at, path, at, size)
            if piece:
                yield piece
            if len(piece) < size:
                return
            at += len(piece)

    async def delete(self, key: str) -> bool:
        path = self.path_of(key)
        try:
            with _meaning("The blob cannot be deleted at the moment."):
                await asyncio.to_thread(path.unlink)
        except NotFound:
            return False
        return True

    async def move(self, key: str, to: str) -> bool:
        source, target = self.path_of(key), self.path_of(to)
        try:
            with _meaning("The blob cannot be moved at the moment."):
                await asyncio.to_thread(_rename, source, target)
        except NotFound:
            return False
        return True

    async def list(self, folder: str = "") -> AsyncIterator[StoredBlob]:
        top = self._blobs / check_key(folder) if folder else self._blobs
        entries = _walk(top, self._blobs)
        while True:
            with _meaning("The blobs cannot be listed at the moment."):
                page = await asyncio.to_thread(_take, entries, _LIST_PAGE)
            if not page:
                return
            for stored in page:
                yield stored


def _rename(source: Path, target: Path) -> None:
    source.stat()  # fails before a folder is created for nothing
    _make_folder(target.parent)
    source.replace(target)
    sync_folder(target.parent)
    sync_folder(source.parent)


def _read_at(path: Path, start: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)


def _walk(folder: Path, root: Path) -> Iterator[StoredBlob]:
    """Yield the files below a folder, listing one folder at a time. Files deleted in the meantime are skipped."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue  # not a key: unfinished uploads, if their folder is inside this one
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), root)
        else:
            try:
                status = entry.stat()
            except FileNotFoundError:
                continue
            yield StoredBlob(Path(entry.path).relative_to(root).as_posix(), status.st_size, status.st_mtime)


def _take(entries: Iterator[StoredBlob], count: int) -> list[StoredBlob]:
    return list(itertools.islice(entries, count))


def _make_folder(folder: Path) -> None:
    """Create a folder and its parents, making each name durable in its parent."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def remove_left_behind(incoming: Path, *, older_than: float) -> None:
    """Remove unfinished uploads whose last write was before ``older_than`` (seconds since 1970)."""
    for path in incoming.iterdir():
        try:
            if path.stat().st_mtime < older_than:
                path.unlink()
        except FileNotFoundError:
            continue  # another process was faster

"""An uploaded CAR: each block is verified and written to disk; memory holds one block and an index.

The file is anonymous, so nothing of it is left after a crash.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, cast

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo import car
from groundwork.errors import InvalidInput, TooLarge, Unavailable

# The smallest records that apps write (a like, a follow) take some 150 bytes in a CAR. Many more and smaller blocks are sent
# only to fill the index, which takes some 200 bytes for each.
_LEAST_SECTION_BYTES = 100
_WRITTEN_AT_ONCE = 256 * 1024
# Bits of a packed position: blocks are shorter than 16 MiB.
_LENGTH_BITS = 24


class ImportFile:
    """The blocks of a CAR by their CIDs; created by :func:`receive`. Reading is quick but blocking."""

    def __init__(self, file: BinaryIO) -> None:
        self.roots: tuple[Cid, ...] = ()
        self._file = file
        self._places: dict[bytes, int] = {}
        self._end = 0

    def find(self, cid: Cid) -> bytes | None:
        """The block of a CID, or None."""
        place = self._places.get(bytes(cid))
        if place is None:
            return None
        self._file.seek(place >> _LENGTH_BITS)
        return self._file.read(place & ((1 << _LENGTH_BITS) - 1))

    def note(self, cid: Cid, block: bytes) -> bool:
        """Record where a block will be; False for a known one."""
        key = bytes(cid)
        if key in self._places:
            return False
        self._places[key] = self._end << _LENGTH_BITS | len(block)
        self._end += len(block)
        return True

    def append(self, blocks: bytes) -> None:
        """Write the recorded blocks, in order."""
        self._file.write(blocks)

    def __len__(self) -> int:
        return len(self._places)


@asynccontextmanager
async def receive(
    folder: Path, body: AsyncIterator[bytes], *, max_bytes: int, content_length: int | None
) -> AsyncIterator[ImportFile]:
    """The whole file, every block's hash verified; deleted when the context ends.

    Raises TooLarge, before anything is read if ``content_length`` says so, and InvalidInput for an invalid CAR.
    """
    if content_length is not None and content_length > max_bytes:
        raise _too_large(max_bytes)
    try:
        # Not on another thread: a cancellation at that moment would leave it open.
        file = _unnamed(folder)
    except OSError as error:
        raise _no_room() from error
    with file:
        received = ImportFile(file)
        try:
            await _read(received, body, max_bytes)
        except Malformed as error:
            raise InvalidInput("", f"This is not a repository's file: {error.why}.") from None
        except OSError as error:
            raise _no_room() from error
        yield received


def _unnamed(folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True)
    return cast("BinaryIO", tempfile.TemporaryFile(dir=folder))


async def _read(received: ImportFile, body: AsyncIterator[bytes], max_bytes: int) -> None:
    reader = car.CarReader()
    pending: list[bytes] = []
    pending_bytes = size = 0
    async for chunk in body:
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        for cid, block in reader.feed(chunk):
            if received.note(cid, block):
                pending.append(block)
                pending_bytes += len(block)
        if len(received) > max_bytes // _LEAST_SECTION_BYTES:
            raise Malformed("car", None, "it has more blocks than a repository of this size can have")
        if pending_bytes >= _WRITTEN_AT_ONCE:
            await asyncio.to_thread(received.append, b"".join(pending))
            pending.clear()
            pending_bytes = 0
    await asyncio.to_thread(received.append, b"".join(pending))
    reader.finish()
    received.roots = reader.roots or ()


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The file is larger than the {limit} bytes allowed here.", name="PayloadTooLarge")


def _no_room() -> Unavailable:
    return Unavailable("The file cannot be kept here at the moment.")

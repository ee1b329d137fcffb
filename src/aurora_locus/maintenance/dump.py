"""A database as one stream: its tables and rows as MessagePack, compressed.

The stream is a sequence of length-prefixed frames: ``["table", name, columns]``, then ``["rows", rows]`` of that table,
and at the end ``["end", counts]``, which proves that the stream is complete.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec

from groundwork.database.dump import Contents, DatabaseLoader
from groundwork.errors import Refused

_LENGTH = 4
# Longer than a thousand rows of the largest blocks; a longer frame is invalid.
_LONGEST_FRAME = 2 << 30
# The fastest level, because most of the data is hashes and signatures, which do not compress.
_LEVEL = 1

OnProgress = Callable[[str, int], None]


def _no_progress(_what: str, _rows: int) -> None:
    return None


async def write(contents: Contents, on_progress: OnProgress = _no_progress) -> AsyncIterator[bytes]:
    """Write a database as a stream. ``on_progress`` is called with a table's name and the number of rows just read."""
    packer = zlib.compressobj(_LEVEL)
    counts: dict[str, int] = {}
    for table in contents.tables:
        counts[table.name] = 0
        yield packer.compress(_frame(["table", table.name, table.columns]))
        async for rows in contents.rows(table):
            counts[table.name] += len(rows)
            yield await asyncio.to_thread(lambda rows=rows: packer.compress(_frame(["rows", rows])))  # type: ignore[misc]  # a default binds it now
            on_progress(table.name, len(rows))
    yield packer.compress(_frame(["end", counts])) + packer.flush()


async def load(
    stream: AsyncIterator[bytes], loader: DatabaseLoader, on_progress: OnProgress = _no_progress
) -> Mapping[str, int]:
    """Load a stream into an empty database and return the row count of each table. Raises Refused for an invalid or
    incomplete dump.
    """
    table, columns = "", ()
    counts: dict[str, int] = {}
    async for kind, *rest in _frames(stream):
        match kind:
            case "table":
                table, columns = rest[0], tuple(rest[1])
                counts[table] = 0
            case "rows":
                counts[table] += len(rest[0])
                await loader.put(table, columns, rest[0])
                on_progress(table, len(rest[0]))
            case "end" if rest[0] == counts:
                return counts
            case _:
                break
    raise Refused("The backup's database is incomplete.")


def _frame(value: Any) -> bytes:
    packed = msgspec.msgpack.encode(value)
    return len(packed).to_bytes(_LENGTH, "big") + packed


async def _frames(stream: AsyncIterator[bytes]) -> AsyncIterator[list[Any]]:
    unpacker = zlib.decompressobj()
    pending = bytearray()
    async for piece in stream:
        try:
            pending += await asyncio.to_thread(unpacker.decompress, piece)
        except zlib.error as error:
            raise Refused("The backup's database cannot be read.") from error
        while len(pending) >= _LENGTH:
            end = _LENGTH + int.from_bytes(pending[:_LENGTH], "big")
            if end > _LONGEST_FRAME:
                raise Refused("The backup's database cannot be read.")
            if len(pending) < end:
                break
            yield msgspec.msgpack.decode(bytes(pending[_LENGTH:end]))
            del pending[:end]

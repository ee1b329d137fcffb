"""TCP load balancer in front of several equal processes: round robin, skipping those that are down.

It is for the distributed form on one machine. A production site uses an HTTP reverse proxy instead.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

_PIECE = 64 * 1024
# A restarted process is back within seconds. No client waits longer than this for a connection.
PATIENCE_SECONDS = 20.0
_AGAIN_SECONDS = 0.2


@asynccontextmanager
async def listen_balanced(host: str, port: int, behind: Sequence[int]) -> AsyncIterator[None]:
    """Listen for the duration of the block. ``behind``: ports of the same host to forward to. Raises OSError if the
    port is taken.
    """
    turns = itertools.cycle(range(len(behind)))
    open_: set[asyncio.StreamWriter] = set()

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_.add(writer)
        try:
            await pass_through(reader, writer)
        finally:
            open_.discard(writer)
            writer.close()

    async def pass_through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = await _connect(host, behind, next(turns))
        if connection is None:
            return
        other_reader, other_writer = connection
        try:
            await asyncio.gather(_copy(reader, other_writer), _copy(other_reader, writer))
        finally:
            other_writer.close()

    server = await asyncio.start_server(hand_on, host, port)
    try:
        yield
    finally:
        server.close()
        for one in tuple(open_):
            one.close()


async def _connect(
    host: str, behind: Sequence[int], first: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    """Connect to the next port that answers. If none does, retry for a while."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        for offset in range(len(behind)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(host, behind[(first + offset) % len(behind)])
        await asyncio.sleep(_AGAIN_SECONDS)
    return None


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side closes, then close the other."""
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof() if writer.can_write_eof() else writer.close()

"""Wait for results of other processes, and read a PDS's firehose from its beginning."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import ClientSession

from tests.system.tour.narrator import NotAsItShouldBe

T = TypeVar("T")

TIMEOUT_SECONDS = 90.0


async def eventually(look: Callable[[], Awaitable[T | None]], timeout_seconds: float = TIMEOUT_SECONDS) -> T:
    """Call ``look`` until its result is truthy, and return that. Stops the tour if it never is."""
    deadline = asyncio.get_running_loop().time() + timeout_seconds
    while True:
        found = await look()
        if found:
            return found
        if asyncio.get_running_loop().time() > deadline:
            raise NotAsItShouldBe(f"waited {timeout_seconds:.0f} s in vain: {look.__qualname__}")
        await asyncio.sleep(0.05)


async def frames_of(pds_url: str, cursor: int = 0, quiet_seconds: float = 0.5) -> list[bytes]:
    """Every frame after a cursor, until no more come."""
    frames: list[bytes] = []
    url = pds_url.replace("http", "ws", 1) + f"/xrpc/com.atproto.sync.subscribeRepos?cursor={cursor}"
    async with ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        while True:
            try:
                frames.append(await asyncio.wait_for(socket.receive_bytes(), quiet_seconds))
            except (TimeoutError, TypeError):
                return frames

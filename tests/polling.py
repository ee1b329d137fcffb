"""Wait for what happens in another process, or in a part of this one that announces nothing."""

import asyncio
from collections.abc import Callable

from tests.timeouts import TIMEOUT_SECONDS

_PAUSE_SECONDS = 0.005


async def until(holds: Callable[[], bool]) -> None:
    """Ask again and again until the condition holds. Prefer an event, a queue or a socket where there is one."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not holds():  # noqa: ASYNC110 - this function exists because nothing announces it
            await asyncio.sleep(_PAUSE_SECONDS)

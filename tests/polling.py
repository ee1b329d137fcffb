"""Wait for what happens in another process, or in a part of this one that announces nothing."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

from tests.timeouts import TIMEOUT_SECONDS

_PAUSE_SECONDS = 0.005


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Ask again and again until the condition holds. Prefer an event, a queue or a socket where there is one."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while True:
            answer = holds()
            if await answer if inspect.isawaitable(answer) else answer:
                return
            await asyncio.sleep(_PAUSE_SECONDS)

"""Reading the log although the store is away for a moment.

Each try waits twice as long as the one before, a little at random, so that a thousand subscribers do not come back to a
store that has just risen in one instant. Nobody is kept waiting in silence: after ``PATIENCE_SECONDS`` the failure is told.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from groundwork.errors import Unavailable
from groundwork.telemetry.logs import log

T = TypeVar("T")

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 5.0
# A database that is restarted is back by then; a consumer notices a closed socket, and comes back with its cursor.
PATIENCE_SECONDS = 30.0


async def read_patiently(read: Callable[[], Awaitable[T]]) -> T:
    """What ``read`` answers. Raises Unavailable when the store stays away."""
    pause, waited = FIRST_SECONDS, 0.0
    while True:
        try:
            return await read()
        except Unavailable as failure:
            log.warning("log.unreadable", waited_seconds=round(waited, 1), kind=type(failure).__name__)
            if waited >= PATIENCE_SECONDS:
                raise
        await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - no secret
        waited += pause
        pause = min(2 * pause, LONGEST_SECONDS)

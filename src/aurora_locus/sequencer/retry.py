"""Reads of the log that are retried during a short outage of the database.

The delay doubles with each attempt, with jitter, so that a thousand subscribers do not return to a restarted database
at the same instant. After ``PATIENCE_SECONDS`` the failure is raised.
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
# A restarting database is back by then. If not, a consumer notices the closed socket and reconnects with its cursor.
PATIENCE_SECONDS = 30.0


async def read_with_retry(read: Callable[[], Awaitable[T]]) -> T:
    """Call ``read`` again while the database is unavailable. Raises Unavailable if it stays so."""
    pause, waited_seconds = FIRST_SECONDS, 0.0
    while True:
        try:
            return await read()
        except Unavailable as failure:
            log.warning("log.unreadable", waited_seconds=round(waited_seconds, 1), kind=type(failure).__name__)
            if waited_seconds >= PATIENCE_SECONDS:
                raise
        await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - no secret
        waited_seconds += pause
        pause = min(2 * pause, LONGEST_SECONDS)

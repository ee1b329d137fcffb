"""Hearing PostgreSQL's notifications, on a connection of their own that is made anew whenever it is lost."""

import asyncio
import contextlib
from collections.abc import Callable

import asyncpg

from groundwork.telemetry.logs import log

_AGAIN_SECONDS = 1.0
# A connection whose server has silently gone is noticed by asking.
_ASK_SECONDS = 30.0


async def listen(url: str, channel: str, heard: Callable[[str], None]) -> None:
    """Call ``heard`` with each notification, and with ``""`` at each beginning, because some may have been missed; for
    ever.
    """
    while True:
        try:
            await _listen(url, channel, heard)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as failure:
            log.warning("notifications.lost", kind=type(failure).__name__)
        await asyncio.sleep(_AGAIN_SECONDS)


async def _listen(url: str, channel: str, heard: Callable[[str], None]) -> None:
    connection = await asyncpg.connect(url)
    ended = asyncio.Event()
    try:
        connection.add_termination_listener(lambda _connection: ended.set())
        await connection.add_listener(channel, lambda _connection, _pid, _channel, payload: heard(str(payload)))
        heard("")
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), _ASK_SECONDS)
            if not ended.is_set():
                await connection.execute("select 1", timeout=_ASK_SECONDS)
    finally:
        connection.terminate()

"""PostgreSQL LISTEN on its own connection, which is reopened whenever it is lost."""

import asyncio
import contextlib
from collections.abc import Callable

import asyncpg

from groundwork.telemetry.logs import log

_AGAIN_SECONDS = 1.0
# Interval for polling the connection. This is the only way to notice a server that disappeared without closing it.
_ASK_SECONDS = 30.0


async def listen(url: str, channel: str, on_notification: Callable[[str], None]) -> None:
    """Call ``on_notification`` with each notification. Never returns.

    It is also called with ``""`` after each connect, because some notifications might have been missed.
    """
    while True:
        try:
            await _listen(url, channel, on_notification)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as failure:
            log.warning("notifications.lost", kind=type(failure).__name__)
        await asyncio.sleep(_AGAIN_SECONDS)


async def _listen(url: str, channel: str, on_notification: Callable[[str], None]) -> None:
    connection = await asyncpg.connect(url)
    ended = asyncio.Event()
    try:
        connection.add_termination_listener(lambda _connection: ended.set())
        await connection.add_listener(
            channel, lambda _connection, _pid, _channel, payload: on_notification(str(payload))
        )
        on_notification("")
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ASK_SECONDS):
                    await ended.wait()
            if not ended.is_set():
                await connection.execute("select 1", timeout=_ASK_SECONDS)
    finally:
        connection.terminate()

"""Notifications of PostgreSQL, across lost connections."""

import asyncio

import asyncpg
import pytest
from tests.timeouts import TIMEOUT_SECONDS

from groundwork.database import notifications
from groundwork.database.notifications import listen


async def test_notifications_continue_after_a_lost_connection(postgres_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(notifications, "_AGAIN_SECONDS", 0.01)
    heard: asyncio.Queue[str] = asyncio.Queue()
    listening = asyncio.create_task(listen(postgres_url, "some_channel", heard.put_nowait))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            assert await heard.get() == ""
            connection = await asyncpg.connect(postgres_url)
            await connection.execute("notify some_channel, '1'")
            assert await heard.get() == "1"
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where query like 'LISTEN%some_channel%'"
            )
            assert await heard.get() == "", "no signal that notifications may have been missed"
            await connection.execute("notify some_channel, '2'")
            assert await heard.get() == "2"
            await connection.close()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

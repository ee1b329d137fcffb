"""A PostgreSQL server without a free connection: we wait for one that others release, and report the reason."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import asyncpg
import pytest

from groundwork.clock import SystemClock
from groundwork.database import postgres
from groundwork.database.open_ import open_database
from groundwork.database.transaction import DatabaseUnavailable


@pytest.fixture
async def scarce_url(postgres_url: str) -> AsyncIterator[str]:
    """The server for a role that may have one connection. Beyond that, it refuses like a server without a free
    connection.
    """
    role = f"scarce_{secrets.token_hex(6)}"
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"create role {role} login connection limit 1")
    parts = urlsplit(postgres_url)
    yield parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()
    await connection.execute(f"drop role {role}")
    await connection.close()


async def test_freed_connection_is_taken(scarce_url: str, monkeypatch: pytest.MonkeyPatch):
    """A connection that becomes free is taken, at the start and when a pool grows."""
    monkeypatch.setattr(postgres, "_NONE_LEFT_SECONDS", 0.01)
    refused, retry = asyncio.Event(), postgres._retry_until_free

    async def noted(connect: Callable[[], Awaitable[object]]) -> object:
        async def attempt() -> object:
            try:
                return await connect()
            except asyncpg.TooManyConnectionsError:
                refused.set()
                raise

        return await retry(attempt)

    monkeypatch.setattr(postgres, "_retry_until_free", noted)
    other = await asyncpg.connect(scarce_url)
    opening = asyncio.create_task(open_database(scarce_url, clock=SystemClock()))
    await refused.wait()
    assert not opening.done()
    await other.close()
    db = await opening
    async with db.reader():
        second = asyncio.create_task(_one_is_read(db))
        refused.clear()
        await refused.wait()
        assert not second.done()
    # The pool has its one connection back, and the task that waits for a second one gets it.
    assert await second == 1
    await db.close()


async def _one_is_read(db: postgres.PostgresDatabase) -> int:
    async with db.reader() as reader:
        row = await reader.fetch_one("select 1 as one")
    assert row is not None
    return int(row["one"])


async def test_lack_of_connections_is_reported(scarce_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(postgres, "_ACQUIRE_SECONDS", 1.0)
    monkeypatch.setattr(postgres, "_NONE_LEFT_SECONDS", 0.01)
    other = await asyncpg.connect(scarce_url)
    with pytest.raises(DatabaseUnavailable, match="no connection left"):
        await open_database(scarce_url, clock=SystemClock())
    await other.close()

"""Named locks shared by the processes that use one PostgreSQL database. They have a few connections of their own.

Connections are opened on demand and closed after a while without requests. A caller that waits for a lock does not
occupy a connection of the main pool. A lock ends with its connection, so the lock of a process that crashed is free at
once. Waiters get it in order of arrival. Source: PostgreSQL, 13.3.5 Advisory Locks.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from groundwork.database.open_transactions import require_none_open
from groundwork.errors import Unavailable

CONNECTIONS = 4

_IDLE_SECONDS = 60.0
_RELEASE_SECONDS = 2.0
_NONE_LEFT_SECONDS = 0.1
# The last resort if a process hangs while it holds a lock.
_HELD_SECONDS = 30.0

_LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class AdvisoryLocks:
    """Locks of one schema of one database. Create it inside the event loop that will use it, and close it at the end."""

    def __init__(self, url: str, schema: str, *, connections: int = CONNECTIONS) -> None:
        self._schema = schema
        self._pool = asyncpg.create_pool(
            url,
            min_size=0,
            max_size=connections,
            max_inactive_connection_lifetime=_IDLE_SECONDS,
            server_settings={
                "search_path": "",
                "idle_in_transaction_session_timeout": str(int(_HELD_SECONDS * 1000)),
            },
        )
        self._opening = asyncio.Lock()
        self._is_open = False

    def key(self, name: str) -> int:
        """Return the number of this lock in PostgreSQL, as ``pg_advisory_xact_lock`` takes it."""
        return int.from_bytes(sha256(f"{self._schema}\n{name}".encode()).digest()[:8], signed=True)

    @asynccontextmanager
    async def hold(self, name: str, *, seconds: float) -> AsyncIterator[None]:
        """Hold the lock, exclusively among all processes. Raises Unavailable after waiting for this many seconds."""
        require_none_open()
        connection = await self._take(name, seconds)
        try:
            yield
        finally:
            # Shielded, so that a cancelled caller does not keep the others waiting.
            await asyncio.shield(self._let_go(connection))

    async def close(self) -> None:
        if self._is_open:
            await self._pool.close()

    async def _take(self, name: str, seconds: float) -> "PoolConnectionProxy[Any]":
        gives_up_at = asyncio.get_running_loop().time() + seconds
        while True:
            left = gives_up_at - asyncio.get_running_loop().time()
            if left <= 0:
                raise Unavailable("Other requests are writing here right now. Try again.")
            try:
                connection = await self._connect(left)
            except (asyncpg.TooManyConnectionsError, TimeoutError):
                await asyncio.sleep(min(_NONE_LEFT_SECONDS, left))
                continue
            except _LOST as failure:
                raise Unavailable("the database cannot be reached at the moment") from failure
            try:
                left = max(gives_up_at - asyncio.get_running_loop().time(), 0.001)
                await connection.execute(
                    f"begin; set local lock_timeout = {max(int(left * 1000), 1)}; "
                    f"select pg_catalog.pg_advisory_xact_lock({self.key(name)})",
                    timeout=left + _RELEASE_SECONDS,
                )
            except BaseException as failure:
                await asyncio.shield(self._drop(connection))
                # The server might have closed a pooled connection in the meantime. Another one is tried while there is
                # time.
                if not isinstance(failure, _LOST):
                    raise
                await asyncio.sleep(min(_NONE_LEFT_SECONDS, left))
                continue
            return connection

    async def _connect(self, seconds: float) -> "PoolConnectionProxy[Any]":
        async with self._opening:
            if not self._is_open:
                await self._pool
                self._is_open = True
        return await self._pool.acquire(timeout=seconds)

    async def _let_go(self, connection: "PoolConnectionProxy[Any]") -> None:
        try:
            await connection.execute("rollback", timeout=_RELEASE_SECONDS)
        except _LOST:
            await self._drop(connection)
        else:
            await self._pool.release(connection)

    async def _drop(self, connection: "PoolConnectionProxy[Any]") -> None:
        """Remove the connection from the pool. This ends the lock that it holds or waits for."""
        with contextlib.suppress(asyncpg.InterfaceError):
            connection.terminate()
        await self._pool.release(connection)

"""Connections to PostgreSQL that the tests of a process use one after another.

Of what a test costs there, most was its connections: each is a new process of the server, which reads the catalogs of all tables and
plans every statement anew. A connection belongs to an event loop, so tests that run on PostgreSQL share one: what a test leaves on it
is ended with the test as if the loop were closed, except for these connections.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from groundwork.database import postgres

_open_pool = postgres.open_pool
_Key = tuple[str, int, float]
_Pool = asyncpg.Pool
# Of tasks that begin others when they are cancelled.
_ROUNDS = 10


class KeptLoop(asyncio.SelectorEventLoop):
    """Closed after each test for all that the test has put on it; pools of connections that it has closed are kept."""

    # What asyncio's loop has, and no other class should touch.
    _selector: Any
    _signal_handlers: Any
    _ready: Any
    _scheduled: Any

    def __init__(self) -> None:
        super().__init__()
        self._own = set(self._selector.get_map())
        self.free: dict[_Key, list[_Pool]] = {}
        self.lent: list[KeptPool] = []

    def close(self) -> None:
        """What a closed loop no longer does, this one does not either: call back, read, write, hear signals."""
        self._end_tasks()
        self._terminate([kept.pool for kept in self.lent])
        self.lent.clear()
        for number in list(self._signal_handlers):
            self.remove_signal_handler(number)
        self._ready.clear()
        for timer in self._scheduled:
            timer._scheduled = False
        self._scheduled.clear()
        self._timer_cancelled_count = 0
        kept = self._own | {connection._transport.get_extra_info("socket").fileno() for connection in self._kept()}
        for key in list(self._selector.get_map().values()):
            if key.fd not in kept:
                self._selector.unregister(key.fileobj)

    def end(self) -> None:
        """Close it for good, and with it what was kept."""
        self._terminate([pool for pools in self.free.values() for pool in pools])
        super().close()

    async def shutdown_asyncgens(self) -> None:
        await super().shutdown_asyncgens()
        self._asyncgens_shutdown_called = False

    async def shutdown_default_executor(self) -> None:
        await super().shutdown_default_executor()
        self._default_executor, self._executor_shutdown_called = None, False

    def processes(self) -> list[int]:
        """The numbers of the server's processes that wait for the next test."""
        return [connection.get_server_pid() for connection in self._kept()]

    def _end_tasks(self) -> None:
        """Whoever is cancelled at the end of a test may begin another task. None may outlive its database into the next test."""
        for _ in range(_ROUNDS):
            if not (left := asyncio.all_tasks(self)):
                return
            for task in left:
                task.cancel()
            self.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        raise RuntimeError(f"tasks do not end with their test: {asyncio.all_tasks(self)}")

    def _terminate(self, pools: list[_Pool]) -> None:
        for pool in pools:
            pool.terminate()
        if pools:
            # A connection is closed in the turn after the one that asks for it.
            self.run_until_complete(asyncio.sleep(0))

    def _kept(self) -> Iterator[Any]:
        # asyncpg tells nobody which connections a pool has.
        holders = (holder for pools in self.free.values() for pool in pools for holder in pool._holders)  # type: ignore[attr-defined]  # private to asyncpg
        return (holder._con for holder in holders if holder._con is not None and not holder._con.is_closed())


class KeptPool:
    """A pool that one database has for itself until it closes it."""

    def __init__(self, loop: KeptLoop, key: _Key, pool: _Pool) -> None:
        self._loop, self._key, self.pool = loop, key, pool

    def __getattr__(self, name: str) -> Any:
        return getattr(self.pool, name)

    def acquire(self, *, timeout: float | None = None) -> Any:
        """A connection. Raises InterfaceError once this pool is closed, as asyncpg's does, though its connections are kept."""
        if self not in self._loop.lent:
            raise asyncpg.InterfaceError("pool is closed")
        return self.pool.acquire(timeout=timeout)

    async def close(self) -> None:
        """Keep it for the next, unless somebody still has a connection of it: then that is waited for, as at any end. Twice is once."""
        if self not in self._loop.lent:
            return
        if self.pool.get_idle_size() == self.pool.get_size():
            self._loop.free[self._key].append(self.pool)
        else:
            await self.pool.close()
        self._loop.lent.remove(self)


async def _lend(url: str, *, connections: int, hung_seconds: float) -> Any:
    """In the place of ``open_pool``."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, KeptLoop):
        return await _open_pool(url, connections=connections, hung_seconds=hung_seconds)
    key = url, connections, hung_seconds
    free = loop.free.setdefault(key, [])
    pool = free.pop() if free else await _open_pool(url, connections=connections, hung_seconds=hung_seconds)
    loop.lent.append(KeptPool(loop, key, pool))
    return loop.lent[-1]


postgres.open_pool = _lend


def processes() -> list[int]:
    """Those that wait for the next test, for whoever cuts off all others."""
    loop = asyncio.get_running_loop()
    return loop.processes() if isinstance(loop, KeptLoop) else []


def forget(url: str) -> None:
    """Let go of what is kept to this database: the plans of its connections are those of tables that somebody has changed."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, KeptLoop):
        for key in [key for key in loop.free if key[0] == url]:
            for pool in loop.free.pop(key):
                pool.terminate()


class Loops:
    """Makes the event loop of each test: the one that is kept for tests on PostgreSQL, a new one for any other."""

    def __init__(self) -> None:
        self.are_kept = False
        self._kept: KeptLoop | None = None

    def new(self) -> asyncio.AbstractEventLoop:
        if not self.are_kept:
            return asyncio.new_event_loop()
        self._kept = self._kept or KeptLoop()
        return self._kept

    def end(self) -> None:
        """After the last test."""
        if self._kept is not None:
            self._kept.end()


LOOPS = Loops()


@pytest.fixture
def new_connections() -> None:
    """For tests that change the type of a column: what a kept connection has prepared for the one before fails then."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before the first fixture of the test asks for a loop."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    names = item.fixturenames if isinstance(item, pytest.Function) else []
    LOOPS.are_kept = parameters.get("engine") == "postgresql" and "new_connections" not in names


def pytest_unconfigure() -> None:
    LOOPS.end()

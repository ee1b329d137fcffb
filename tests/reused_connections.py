"""Connections to PostgreSQL that the tests of a process reuse.

Most of the cost of a test on PostgreSQL was its connections: each one is a new process of the server that reads the
catalogs of all tables and plans every statement anew. A connection belongs to an event loop, so tests that run on
PostgreSQL share one loop. After each test, everything else that the test left on the loop is ended, as if the loop had
been closed.
"""

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from groundwork.database import postgres_pool

_open_pool = postgres_pool.open_pool
_Key = tuple[str, int, float]
_Pool = asyncpg.Pool
# Rounds of cancelling: a cancelled task may start others.
_ROUNDS = 10


class ReusedLoop(asyncio.SelectorEventLoop):
    """An event loop that ends what a test left on it after each test, but keeps the connection pools that the test has
    closed.
    """

    # Private attributes of asyncio's loop.
    _selector: Any
    _signal_handlers: Any
    _ready: Any
    _scheduled: Any

    def __init__(self) -> None:
        super().__init__()
        self._own = set(self._selector.get_map())
        self.free: dict[_Key, list[_Pool]] = {}
        self.lent: list[ReusedPool] = []

    def close(self) -> None:
        """Stop everything that a closed loop would stop: callbacks, reads, writes and signal handlers."""
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
        """Close the loop for good, together with the pools that were kept."""
        self._terminate([pool for pools in self.free.values() for pool in pools])
        super().close()

    async def shutdown_asyncgens(self) -> None:
        await super().shutdown_asyncgens()
        self._asyncgens_shutdown_called = False

    async def shutdown_default_executor(self) -> None:
        await super().shutdown_default_executor()
        self._default_executor, self._executor_shutdown_called = None, False

    def processes(self) -> list[int]:
        """The ids of the PostgreSQL processes that are kept for the next test."""
        return [connection.get_server_pid() for connection in self._kept()]

    def _end_tasks(self) -> None:
        """Cancel all tasks. A cancelled task may start another one, and none may outlive its database and reach the
        next test.
        """
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
            # A connection is closed one turn of the loop after the request.
            self.run_until_complete(asyncio.sleep(0))

    def _kept(self) -> Iterator[Any]:
        # asyncpg has no public way to list the connections of a pool.
        holders = (holder for pools in self.free.values() for pool in pools for holder in pool._holders)  # type: ignore[attr-defined]  # private to asyncpg
        return (holder._con for holder in holders if holder._con is not None and not holder._con.is_closed())


class ReusedPool:
    """A pool that belongs to one database until that database closes it."""

    def __init__(self, loop: ReusedLoop, key: _Key, pool: _Pool) -> None:
        self._loop, self._key, self.pool = loop, key, pool

    def __getattr__(self, name: str) -> Any:
        return getattr(self.pool, name)

    def acquire(self, *, timeout: float | None = None) -> Any:
        """Return a connection. Raises InterfaceError once this pool is closed, as asyncpg's pool does, even though its
        connections are kept.
        """
        if self not in self._loop.lent:
            raise asyncpg.InterfaceError("pool is closed")
        return self.pool.acquire(timeout=timeout)

    async def close(self) -> None:
        """Keep the pool for the next database. If a connection is still in use, wait for it first. Closing twice does
        nothing.
        """
        if self not in self._loop.lent:
            return
        if self.pool.get_idle_size() == self.pool.get_size():
            self._loop.free[self._key].append(self.pool)
        else:
            await self.pool.close()
        self._loop.lent.remove(self)


async def _lend(url: str, *, connections: int, idle_seconds: float) -> Any:
    """Replacement for ``open_pool``."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, ReusedLoop):
        return await _open_pool(url, connections=connections, idle_seconds=idle_seconds)
    key = url, connections, idle_seconds
    free = loop.free.setdefault(key, [])
    pool = free.pop() if free else await _open_pool(url, connections=connections, idle_seconds=idle_seconds)
    loop.lent.append(ReusedPool(loop, key, pool))
    return loop.lent[-1]


postgres_pool.open_pool = _lend


def processes() -> list[int]:
    """The ids of the PostgreSQL processes that are kept for the next test, so that these are not disconnected with all
    others.
    """
    loop = asyncio.get_running_loop()
    return loop.processes() if isinstance(loop, ReusedLoop) else []


def forget(url: str) -> None:
    """Close the kept connections to this database, because their plans refer to tables that have been changed."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, ReusedLoop):
        for key in [key for key in loop.free if key[0] == url]:
            for pool in loop.free.pop(key):
                pool.terminate()


class Loops:
    """Makes the event loop of each test: the shared one for tests on PostgreSQL, a new one for all others."""

    def __init__(self) -> None:
        self.are_kept = False
        self._kept: ReusedLoop | None = None

    def new(self) -> asyncio.AbstractEventLoop:
        if not self.are_kept:
            return asyncio.new_event_loop()
        self._kept = self._kept or ReusedLoop()
        return self._kept

    def end(self) -> None:
        """Close the shared loop after the last test."""
        if self._kept is not None:
            self._kept.end()


LOOPS = Loops()


@pytest.fixture
def new_connections() -> None:
    """For tests that change the type of a column: statements that an earlier test prepared on a kept connection would
    fail.
    """


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Choose the loop before the first fixture of the test requests one."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    names = item.fixturenames if isinstance(item, pytest.Function) else []
    LOOPS.are_kept = (
        parameters.get("engine") == "postgresql"
        and "new_connections" not in names
        and not _has_fixture_on_loop_of_several_tests(item)
    )


def _has_fixture_on_loop_of_several_tests(item: pytest.Item) -> bool:
    """Whether the test has an asynchronous fixture that it shares with other tests. All tests run on the loop of such a
    fixture until it ends, whatever else they request.
    """
    fixtures: dict[str, Any] = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    return any(
        one.scope != "function" and (inspect.iscoroutinefunction(one.func) or inspect.isasyncgenfunction(one.func))
        for found in fixtures.values()
        for one in found
    )


def pytest_unconfigure() -> None:
    LOOPS.end()

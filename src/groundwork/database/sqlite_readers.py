"""Readers of an SQLite file: a few read-only connections, each with its own thread.

Inside its ``async with`` block, a reader has its connection to itself and sees one consistent state, that of its first
statement. It holds this snapshot until the end of the block, which prevents the write-ahead log from shrinking. After
``limit_seconds`` it is therefore closed with ReadTooLong. Longer reads use pages.
"""

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundwork.clock import Clock, Instant
from groundwork.database import sqlite_connection as driver
from groundwork.database.transaction import DatabaseUnavailable, Engine, ReadTooLong, TransactionTooLong

# Virtual machine steps between two checks for a cancelled caller; about a millisecond.
_STEPS_BETWEEN_CHECKS = 50_000

_TOO_LONG = "the read took too long; read in pages"


@dataclass(slots=True, eq=False)
class _ReaderRequest:
    """Work for a reader's thread. ``is_unwanted`` is called on that thread."""

    work: Callable[[], Any]
    answer: "asyncio.Future[Any]"
    is_unwanted: Callable[[], bool]


class _ReaderThread:
    """One read-only connection and its thread."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._requests: queue.SimpleQueue[_ReaderRequest | None] = queue.SimpleQueue()
        self._running: _ReaderRequest | None = None
        self.is_stopped = False
        self.ended: asyncio.Future[None] = loop.create_future()
        self.connection = driver.connect_reader(path)
        # Polled. In contrast, a call to ``interrupt`` is lost if it comes just before the statement starts.
        self.connection.set_progress_handler(self._is_unwanted, _STEPS_BETWEEN_CHECKS)
        self._thread = threading.Thread(target=self._run, name=f"sqlite-reader {path.name}", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Any], is_unwanted: Callable[[], bool]) -> "asyncio.Future[Any]":
        """Run ``work`` on the thread. It stops if its caller is cancelled or ``is_unwanted`` returns True."""
        result: asyncio.Future[Any] = self._loop.create_future()
        self._requests.put(_ReaderRequest(work, result, is_unwanted))
        return result

    def stop(self) -> None:
        """End after the requests that are already queued. Later ones get no answer."""
        self.is_stopped = True
        self._requests.put(None)

    def _run(self) -> None:
        while (request := self._requests.get()) is not None:
            self._running = request
            value, failure = None, None
            try:
                value = request.work()
            except Exception as caught:  # noqa: BLE001 - an edge: the caller gets it
                failure = driver.translate_error(caught)
            self._call_in_loop(request.answer, value, failure)
            self._running = None
        self.connection.close()
        self._call_in_loop(self.ended, None, None)

    def _is_unwanted(self) -> bool:
        request = self._running
        return request is not None and (request.answer.cancelled() or request.is_unwanted())

    def _call_in_loop(self, future: "asyncio.Future[Any]", value: object, failure: BaseException | None) -> None:
        if not self._loop.is_closed():  # otherwise there is no caller any longer
            self._loop.call_soon_threadsafe(_resolve, future, value, failure)


class SqliteReader:
    """The ``Reader`` of one block."""

    def __init__(self, thread: _ReaderThread, now: Instant) -> None:
        self._thread = thread
        self._now = now
        self._over: BaseException | None = None

    @property
    def now(self) -> Instant:
        return self._now

    @property
    def engine(self) -> Engine:
        return "sqlite"

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[sqlite3.Row]:
        if self._over is not None:
            raise self._over
        if self._thread.is_stopped:
            raise DatabaseUnavailable("the database is closed")
        try:
            rows: list[sqlite3.Row] = await self._thread.submit(lambda: self._fetch(sql, parameters), self._is_over)
        except TransactionTooLong:
            # While the caller waits for a statement, only the time limit stops it.
            raise ReadTooLong(_TOO_LONG) from None
        return rows

    async def fetch_one(self, sql: str, /, **parameters: object) -> sqlite3.Row | None:
        rows = await self.fetch(sql, **parameters)
        return rows[0] if rows else None

    def expire(self) -> None:
        """End the reader at its time limit, before its block has ended."""
        self.end(ReadTooLong(_TOO_LONG))

    def end(self, why: BaseException) -> None:
        """Release the snapshot; later reads raise ``why``."""
        if self._over is None:
            self._over = why
            self._thread.submit(self._close, _never)

    def _is_over(self) -> bool:
        return self._over is not None

    def _fetch(self, sql: str, parameters: Mapping[str, object]) -> list[sqlite3.Row]:
        if self._over is not None:
            raise self._over
        connection = self._thread.connection
        if not connection.in_transaction:
            connection.execute("begin")
        return driver.fetch(connection, sql, parameters)

    def _close(self) -> None:
        if self._thread.connection.in_transaction:
            self._thread.connection.execute("rollback")


class ReaderPool:
    """Pool of read-only connections, most recently used first. Waiting callers are served in FIFO order."""

    def __init__(self, path: Path, clock: Clock, *, size: int, limit_seconds: float) -> None:
        self._path = path
        self._clock = clock
        self._size = size
        self._limit = limit_seconds
        self._all: list[_ReaderThread] = []
        self._idle: list[_ReaderThread] = []
        self._waiting: deque[asyncio.Future[_ReaderThread]] = deque()
        self._closed = False

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[SqliteReader]:
        """Open a reader for the duration of the block."""
        thread = await self._take()
        reader = SqliteReader(thread, self._clock.now())
        timer = asyncio.get_running_loop().call_later(self._limit, reader.expire)
        try:
            yield reader
        finally:
            timer.cancel()
            reader.end(RuntimeError("this reader's block has ended"))
            self._give(thread)

    async def close(self) -> None:
        """End every thread. Statements in progress finish first; open readers get no more of them."""
        self._closed = True
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(DatabaseUnavailable("the database is closed"))
        for thread in self._all:
            thread.stop()
        for thread in self._all:
            await thread.ended

    async def _take(self) -> _ReaderThread:
        if self._closed:
            raise DatabaseUnavailable("the database is closed")
        if self._idle:
            return self._idle.pop()
        loop = asyncio.get_running_loop()
        if len(self._all) < self._size:
            thread = _ReaderThread(self._path, loop)
            self._all.append(thread)
            return thread
        waiter: asyncio.Future[_ReaderThread] = loop.create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._give(waiter.result())
            raise

    def _give(self, thread: _ReaderThread) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(thread)
                return
        self._idle.append(thread)


def _never() -> bool:
    return False


def _resolve(future: "asyncio.Future[Any]", value: object, failure: BaseException | None) -> None:
    if future.done():
        return
    if failure is None:
        future.set_result(value)
    else:
        future.set_exception(failure)

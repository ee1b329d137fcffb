"""Reads of an SQLite file, on read-only connections that each have their own thread: readers and short reads.

Inside its ``async with`` block, a reader has its connection to itself and sees one consistent state, that of its first
statement. It holds this snapshot until the end of the block, which prevents the write-ahead log from shrinking. After
``limit_seconds`` it is therefore closed with ReadTooLong. Longer reads use pages.

Short reads are plain functions, one hop between threads each, because a hop costs more than finding a row. Those that
were requested while the thread was busy run together and are answered together, so that they share a hop under load.
Long reads must use a reader and pages instead, because all other short reads would wait for them.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from groundwork.clock import Clock, Instant
from groundwork.database import sqlite_connection as driver
from groundwork.database.transaction import DatabaseUnavailable, Engine, PlainReader, ReadTooLong, TransactionTooLong

# Virtual machine steps between two checks for a cancelled caller or of the time; about a millisecond.
_STEPS_BETWEEN_CHECKS = 50_000

_TOO_LONG = "the read took too long; read in pages"

# Short reads that run together at most, because the first caller waits for the last.
_TOGETHER = 16


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


class _ShortReadRequest(NamedTuple):
    work: Callable[[PlainReader], Any]
    answer: "asyncio.Future[Any]"


class _ShortReadResult(NamedTuple):
    answer: "asyncio.Future[Any]"
    value: Any
    failure: BaseException | None


class _ShortReader:
    """The ``PlainReader`` of one function."""

    __slots__ = ("_connection", "_now")

    def __init__(self, connection: sqlite3.Connection, now: Instant) -> None:
        self._connection = connection
        self._now = now

    @property
    def now(self) -> Instant:
        return self._now

    def fetch(self, sql: str, /, **parameters: object) -> Sequence[sqlite3.Row]:
        return driver.fetch(self._connection, sql, parameters)

    def fetch_one(self, sql: str, /, **parameters: object) -> sqlite3.Row | None:
        rows = driver.fetch(self._connection, sql, parameters)
        return rows[0] if rows else None


class ShortReads:
    """The thread for short reads. It starts with the first read."""

    def __init__(self, path: Path, clock: Clock, *, limit_seconds: float) -> None:
        self._path = path
        self._clock = clock
        self._limit = limit_seconds
        self._loop = asyncio.get_running_loop()
        self._requests: queue.SimpleQueue[_ShortReadRequest | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._deadline = 0.0
        self._is_closed = False
        self._ended: asyncio.Future[None] = self._loop.create_future()

    def submit(self, work: Callable[[PlainReader], Any]) -> "asyncio.Future[Any]":
        """Queue a short read and return a future for the result of ``work``. Raises DatabaseUnavailable after
        ``close``.
        """
        if self._is_closed:
            raise DatabaseUnavailable("the database is closed")
        if self._thread is None:
            connection = driver.connect_reader(self._path)
            self._thread = threading.Thread(
                target=self._run, args=(connection,), name=f"sqlite-short {self._path.name}", daemon=True
            )
            self._thread.start()
        result: asyncio.Future[Any] = self._loop.create_future()
        self._requests.put(_ShortReadRequest(work, result))
        return result

    async def close(self) -> None:
        """End the thread. Reads that were queued before are answered."""
        if not self._is_closed:
            self._is_closed = True
            self._requests.put(None)
        if self._thread is not None:
            await self._ended

    def _run(self, connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(lambda: time.monotonic() > self._deadline, _STEPS_BETWEEN_CHECKS)
        is_open = True
        while is_open:
            requests = [self._requests.get()]
            while len(requests) < _TOGETHER and requests[-1] is not None:
                try:
                    requests.append(self._requests.get_nowait())
                except queue.Empty:
                    break
            is_open = requests[-1] is not None
            results = [self._run_one(connection, request) for request in requests if request is not None]
            self._answer(results)
        connection.close()
        self._answer([_ShortReadResult(self._ended, None, None)])

    def _run_one(self, connection: sqlite3.Connection, request: _ShortReadRequest) -> _ShortReadResult:
        if request.answer.cancelled():
            return _ShortReadResult(request.answer, None, None)
        self._deadline = time.monotonic() + self._limit
        value, failure = None, None
        try:
            connection.execute("begin")
            value = request.work(_ShortReader(connection, self._clock.now()))
        except Exception as caught:  # noqa: BLE001 - an edge: the caller gets it
            failure = driver.translate_error(caught)
            if isinstance(failure, TransactionTooLong):
                failure = ReadTooLong(_TOO_LONG)
        if connection.in_transaction:
            connection.execute("rollback")
        return _ShortReadResult(request.answer, value, failure)

    def _answer(self, results: Sequence[_ShortReadResult]) -> None:
        if not self._loop.is_closed():  # otherwise there is no caller any longer
            self._loop.call_soon_threadsafe(_resolve_all, results)


def _never() -> bool:
    return False


def _resolve_all(results: Sequence[_ShortReadResult]) -> None:
    for result in results:
        _resolve(*result)


def _resolve(future: "asyncio.Future[Any]", value: object, failure: BaseException | None) -> None:
    if future.done():
        return
    if failure is None:
        future.set_result(value)
    elif isinstance(failure, StopIteration):
        # A future does not take this exception, and the other results of the group would be lost with it.
        future.set_exception(RuntimeError("work raised StopIteration"))
    else:
        future.set_exception(failure)

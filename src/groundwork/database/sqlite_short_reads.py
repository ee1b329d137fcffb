"""Short reads of an SQLite file: plain functions, one hop each, on one connection with its own thread.

A hop between threads costs more than finding a row. Reads that were requested while the thread was busy run together
and are answered together, so that they share a hop under load. Long reads must use a reader and pages instead, because
all other short reads would wait for them.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from groundwork.clock import Clock, Instant
from groundwork.database import sqlite_connection as driver
from groundwork.database.transaction import DatabaseUnavailable, PlainReader, ReadTooLong, TransactionTooLong

# Virtual machine steps between two checks of the time; about a millisecond.
_STEPS_BETWEEN_CHECKS = 50_000

# Limits of a group, because its first caller waits for its last.
_TOGETHER = 16


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
            self._call_in_loop(_resolve, results)
        connection.close()
        self._call_in_loop(_end, self._ended)

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
                failure = ReadTooLong("the read took too long; read in pages")
        if connection.in_transaction:
            connection.execute("rollback")
        return _ShortReadResult(request.answer, value, failure)

    def _call_in_loop(self, call: Callable[[Any], None], about: object) -> None:
        if not self._loop.is_closed():  # otherwise there is no caller any longer
            self._loop.call_soon_threadsafe(call, about)


def _resolve(results: list[_ShortReadResult]) -> None:
    for result, value, failure in results:
        if result.done():
            continue
        if failure is None:
            result.set_result(value)
        elif isinstance(failure, StopIteration):
            # A future does not take this exception, and the other results of the group would be lost with it.
            result.set_exception(RuntimeError("work raised StopIteration"))
        else:
            result.set_exception(failure)


def _end(ended: "asyncio.Future[None]") -> None:
    if not ended.done():
        ended.set_result(None)

"""The only writer of an SQLite file: a thread that runs members one after another and commits them in groups.

A member is a plain function (``PlainCall``) or an interactive transaction (``InteractiveTransaction``), each in its own
savepoint. Members that are waiting when one ends join its group. One COMMIT, with one fsync, makes the group durable.
Only then do callers get their results. This includes failed members, because they might have read rows of earlier
members.

- A member that fails rolls back only its own savepoint. If COMMIT fails, or SQLite rolled back the whole transaction
  (disk full), every member of the group fails and no ``after_commit`` callback runs.
- A member has ``limit_seconds``; then it is rolled back with TransactionTooLong. A statement that reaches the limit is
  interrupted. If it was writing, SQLite rolls back the whole group.
- Only the event loop touches its side of a member (futures, callbacks after the commit).
"""

import asyncio
import contextlib
import inspect
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, cast

from groundwork.clock import Clock, Instant
from groundwork.database import sqlite_connection as driver
from groundwork.database.transaction import DatabaseUnavailable, TransactionTooLong, Writer, run_after_commit

# A group ends when no member is waiting, or at these limits, because the first caller must not wait for a hundred
# others.
GROUP_MEMBERS = 512
GROUP_SECONDS = 0.005

# Virtual machine steps between two checks of the time; about a millisecond.
_STEPS_BETWEEN_CHECKS = 50_000

# The write-ahead log is checkpointed every 1000 pages (SQLite's default). A reader's snapshot can prevent that. Above
# this size, the writer waits a moment for readers, twice a second, until it can truncate the log. Readers are closed at
# their time limit, so the log cannot exceed this size plus what is written during one such limit.
WAL_BOUND_BYTES = 32 * 1024 * 1024
_TRUNCATE_WAIT_MS = 25
_TRUNCATE_EVERY_SECONDS = 0.5


class WriterCommand(Enum):
    """The requests that the event loop can make to an open interactive transaction."""

    FETCH = auto()
    EXECUTE = auto()
    EXECUTE_MANY = auto()
    # Several statements, each with its parameters. ``sql`` is empty.
    EXECUTE_TOGETHER = auto()
    COMMIT = auto()
    ROLLBACK = auto()


@dataclass(slots=True, eq=False)
class WriterRequest:
    """One request to an open interactive transaction. ``answer`` is resolved on the event loop."""

    verb: WriterCommand
    sql: str
    parameters: Any
    answer: "asyncio.Future[Any]"


@dataclass(slots=True, eq=False)
class PlainCall:
    """A plain function in the queue."""

    work: Callable[[Writer], Any]
    done: "asyncio.Future[Any]"


@dataclass(slots=True, eq=False)
class InteractiveTransaction:
    """An interactive transaction in the queue. ``opened`` gets the instant at which it began, ``done`` the result of
    the group.
    """

    opened: "asyncio.Future[Instant]"
    done: "asyncio.Future[Any]"
    too_long: Callable[[], None]
    requests: "queue.SimpleQueue[WriterRequest]" = field(default_factory=queue.SimpleQueue)
    calls: list[Callable[[], None]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Outcome:
    """How a member ended. Reported when its group has ended."""

    done: "asyncio.Future[Any]"
    value: Any = None
    failure: BaseException | None = None
    calls: Sequence[Callable[[], None]] = ()


_WRITER_IS_OVER = RuntimeError("this writer's function has ended")


class _PlainWriter:
    """The ``Writer`` of one plain function."""

    __slots__ = ("_connection", "_now", "calls", "failure")

    def __init__(self, connection: sqlite3.Connection, now: Instant) -> None:
        self._connection = connection
        self._now = now
        self.calls: list[Callable[[], None]] = []
        self.failure: BaseException | None = None

    @property
    def now(self) -> Instant:
        return self._now

    def fetch(self, sql: str, /, **parameters: object) -> Sequence[sqlite3.Row]:
        rows: list[sqlite3.Row] = self._attempt(driver.fetch, sql, parameters)
        return rows

    def fetch_one(self, sql: str, /, **parameters: object) -> sqlite3.Row | None:
        rows = self._attempt(driver.fetch, sql, parameters)
        return rows[0] if rows else None

    def execute(self, sql: str, /, **parameters: object) -> int:
        touched: int = self._attempt(driver.execute, sql, parameters)
        return touched

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]], /) -> None:
        self._attempt(driver.execute_many, sql, rows)

    def after_commit(self, call: Callable[[], None], /) -> None:
        self.calls.append(call)

    def require_sound(self, value: object) -> None:
        """Raise if a statement failed, even if the function caught the error, or if the function was an async one."""
        if self.failure is not None:
            raise self.failure
        if inspect.iscoroutine(value):
            value.close()
            raise TypeError("write() takes a plain function, not an async one")

    def _attempt(self, verb: Callable[[sqlite3.Connection, str, Any], Any], sql: str, parameters: object) -> Any:
        if self.failure is not None:
            raise self.failure
        try:
            return verb(self._connection, sql, parameters)
        except Exception as failure:  # noqa: BLE001 - kept and raised again: it dooms the member
            # Kept, so that a function that catches the error cannot commit half of its work.
            self.failure = driver.translate_error(failure)
            raise self.failure from None


class WriterThread:
    """Owner of the writing connection. Call ``put`` from the event loop, on which results are returned too."""

    def __init__(
        self, path: Path, clock: Clock, limit_seconds: float, wal_bound_bytes: int, *, waits_for_disk: bool = True
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._limit = limit_seconds
        self._deadline = float("inf")
        self._members: queue.SimpleQueue[PlainCall | InteractiveTransaction | None] = queue.SimpleQueue()
        self._stopping = False
        self._wal_bound = wal_bound_bytes
        self._truncate_after = 0.0
        self._wal = Path(f"{path}-wal")
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._connection = driver.connect_writer(path, waits_for_disk=waits_for_disk)
        self._connection.set_progress_handler(self._is_overdue, _STEPS_BETWEEN_CHECKS)
        self._thread = threading.Thread(target=self._run, name=f"sqlite-writer {path.name}", daemon=True)
        self._thread.start()

    def put(self, member: PlainCall | InteractiveTransaction) -> None:
        """Append a member to the queue."""
        if self._stopping:
            raise DatabaseUnavailable("the database is closed")
        self._members.put(member)

    def stop(self) -> None:
        """Finish the queued members, then end. ``ended`` is resolved when the thread has ended."""
        self._stopping = True
        self._members.put(None)

    def wal_bytes(self) -> int:
        """Size of the write-ahead log."""
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    def _is_overdue(self) -> bool:
        return time.monotonic() > self._deadline

    def _run(self) -> None:
        try:
            while (member := self._members.get()) is not None:
                if not self._run_group(member):
                    break
        finally:
            self._connection.close()
            self._call_in_loop(self._end)

    def _end(self) -> None:
        """Runs on the event loop, the only one that appends members, so that no caller waits for a thread that has
        ended.
        """
        self._stopping = True
        while not self._members.empty():
            member = self._members.get_nowait()
            if member is not None:
                closed = DatabaseUnavailable("the database is closed")
                for future in (member.done, *([member.opened] if isinstance(member, InteractiveTransaction) else [])):
                    _resolve(future, None, closed)
        if not self.ended.done():
            self.ended.set_result(None)

    def _run_group(self, member: PlainCall | InteractiveTransaction | None) -> bool:
        """Run members until none is waiting or the group is full, then commit and report. Returns False if the thread
        must stop.
        """
        group: list[_Outcome] = []
        failure: BaseException | None = None
        try:
            self._connection.execute("begin immediate")
            ends_at = time.monotonic() + GROUP_SECONDS
            while member is not None:
                if not member.done.cancelled():
                    group.append(self._run_plain(member) if isinstance(member, PlainCall) else self._serve(member))
                if not self._connection.in_transaction:
                    # SQLite rolled back the whole transaction (disk full, interrupted while writing), so every member
                    # is lost.
                    raise group[-1].failure or DatabaseUnavailable("the group was rolled back")  # noqa: TRY301 - handled like a failed COMMIT
                if len(group) >= GROUP_MEMBERS or time.monotonic() > ends_at or self._members.empty():
                    break
                member = self._members.get()
            self._connection.execute("commit")
        except BaseException as caught:  # noqa: BLE001 - an edge: every failure is handed to the members
            failure = caught
            self._roll_back_group()
            if member is not None and (not group or group[-1].done is not member.done):
                # The failure is outside the member's own work (BEGIN, SAVEPOINT). An interactive member is still
                # waiting to be opened.
                group.append(_Outcome(member.done))
                if isinstance(member, InteractiveTransaction):
                    group.append(_Outcome(member.opened))
        self._call_in_loop(_finish_group, group, failure)
        self._keep_wal_small()
        return member is not None

    def _run_plain(self, member: PlainCall) -> _Outcome:
        connection = self._connection
        writer = _PlainWriter(connection, self._clock.now())
        connection.execute("savepoint member")
        self._deadline = time.monotonic() + self._limit
        try:
            value = member.work(writer)
            self._deadline = float("inf")
            writer.require_sound(value)
            connection.execute("release member")
        except BaseException as failure:  # noqa: BLE001 - an edge: the caller of write() gets it
            self._roll_back_member()
            return _Outcome(member.done, failure=driver.translate_error(failure))
        finally:
            writer.failure = _WRITER_IS_OVER
        return _Outcome(member.done, value, calls=writer.calls)

    def _serve(self, member: InteractiveTransaction) -> _Outcome:
        """Handle the requests of an interactive transaction until it ends or reaches its limit."""
        connection = self._connection
        connection.execute("savepoint member")
        self._deadline = time.monotonic() + self._limit
        self._call_in_loop(_resolve, member.opened, self._clock.now(), None)
        first_failure: BaseException | None = None
        while True:
            try:
                request = member.requests.get(timeout=max(self._deadline - time.monotonic(), 0.0))
            except queue.Empty:
                self._roll_back_member()
                self._call_in_loop(member.too_long)
                return _Outcome(member.done, failure=TransactionTooLong("the transaction was open for too long"))
            if request.verb is WriterCommand.ROLLBACK:
                self._roll_back_member()
                return _Outcome(member.done)
            if request.verb is WriterCommand.COMMIT:
                self._deadline = float("inf")
                connection.execute("release member")
                return _Outcome(member.done, calls=member.calls)
            value = None
            if first_failure is None:
                try:
                    value = self._answer(request)
                except Exception as failure:  # noqa: BLE001 - an edge: the caller gets it
                    first_failure = driver.translate_error(failure)
            self._call_in_loop(_resolve, request.answer, value, first_failure)
            if not connection.in_transaction:
                return _Outcome(member.done, failure=first_failure)

    def _answer(self, request: WriterRequest) -> Any:
        match request.verb:
            case WriterCommand.FETCH:
                return driver.fetch(self._connection, request.sql, request.parameters)
            case WriterCommand.EXECUTE:
                return driver.execute(self._connection, request.sql, request.parameters)
            case WriterCommand.EXECUTE_TOGETHER:
                for sql, parameters in cast("Sequence[tuple[str, Mapping[str, object]]]", request.parameters):
                    driver.execute(self._connection, sql, parameters)
                return None
            case _:
                return driver.execute_many(self._connection, request.sql, request.parameters)

    def _roll_back_group(self) -> None:
        # If even this fails, the next BEGIN fails as well and reports it to its members.
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("rollback")

    def _roll_back_member(self) -> None:
        self._deadline = float("inf")
        if self._connection.in_transaction:
            self._connection.execute("rollback to member")
            self._connection.execute("release member")

    def _keep_wal_small(self) -> None:
        now = time.monotonic()
        if now < self._truncate_after or self.wal_bytes() <= self._wal_bound:
            return
        self._truncate_after = now + _TRUNCATE_EVERY_SECONDS
        self._connection.execute(f"pragma busy_timeout = {_TRUNCATE_WAIT_MS}")
        # A busy reader makes this return "busy". If the disk is full, the next COMMIT reports it to its members.
        with contextlib.suppress(sqlite3.OperationalError):
            self._connection.execute("pragma wal_checkpoint(truncate)").fetchall()
        self._connection.execute(f"pragma busy_timeout = {driver.BUSY_TIMEOUT_MS}")

    def _call_in_loop(self, call: Callable[..., None], *arguments: object) -> None:
        if not self._loop.is_closed():  # otherwise there is no caller any longer
            self._loop.call_soon_threadsafe(call, *arguments)


def _finish_group(group: Iterable[_Outcome], failure: BaseException | None) -> None:
    """Runs on the event loop: run the callbacks of a durable group in commit order, then resolve every member."""
    for member in group:
        if failure is None and member.failure is None:
            run_after_commit(member.calls)
    for member in group:
        group_failure = None if failure is None or failure is member.failure else _lost_with_its_group(failure)
        _resolve(member.done, member.value, group_failure or member.failure)


def _lost_with_its_group(cause: BaseException) -> DatabaseUnavailable:
    failure = DatabaseUnavailable("the commit failed; nothing was saved")
    failure.__cause__ = cause
    return failure


def _resolve(future: "asyncio.Future[Any]", value: object, failure: BaseException | None) -> None:
    if future.done():  # the caller was cancelled
        return
    if failure is None:
        future.set_result(value)
    elif isinstance(failure, StopIteration):
        future.set_exception(RuntimeError("work raised StopIteration"))
    else:
        future.set_exception(failure)

"""The database port on an SQLite file (docs/decisions/0003).

One writer thread with group commit, a few readers, and one thread for short reads.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from groundwork import private_file
from groundwork.clock import Clock, Instant
from groundwork.database.batch import run_unkeyed
from groundwork.database.open_transactions import note_open_transaction, require_none_open
from groundwork.database.recorded_reads import recorded
from groundwork.database.sqlite_readers import ReaderPool, ShortReads
from groundwork.database.sqlite_writer import (
    WAL_BOUND_BYTES,
    InteractiveTransaction,
    PlainCall,
    WriterCommand,
    WriterRequest,
    WriterThread,
)
from groundwork.database.transaction import Engine, PlainReader, Reader, TransactionTooLong, Work, Writer

T = TypeVar("T")

_ENDED = RuntimeError("this transaction's block has ended")


class SqliteTransaction:
    """The ``Transaction`` of one block. Each call is one hop to the writer thread."""

    def __init__(self, member: InteractiveTransaction) -> None:
        self._member = member
        self._now = Instant(0)
        self._pending: set[asyncio.Future[Any]] = set()
        self.failure: BaseException | None = None

    @property
    def now(self) -> Instant:
        return self._now

    @property
    def engine(self) -> Engine:
        return "sqlite"

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[sqlite3.Row]:
        rows: list[sqlite3.Row] = await self._run(WriterCommand.FETCH, sql, parameters)
        return rows

    async def fetch_one(self, sql: str, /, **parameters: object) -> sqlite3.Row | None:
        rows = await self._run(WriterCommand.FETCH, sql, parameters)
        return rows[0] if rows else None

    async def execute(self, sql: str, /, **parameters: object) -> int:
        touched: int = await self._run(WriterCommand.EXECUTE, sql, parameters)
        return touched

    async def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]], /) -> None:
        if rows:
            await self._run(WriterCommand.EXECUTE_MANY, sql, rows)

    async def execute_together(self, writes: Sequence[tuple[str, Mapping[str, object]]]) -> None:
        """Run these statements one after another in one hop."""
        await self._run(WriterCommand.EXECUTE_TOGETHER, "", writes)

    def after_commit(self, call: Callable[[], None], /) -> None:
        self._member.calls.append(call)

    def begin(self, now: Instant) -> None:
        """Called when the writer thread has opened the transaction. If the event loop was busy for long, it might
        already be rolled back.
        """
        self._now = now

    def end(self, why: BaseException) -> None:
        """Reject all further calls with ``why``, unless an earlier failure is stored."""
        why = self._doom(why)
        for pending_result in self._pending:
            if not pending_result.done():
                pending_result.set_exception(why)

    def _doom(self, why: BaseException) -> BaseException:
        if self.failure is None:
            self.failure = why
        return self.failure

    async def _run(self, verb: WriterCommand, sql: str, parameters: object) -> Any:
        if self.failure is not None:
            raise self.failure
        result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending.add(result)
        self._member.requests.put(WriterRequest(verb, sql, parameters, result))
        try:
            return await result
        except asyncio.CancelledError:
            # It is unknown whether the statement ran, so the transaction must not be committed.
            self._doom(RuntimeError("a statement of this transaction was cancelled"))
            raise
        except Exception as failure:
            # If the whole transaction was lost, other requests in flight get no answer from the writer thread, so this
            # code fails them.
            self.end(failure)
            raise
        finally:
            self._pending.discard(result)


class SqliteDatabase:
    """One SQLite file. Created by ``open_sqlite`` inside the event loop that will use it."""

    def __init__(self, writer: WriterThread, readers: ReaderPool, short_reads: ShortReads) -> None:
        self._writer = writer
        self._readers = readers
        self._short_reads = short_reads

    @property
    def engine(self) -> Engine:
        return "sqlite"

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqliteTransaction]:
        require_none_open()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        opened: asyncio.Future[Instant] = loop.create_future()

        def too_long() -> None:
            transaction.end(TransactionTooLong("the transaction was open for too long; nothing was saved"))

        member = InteractiveTransaction(opened, done, too_long)
        transaction = SqliteTransaction(member)
        self._writer.put(member)
        try:
            transaction.begin(await opened)
        except BaseException:
            # Cancelled while queued. The writer thread skips the member, or finds this request if it has just begun.
            member.requests.put(WriterRequest(WriterCommand.ROLLBACK, "", None, done))
            _ignore_result(done)
            raise
        open_transaction = note_open_transaction()
        try:
            yield transaction
        except BaseException as failure:
            transaction.end(_ENDED)
            member.requests.put(WriterRequest(WriterCommand.ROLLBACK, "", None, done))
            if isinstance(failure, (asyncio.CancelledError, GeneratorExit)):
                _ignore_result(done)
            else:
                await _await_group(done, failure)
            raise
        else:
            failed = transaction.failure
            transaction.end(_ENDED)
            member.requests.put(
                WriterRequest(WriterCommand.COMMIT if failed is None else WriterCommand.ROLLBACK, "", None, done)
            )
            # Cancelling this wait does not cancel the commit, because the writer thread continues.
            await done
            if failed is not None:
                raise failed
        finally:
            open_transaction.is_open = False

    @asynccontextmanager
    async def reader(self, *, keeps_plans: bool = False) -> AsyncIterator[Reader]:  # noqa: ARG002 - SQLite keeps all plans
        require_none_open(is_recorded=True)
        async with self._readers.reader() as reader:
            yield recorded(self, reader)

    async def read(self, work: Callable[[PlainReader], T], /) -> T:
        require_none_open()
        value: T = await self._short_reads.submit(work)
        return value

    async def state(self) -> str:
        # ``data_version`` counts the commits of other connections (sqlite.org/pragma.html). The connection for short
        # reads makes none itself.
        return str(await self.read(lambda reader: _one(reader, "pragma data_version")))

    async def write(self, work: Callable[[Writer], T], /) -> T:
        require_none_open()
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.put(PlainCall(work, done))
        return await done

    async def batch(self, work: Work[T], /, *, key: str | None = None) -> T:  # noqa: ARG002 - the writer has one queue for all keys
        return await run_unkeyed(self, work)

    def wal_bytes(self) -> int:
        """Size of the write-ahead log, as a metric. It is bounded by ``WAL_BOUND_BYTES`` plus what is written during
        one reader's time limit.
        """
        return self._writer.wal_bytes()

    async def close(self) -> None:
        await self._short_reads.close()
        await self._readers.close()
        self._writer.stop()
        await self._writer.ended


def _one(reader: PlainReader, sql: str) -> object:
    row = reader.fetch_one(sql)
    return None if row is None else row[0]


def _ignore_result(done: "asyncio.Future[None]") -> None:
    """Mark the exception of a future that nobody will await as retrieved, so that asyncio does not report it."""
    if not done.cancel() and not done.cancelled():
        done.exception()


async def _await_group(done: "asyncio.Future[None]", failure: BaseException) -> None:
    """Wait for the end of a failed member's group. If the group is rolled back, the member may have read rows that were
    not committed.
    """
    try:
        await done
    except Exception as lost:
        if lost is failure or isinstance(lost, TransactionTooLong):
            return
        raise lost from failure


def open_sqlite(
    path: Path,
    clock: Clock,
    *,
    readers: int = 4,
    transaction_seconds: float = 2.0,
    reader_seconds: float = 10.0,
    wal_bound_bytes: int = WAL_BOUND_BYTES,
    waits_for_disk: bool = True,
) -> SqliteDatabase:
    """Open an SQLite file, creating it and its folder if needed. Call it inside the event loop that will use it.

    Without ``waits_for_disk``, a power failure can undo the last commits: only for data that can be written again.
    """
    # The write-ahead log and its index get the file's mode. Password hashes and e-mail addresses must be private to
    # this user.
    private_file.touch(path)
    return SqliteDatabase(
        WriterThread(path, clock, transaction_seconds, wal_bound_bytes, waits_for_disk=waits_for_disk),
        ReaderPool(path, clock, size=readers, limit_seconds=reader_seconds),
        ShortReads(path, clock, limit_seconds=reader_seconds),
    )

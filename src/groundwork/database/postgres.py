"""The database port on a schema of a PostgreSQL database (14 or newer), through asyncpg.

- Connections have an empty search path. Every transaction begins with ``set local search_path`` to its schema, in the
  same round trip as BEGIN. So if the schema is forgotten, statements find no table instead of another tenant's rows.
- A transaction is READ COMMITTED; constraints and row locks settle races. A reader is REPEATABLE READ, READ ONLY. A
  statement that fails dooms its transaction, or only its part if that part has its own savepoint.
- ``write`` runs its function again, up to three times, if the transaction lost a deadlock or a serialization conflict.
  An interactive transaction raises TransactionConflict, because this module cannot run its block again.
- If the connection is lost during COMMIT, it is unknown whether the commit happened; the message of DatabaseUnavailable
  states this.
"""

import asyncio
import contextlib
import inspect
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from groundwork.clock import Clock, Instant
from groundwork.database import postgres_pool, statements
from groundwork.database.advisory_locks import AdvisoryLocks
from groundwork.database.batch import run_keyed, run_unkeyed
from groundwork.database.connection_failures import CONNECTION_FAILURES, connection_failure
from groundwork.database.open_transactions import note_open_transaction, require_none_open
from groundwork.database.plain import run_plain
from groundwork.database.recorded_reads import recorded
from groundwork.database.transaction import (
    UNSTORABLE_NUMBER,
    UNSTORABLE_TEXT,
    CheckViolated,
    ConstraintViolated,
    DatabaseUnavailable,
    Engine,
    ForeignKeyViolated,
    PlainReader,
    Reader,
    ReadTooLong,
    Row,
    Transaction,
    TransactionConflict,
    TransactionTooLong,
    UniqueViolated,
    Work,
    Writer,
    run_after_commit,
)
from groundwork.errors import InvalidInput

T = TypeVar("T")

Connection = PoolConnectionProxy  # the type of a connection from a pool

_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_RETRIES = 3
_RETRY_SECONDS = 0.005
# Default number of connections from one process to one database.
CONNECTIONS = 8
# By then, the user behind the request has given up.
_ACQUIRE_SECONDS = 10.0
_ROLLBACK_SECONDS = 2.0
_NONE_LEFT_SECONDS = 0.2
_TOO_LONG = "the transaction was open for too long; nothing was saved"
_KEEPS_PLANS = "set local plan_cache_mode to force_generic_plan"
_PART_ENDED = RuntimeError("this part of the transaction has ended")
# Exceptions that can occur while closing a connection that cannot be used again.
_LOST = (DatabaseUnavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class _ConnectionClosed(DatabaseUnavailable):
    """The server closed this pooled connection while it was idle."""


class PostgresTransaction:
    """One PostgreSQL transaction: the ``Transaction`` (or ``Reader``) of one ``async with`` block."""

    def __init__(self, connection: Connection, clock: Clock, limit_seconds: float, too_long: type[Exception]) -> None:
        self._connection = connection
        self._clock = clock
        self._now = clock.now()
        self._too_long = too_long
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + limit_seconds
        self._timer = self._loop.call_at(self._deadline, self._expire)
        self._turn = asyncio.Lock()
        self._has_parts = False
        self._has_written = False
        self.calls: list[Callable[[], None]] = []
        # Rows (table, column, value) that this transaction has locked.
        self.locked_rows: set[tuple[str, str, str]] = set()
        self.failure: BaseException | None = None

    @property
    def now(self) -> Instant:
        return self._now

    @property
    def engine(self) -> Engine:
        return "postgresql"

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]:
        text, values = _bind(sql, parameters)
        self._has_written = self._has_written or not text.lstrip()[:6].lower().startswith("select")
        rows: list[Row] = await self._run(lambda seconds: self._connection.fetch(text, *values, timeout=seconds))
        return rows

    async def fetch_one(self, sql: str, /, **parameters: object) -> Row | None:
        rows = await self.fetch(sql, **parameters)
        return rows[0] if rows else None

    async def execute(self, sql: str, /, **parameters: object) -> int:
        text, values = _bind(sql, parameters)
        self._has_written = True
        status: str = await self._run(lambda seconds: self._connection.execute(text, *values, timeout=seconds))
        # "INSERT 0 1", "UPDATE 3", "CREATE TABLE": the last word is the number of rows, if the command has one.
        count = status.rpartition(" ")[2]
        return int(count) if count.isdecimal() else 0

    async def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]], /) -> None:
        if not rows:
            return
        bound = [_bind(sql, row) for row in rows]
        text, values = bound[0][0], [each[1] for each in bound]
        self._has_written = True
        await self._run(lambda seconds: self._connection.executemany(text, values, timeout=seconds))

    def after_commit(self, call: Callable[[], None], /) -> None:
        self.calls.append(call)

    @asynccontextmanager
    async def part(self, *, has_savepoint: bool = True) -> AsyncIterator["PostgresTransaction"]:
        """Run a part in a savepoint. An error in it undoes only that part, and is raised.

        An error of the whole transaction (too long, connection lost) also dooms the transaction. Without a savepoint,
        which costs a round trip, any error dooms it once the part has written something.
        """
        if has_savepoint:
            await self.execute("release savepoint part; savepoint part" if self._has_parts else "savepoint part")
            self._has_parts = True
        part = PostgresTransaction(self._connection, self._clock, self._deadline - self._loop.time(), self._too_long)
        part._turn = self._turn
        part.locked_rows |= self.locked_rows
        try:
            yield part
            if part.failure is not None:
                raise part.failure  # noqa: TRY301 - the block caught the failure, but the part is undone anyway
        except BaseException as failure:
            is_lost = isinstance(part.failure, (self._too_long, DatabaseUnavailable))
            if is_lost or (not has_savepoint and (part.failure is not None or part._has_written)):
                self._doom(part.failure or failure)
            part.end(_PART_ENDED)
            if self.failure is None and has_savepoint:
                await self.execute("rollback to savepoint part")
            raise
        part.end(_PART_ENDED)
        self.calls += part.calls
        self.locked_rows = part.locked_rows

    def end(self, why: BaseException) -> None:
        """Reject all further calls with ``why``, unless an earlier failure is stored."""
        self._timer.cancel()
        self._doom(why)

    async def _run(self, call: Callable[[float], Awaitable[Any]]) -> Any:
        async with self._turn:  # a connection can do only one thing at a time
            if self.failure is not None:
                raise self.failure
            try:
                return await call(max(self._deadline - self._loop.time(), 0.001))
            except asyncio.CancelledError:
                # It is unknown whether the statement ran, so the transaction must not be committed.
                self._doom(RuntimeError("a statement of this transaction was cancelled"))
                raise
            except TimeoutError:
                # asyncpg has cancelled the statement. Release its locks now instead of at the end of the block.
                why = self._doom(self._too_long(_TOO_LONG))
                with contextlib.suppress(*_LOST):
                    await self._connection.execute("rollback", timeout=_ROLLBACK_SECONDS)
                raise why from None
            except Exception as failure:  # noqa: BLE001 - kept and raised again: it dooms the transaction
                raise self._doom(translate_error(failure)) from None

    def _doom(self, why: BaseException) -> BaseException:
        if self.failure is None:
            self.failure = why
        return self.failure

    def _expire(self) -> None:
        """Called at the time limit. A running statement has its own timeout; otherwise the locks are released now."""
        self._doom(self._too_long(_TOO_LONG))
        if not self._turn.locked():
            self._connection.terminate()


class PostgresDatabase:
    """One schema of a PostgreSQL database. Created by ``open_postgres`` inside the event loop that will use it."""

    def __init__(
        self,
        pool: "asyncpg.Pool[Any]",
        schema: str,
        clock: Clock,
        transaction_seconds: float,
        reader_seconds: float,
        locks: AdvisoryLocks,
    ) -> None:
        self._pool = pool
        self.locks = locks
        self._clock = clock
        self._transaction_seconds = transaction_seconds
        self._reader_seconds = reader_seconds
        path = f'set local search_path to "{schema}"'
        self._begin = f"begin; {path}"
        self._begin_read = f"begin isolation level repeatable read, read only; {path}"
        self._finishing: set[asyncio.Task[None]] = set()

    @property
    def engine(self) -> Engine:
        return "postgresql"

    @asynccontextmanager
    async def transaction(self, *, keeps_plans: bool = False) -> AsyncIterator[PostgresTransaction]:
        """Open a transaction. ``keeps_plans`` is for statements that find a few rows by key: the server reuses generic
        plans, because planning for each list of keys would cost several times as much as finding the rows.
        """
        require_none_open()
        connection = await self._connect(f"{self._begin}; {_KEEPS_PLANS}" if keeps_plans else self._begin)
        transaction = PostgresTransaction(connection, self._clock, self._transaction_seconds, TransactionTooLong)
        open_transaction = note_open_transaction()
        try:
            yield transaction
        except GeneratorExit:
            self._finish(transaction, connection, commit=False)
            raise
        except BaseException:
            await asyncio.shield(self._finish(transaction, connection, commit=False))
            raise
        else:
            failed = transaction.failure
            # Shielded, because cancelling the caller now must not cancel a commit that has begun.
            await asyncio.shield(self._finish(transaction, connection, commit=failed is None))
            if failed is not None:
                raise failed
        finally:
            open_transaction.is_open = False

    @asynccontextmanager
    async def reader(self, *, keeps_plans: bool = False) -> AsyncIterator[Reader]:
        require_none_open(is_recorded=True)
        connection = await self._connect(f"{self._begin_read}; {_KEEPS_PLANS}" if keeps_plans else self._begin_read)
        reader = PostgresTransaction(connection, self._clock, self._reader_seconds, ReadTooLong)
        try:
            yield recorded(self, reader)
        finally:
            self._finish(reader, connection, commit=False)

    async def read(self, work: Callable[[PlainReader], T], /) -> T:
        async with self.reader() as reader:
            return await run_plain(work, cast("Transaction", reader))

    async def batch(self, work: Work[T], /, *, key: str | None = None) -> T:
        return await (run_unkeyed(self, work) if key is None else run_keyed(self, key, work))

    async def state(self) -> str:
        # Two equal snapshots see the same rows, because a snapshot lists every transaction that is not visible.
        async with self.reader() as reader:
            row = await reader.fetch_one("select cast(pg_current_snapshot() as text) as snapshot")
        return "" if row is None else str(row["snapshot"])

    async def write(self, work: Callable[[Writer], T], /) -> T:
        for attempt in range(_RETRIES):
            try:
                return await self._write_once(work)
            except TransactionConflict:
                # The other transaction needs time to finish. Jitter prevents two retries from colliding again.
                await asyncio.sleep(_RETRY_SECONDS * 2**attempt * (0.5 + random.random()))  # noqa: S311 - no secret
        return await self._write_once(work)

    async def close(self) -> None:
        while self._finishing:
            await asyncio.wait(self._finishing)
        await self.locks.close()
        await self._pool.close()

    async def _write_once(self, work: Callable[[Writer], T]) -> T:
        async with self.transaction() as transaction:
            value = await run_plain(work, cast("Transaction", transaction))
            if inspect.iscoroutine(value):
                value.close()
                raise TypeError("write() takes a plain function, not an async one")
            return value

    async def _connect(self, begin: str) -> Connection:
        """Return a connection in a new transaction. Connections that the server has closed in the meantime are skipped."""
        for _ in range(self._pool.get_max_size()):
            try:
                return await self._connect_once(begin)
            except _ConnectionClosed:
                continue  # nothing was executed on the connection, and it is no longer in the pool
        return await self._connect_once(begin)

    async def _connect_once(self, begin: str) -> Connection:
        try:
            connection = await _retry_until_free(lambda: self._pool.acquire(timeout=_ACQUIRE_SECONDS))
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as failure:
            raise DatabaseUnavailable("the database cannot be reached at the moment") from failure
        try:
            await connection.execute(begin)
        except BaseException as failure:
            await self._drop(connection)
            translated = translate_error(failure)
            if isinstance(translated, DatabaseUnavailable):
                raise _ConnectionClosed(translated.why) from failure
            raise translated from failure
        return connection

    async def _drop(self, connection: Connection) -> None:
        """Remove a connection from the pool. A closed connection cannot be terminated again, and a terminated pool does
        not take connections back; these errors are ignored.
        """
        with contextlib.suppress(asyncpg.InterfaceError):
            connection.terminate()
        with contextlib.suppress(asyncpg.InterfaceError):
            await self._pool.release(connection)

    def _finish(self, transaction: PostgresTransaction, connection: Connection, *, commit: bool) -> asyncio.Task[None]:
        """End the transaction in a separate task, which survives cancellation of the caller."""
        task = asyncio.create_task(self._end(transaction, connection, commit=commit))
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        return task

    async def _end(self, transaction: PostgresTransaction, connection: Connection, *, commit: bool) -> None:
        transaction.end(RuntimeError("this transaction's block has ended"))
        try:
            if commit:
                await _commit(connection)
                run_after_commit(transaction.calls)
            else:
                # After a cancelled statement, the server's reply might never come, so the wait is limited.
                await connection.execute("rollback", timeout=_ROLLBACK_SECONDS)
        except _LOST as failure:
            await self._drop(connection)
            if commit:
                raise translate_error(failure) from failure
        except BaseException:
            # The state of the connection is unknown, so it must not be used again.
            await self._drop(connection)
            raise
        else:
            await self._pool.release(connection)


async def _retry_until_free(connect: Callable[[], Awaitable[T]]) -> T:
    """Retry while the server has no free connection. Raises the last error of ``connect``."""
    loop = asyncio.get_running_loop()
    gives_up_at = loop.time() + _ACQUIRE_SECONDS
    while True:
        try:
            return await connect()
        except asyncpg.TooManyConnectionsError:
            if loop.time() >= gives_up_at:
                raise
        await asyncio.sleep(_NONE_LEFT_SECONDS * (0.5 + random.random()))  # noqa: S311 - no secret


async def _commit(connection: Connection) -> None:
    try:
        status = await connection.execute("commit")
    except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError) as failure:
        raise DatabaseUnavailable(
            "the connection was lost during the commit; whether it happened is unknown"
        ) from failure
    if status != "COMMIT":
        raise DatabaseUnavailable("the transaction had failed and was rolled back")


def _bind(sql: str, parameters: Mapping[str, object]) -> tuple[str, list[object]]:
    statement = statements.for_postgres(sql)
    if statement.lists or parameters.keys() != statement.name_set:
        statement.check(parameters)
    return statement.text, [parameters[name] for name in statement.names]


def translate_error(failure: BaseException) -> BaseException:
    """Translate an asyncpg error to the port's error. Others, such as a syntax error, are returned unchanged."""
    translated: BaseException
    match failure:
        case asyncpg.UniqueViolationError():
            translated = UniqueViolated(failure.constraint_name or "")
        case asyncpg.ForeignKeyViolationError():
            translated = ForeignKeyViolated(failure.constraint_name or "")
        case asyncpg.CheckViolationError():
            translated = CheckViolated(failure.constraint_name or "")
        case asyncpg.NotNullViolationError():
            translated = CheckViolated(f"{failure.table_name}.{failure.column_name}")
        case asyncpg.IntegrityConstraintViolationError():
            translated = ConstraintViolated(failure.constraint_name or "")
        case (
            asyncpg.SerializationError()
            | asyncpg.DeadlockDetectedError()
            # The server or our role has a lock_timeout. The transaction that holds the row will release it.
            | asyncpg.LockNotAvailableError()
            # A migration changed a table under a prepared statement, which asyncpg has now dropped.
            | asyncpg.InvalidCachedStatementError()
            | asyncpg.OutdatedSchemaCacheError()
        ):
            translated = TransactionConflict(
                f"lost against a concurrent change ({type(failure).__name__}); nothing was saved"
            )
        case asyncpg.QueryCanceledError():
            translated = TransactionTooLong("the database took too long; nothing was saved")
        case (
            asyncpg.PostgresConnectionError()
            | asyncpg.InsufficientResourcesError()
            | asyncpg.OperatorInterventionError()
            | asyncpg.PostgresSystemError()
            | ConnectionError()
        ):
            translated = DatabaseUnavailable("the database cannot be used at the moment")
        case asyncpg.CharacterNotInRepertoireError() | asyncpg.UntranslatableCharacterError():
            translated = InvalidInput("", UNSTORABLE_TEXT)
        case asyncpg.DataError() if isinstance(failure.__cause__, UnicodeEncodeError):
            translated = InvalidInput("", UNSTORABLE_TEXT)
        case asyncpg.DataError() if isinstance(failure.__cause__, OverflowError):
            translated = InvalidInput("", UNSTORABLE_NUMBER)
        case asyncpg.NumericValueOutOfRangeError():
            translated = InvalidInput("", UNSTORABLE_NUMBER)
        case asyncpg.InternalClientError():
            # The server is closing this connection, and asyncpg has received that but not handled it yet.
            translated = DatabaseUnavailable("the connection to the database was lost")
        case asyncpg.InterfaceError() if "closed" in str(failure) or "released" in str(failure):
            translated = DatabaseUnavailable("the connection to the database was lost")
        case _:
            return failure
    translated.__cause__ = failure
    return translated


def check_schema_name(schema: str) -> str:
    """Return the schema name. Raises ValueError unless it has only lower-case letters, digits and underscores."""
    if not _SCHEMA_NAME.fullmatch(schema):
        raise ValueError(f"a schema name has only lower-case letters, digits and underscores, unlike {schema!r}")
    return schema


async def open_postgres(
    url: str,
    schema: str,
    clock: Clock,
    *,
    connections: int = CONNECTIONS,
    transaction_seconds: float = 2.0,
    reader_seconds: float = 10.0,
) -> PostgresDatabase:
    """Open a connection pool for one schema. Raises DatabaseUnavailable if the server cannot be reached or refuses us, and
    Refused if the URL is wrong.
    """
    check_schema_name(schema)
    try:
        idle_seconds = max(transaction_seconds, reader_seconds) * 2
        pool = await _retry_until_free(
            lambda: postgres_pool.open_pool(url, connections=connections, idle_seconds=idle_seconds)
        )
    except CONNECTION_FAILURES as failure:
        raise connection_failure(url, failure) from failure
    return PostgresDatabase(pool, schema, clock, transaction_seconds, reader_seconds, AdvisoryLocks(url, schema))

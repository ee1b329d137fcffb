"""``Database.batch``: run work in a transaction with few hops between threads, or with few commits.

Without a key, the work runs on the database thread: one hop for all its statements instead of one for each. Actions are
async functions that take a ``Transaction``. A hundred of them are about a thousand statements, whose hops would cost
more than the statements. Inside, every database call returns at once, so the coroutine never suspends and can be run to
its end without an event loop.

With a key, pieces of work that wait for the same row share one row lock and one commit: several pieces run in order of
arrival in one transaction. On PostgreSQL, a piece that is rejected before it wrote anything is left out. If one fails
later, the batch runs again with each piece in its own savepoint, so that only the failed one is undone. Callers get
their results after the commit, because each piece has read what earlier ones wrote. On SQLite the writer groups all
waiting work (docs/decisions/0003).
"""

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from groundwork.clock import Instant
from groundwork.database.open_transactions import note_open_transaction, require_none_open
from groundwork.database.transaction import (
    Database,
    DatabaseUnavailable,
    Engine,
    Row,
    Transaction,
    TransactionConflict,
    TransactionTooLong,
    Work,
    Writer,
)

T = TypeVar("T")

# A batch ends when no work waits, or at these limits: the first caller must not wait for a hundred others, other
# processes wait for the row, and PostgreSQL caches 64 savepoints per transaction.
GROUP_MEMBERS = 48
GROUP_SECONDS = 0.1

# Failures that affect the whole transaction, even with savepoints.
_OF_WHOLE_TRANSACTION = (TransactionTooLong, DatabaseUnavailable)


class _PlainTransaction:
    """A ``Transaction`` over a ``Writer``. None of its methods suspends."""

    __slots__ = ("_engine", "_writer")

    def __init__(self, writer: Writer, engine: Engine) -> None:
        self._writer = writer
        self._engine = engine

    @property
    def now(self) -> Instant:
        return self._writer.now

    @property
    def engine(self) -> Engine:
        return self._engine

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]:
        return self._writer.fetch(sql, **parameters)

    async def fetch_one(self, sql: str, /, **parameters: object) -> Row | None:
        return self._writer.fetch_one(sql, **parameters)

    async def execute(self, sql: str, /, **parameters: object) -> int:
        return self._writer.execute(sql, **parameters)

    async def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]], /) -> None:
        self._writer.execute_many(sql, rows)

    def after_commit(self, call: Callable[[], None], /) -> None:
        self._writer.after_commit(call)


async def run_unkeyed(db: Database, work: Work[T]) -> T:
    """Implements ``Database.batch`` without a key."""
    context = contextvars.copy_context()
    return await db.write(lambda writer: context.run(_drive, work(_PlainTransaction(writer, db.engine))))


def _drive(running: Coroutine[Any, Any, T]) -> T:
    # Functions that must not be called inside a transaction check the context.
    open_transaction = note_open_transaction()
    try:
        running.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        open_transaction.is_open = False
        running.close()
    raise RuntimeError("only the transaction may be awaited in a batch")


class SavepointTransaction(Transaction, Protocol):
    """A transaction that can undo a part of itself, as batches need it."""

    failure: BaseException | None

    def part(self, *, has_savepoint: bool = True) -> "AbstractAsyncContextManager[SavepointTransaction]": ...


class SavepointDatabase(Protocol):
    """A database whose transactions can undo a part of themselves, as batches need it."""

    def transaction(self, *, keeps_plans: bool = False) -> AbstractAsyncContextManager[SavepointTransaction]: ...


@dataclass(slots=True, eq=False)
class _Member:
    """One piece of work, with its caller's context."""

    work: Work[Any]
    context: contextvars.Context
    done: "asyncio.Future[Any]"
    value: Any = None
    failure: BaseException | None = None


_queues: dict[tuple[int, str], deque[_Member]] = {}
_serving: set[asyncio.Task[None]] = set()


async def run_keyed(db: SavepointDatabase, row: str, work: Work[T]) -> T:
    """Implements ``Database.batch`` with a key: ``work`` runs after all earlier work for the same ``row``."""
    require_none_open()
    member = _Member(work, contextvars.copy_context(), asyncio.get_running_loop().create_future())
    name = (id(db), row)
    if name in _queues:
        _queues[name].append(member)
    else:
        _queues[name] = deque([member])
        # The task has an empty context, because it works for all callers and continues when the first caller is
        # cancelled.
        task = asyncio.get_running_loop().create_task(_serve(db, name), context=contextvars.Context())
        _serving.add(task)
        task.add_done_callback(_serving.discard)
    value: T = await member.done
    return value


async def _serve(db: SavepointDatabase, name: tuple[int, str]) -> None:
    """Run batches until no work is waiting."""
    waiting = _queues[name]
    group: list[_Member] = []
    has_savepoints = False
    try:
        while waiting:
            group = []
            try:
                again = await _run_batch(db, waiting, group, has_savepoints=has_savepoints)
                has_savepoints = False
            except _SavepointsNeeded:
                waiting.extendleft(reversed(group))
                has_savepoints = True
                continue
            for member in again:
                await _run_alone(db, member)
    except BaseException:
        # The event loop is shutting down, so all waiting callers are cancelled.
        for member in (*group, *waiting):
            member.done.cancel()
        raise
    finally:
        del _queues[name]


class _SavepointsNeeded(Exception):
    """A member failed without a savepoint after it had written. No caller has a result yet, and all members run again."""


async def _run_batch(
    db: SavepointDatabase, waiting: deque[_Member], group: list[_Member], *, has_savepoints: bool
) -> list[_Member]:
    """Run part of the queue in one transaction and send the results. Returns the members that must run again,
    separately.
    """
    ends_at = time.monotonic() + GROUP_SECONDS
    lost_with: _Member | None = None
    try:
        async with db.transaction(keeps_plans=True) as tx:
            while waiting and len(group) < GROUP_MEMBERS and (not group or time.monotonic() < ends_at):
                member = waiting.popleft()
                if member.done.cancelled():
                    continue
                group.append(member)
                await _run_part(tx, member, has_savepoint=has_savepoints)
                if tx.failure is not None:
                    # The transaction took too long, the connection was lost, or the failure can only be undone with the
                    # whole transaction. Earlier work is lost as well.
                    lost_with = member
                    break
    except Exception as failure:  # noqa: BLE001 - an edge: the callers concerned get it
        if lost_with is None:
            # Either the connection was lost, which affects all waiting work, or the commit failed, which also affects
            # work that was rejected because of what it had read.
            if not group:
                group.extend(waiting)
                waiting.clear()
            for member in group:
                member.failure = failure
    if lost_with is not None and len(group) > 1 and not isinstance(lost_with.failure, _OF_WHOLE_TRANSACTION):
        for member in group:
            member.failure = None
        raise _SavepointsNeeded
    again = [
        member
        for member in group
        if (lost_with is not None and member is not lost_with) or isinstance(member.failure, TransactionConflict)
    ]
    for member in group:
        if member not in again:
            _answer_caller(member)
    return again


async def _run_part(tx: SavepointTransaction, member: _Member, *, has_savepoint: bool) -> None:
    try:
        async with tx.part(has_savepoint=has_savepoint) as part:
            work = _run_marked(member.work, part)
            member.value = await asyncio.get_running_loop().create_task(work, context=member.context)
    except Exception as failure:  # noqa: BLE001 - an edge: the caller that brought the work gets it
        member.failure = failure


async def _run_alone(db: SavepointDatabase, member: _Member) -> None:
    member.failure = None
    try:
        async with db.transaction(keeps_plans=True) as tx:
            work = _run_marked(member.work, tx)
            member.value = await asyncio.get_running_loop().create_task(work, context=member.context)
    except Exception as failure:  # noqa: BLE001 - an edge: the caller that brought the work gets it
        member.failure = failure
    _answer_caller(member)


async def _run_marked(work: Work[T], tx: Transaction) -> T:
    """Run in the caller's context, marked as inside this transaction for the duration."""
    open_transaction = note_open_transaction()
    try:
        return await work(tx)
    finally:
        open_transaction.is_open = False


def _answer_caller(member: _Member) -> None:
    if member.done.done():  # the caller was cancelled
        return
    if member.failure is None:
        member.done.set_result(member.value)
    else:
        member.done.set_exception(member.failure)

"""``Database.batch``: work over a transaction that takes few hops between threads, or few commits.

Without a key it runs on the database thread, one hop for all its statements instead of one for each. Actions are async
functions over a ``Transaction``: a hundred of them are some thousand statements, whose hops would cost more than the
statements. Inside, each verb answers at once, so the coroutine never suspends and is driven to its end without an event loop.

With a key, work that waits for one row shares one row lock and one commit: several pieces run in arrival order in one
transaction. On PostgreSQL a piece that is refused before it wrote anything is left out. When one fails later, the batch is
run again, each piece in its own savepoint, so that only the failed one is undone. Callers are answered after the commit,
because each piece has read what earlier ones wrote. On SQLite the writer groups whatever waits (docs/decisions/0003).
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
    mark_open,
    require_none_open,
)

T = TypeVar("T")

# A batch ends when nothing waits, or at these limits: the first caller must not wait for a hundred others, other
# processes wait for the row, and PostgreSQL caches 64 savepoints of a transaction.
GROUP_MEMBERS = 48
GROUP_SECONDS = 0.1

# Failures that no savepoint could have isolated.
_OF_ALL = (TransactionTooLong, DatabaseUnavailable)


class _AtOnce:
    """A ``Transaction`` over a ``Writer``: nothing here suspends."""

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


async def at_once(db: Database, work: Work[T]) -> T:
    """``Database.batch`` without a key."""
    context = contextvars.copy_context()
    return await db.write(lambda writer: context.run(_drive, work(_AtOnce(writer, db.engine))))


def _drive(running: Coroutine[Any, Any, T]) -> T:
    # Functions that must not be called inside a transaction check the context.
    mark = mark_open()
    try:
        running.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        mark.is_open = False
        running.close()
    raise RuntimeError("only the transaction may be awaited in a batch")


class PartedTransaction(Transaction, Protocol):
    """A transaction that can undo a part of itself, as a batch needs it."""

    failure: BaseException | None

    def part(self, *, has_savepoint: bool = True) -> "AbstractAsyncContextManager[PartedTransaction]": ...


class PartedDatabase(Protocol):
    """A database whose transactions can undo a part of themselves, as a batch needs it."""

    def transaction(self, *, keeps_plans: bool = False) -> AbstractAsyncContextManager[PartedTransaction]: ...


@dataclass(slots=True, eq=False)
class _Member:
    """One piece of work, with its caller's context."""

    work: Work[Any]
    context: contextvars.Context
    done: "asyncio.Future[Any]"
    value: Any = None
    failure: BaseException | None = None


_lines: dict[tuple[int, str], deque[_Member]] = {}
_serving: set[asyncio.Task[None]] = set()


async def in_turn(db: PartedDatabase, row: str, work: Work[T]) -> T:
    """``Database.batch`` with a key: ``work`` runs after all earlier work with the same name of a ``row``."""
    require_none_open()
    member = _Member(work, contextvars.copy_context(), asyncio.get_running_loop().create_future())
    name = (id(db), row)
    if name in _lines:
        _lines[name].append(member)
    else:
        _lines[name] = deque([member])
        # In no caller's context: it works for all of them, and continues when the first is gone.
        task = asyncio.get_running_loop().create_task(_serve(db, name), context=contextvars.Context())
        _serving.add(task)
        task.add_done_callback(_serving.discard)
    value: T = await member.done
    return value


async def _serve(db: PartedDatabase, name: tuple[int, str]) -> None:
    """Run batches until no work waits."""
    line = _lines[name]
    group: list[_Member] = []
    has_savepoints = False
    try:
        while line:
            group = []
            try:
                again = await _together(db, line, group, has_savepoints=has_savepoints)
                has_savepoints = False
            except _Spoilt:
                line.extendleft(reversed(group))
                has_savepoints = True
                continue
            for member in again:
                await _alone(db, member)
    except BaseException:
        # The event loop is ending: no caller may be left waiting.
        for member in (*group, *line):
            member.done.cancel()
        raise
    finally:
        del _lines[name]


class _Spoilt(Exception):
    """A member failed after it had written, without a savepoint: nobody was answered, and all run again."""


async def _together(
    db: PartedDatabase, line: deque[_Member], group: list[_Member], *, has_savepoints: bool
) -> list[_Member]:
    """Run part of the queue in one transaction and answer the callers; returns those that must run again, alone."""
    ends_at = time.monotonic() + GROUP_SECONDS
    lost_with: _Member | None = None
    try:
        async with db.transaction(keeps_plans=True) as tx:
            while line and len(group) < GROUP_MEMBERS and (not group or time.monotonic() < ends_at):
                member = line.popleft()
                if member.done.cancelled():
                    continue
                group.append(member)
                await _part(tx, member, has_savepoint=has_savepoints)
                if tx.failure is not None:
                    # It took too long, the connection is gone, or it can only be undone with everything: earlier work
                    # is lost as well.
                    lost_with = member
                    break
    except Exception as failure:  # noqa: BLE001 - an edge: it is handed to the callers that it concerns
        if lost_with is None:
            # There is no connection, which concerns everything that waits; or no commit, which also concerns work that
            # was refused because of what it had read.
            if not group:
                group.extend(line)
                line.clear()
            for member in group:
                member.failure = failure
    if lost_with is not None and len(group) > 1 and not isinstance(lost_with.failure, _OF_ALL):
        for member in group:
            member.failure = None
        raise _Spoilt
    again = [
        member
        for member in group
        if (lost_with is not None and member is not lost_with) or isinstance(member.failure, TransactionConflict)
    ]
    for member in group:
        if member not in again:
            _tell(member)
    return again


async def _part(tx: PartedTransaction, member: _Member, *, has_savepoint: bool) -> None:
    try:
        async with tx.part(has_savepoint=has_savepoint) as part:
            work = _marked(member.work, part)
            member.value = await asyncio.get_running_loop().create_task(work, context=member.context)
    except Exception as failure:  # noqa: BLE001 - an edge: the caller that brought the work gets it
        member.failure = failure


async def _alone(db: PartedDatabase, member: _Member) -> None:
    member.failure = None
    try:
        async with db.transaction(keeps_plans=True) as tx:
            work = _marked(member.work, tx)
            member.value = await asyncio.get_running_loop().create_task(work, context=member.context)
    except Exception as failure:  # noqa: BLE001 - an edge: the caller that brought the work gets it
        member.failure = failure
    _tell(member)


async def _marked(work: Work[T], tx: Transaction) -> T:
    """Run in the caller's context, marked as inside this transaction while it lasts."""
    mark = mark_open()
    try:
        return await work(tx)
    finally:
        mark.is_open = False


def _tell(member: _Member) -> None:
    if member.done.done():  # the caller was cancelled
        return
    if member.failure is None:
        member.done.set_result(member.value)
    else:
        member.done.set_exception(member.failure)

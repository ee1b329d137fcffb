"""Run an interactive transaction's work on the database thread: one hop for all its statements instead of one for each.

For batches: actions are async functions over a ``Transaction``. A hundred of them are some thousand statements, whose
hops between threads would cost more than the statements. Inside, each verb answers at once, so the coroutine never
suspends and is driven to its end without an event loop.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import copy_context
from typing import Any, TypeVar

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Engine, Row, Transaction, Writer, mark_open

T = TypeVar("T")


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


async def in_one_hop(db: Database, work: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T:
    """Run ``work`` and return its result after the commit is durable; an exception rolls back.

    ``work`` may await its transaction's verbs and nothing else (RuntimeError), and may be called again, as with
    ``Database.write``. It runs on another thread, in a copy of the caller's context (the request id in log lines). It
    may touch nothing shared besides the transaction.
    """
    if db.is_one_transaction:
        async with db.transaction() as tx:
            return await work(tx)
    context = copy_context()
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
    raise RuntimeError("only the transaction may be awaited in one hop")

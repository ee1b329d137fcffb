"""Run two transactions concurrently: one pauses before one of its statements, or before its commit, until the other has
finished or waits.

On PostgreSQL they use two connections that see and wait for each other; a third one sees whether they wait. On SQLite
the first one to begin holds the write lock.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from groundwork.database.transaction import Database, Transaction, TransactionConflict
from tests.openmeet.statement_counter import StatementCounter

# In seconds, between two looks at the locks. On SQLite, the other transaction is given one such moment.
MOMENT = 0.02
# Each process of the test suite has its own database.
_WAITS = """
    select 1 as waits from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
"""

Work = Callable[[Transaction], Awaitable[object]]
# Opens its own transactions, one or several.
Action = Callable[[Database], Awaitable[object]]


class Gate:
    """Pause the caller that passes the gate for the ``at``-th time, once, until the gate is opened."""

    def __init__(self, at: int) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()
        self._at, self._passed = at, 0

    async def passing(self) -> None:
        self._passed += 1
        if self._passed == self._at:
            self.reached.set()
            await self.opened.wait()


class Gated(StatementCounter):
    """A transaction that passes a gate before each statement."""

    def __init__(self, tx: Transaction, gate: Gate) -> None:
        super().__init__(tx)
        self._gate = gate

    async def asked(self) -> None:
        await self._gate.passing()


class GatedDatabase:
    """A database whose transactions pass a gate before each statement and before the commit."""

    def __init__(self, db: Database, gate: Gate) -> None:
        self._db, self._gate = db, gate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._db.transaction() as tx:
            yield Gated(tx, self._gate)
            await self._gate.passing()


async def run(db: Database, work: Work) -> None:
    """Run ``work`` as ``batch`` does: retry after a conflict with a concurrent transaction."""
    for _ in range(5):
        with suppress(TransactionConflict):
            async with db.transaction() as tx:
                await work(tx)
            return
    raise AssertionError("it lost again and again")


def noting(work: Work, lost: list[str]) -> Work:
    """The same work, which notes why it lost against a concurrent transaction."""

    async def noted(tx: Transaction) -> None:
        try:
            await work(tx)
        except TransactionConflict as conflict:
            lost.append(str(conflict.why))
            raise

    return noted


async def run_interleaved(db: Database, first: Work, second: Work, at: int) -> bool:
    """Stop ``first`` before its ``at``-th statement until ``second`` has finished or is waiting. The commit counts as a
    statement. Return False if ``first`` has fewer statements.
    """
    return await run_actions_interleaved(db, lambda db: run(db, first), lambda db: run(db, second), at)


async def run_actions_interleaved(
    db: Database, first: Action, second: Action, at: int, *, waits_without_lock: bool = False
) -> bool:
    """``run_interleaved`` for two actions. The statements of all transactions of ``first`` are counted.

    ``waits_without_lock``: nobody sees whether ``second`` waits, so it is given three moments.
    """
    gate = Gate(at)
    running = asyncio.create_task(_started(first(cast("Database", GatedDatabase(db, gate)))))
    reached = asyncio.create_task(gate.reached.wait())
    await asyncio.wait({running, reached}, return_when=asyncio.FIRST_COMPLETED)
    reached.cancel()
    other = asyncio.create_task(_started(second(db)))
    if gate.reached.is_set():
        if waits_without_lock:
            await asyncio.wait({other}, timeout=3 * MOMENT)
        else:
            await finished_or_waiting(db, other)
    gate.opened.set()
    await asyncio.gather(running, other)
    return gate.reached.is_set()


async def _started(act: Awaitable[object]) -> None:
    await act


async def finished_or_waiting(db: Database, other: asyncio.Task[Any]) -> None:
    """Return when the other transaction has finished or waits for a lock."""
    while not other.done():
        await asyncio.wait({other}, timeout=MOMENT)
        async with db.reader() as reader:
            if reader.engine == "sqlite" or await reader.fetch(_WAITS):
                return

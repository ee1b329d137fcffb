"""Run two transactions concurrently: one pauses before one of its statements until the other has finished or waits.

On PostgreSQL they use two connections that see and wait for each other. On SQLite the first one to begin holds the
write lock.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from groundwork.database.transaction import Database, Transaction, TransactionConflict
from tests.openmeet.statement_counter import StatementCounter

# In seconds. Long enough for a transaction that waits for no lock, and short compared to the limit of two seconds for a
# transaction.
MOMENT = 0.15

Work = Callable[[Transaction], Awaitable[object]]


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


async def run(db: Database, work: Work, gate: Gate | None = None) -> None:
    """Run ``work`` as ``batch`` does: retry after a conflict with a concurrent transaction."""
    for _ in range(5):
        with suppress(TransactionConflict):
            async with db.transaction() as tx:
                await work(tx if gate is None else Gated(tx, gate))
            return
    raise AssertionError("it lost again and again")


async def run_interleaved(db: Database, first: Work, second: Work, at: int) -> bool:
    """Stop ``first`` before its ``at``-th statement until ``second`` has finished or is waiting. Return False if
    ``first`` has fewer statements.
    """
    gate = Gate(at)
    running = asyncio.create_task(run(db, first, gate))
    reached = asyncio.create_task(gate.reached.wait())
    await asyncio.wait({running, reached}, return_when=asyncio.FIRST_COMPLETED)
    reached.cancel()
    other = asyncio.create_task(run(db, second))
    if gate.reached.is_set():
        await asyncio.wait({other}, timeout=MOMENT)
    gate.opened.set()
    await asyncio.gather(running, other)
    return gate.reached.is_set()

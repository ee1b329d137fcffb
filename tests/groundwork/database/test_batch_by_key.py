"""Work that waits for one row, on both engines. ``test_batch_by_key_failing`` covers the failures of PostgreSQL's
groups.
"""

import asyncio

import pytest
from tests.groundwork.database.visits import INSERT, db, kept, visit

from groundwork.database import batch, sqlite_writer
from groundwork.database.transaction import Transaction, UniqueViolated

__all__ = ["db"]


async def test_work_runs_in_the_order_of_arrival(db):
    said = await asyncio.gather(*(db.batch(visit(number), key="hall") for number in range(120)))
    assert said == list(range(1, 121))
    assert await kept(db) == (list(range(120)), 120)


async def test_failure_is_undone_alone(db):
    """A failure is undone alone. A refusal, a failing statement and an ignored failure do not affect the other members,
    and leave no row.
    """

    async def refused(tx: Transaction) -> None:
        await visit(100)(tx)
        raise LookupError("not today")

    async def violates(tx: Transaction) -> None:
        await visit(101)(tx)
        await tx.execute(INSERT, id=101, note="again")

    async def passes_over(tx: Transaction) -> None:
        await visit(102)(tx)
        with pytest.raises(UniqueViolated):
            await tx.execute(INSERT, id=102, note="again")

    works = [visit(0), refused, visit(1), violates, visit(2), passes_over, visit(3)]
    said = await asyncio.gather(*(db.batch(work, key="hall") for work in works), return_exceptions=True)
    assert [said[at] for at in (0, 2, 4, 6)] == [1, 2, 3, 4]
    assert [type(said[at]) for at in (1, 3, 5)] == [LookupError, UniqueViolated, UniqueViolated]
    assert await kept(db) == ([0, 1, 2, 3], 4)


async def test_after_commit_runs_only_for_committed_work(db, monkeypatch):
    # All of them form one group, even on a slow machine.
    for module in (batch, sqlite_writer):
        monkeypatch.setattr(module, "GROUP_SECONDS", 60.0)
    told: list[int] = []

    def telling(number: int):
        async def work(tx: Transaction) -> None:
            tx.after_commit(lambda: told.append(number))
            assert not told
            if number % 2:
                raise LookupError

        return work

    tasks = [asyncio.create_task(db.batch(telling(number), key="hall")) for number in range(6)]
    # SQLite's writer runs this transaction until all of them wait; otherwise it would commit the first one alone.
    async with db.transaction() as tx:
        await tx.fetch("select 1 as one")
    await asyncio.gather(*tasks, return_exceptions=True)
    assert told == [0, 2, 4]

"""Groups of work that share a PostgreSQL transaction: each member fails alone and does not affect the others."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest
from tests.groundwork.database.visits import INSERT, db, kept, visit
from tests.postgres_locks import is_waited_for

from groundwork.database.open_transactions import transaction_is_open
from groundwork.database.row_lock import lock_row
from groundwork.database.transaction import DatabaseUnavailable, Engine, Transaction, TransactionTooLong

__all__ = ["db"]

who: ContextVar[str] = ContextVar("who", default="nobody")


@pytest.fixture
def engine() -> Engine:
    """PostgreSQL only."""
    return "postgresql"


async def test_work_runs_in_the_context_of_its_caller(db):
    """Work runs in the context of its caller and inside an open transaction; neither leaks to others."""

    async def work(_tx: Transaction) -> tuple[str, bool]:
        return who.get(), transaction_is_open()

    async def bring(name: str) -> tuple[tuple[str, bool], bool]:
        who.set(name)
        return await db.batch(work, key="hall"), transaction_is_open()

    names = [f"person {number}" for number in range(5)]
    assert await asyncio.gather(*map(bring, names)) == [((name, True), False) for name in names]


async def test_waiting_members_share_a_transaction(db):
    async def work(tx: Transaction) -> int:
        row = await tx.fetch_one("select cast(txid_current() as bigint) as number")
        return int(row["number"]) if row else 0

    numbers = await asyncio.gather(*(db.batch(work, key="hall") for _ in range(30)))
    assert len(set(numbers)) < 30


async def test_row_is_locked_once_and_again_after_a_rollback(db):
    """The row is locked once, and again after a part was undone, because rolling back to a savepoint releases its
    locks.
    """

    async def fails(tx: Transaction) -> None:
        await lock_row(tx, "places", "name", "hall")
        raise LookupError

    async def holds(tx: Transaction) -> bool:
        had = ("places", "name", "hall") in tx.locked_rows  # type: ignore[attr-defined]
        await lock_row(tx, "places", "name", "hall")
        return had

    said = await asyncio.gather(
        *(db.batch(work, key="hall") for work in (fails, holds, holds, fails, holds)), return_exceptions=True
    )
    assert [one for one in said if isinstance(one, bool)] == [False, True, True]


async def test_early_refusal_is_skipped_and_late_failure_repeats_all(db):
    """A member refused before it writes is left out. If one fails later, all are repeated once with a savepoint each
    and committed once; a member that fails alone is not repeated.
    """
    runs: list[str] = []

    def noting(name: str, number: int, *, writes: bool, fails: bool):
        async def work(tx: Transaction) -> int:
            runs.append(name)
            await tx.fetch("select taken from places where name = 'hall' for no key update")
            if writes:
                await visit(number)(tx)
            if fails:
                raise LookupError(name)
            return number

        return work

    async def in_turns(*works: Callable[[Transaction], Coroutine[Any, Any, int]]) -> list[Any]:
        runs.clear()
        return await asyncio.gather(*(db.batch(work, key="hall") for work in works), return_exceptions=True)

    said = await in_turns(
        noting("a", 1, writes=True, fails=False),
        noting("b", 2, writes=False, fails=True),
        noting("c", 3, writes=True, fails=False),
    )
    assert (said[0], type(said[1]), said[2], runs) == (1, LookupError, 3, ["a", "b", "c"])
    said = await in_turns(
        noting("d", 4, writes=True, fails=False),
        noting("e", 5, writes=True, fails=True),
        noting("f", 6, writes=True, fails=False),
    )
    assert (said[0], type(said[1]), said[2], runs) == (4, LookupError, 6, ["d", "e", "d", "e", "f"])
    (said,) = await in_turns(noting("g", 7, writes=True, fails=True))
    assert (type(said), runs) == (LookupError, ["g"])
    assert await kept(db) == ([1, 3, 4, 6], 4)


async def test_held_row_makes_others_wait(db):
    """While a row is held, another transaction waits until the first has ended and then sees its result."""
    order: list[str] = []

    is_held = asyncio.Event()

    async def second() -> int:
        await is_held.wait()
        async with db.transaction() as tx:
            await lock_row(tx, "places", "name", "hall")
            order.append("second")
            row = await tx.fetch_one("select taken from places where name = 'hall'")
        return int(row["taken"]) if row else 0

    waiting = asyncio.create_task(second())
    async with db.transaction() as tx:
        await lock_row(tx, "places", "name", "hall")
        is_held.set()
        await is_waited_for(tx)
        await tx.execute("update places set taken = 7 where name = 'hall'")
        order.append("first")
    assert (await waiting, order) == (7, ["first", "second"])


async def test_slow_member_does_not_affect_the_others(make_database):
    """When a member takes too long and the transaction is lost, the other members are run again."""
    db = await make_database(transaction_seconds=1.0)
    async with db.transaction() as tx:
        await tx.execute("create table visits (id bigint primary key, note text not null)")

    def note(number: int):
        async def work(tx: Transaction) -> int:
            return await tx.execute(INSERT, id=number, note="")

        return work

    async def sleeps(tx: Transaction) -> None:
        await tx.execute(INSERT, id=100, note="")
        await tx.fetch("select pg_sleep(60)")

    works = [note(0), note(1), sleeps, note(2)]
    said = await asyncio.gather(*(db.batch(work, key="hall") for work in works), return_exceptions=True)
    async with db.reader() as reader:
        rows = await reader.fetch("select id from visits order by id")
    assert [row["id"] for row in rows] == [0, 1, 2]
    assert [type(one) for one in said] == [int, int, TransactionTooLong, int]


async def test_lost_connection_does_not_affect_other_members(db):
    async def kills(tx: Transaction) -> None:
        await visit(100)(tx)
        await tx.fetch("select pg_terminate_backend(pg_backend_pid())")

    works = [visit(0), visit(1), kills, visit(2)]
    said = await asyncio.gather(*(db.batch(work, key="hall") for work in works), return_exceptions=True)
    assert isinstance(said[2], DatabaseUnavailable)
    assert sorted([said[0], said[1], said[3]]) == [1, 2, 3]
    assert await kept(db) == ([0, 1, 2], 3)


async def test_loser_of_a_deadlock_is_run_again(db):
    """The loser of a deadlock is run again without the rest of the group noticing."""
    runs: list[int] = []
    other_has_roof, part_has_hall, other_is_done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def crosses(tx: Transaction) -> None:
        runs.append(1)
        await tx.execute("set local deadlock_timeout = '20ms'")
        if len(runs) > 1:
            # PostgreSQL gives the freed row to the first request, not to the one that waited longest. Without this wait
            # they might deadlock again.
            await other_is_done.wait()
        await tx.execute("update places set taken = taken + 1 where name = 'hall'")
        if len(runs) == 1:
            part_has_hall.set()
            await other_has_roof.wait()
            # PostgreSQL looks for a deadlock once, this long after a wait begins, so we must close the cycle.
            await is_waited_for(tx)
        await tx.execute("update places set taken = taken + 1 where name = 'roof'")
        await tx.execute(INSERT, id=50, note="")

    async def other() -> None:
        async with db.transaction() as tx:
            await tx.execute("set local deadlock_timeout = '1h'")
            await tx.execute("update places set taken = taken + 1 where name = 'roof'")
            other_has_roof.set()
            await part_has_hall.wait()
            await tx.execute("update places set taken = taken + 1 where name = 'hall'")
        other_is_done.set()

    async def note(tx: Transaction) -> int:
        return await tx.execute(INSERT, id=51, note="")

    await asyncio.gather(other(), db.batch(crosses, key="hall"), db.batch(note, key="hall"))
    assert (await kept(db), len(runs)) == (([50, 51], 2), 2)


async def test_member_cancelled_before_its_turn_is_left_out(db):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Transaction) -> int:
        begun.set()
        await go_on.wait()
        return await visit(0)(tx)

    first = asyncio.create_task(db.batch(slow, key="hall"))
    await begun.wait()
    gone = asyncio.create_task(db.batch(visit(1), key="hall"))
    last = asyncio.create_task(db.batch(visit(2), key="hall"))
    await asyncio.sleep(0)
    gone.cancel()
    go_on.set()
    assert [await first, await last] == [1, 2]
    assert gone.cancelled()
    assert await kept(db) == ([0, 2], 2)


async def test_unreachable_database_is_reported_to_every_caller(db):
    await db.close()
    said = await asyncio.gather(*(db.batch(visit(number), key="hall") for number in range(3)), return_exceptions=True)
    assert [type(one) for one in said] == [DatabaseUnavailable] * 3

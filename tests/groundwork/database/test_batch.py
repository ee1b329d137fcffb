"""Asynchronous work done in one batch, on both engines."""

import asyncio
from contextvars import ContextVar

import pytest
from tests.databases import MakeDatabase

from groundwork.database.open_transactions import transaction_is_open
from groundwork.database.transaction import Database, Transaction, UniqueViolated

INSERT = "insert into places (id, name) values (:id, :name)"


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    database = await make_database()
    async with database.transaction() as tx:
        await tx.execute("create table places (id bigint primary key, name text not null)")
    return database


async def count(db: Database) -> int:
    async with db.reader() as reader:
        row = await reader.fetch_one("select count(*) as n from places")
    assert row is not None
    return int(row["n"])


async def test_batch_has_the_methods_of_an_interactive_transaction(db):
    told: list[str] = []

    async def work(tx: Transaction) -> tuple[int, list[str], bool]:
        touched = await tx.execute(INSERT, id=1, name="hall")
        await tx.execute_many(INSERT, [{"id": 2, "name": "garden"}, {"id": 3, "name": "roof"}])
        tx.after_commit(lambda: told.append("durable"))
        rows = await tx.fetch("select name from places order by id")
        one = await tx.fetch_one("select name from places where id = :id", id=9)
        assert not told
        return touched, [row["name"] for row in rows], one is None and tx.now > 0

    assert await db.batch(work) == (1, ["hall", "garden", "roof"], True)
    assert (await count(db), told) == (3, ["durable"])


async def test_work_runs_in_the_callers_context(db):
    """Work runs in the caller's context, so that the request id is in the log. Context variables that the work sets are
    not visible to others.
    """
    request: ContextVar[str] = ContextVar("request", default="")

    async def work(tx: Transaction) -> str:
        await tx.execute(INSERT, id=1, name="hall")
        asked = request.get()
        request.set("of the work alone")
        return asked

    request.set("9f2c41d07b3e-17")
    assert await db.batch(work) == "9f2c41d07b3e-17"
    assert request.get() == "9f2c41d07b3e-17"
    assert not transaction_is_open()


async def test_exception_rolls_back(db):
    async def work(tx: Transaction) -> None:
        await tx.execute(INSERT, id=1, name="hall")
        raise LookupError("nobody there")

    with pytest.raises(LookupError, match="nobody there"):
        await db.batch(work)
    assert await count(db) == 0


async def test_caught_statement_error_fails_the_batch(db):
    async def work(tx: Transaction) -> None:
        await tx.execute(INSERT, id=1, name="hall")
        with pytest.raises(UniqueViolated):
            await tx.execute(INSERT, id=1, name="hall again")

    with pytest.raises(UniqueViolated):
        await db.batch(work)
    assert await count(db) == 0


async def test_nothing_else_may_be_awaited(db):
    """Awaiting anything else, a pause or a second transaction, is refused, and earlier writes are rolled back."""

    async def pause(tx: Transaction) -> None:
        await tx.execute(INSERT, id=1, name="hall")
        await asyncio.sleep(0)

    async def second(tx: Transaction) -> None:
        await tx.execute(INSERT, id=2, name="garden")
        async with db.transaction() as other:
            await other.execute(INSERT, id=3, name="roof")

    for work in (pause, second):
        with pytest.raises(RuntimeError, match="only the"):
            await db.batch(work)
    assert await count(db) == 0


async def test_transaction_is_open_inside_and_not_afterwards(db):
    """A transaction is open only inside, where the HTTP client refuses to be called."""

    async def work(_: Transaction) -> bool:
        return transaction_is_open()

    assert await db.batch(work)
    assert not transaction_is_open()
    assert not await db.write(lambda _: False)


async def test_concurrent_batches_are_all_stored(db):
    async def put(number: int) -> None:
        async def work(tx: Transaction) -> None:
            await tx.execute(INSERT, id=number, name=f"n{number}")

        await db.batch(work)

    await asyncio.gather(*map(put, range(40)))
    assert await count(db) == 40

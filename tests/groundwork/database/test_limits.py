"""The two-second limit, the age of a snapshot, and cancelled callers, on both engines."""

import asyncio
import contextvars
import time

import pytest
from tests.databases import MakeDatabase, patiently

from groundwork.database.transaction import Database, ReadTooLong, TransactionTooLong, Writer

# Runs for minutes on both engines without touching a table.
ENDLESS = """
with recursive n (i) as (select cast(1 as bigint) union all select i + 1 from n where i < 1000000000)
select count(*) from n
"""


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    database = await make_database(transaction_seconds=0.015, reader_seconds=0.015)

    async def create() -> None:
        async with database.transaction() as tx:
            await tx.execute("create table t (a bigint primary key)")
            await tx.execute("insert into t (a) values (0)")

    await patiently(create)
    return database


def insert(number: int):
    def work(writer: Writer) -> None:
        writer.execute("insert into t (a) values (:a)", a=number)

    return work


async def rows(db: Database) -> list[int]:
    async def read() -> list[int]:
        async with db.reader() as reader:
            return [row["a"] for row in await reader.fetch("select a from t where a > 0 order by a")]

    return await patiently(read)


async def test_slow_transaction_is_rolled_back_and_the_next_continues(db):
    """A transaction that takes too long is rolled back. The next one wants the locked row, and gets it while the first
    is still running.
    """
    has_row = asyncio.Event()

    async def impatient() -> int:
        await has_row.wait()
        # On PostgreSQL the wait for a row counts as open time, so the first attempt may be too long.
        return await patiently(lambda: db.write(lambda writer: writer.execute("update t set a = 100 where a = 0")))

    async def dawdle() -> None:
        async with db.transaction() as tx:
            try:
                await tx.execute("update t set a = 1 where a = 0")
            finally:
                # A busy machine may be too slow even for this, and the next one would wait for ever.
                has_row.set()
            await next_one  # this must not be done: it waits for us
            with pytest.raises(TransactionTooLong):
                await tx.execute("insert into t (a) values (2)")

    next_one = asyncio.create_task(impatient())
    with pytest.raises(TransactionTooLong):
        await dawdle()
    # If even the beginning took too long, nobody has started it or waited for it yet.
    has_row.set()
    await next_one
    assert await rows(db) == [100]


async def test_a_transaction_whose_statement_is_endless_is_rolled_back(db):
    async def run() -> None:
        async with db.transaction() as tx:
            await tx.execute("insert into t (a) values (1)")
            await tx.fetch(ENDLESS)

    with pytest.raises(TransactionTooLong):
        await run()
    await patiently(lambda: db.write(insert(2)))
    assert await rows(db) == [2]


async def test_a_transaction_that_was_given_up_before_its_block_began_says_so(make_sqlite: MakeDatabase):
    """A transaction that was given up before its block began reports so. The loop is blocked for longer than the limit
    just as the writer opens the transaction.
    """
    db = await make_sqlite(transaction_seconds=0.02)

    async def use() -> None:
        async with db.transaction() as tx:
            await tx.fetch("select 1")

    using = asyncio.create_task(use())
    await asyncio.sleep(0)
    time.sleep(0.5)  # noqa: ASYNC251 - meant: the loop hears of the opening and of the end at once
    with pytest.raises(TransactionTooLong):
        await asyncio.wait_for(using, 10)


async def test_a_plain_function_has_the_same_limit(db):
    with pytest.raises(TransactionTooLong):
        await db.write(lambda writer: writer.fetch(ENDLESS))
    await patiently(lambda: db.write(insert(2)))
    assert await rows(db) == [2]


async def test_a_reader_that_reads_too_long_is_closed(db):
    with pytest.raises(ReadTooLong):
        async with db.reader() as reader:
            await reader.fetch(ENDLESS)
    assert await rows(db) == []


async def test_a_reader_that_holds_its_snapshot_too_long_is_closed(db):
    async def hold() -> None:
        async with db.reader() as reader:
            while True:
                await reader.fetch("select a from t")

    with pytest.raises(ReadTooLong):
        await hold()
    assert await rows(db) == []


async def test_cancelled_while_waiting_for_its_turn(make_database):
    """A caller cancelled while waiting changes nothing, and the callers behind it are served."""
    db = await make_database()
    await db.write(lambda writer: writer.execute("create table t (a bigint primary key)"))

    async def late() -> None:
        async with db.transaction() as tx:
            await tx.execute("insert into t (a) values (1)")

    async with db.transaction():
        # Separate tasks, which do not see the open transaction of this one.
        elsewhere = contextvars.Context()
        tasks = [asyncio.create_task(each, context=elsewhere) for each in (late(), db.write(insert(2)))]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 2
    await db.write(insert(3))
    assert await rows(db) == [3]


async def test_cancelled_inside_a_statement(db):
    """If the caller is cancelled during a statement, the transaction is rolled back, whether or not the statement ran."""
    inside = asyncio.Event()

    async def run() -> None:
        async with db.transaction() as tx:
            try:
                await tx.execute("insert into t (a) values (1)")
            finally:
                inside.set()
            await tx.fetch(ENDLESS)

    task = asyncio.create_task(run())
    await inside.wait()
    await asyncio.sleep(0)
    task.cancel()
    # On a busy machine the limit may come before the cancellation.
    with pytest.raises((asyncio.CancelledError, TransactionTooLong)):
        await task
    await patiently(lambda: db.write(insert(2)))
    assert await rows(db) == [2]


async def test_a_timeout_swallowed_inside_the_block_still_rolls_back(db):
    async def run() -> None:
        async with db.transaction() as tx:
            await tx.execute("insert into t (a) values (1)")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await tx.fetch(ENDLESS)

    with pytest.raises((RuntimeError, TransactionTooLong)):
        await run()
    assert await rows(db) == []


async def test_cancelled_caller_does_not_cancel_a_commit(make_database):
    db = await make_database()
    await db.write(lambda writer: writer.execute("create table t (a bigint primary key)"))
    durable = asyncio.Event()

    async def run() -> None:
        async with db.transaction() as tx:
            await tx.execute("insert into t (a) values (1)")
            tx.after_commit(durable.set)
            # Arrives after the block was left, during the commit.
            asyncio.get_running_loop().call_soon(task.cancel)

    task = asyncio.create_task(run())
    with pytest.raises(asyncio.CancelledError):
        await task
    await durable.wait()
    assert await rows(db) == [1]


async def test_closing_waits_for_commits_that_have_begun(make_database):
    db = await make_database()
    await db.write(lambda writer: writer.execute("create table t (a bigint primary key)"))
    said: list[int] = []

    def work(number: int):
        def inner(writer: Writer) -> None:
            insert(number)(writer)
            writer.after_commit(lambda: said.append(number))

        return inner

    tasks = [asyncio.create_task(db.write(work(n))) for n in range(5)]
    await asyncio.gather(*tasks)
    await db.close()
    assert sorted(said) == [0, 1, 2, 3, 4]

"""Failures that only PostgreSQL has: schemas, deadlocks, lost connections."""

import asyncio

import asyncpg
import pytest
from tests.databases import MakeDatabase
from tests.timeouts import TIMEOUT_SECONDS

from groundwork.clock import HandClock
from groundwork.database.open_ import open_database
from groundwork.database.transaction import DatabaseUnavailable, Engine, TransactionConflict, Writer


@pytest.fixture
def engine() -> Engine:
    """PostgreSQL only."""
    return "postgresql"


TABLE = "create table t (a bigint primary key, b bigint not null)"


async def test_one_tenant_does_not_see_another(make_database: MakeDatabase):
    """The same statements through pools of one server each find their own tenant's schema (invariant 5)."""
    here, there = await make_database(), await make_database()
    for number, db in enumerate((here, there)):
        await db.write(lambda writer: writer.execute(TABLE))
        await db.write(lambda writer, n=number: writer.execute("insert into t (a, b) values (:n, 0)", n=n))
    for number, db in enumerate((here, there)):
        async with db.reader() as reader:
            assert [row["a"] for row in await reader.fetch("select a from t")] == [number]


async def test_outside_a_transaction_no_schema_is_found(make_database):
    """Outside a transaction no schema is found, not even ``public``, because the connection's own search path is empty."""
    db = await make_database()
    await db.write(lambda writer: writer.execute(TABLE))
    async with db._pool.acquire() as connection:
        assert await connection.fetchval("show search_path") in {"", '""'}
        with pytest.raises(asyncpg.UndefinedTableError):
            await connection.fetch("select a from t")


async def test_the_schema_holds_for_its_transaction_only(make_database):
    """The schema is set for its transaction only, although one connection serves many."""
    db = await make_database()
    await db.write(lambda writer: writer.execute(TABLE))

    async def stray() -> None:
        async with db.transaction() as tx:
            await tx.execute("set local search_path to pg_catalog")
            raise LookupError

    with pytest.raises(LookupError):
        await stray()
    async with db.reader() as reader:
        assert await reader.fetch("select a from t") == []


@pytest.mark.parametrize("schema", ['x"; drop schema public; --', "Upper", "1st", "a-b", "é", "x" * 64])
async def test_unsafe_schema_name_is_refused(schema, postgres_url, clock: HandClock):
    with pytest.raises(ValueError, match="lower-case"):
        await open_database(postgres_url, schema=schema, clock=clock)


def crosswise(first: int, second: int, locked: set[int], runs: list[int]):
    """Lock two rows in the given order; the second is requested once the other side has locked it."""

    def work(writer: Writer) -> None:
        runs.append(first)
        writer.execute("set local deadlock_timeout = '20ms'")
        writer.execute("update t set b = b + 1 where a = :a", a=first)
        locked.add(first)
        while second not in locked:
            writer.fetch("select 1")  # the other side continues meanwhile
        writer.execute("update t set b = b + 1 where a = :a", a=second)

    return work


async def test_a_write_that_lost_a_deadlock_is_run_again(make_database):
    db = await make_database()
    await db.write(lambda writer: writer.execute(TABLE))
    await db.write(lambda writer: writer.execute("insert into t (a, b) values (1, 0), (2, 0)"))
    runs: list[int] = []
    locked: set[int] = set()
    await asyncio.gather(db.write(crosswise(1, 2, locked, runs)), db.write(crosswise(2, 1, locked, runs)))
    assert len(runs) > 2
    async with db.reader() as reader:
        assert [row["b"] for row in await reader.fetch("select b from t order by a")] == [2, 2]


async def test_deadlock_in_a_transaction_is_reported(make_database):
    db = await make_database()
    await db.write(lambda writer: writer.execute(TABLE))
    await db.write(lambda writer: writer.execute("insert into t (a, b) values (1, 0), (2, 0)"))
    both_locked = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with db.transaction() as tx:
            await tx.execute("set local deadlock_timeout = '20ms'")
            await tx.execute("update t set b = b + 1 where a = :a", a=first)
            await both_locked.wait()
            await tx.execute("update t set b = b + 1 where a = :a", a=second)

    results = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["NoneType", TransactionConflict.__name__]


async def test_a_lost_connection_is_replaced(make_database):
    db = await make_database()
    await db.write(lambda writer: writer.execute(TABLE))

    async def suicide() -> None:
        async with db.transaction() as tx:
            await tx.execute("insert into t (a, b) values (1, 1)")
            await tx.execute("select pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(DatabaseUnavailable):
        await suicide()
    async with db.reader() as reader:
        assert await reader.fetch("select a from t") == []


async def test_connections_closed_by_the_server_are_not_reused(make_database, postgres_url: str):
    """Connections that the server closed are not reused, for example after it restarted."""
    db = await make_database()
    await db.write(lambda writer: writer.execute(TABLE))
    all_open = asyncio.Barrier(3)

    async def own_connection() -> int:
        async with db.transaction() as tx:
            row = await tx.fetch_one("select pg_backend_pid() as pid")
            await all_open.wait()
        assert row is not None
        return int(row["pid"])

    pids = await asyncio.gather(*(own_connection() for _ in range(3)))
    assert len(set(pids)) == 3
    server = await asyncpg.connect(postgres_url)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while await server.fetch(  # noqa: ASYNC110 - a server that tells nobody
                "select pg_terminate_backend(pid) from pg_stat_activity where pid = any($1::int[])", pids
            ):
                await asyncio.sleep(0.01)
    finally:
        await server.close()
    for _ in range(3):
        await db.write(lambda writer: writer.execute("update t set b = 1"))


@pytest.mark.usefixtures("new_connections")
async def test_transaction_begun_during_a_disconnect_gets_that_error(postgres_url: str, clock: HandClock):
    """A transaction that begins while the database is cut off gets that error, not the one about the pool that was
    closed.
    """
    db = await open_database(postgres_url, schema="public", clock=clock)
    db._begin_read = "begin; select pg_sleep(60)"  # type: ignore[attr-defined]  # what it is besides its contract

    async def read() -> None:
        async with db.reader():
            pytest.fail("the transaction has not begun")

    reading = asyncio.create_task(read())
    while db._pool.get_idle_size():  # type: ignore[attr-defined]  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)
    db._pool.terminate()  # type: ignore[attr-defined]  # what it is besides its contract
    with pytest.raises(DatabaseUnavailable):
        await reading


async def test_unreachable_server_is_reported(clock: HandClock):
    with pytest.raises(DatabaseUnavailable):
        await open_database("postgresql://postgres@127.0.0.1:1/none", schema="x", clock=clock)


async def test_more_callers_than_connections_take_turns(make_database):
    db = await make_database()
    await db.write(lambda writer: writer.execute(TABLE))
    await db.write(lambda writer: writer.execute("insert into t (a, b) values (1, 0)"))
    await asyncio.gather(*(db.write(lambda w: w.execute("update t set b = b + 1 where a = 1")) for _ in range(100)))
    async with db.reader() as reader:
        row = await reader.fetch_one("select b from t")
    assert row is not None
    assert row["b"] == 100


async def test_writer_is_usable_only_inside_its_function(make_database):
    db = await make_database()
    kept: list[Writer] = []
    await db.write(kept.append)
    with pytest.raises(RuntimeError):
        kept[0].fetch("select 1")


async def test_a_reader_reuses_generic_plans_on_request(make_database: MakeDatabase):
    """Only until it ends, although one connection serves many."""
    db = await make_database()
    found = []
    for keeps_plans in (False, True, False):
        async with db.reader(keeps_plans=keeps_plans) as reader:
            (row,) = await reader.fetch("select current_setting('plan_cache_mode') as mode")
            found.append(row["mode"])
    assert found == ["auto", "force_generic_plan", "auto"]

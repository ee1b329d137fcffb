"""Plain functions that read in one thread call, on both engines."""

import asyncio

import pytest
from tests.databases import MakeDatabase, patiently

from groundwork.database.transaction import Database, DatabaseUnavailable, PlainReader, ReadTooLong

ENDLESS = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n"


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    database = await make_database()
    async with database.transaction() as tx:
        await tx.execute("create table places (id bigint primary key, name text not null)")
        await tx.execute("insert into places (id, name) values (1, 'hall')")
    return database


def names(r: PlainReader) -> list[str]:
    return [row["name"] for row in r.fetch("select name from places order by id")]


async def test_short_read_sees_earlier_commits(db):
    assert await db.read(names) == ["hall"]
    await db.write(lambda w: w.execute("insert into places (id, name) values (2, 'garden')"))
    assert await db.read(names) == ["hall", "garden"]


async def test_result_and_exception_reach_the_caller(db):
    assert await db.read(lambda r: r.fetch_one("select name from places where id = :id", id=9)) is None
    with pytest.raises(ZeroDivisionError):
        await db.read(lambda _: 1 // 0)
    assert await db.read(names) == ["hall"]


async def test_stop_iteration_of_one_read_reaches_its_caller_and_not_the_others(db):
    nothing: list[int] = []
    results = await asyncio.gather(db.read(lambda _: next(iter(nothing))), db.read(names), return_exceptions=True)
    assert isinstance(results[0], RuntimeError)
    assert results[1] == ["hall"]


async def test_short_read_cannot_write(db):
    with pytest.raises(Exception, match=r"(?i)read-?only"):
        await db.read(lambda r: r.fetch("insert into places (id, name) values (3, 'roof') returning id"))
    assert await db.read(names) == ["hall"]


async def test_both_statements_see_one_state(make_sqlite):
    """Both statements of one function see the same state: neither sees a commit between them. On PostgreSQL the
    snapshot is the reader's.
    """
    db = await make_sqlite()
    await db.write(lambda w: w.execute("create table places (id bigint primary key, name text not null)"))
    await db.write(lambda w: w.execute("insert into places (id, name) values (1, 'hall')"))
    loop = asyncio.get_running_loop()

    def write_meanwhile() -> None:
        writing = asyncio.run_coroutine_threadsafe(
            db.write(lambda w: w.execute("insert into places (id, name) values (4, 'cellar')")), loop
        )
        writing.result(timeout=20)

    def work(r: PlainReader) -> tuple[list[str], list[str]]:
        before = names(r)
        write_meanwhile()
        return before, names(r)

    assert await db.read(work) == (["hall"], ["hall"])
    assert await db.read(names) == ["hall", "cellar"]


async def test_concurrent_short_reads_get_their_own_results(db):
    answers = await asyncio.gather(*(db.read(lambda _, n=n: n) for n in range(200)))
    assert answers == list(range(200))


async def test_cancelled_read_delays_no_other(db):
    leaving = [asyncio.create_task(db.read(names)) for _ in range(50)]
    await asyncio.sleep(0)
    for task in leaving:
        task.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    assert await db.read(names) == ["hall"]


async def test_endless_read_is_stopped(make_database: MakeDatabase):
    database = await make_database(reader_seconds=0.015)
    with pytest.raises(ReadTooLong):
        await database.read(lambda r: r.fetch(ENDLESS))
    assert await patiently(lambda: database.read(lambda r: r.fetch_one("select 1 as one")["one"])) == 1


async def test_read_after_closing_is_refused(make_sqlite):
    database = await make_sqlite()
    await database.close()
    with pytest.raises(DatabaseUnavailable):
        await database.read(lambda _: 1)


async def test_state_changes_with_each_commit(make_database: MakeDatabase):
    db = await make_database()
    async with db.transaction() as tx:
        await tx.execute("create table rooms (id bigint primary key)")

    async def add(number: int, *, fails: bool = False) -> None:
        async with db.transaction() as tx:
            await tx.execute("insert into rooms (id) values (:id)", id=number)
            if fails:
                raise ZeroDivisionError

    before = await db.state()
    async with db.reader() as reader:
        assert len(await reader.fetch("select id from rooms")) == 0
        if db.engine == "sqlite":  # PostgreSQL’s also changes when another database of the server is written
            assert await db.state() == before
    for number in range(5):
        await add(number)
        after = await db.state()
        assert after != before
        before = after
    with pytest.raises(ZeroDivisionError):
        await add(9, fails=True)
    async with db.reader() as reader:
        assert len(await reader.fetch("select id from rooms")) == 5

"""The guarantees of both database engines."""

import asyncio

import pytest
from tests.databases import MakeDatabase

from groundwork.clock import HandClock
from groundwork.database.open_transactions import transaction_is_open
from groundwork.database.transaction import CheckViolated, Database, ForeignKeyViolated, UniqueViolated, Writer
from groundwork.errors import InvalidInput

SCHEMA = (
    "create table places (id bigint primary key, name text not null unique, size integer check (size > 0))",
    "create table seats (id bigint primary key, place_id bigint not null references places (id), photo bytea)",
)


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    database = await make_database()
    async with database.transaction() as tx:
        for statement in SCHEMA:
            await tx.execute(statement)
    return database


def put(number: int, name: str | None = None):
    def work(writer: Writer) -> int:
        return writer.execute("insert into places (id, name) values (:id, :name)", id=number, name=name or f"n{number}")

    return work


async def names(db: Database) -> list[str]:
    async with db.reader() as reader:
        return [row["name"] for row in await reader.fetch("select name from places order by id")]


async def test_rows_by_name_and_position(db):
    await db.write(put(1, "hall"))
    async with db.reader() as reader:
        row = await reader.fetch_one("select id, name from places")
        assert await reader.fetch_one("select id from places where id = :id", id=2) is None
    assert row is not None
    assert (row["name"], row[0], len(row), list(row.keys())) == ("hall", 1, 2, ["id", "name"])


async def test_execute_counts_the_rows_it_touched(db):
    async with db.transaction() as tx:
        await tx.execute_many(
            "insert into places (id, name) values (:id, :name)", [{"id": n, "name": f"n{n}"} for n in range(5)]
        )
        assert await tx.execute("update places set size = 1 where id < :limit", limit=3) == 3
        assert await tx.execute("delete from places where id > :limit", limit=100) == 0
        returned = await tx.fetch("delete from places where id < :limit returning id", limit=2)
    assert sorted(row["id"] for row in returned) == [0, 1]


async def test_bytes_come_back_as_bytes(db):
    await db.write(put(1))
    async with db.transaction() as tx:
        await tx.execute("insert into seats (id, place_id, photo) values (1, 1, :photo)", photo=b"\x00\xff")
        row = await tx.fetch_one("select photo from seats")
    assert row is not None
    assert row["photo"] == b"\x00\xff"


async def test_an_exception_rolls_back(db):
    async def fail() -> None:
        async with db.transaction() as tx:
            await tx.execute("insert into places (id, name) values (1, 'a')")
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert await names(db) == []


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("insert into places (id, name) values (1, 'other')", UniqueViolated),
        ("insert into places (id, name) values (2, 'n1')", UniqueViolated),
        ("insert into places (id, name, size) values (2, 'b', 0)", CheckViolated),
        ("insert into places (id, name) values (2, null)", CheckViolated),
        ("insert into seats (id, place_id) values (1, 99)", ForeignKeyViolated),
    ],
)
async def test_violated_constraints_have_kinds(db, sql, kind):
    await db.write(put(1))
    with pytest.raises(kind) as caught:
        async with db.transaction() as tx:
            await tx.execute(sql)
    assert type(caught.value) is kind
    with pytest.raises(kind):
        await db.write(lambda writer: writer.execute(sql))
    assert await names(db) == ["n1"]


async def test_a_referenced_row_cannot_be_deleted(db):
    await db.write(put(1))
    await db.write(lambda writer: writer.execute("insert into seats (id, place_id) values (1, 1)"))
    with pytest.raises(ForeignKeyViolated):
        await db.write(lambda writer: writer.execute("delete from places"))


async def test_caught_failure_still_fails_the_transaction(db):
    """A failure that is caught still fails the transaction: on both engines, leaving the block raises the first
    failure. PostgreSQL would answer COMMIT with ROLLBACK.
    """
    await db.write(put(1))

    async def swallow() -> None:
        async with db.transaction() as tx:
            await tx.execute("insert into places (id, name) values (2, 'two')")
            with pytest.raises(UniqueViolated):
                await tx.execute("insert into places (id, name) values (1, 'again')")
            with pytest.raises(UniqueViolated):
                await tx.execute("insert into places (id, name) values (3, 'three')")

    with pytest.raises(UniqueViolated):
        await swallow()
    assert await names(db) == ["n1"]


async def test_failure_caught_in_a_plain_function_fails_the_transaction(db):
    def work(writer: Writer) -> None:
        writer.execute("insert into places (id, name) values (2, 'two')")
        with pytest.raises(UniqueViolated):
            writer.execute("insert into places (id, name) values (2, 'two')")

    with pytest.raises(UniqueViolated):
        await db.write(work)
    assert await names(db) == []


async def test_write_returns_what_the_function_returns(db):
    assert await db.write(put(1)) == 1


async def test_a_failing_member_is_rolled_back_alone(db):
    """Of a hundred concurrent writes, those that raise leave nothing and do not affect the others."""

    def work(number: int):
        def inner(writer: Writer) -> int:
            put(number)(writer)
            if number % 3 == 0:
                raise LookupError(number)
            return number

        return inner

    results = await asyncio.gather(*(db.write(work(n)) for n in range(100)), return_exceptions=True)
    assert [type(r) for r in results] == [LookupError if n % 3 == 0 else int for n in range(100)]
    assert len(await names(db)) == 66


async def test_interactive_transactions_and_writes_mix(db):
    async def interactive(number: int) -> None:
        async with db.transaction() as tx:
            await tx.execute("insert into places (id, name) values (:id, :name)", id=number, name=f"i{number}")
            if number % 5 == 0:
                raise LookupError

    calls = [interactive(n) if n % 2 else db.write(put(n)) for n in range(60)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(r, LookupError) for r in results) == 6
    assert len(await names(db)) == 54


async def test_calls_after_the_commit_come_in_order_and_before_the_answer(db):
    said: list[str] = []
    async with db.transaction() as tx:
        await tx.execute("insert into places (id, name) values (1, 'a')")
        tx.after_commit(lambda: said.append("first"))
        tx.after_commit(lambda: said.append("second"))
        assert said == []
    said.append("left")

    def work(writer: Writer) -> None:
        put(2)(writer)
        writer.after_commit(lambda: said.append("third"))

    await db.write(work)
    said.append("returned")
    assert said == ["first", "second", "left", "third", "returned"]


async def test_no_call_after_a_rollback(db):
    said: list[str] = []

    async def fail() -> None:
        async with db.transaction() as tx:
            tx.after_commit(lambda: said.append("interactive"))
            raise KeyError

    with pytest.raises(KeyError):
        await fail()

    def work(writer: Writer) -> None:
        writer.after_commit(lambda: said.append("plain"))
        raise KeyError

    with pytest.raises(KeyError):
        await db.write(work)
    assert said == []


async def test_now_is_the_time_of_the_clock(db, clock: HandClock):
    async with db.transaction() as tx:
        assert tx.now == clock.now()
        clock.turn(5)
        assert tx.now == clock.now() - 5
    async with db.reader() as reader:
        assert reader.now == clock.now()
    assert await db.write(lambda writer: writer.now) == clock.now()


async def test_a_reader_sees_one_state(db):
    """A reader sees one snapshot: commits that are made while it is open are invisible to it."""
    await db.write(put(1))
    async with db.reader() as reader:
        assert len(await reader.fetch("select id from places")) == 1
        await db.write(put(2))
        assert len(await reader.fetch("select id from places")) == 1
    assert len(await names(db)) == 2


async def test_a_reader_cannot_write(db):
    with pytest.raises(Exception, match=r"(?i)read-?only"):
        async with db.reader() as reader:
            await reader.fetch("insert into places (id, name) values (1, 'a') returning id")
    assert await names(db) == []


async def test_only_the_transaction_may_be_awaited(db):
    """Awaiting anything but the transaction is refused: a second transaction inside the first would wait for it until
    both are too long.
    """
    async with db.transaction():
        assert transaction_is_open()
        with pytest.raises(RuntimeError, match="only the open transaction"):
            await db.write(put(1))
        with pytest.raises(RuntimeError, match="only the open transaction"):
            async with db.transaction():
                pass
    assert not transaction_is_open()


async def test_task_started_inside_has_no_transaction_after_its_end(db):
    may_go = asyncio.Event()

    async def later() -> bool:
        await may_go.wait()
        return transaction_is_open()

    async with db.transaction():
        task = asyncio.create_task(later())
    may_go.set()
    assert not await task


async def test_statements_after_the_block_are_refused(db):
    async with db.transaction() as tx:
        pass
    with pytest.raises(RuntimeError, match="ended"):
        await tx.fetch("select 1")
    async with db.reader() as reader:
        pass
    with pytest.raises(RuntimeError, match="ended"):
        await reader.fetch("select 1")


async def test_an_async_function_is_not_a_plain_one(db):
    async def work(_writer: Writer) -> None:
        pass

    with pytest.raises(TypeError, match="plain function"):
        await db.write(work)


@pytest.mark.parametrize("ids", [[], [1], [1, 2, 3], list(range(50))])
async def test_in_accepts_a_list_of_any_length(db, ids):
    async with db.transaction() as tx:
        for number in range(1, 5):
            await tx.execute("insert into places (id, name) values (:id, :name)", id=number, name=f"n{number}")
        inside = await tx.fetch("select id from places where id in :ids and id > :low", ids=ids, low=0)
        outside = await tx.fetch("select id from places where id not in :ids", ids=ids)
    wanted = {1, 2, 3, 4} & set(ids)
    assert {row[0] for row in inside} == wanted
    assert {row[0] for row in outside} == {1, 2, 3, 4} - wanted


async def test_parameters_must_fit(db):
    for parameters in ({}, {"id": 1, "more": 2}, {"ID": 1}):
        with pytest.raises(TypeError, match="do not fit"):
            async with db.transaction() as tx:
                await tx.fetch("select id from places where id = :id", **parameters)


async def test_colons_outside_parameters_are_kept(db):
    async with db.reader() as reader:
        row = await reader.fetch_one(
            "select 'at://:x' as a, ':y''s' as \"b:c\" -- :no\n, cast(:z as text) /* :n */", z="z"
        )
    assert row is not None
    assert tuple(row) == ("at://:x", ":y's", "z")


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
async def test_text_that_cannot_be_stored_is_bad_input_on_both_engines(db, value):
    with pytest.raises(InvalidInput, match=r"^The text contains a character that cannot be stored .*\.$"):
        await db.write(put(1, value))
    with pytest.raises(InvalidInput):
        await db.write(
            lambda writer: writer.execute_many(
                "insert into places (id, name) values (:id, :name)",
                [{"id": 1, "name": "fine"}, {"id": 2, "name": value}],
            )
        )
    with pytest.raises(InvalidInput):
        async with db.reader() as reader:
            await reader.fetch("select id from places where name = :name", name=value)
    assert await names(db) == []


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**30])
async def test_numbers_beyond_64_bits_are_bad_input(db, value):
    with pytest.raises(InvalidInput, match=r"^A number is too large to be stored\.$"):
        await db.write(put(value, "large"))
    assert await names(db) == []


async def test_largest_numbers_are_stored(db):
    await db.write(put(2**63 - 1, "last"))
    await db.write(put(-(2**63), "first"))
    assert await names(db) == ["first", "last"]


async def test_failing_after_commit_callback_stops_no_other(db):
    """An ``after_commit`` callback that raises does not stop the others. The commit is acknowledged, and the loop's
    exception handler gets the error.
    """
    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: said.append(context["message"]))

    def work(writer: Writer) -> None:
        put(1)(writer)
        writer.after_commit(lambda: 1 // 0)
        writer.after_commit(lambda: said.append("second"))

    await db.write(work)
    asyncio.get_running_loop().set_exception_handler(None)
    assert said == ["a call after the commit raised", "second"]
    assert await names(db) == ["n1"]

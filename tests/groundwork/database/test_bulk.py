"""One statement for many rows, on both engines."""

import pytest
from tests.databases import MakeDatabase

from groundwork.database.bulk import execute_each, fetch_each, insert_rows_sql
from groundwork.database.transaction import Database, UniqueViolated
from groundwork.errors import InvalidInput

PUT = """
    insert into places (id, name, picture) select given.id, given.name || :ending, given.picture
      from each(id bigint, name text, picture bytea) as given where 1 = 1
        on conflict (id) do update set name = excluded.name where places.name < excluded.name
    returning id
"""
WRITE = PUT.replace("returning id", "")
RENAME = """
    update places set name = places.name || ' to ' || given.name || :ending
      from each(id bigint, name text) as given where places.id = given.id
"""
NAMED = "select p.id from each(name text) as given join places p on p.name = given.name"


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    database = await make_database()
    async with database.transaction() as tx:
        await tx.execute("create table places (id bigint primary key, name text not null, picture bytea)")
        await tx.execute("insert into places (id, name) values (1, 'hall'), (2, 'roof')")
    return database


def place(number: int, name: str, picture: bytes | None = None) -> dict[str, object]:
    return {"id": number, "name": name, "picture": picture}


async def test_statement_applies_to_each_row_separately(db):
    async with db.transaction() as tx:
        rows = [place(1, "yard"), place(2, "attic"), place(3, "garden", b"\x00\xff")]
        changed = await fetch_each(tx, PUT, rows, ending="!")
        assert {row["id"] for row in changed} == {1, 3}
    async with db.reader() as reader:
        found = await reader.fetch("select id, name, picture from places order by id")
    assert [(row["id"], row["name"], row["picture"] and bytes(row["picture"])) for row in found] == [
        (1, "yard!", None),
        (2, "roof", None),
        (3, "garden!", b"\x00\xff"),
    ]


async def test_rows_are_written_as_they_would_be_one_by_one(db):
    async with db.transaction() as tx:
        rows = [place(1, "yard"), place(2, "attic"), place(3, "garden", b"\x00\xff")]
        await execute_each(tx, WRITE, rows, ending="!")
        await execute_each(tx, insert_rows_sql("places", {"id": "bigint", "name": "text"}), [{"id": 4, "name": "shed"}])
        await execute_each(tx, "no statement", [])
    async with db.reader() as reader:
        found = await reader.fetch("select id, name, picture from places order by id")
    assert [(row["id"], row["name"], row["picture"] and bytes(row["picture"])) for row in found] == [
        (1, "yard!", None),
        (2, "roof", None),
        (3, "garden!", b"\x00\xff"),
        (4, "shed", None),
    ]


async def test_rows_are_updated_each_with_its_own_values(db):
    async with db.transaction() as tx:
        await execute_each(tx, RENAME, [{"id": 2, "name": "attic"}, {"id": 3, "name": "garden"}], ending="!")
    async with db.reader() as reader:
        found = await reader.fetch("select id, name from places order by id")
    assert [(row["id"], row["name"]) for row in found] == [(1, "hall"), (2, "roof to attic!")]


async def test_unwritable_row_leaves_none(db):
    statement = insert_rows_sql("places", {"id": "bigint", "name": "text"})
    with pytest.raises(UniqueViolated):
        async with db.transaction() as tx:
            await execute_each(tx, statement, [{"id": 3, "name": "garden"}, {"id": 1, "name": "again"}])
    async with db.reader() as reader:
        assert len(await reader.fetch("select id from places")) == 2


async def test_fetch_each_may_select(db):
    async with db.reader() as reader:
        found = await fetch_each(reader, NAMED, [{"name": "roof"}, {"name": "cellar"}, {"name": "hall"}])
    assert sorted(row["id"] for row in found) == [1, 2]


async def test_failing_row_leaves_none(db):
    statement = insert_rows_sql("places", {"id": "bigint", "name": "text"})
    with pytest.raises(UniqueViolated):
        async with db.transaction() as tx:
            await fetch_each(tx, statement, [{"id": 3, "name": "garden"}, {"id": 1, "name": "again"}])
    async with db.reader() as reader:
        assert len(await reader.fetch("select id from places")) == 2


@pytest.mark.parametrize("name", ["half \ud800", "nothing \0"])
async def test_unstorable_value_is_refused(db, name):
    with pytest.raises(InvalidInput):
        async with db.transaction() as tx:
            await fetch_each(tx, PUT, [place(3, "garden"), place(4, name)], ending="")


async def test_no_rows_execute_no_statement(db):
    async with db.reader() as reader:
        assert await fetch_each(reader, "no statement", []) == []


async def test_a_statement_without_rows_is_none(db):
    async with db.reader() as reader:
        with pytest.raises(ValueError, match="has no table of rows"):
            await fetch_each(reader, "select 1", [{"id": 1}])
    async with db.transaction() as tx:
        with pytest.raises(ValueError, match="table of rows"):
            await execute_each(tx, "insert into places (id, name) values (1, 'x')", [{"id": 1}])

"""Several writes at once, on both engines."""

import pytest
from tests.databases import MakeDatabase

from groundwork.database.bulk import SqlWrite, execute_together
from groundwork.database.statements import renamed
from groundwork.database.transaction import Database, UniqueViolated

PLACE = "insert into places (id, name) values (:id, :name)"
VISIT = "insert into visits (place_id, note) values (:id, ':id at ' || :name)"
RENAME = "update places set name = :name where id in :ids"


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    database = await make_database()
    async with database.transaction() as tx:
        await tx.execute("create table places (id bigint primary key, name text not null)")
        await tx.execute("create table visits (place_id bigint not null references places (id), note text not null)")
        await tx.execute("insert into places (id, name) values (1, 'hall'), (2, 'roof')")
    return database


async def test_each_row_has_its_own_parameters(db):
    """Each row has its own parameters. One may refer to another that is inserted by the same call, because foreign keys
    are checked at the end.
    """
    async with db.transaction() as tx:
        await execute_together(
            tx,
            [
                SqlWrite(PLACE, {"id": 3, "name": "garden"}),
                SqlWrite(VISIT, {"id": 3, "name": "noon"}),
                SqlWrite(RENAME, {"ids": [1, 2], "name": "closed"}),
            ],
        )
    async with db.reader() as reader:
        assert [row["name"] for row in await reader.fetch("select name from places order by id")] == [
            "closed",
            "closed",
            "garden",
        ]
        assert [row["note"] for row in await reader.fetch("select note from visits")] == [":id at noon"]


async def test_failing_row_leaves_none(db):
    with pytest.raises(UniqueViolated):
        async with db.transaction() as tx:
            await execute_together(
                tx, [SqlWrite(VISIT, {"id": 1, "name": "dusk"}), SqlWrite(PLACE, {"id": 2, "name": "again"})]
            )
    async with db.reader() as reader:
        assert not await reader.fetch("select note from visits")


async def test_empty_write_does_nothing(db):
    async with db.transaction() as tx:
        await execute_together(tx, [])


def test_only_parameters_are_renamed():
    assert renamed("select ':a', b::text from t where c = :a and d in :ds", "_1") == (
        "select ':a', b::text from t where c = :a_1 and d in :ds_1"
    )

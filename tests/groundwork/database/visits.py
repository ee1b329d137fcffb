"""A table that counts visits, for work that waits for its turn."""

from collections.abc import Awaitable, Callable

import pytest
from tests.databases import MakeDatabase

from groundwork.database.row_lock import lock_row
from groundwork.database.transaction import Database, Transaction

INSERT = "insert into visits (id, note) values (:id, :note)"


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    database = await make_database()
    async with database.transaction() as tx:
        await tx.execute("create table visits (id bigint primary key, note text not null)")
        await tx.execute("create table places (name text primary key, taken bigint not null)")
        await tx.execute("insert into places (name, taken) values ('hall', 0), ('roof', 0)")
    return database


def visit(number: int) -> Callable[[Transaction], Awaitable[int]]:
    """Take a place in the hall, record the visit, and return how many places are taken."""

    async def work(tx: Transaction) -> int:
        await lock_row(tx, "places", "name", "hall")
        await tx.execute("update places set taken = taken + 1 where name = 'hall'")
        row = await tx.fetch_one("select taken from places where name = 'hall'")
        await tx.execute(INSERT, id=number, note="")
        return int(row["taken"]) if row else 0

    return work


async def kept(db: Database) -> tuple[list[int], int]:
    """The recorded visits and the number of taken places."""
    async with db.reader() as reader:
        rows = await reader.fetch("select id from visits order by id")
        taken = await reader.fetch_one("select taken from places where name = 'hall'")
    assert taken is not None
    return [row["id"] for row in rows], int(taken["taken"])

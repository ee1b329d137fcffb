"""Work in pages: each transaction changes a limited number of rows."""

import pytest
from tests.databases import MakeDatabase

from groundwork.database import pages
from groundwork.database.transaction import Database, Reader, Transaction

NUMBER = 7


@pytest.fixture
async def db(make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database with numbered rows, in pages of three."""
    monkeypatch.setattr(pages, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(pages, "KEYS_AT_ONCE", 3)
    db = await make_database()
    async with db.transaction() as tx:
        await tx.execute("create table things (kind text, id text, state text, primary key (kind, id))")
        names = [{"id": f"t{number}"} for number in range(NUMBER)]
        await tx.execute_many("insert into things values ('thing', :id, 'old')", names)
    return db


async def _states(db: Database) -> list[str]:
    async with db.reader() as reader:
        return [row["state"] for row in await reader.fetch("select state from things order by id")]


async def _ids(reader: Reader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(
        "select id from things where id > :after order by id limit :limit", after=after, limit=limit
    )
    return [row["id"] for row in rows]


async def test_rows_are_deleted_in_several_transactions(db: Database) -> None:
    deleted: list[int] = []

    async def delete(tx: Transaction) -> int:
        deleted.append(await pages.delete_some(tx, "things", "state = :state and id <> 't0'", state="old"))
        return deleted[-1]

    assert await pages.change_in_pages(db, delete) == NUMBER - 1
    assert deleted == [3, 3, 0]
    assert await _states(db) == ["old"]


async def test_rows_are_updated_in_several_transactions(db: Database) -> None:
    async def update(tx: Transaction) -> int:
        return await pages.update_some(tx, "things", "state = 'new'", "state = 'old' or state = 'other'")

    assert await pages.change_in_pages(db, update) == NUMBER
    assert await _states(db) == ["new"] * NUMBER


async def test_changes_of_several_tables_end_when_each_is_complete(db: Database) -> None:
    """Two kinds of rows together exceed a page, although neither does in the last transaction."""

    async def delete(tx: Transaction) -> int:
        first = await pages.delete_some(tx, "things", "id < 't4'")
        return first + await pages.delete_some(tx, "things", "id >= 't4'")

    assert await pages.change_in_pages(db, delete) == NUMBER
    assert await _states(db) == []


async def test_an_interrupted_deletion_keeps_what_it_deleted(db: Database) -> None:
    calls = 0

    async def delete(tx: Transaction) -> int:
        nonlocal calls
        calls += 1
        number = await pages.delete_some(tx, "things", "state = 'old'")
        if calls == 2:
            raise ConnectionError
        return number

    with pytest.raises(ConnectionError):
        await pages.change_in_pages(db, delete)
    assert len(await _states(db)) == NUMBER - 3


async def test_work_gets_one_page_after_the_other(db: Database) -> None:
    seen: list[list[str]] = []

    async def work(tx: Transaction, after: str) -> str | None:
        seen.append(await _ids(tx, after, 3))
        return pages.last_key(seen[-1], 3)

    await pages.run_in_pages(db, work)
    assert seen == [["t0", "t1", "t2"], ["t3", "t4", "t5"], ["t6"]]


async def test_keys_are_read_in_pages_and_each_may_be_changed_meanwhile(db: Database) -> None:
    seen: list[str] = []
    async for one in pages.keys_in_pages(db, _ids):
        seen.append(one)
        async with db.transaction() as tx:
            await tx.execute("delete from things where id = :id", id=one)
    assert seen == [f"t{number}" for number in range(NUMBER)]

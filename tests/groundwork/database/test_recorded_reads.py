"""Recorded reads hold until a statement returns other rows; on both engines."""

from collections.abc import Awaitable, Callable

import pytest
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import person

from groundwork.database.recorded_reads import RecordedReads, note_unrecorded, recording
from groundwork.database.transaction import Database


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


async def add_person(db: Database, name: str) -> str:
    async with db.transaction() as tx:
        return (await person(tx, name)).user_id


async def rename(db: Database, user_id: str, name: str) -> None:
    async with db.transaction() as tx:
        await tx.execute("update users set display_name = :name where id = :id", name=name, id=user_id)


async def name_of(db: Database, ids: list[str]) -> None:
    async with db.reader() as reader:
        await reader.fetch("select display_name from users where id in :ids order by id", ids=ids)


async def recorded_names(db: Database, ids: list[str]) -> RecordedReads:
    with recording(db) as log:
        await name_of(db, ids)
    reads = log.finished()
    assert reads is not None
    return reads


async def test_reads_hold_until_one_of_their_rows_changes(db: Database) -> None:
    ana, ben = [await add_person(db, name) for name in ("Ana", "Ben")]
    reads = await recorded_names(db, [ana])
    assert await reads.still_hold()
    await rename(db, ben, "Bea")
    assert await reads.still_hold()
    await rename(db, ana, "Anna")
    assert not await reads.still_hold()
    await rename(db, ana, "Ana")
    assert await reads.still_hold()


async def test_added_and_deleted_rows_are_noticed(db: Database) -> None:
    ana = await add_person(db, "Ana")
    with recording(db) as log:
        async with db.reader() as reader:
            await reader.fetch("select id from users order by id")
    reads = log.finished()
    assert reads is not None
    ben = await add_person(db, "Ben")
    assert not await reads.still_hold()
    async with db.transaction() as tx:
        await tx.execute("delete from users where id = :id", id=ben)
    assert await reads.still_hold()
    wanted = [ana]
    reads = await recorded_names(db, wanted)
    # A caller may change its list afterwards.
    wanted.clear()
    assert await reads.still_hold()


async def test_cells_that_are_equal_as_numbers_or_text_only_are_different(db: Database) -> None:
    for one, other in (("'1'", "1"), ("null", "''"), ("'ab', 'c'", "'a', 'bc'")):
        with recording(db) as log:
            async with db.reader() as reader:
                await reader.fetch_one(f"select {one}")
        with recording(db) as other_log:
            async with db.reader() as reader:
                await reader.fetch_one(f"select {other}")
        first, second = log.finished(), other_log.finished()
        assert first is not None
        assert second is not None
        assert first.reads[0].digest != second.reads[0].digest


async def write(db: Database) -> None:
    await db.write(lambda writer: writer.execute("delete from users where id = 'none'"))


async def transact(db: Database) -> None:
    await add_person(db, "Cleo")


async def batch(db: Database) -> None:
    await db.batch(lambda tx: tx.execute("delete from users where id = 'none'"), key="k")


async def use_cached_value(_db: Database) -> None:
    note_unrecorded()


@pytest.mark.parametrize("use", [write, transact, batch, use_cached_value])
async def test_a_recording_is_incomplete_if_anything_else_is_used(
    db: Database, use: Callable[[Database], Awaitable[None]]
) -> None:
    for first, then in ((use, name_of_nobody), (name_of_nobody, use)):
        with recording(db) as log:
            await first(db)
            await then(db)
        assert log.finished() is None


async def name_of_nobody(db: Database) -> None:
    await name_of(db, ["nobody"])


async def test_a_recording_is_of_one_database(db: Database, make_sqlite: MakeDatabase) -> None:
    other = await make_sqlite("openmeet")
    with recording(db) as log:
        await name_of_nobody(db)
        await name_of_nobody(other)
    assert log.finished() is None


async def test_a_recording_is_bounded(db: Database) -> None:
    with recording(db) as log:
        for _ in range(101):
            await name_of_nobody(db)
    assert log.finished() is None


async def test_nothing_is_recorded_outside_of_a_recording(db: Database) -> None:
    with recording(db) as log:
        pass
    await name_of_nobody(db)
    assert log.finished() is None

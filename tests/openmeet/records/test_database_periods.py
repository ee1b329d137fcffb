"""A database that is behind the file next to the ledger was restored from a backup; on both engines."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from groundwork.clock import DAY, HOUR, MINUTE, HandClock, Instant
from groundwork.database.transaction import Database, Reader
from openmeet.domain.erasure.ledger import ErasureLedger
from openmeet.network.records.database_periods import is_lost, note_in_use, note_restore
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import person


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


@pytest.fixture
def ledger(tmp_path: Path) -> ErasureLedger:
    return ErasureLedger(tmp_path / "elsewhere" / "erasures.jsonl")


async def periods(db: Database) -> list[tuple[str, int, int]]:
    async with db.reader() as reader:
        rows = await reader.fetch("select id, began_at, alive_at from database_periods order by began_at")
    return [(row["id"], row["began_at"], row["alive_at"]) for row in rows]


async def restore(db: Database, backup: list[tuple[str, int, int]]) -> None:
    async with db.transaction() as tx:
        await tx.execute("delete from database_periods")
        for period_id, began_at, alive_at in backup:
            await tx.execute(
                "insert into database_periods (id, began_at, alive_at) values (:id, :began_at, :alive_at)",
                id=period_id,
                began_at=began_at,
                alive_at=alive_at,
            )


async def lost(db: Database, earliest: int, latest: int | None = None) -> bool:
    async with db.reader() as reader:
        return await is_lost(reader, Instant(earliest), Instant(earliest if latest is None else latest))


async def test_only_a_restore_begins_a_new_period(db: Database, ledger: ErasureLedger, clock: HandClock):
    """Restarts, pauses and a clock that goes back do not. After a restore, exactly the time since the backup is lost."""
    assert not await note_restore(db, ledger)
    await note_in_use(db, ledger)
    for passed in (MINUTE, 2 * HOUR, -2 * HOUR, DAY):
        clock.turn(passed)
        assert not await note_restore(db, ledger)
        await note_in_use(db, ledger)
    (backup,) = await periods(db)
    clock.turn(10 * MINUTE)
    await note_in_use(db, ledger)
    clock.turn(HOUR)
    await restore(db, [backup])
    assert await note_restore(db, ledger)
    assert not await note_restore(db, ledger)
    before, after = await periods(db)
    assert before == backup
    assert (after[1], after[2]) == (clock.now(), clock.now())
    ended, began = backup[2], after[1]
    assert [await lost(db, at) for at in (ended, ended + 1, began, began + 1)] == [False, True, True, False]
    assert [await lost(db, 0, at) for at in (ended, ended + 1, began + DAY)] == [False, True, True]
    assert await lost(db, began - 1, began + DAY)
    assert not await lost(db, began + 1, began + DAY)


async def test_a_second_restore_leaves_a_second_gap(db: Database, ledger: ErasureLedger, clock: HandClock):
    """Even if the second backup is from before the first restore."""
    await note_in_use(db, ledger)
    backup = await periods(db)
    for _ in range(2):
        clock.turn(HOUR)
        await note_in_use(db, ledger)
        await restore(db, backup)
        assert await note_restore(db, ledger)
    assert len(await periods(db)) == 2
    clock.turn(HOUR)
    await note_in_use(db, ledger)
    backup = await periods(db)
    clock.turn(HOUR)
    await note_in_use(db, ledger)
    await restore(db, backup)
    clock.turn(-2 * HOUR)
    assert await note_restore(db, ledger)
    assert [one[1] for one in await periods(db)] == sorted(one[1] for one in await periods(db))
    assert len(await periods(db)) == 3


async def test_use_by_another_program_meanwhile_is_no_restore(db: Database, ledger: ErasureLedger, clock: HandClock):
    """The other program notes its use after the database was read here, and before the file is."""
    await note_in_use(db, ledger)

    @asynccontextmanager
    async def read_before_the_other_program() -> AsyncIterator[Reader]:
        async with db.reader() as reader:
            yield reader
        clock.turn(HOUR)
        await note_in_use(db, ledger)

    shared = SimpleNamespace(reader=read_before_the_other_program, transaction=db.transaction)
    assert not await note_restore(shared, ledger)
    assert len(await periods(db)) == 1


async def test_own_repositories_are_read_again_at_once(db: Database, ledger: ErasureLedger, clock: HandClock):
    """Those of people who are only known from the network are not."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        for who, did, kind in ((ana, "did:plc:ana", "connected"), (ben, "did:plc:ben", "shadow")):
            await tx.execute(
                "insert into identities (did, user_id, kind, handle, display_name, pds_url, status, is_default,"
                " created_at, updated_at) values (:did, :user_id, :kind, '', '', '', 'active', 1, :now, :now)",
                did=did,
                user_id=who.user_id,
                kind=kind,
                now=tx.now,
            )
            await tx.execute(
                "insert into repositories (did, epoch, floor_rev, status, synced_at, updated_at)"
                " values (:did, 0, '', 'active', :now, :now)",
                did=did,
                now=tx.now,
            )
    await note_in_use(db, ledger)
    backup = await periods(db)
    clock.turn(HOUR)
    await note_in_use(db, ledger)
    await restore(db, backup)
    assert await note_restore(db, ledger)
    async with db.reader() as reader:
        unread = await reader.fetch("select did from repositories where synced_at is null")
        jobs = await reader.fetch("select subject from outbox_jobs where kind = :kind", kind=JobKind.RECONCILE.value)
    assert [row["did"] for row in unread] == [row["subject"] for row in jobs] == ["did:plc:ana"]

"""A database restored from a backup older than a deletion: every role applies the ledger before it opens."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from checks.postgres import server_programs
from tests.databases import drop_schemas
from tests.openmeet.site_under_test import event_by, person
from tests.programs.platforms import open_platform

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Engine
from groundwork.errors import Refused
from openmeet.domain.account_merge.merge import merge
from openmeet.domain.erasure import actions
from openmeet.domain.events import queries as events
from openmeet.domain.events.model import Event
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import erasure_requests
from openmeet.domain.users import queries as users
from openmeet.domain.users.erasure_requests import ErasureStage
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.person_erasure import take_due
from openmeet.settings import Settings
from openmeet.tenants.configured import checked
from programs.person_erasing import person_erasing
from programs.platform import Platform

GRACE = 14 * DAY
SCHEMA = "restored_backup"


@dataclass(frozen=True)
class Backups:
    """One copy of the community's database, made and restored with the operator's tools."""

    settings: Settings
    folder: Path
    server: str

    async def take(self) -> None:
        if self.server:
            dump = await _run("pg_dump", f"--dbname={self.server}", f"--schema={SCHEMA}")
            (self.folder / "backup.sql").write_bytes(dump)
        else:
            shutil.copytree(self.settings.data_directory, self.folder / "backup")

    async def restore(self) -> None:
        if self.server:
            await drop_schemas(self.server, [SCHEMA])
            await _run("psql", f"--dbname={self.server}", "-qf", str(self.folder / "backup.sql"))
        else:
            shutil.rmtree(self.settings.data_directory)
            shutil.copytree(self.folder / "backup", self.settings.data_directory)


async def _run(program: str, *arguments: str) -> bytes:
    programs = server_programs()
    assert programs is not None
    done = await asyncio.create_subprocess_exec(programs / program, *arguments, stdout=asyncio.subprocess.PIPE)
    written, _ = await done.communicate()
    assert done.returncode == 0
    return written


@pytest.fixture
async def backups(engine: Engine, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Backups]:
    """The ledger is outside the folder that is restored, as the guide says."""
    server = request.getfixturevalue("postgres_url") if engine == "postgresql" else ""
    here = replace(
        Settings(), data_directory=tmp_path / "site", dev_mailbox=True, erasure_ledger=tmp_path / "erasures.jsonl"
    )
    if server:
        here = replace(here, database_url=server, database_schema=SCHEMA)
    yield Backups(checked({"default": here})["default"], tmp_path, server)
    if server:
        await drop_schemas(server, [SCHEMA])


@dataclass(frozen=True)
class Town:
    """After the backup: Ana and Eve are deleted, Ben asks for deletion, Cleo withdraws hers, and Dan’s and Dora’s
    accounts are merged. Fay asked for deletion before it. Gil does nothing.
    """

    ana: Caller
    ben: Caller
    cleo: Caller
    dan: Caller
    dora: Caller
    eve: Caller
    fay: Caller
    gil: Caller
    tea: Event


async def live(platform: Platform, backups: Backups, clock: HandClock) -> Town:
    """Perform everything that happens before and after the backup."""
    db, erasing = platform.db, person_erasing(platform)
    async with db.transaction() as tx:
        names = ("Ana", "Ben", "Cleo", "Dan", "Dora", "Eve", "Fay", "Gil")
        ana, ben, cleo, dan, dora, eve, fay, gil = [await person(tx, name) for name in names]
        tea = await event_by(tx, ana, title="Tea", starts="2026-05-01T18:00", ends="2026-05-01T20:00")
    for who in (cleo, fay, eve):
        await actions.begin(db, who.user_id, GRACE)
    await take_due(db, erasing)
    await backups.take()
    clock.turn(DAY)
    async with db.transaction() as tx:
        await open_session(tx, cleo.user_id, SessionTransport.BROWSER)
        await merge(tx, dan.user_id, dora.user_id)
    await actions.begin(db, ben.user_id, GRACE)
    await actions.begin(db, ana.user_id, 0)
    async with db.transaction() as tx:
        await erasure_requests.move(tx, eve.user_id, tx.now)
    clock.turn(1)
    assert await take_due(db, erasing) == 2
    clock.turn(DAY)
    await take_due(db, erasing)
    return Town(ana, ben, cleo, dan, dora, eve, fay, gil, tea)


async def test_role_on_an_older_backup_restores_no_deleted_account(backups: Backups, clock: HandClock) -> None:
    """A role that starts on an older backup restores no deleted account, and needs no command for that. Deleted
    accounts are hidden and cannot sign in, later requests are restored, and withdrawn ones stay withdrawn. The
    scheduler’s first run deletes the accounts.
    """
    async with open_platform(backups.settings, clock) as platform:
        town = await live(platform, backups, clock)
        async with platform.db.reader() as reader:
            assert (await users.by_id(reader, town.ana.user_id)).display_name == ""
    await backups.restore()
    async with open_platform(backups.settings, clock) as platform:
        async with platform.db.reader() as reader:
            found = {one.user_id: one for one in await erasure_requests.every(reader)}
            assert (await users.by_id(reader, town.ana.user_id)).display_name == "Ana"
            assert (await users.by_id(reader, town.dan.user_id)) is None
            assert (await events.by_id(reader, town.tea.id)).title == "Tea"
        assert set(found) == {one.user_id for one in (town.ana, town.eve, town.ben, town.fay)}
        for gone in (town.ana, town.eve):
            assert found[gone.user_id].stage is ErasureStage.ERASING
            with pytest.raises(Refused):
                async with platform.db.transaction() as tx:
                    await open_session(tx, gone.user_id, SessionTransport.BROWSER)
        for waits in (town.ben, town.fay):
            assert found[waits.user_id].due_at == clock.now() + GRACE
        assert await take_due(platform.db, person_erasing(platform)) == 2
        async with platform.db.reader() as reader:
            names = [await users.by_id(reader, one.user_id) for one in (town.ana, town.eve, town.ben, town.cleo)]
            assert [one.display_name for one in names] == ["", "", "Ben", "Cleo"]
            assert (await users.by_id(reader, town.gil.user_id)).display_name == "Gil"
            assert (await events.by_id(reader, town.tea.id)).title == ""


async def test_database_as_recent_as_the_ledger_is_unchanged(backups: Backups, clock: HandClock) -> None:
    """A database as recent as the ledger is not changed. No start moves a date, or repeats the request of somebody who
    has just come back but is not in the ledger yet.
    """
    async with open_platform(backups.settings, clock) as platform:
        town = await live(platform, backups, clock)
        async with platform.db.transaction() as tx:
            await open_session(tx, town.ben.user_id, SessionTransport.BROWSER)
        async with platform.db.reader() as reader:
            before = await erasure_requests.every(reader)
    clock.turn(DAY)
    async with open_platform(backups.settings, clock) as platform, platform.db.reader() as reader:
        assert await erasure_requests.every(reader) == before
        assert [one.user_id for one in before] == [town.fay.user_id]

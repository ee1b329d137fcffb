"""``openmeet people``: an operator deletes an account or a guest and reads what was deleted, on both engines."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import CompletedProcess

import asyncpg
import pytest
from tests.databases import PostgresDatabases
from tests.fork_server import FORK_SERVER
from tests.openmeet.site_under_test import event_by, person
from tests.programs.platforms import open_platform, read_platform_settings

from at_protocol.syntax.did import parse_did
from groundwork.clock import SystemClock
from groundwork.database.transaction import Engine
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.identities import queries as identities
from openmeet.domain.identities.actions import link
from openmeet.domain.users import erasure_requests, guests
from openmeet.domain.users import queries as users
from openmeet.domain.users.actions import create_shadow
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.person_erasure import take_due
from programs.person_erasing import person_erasing
from programs.platform import Platform

DID = parse_did("did:plc:" + "a" * 24)


@pytest.fixture
async def environment(tmp_path: Path, engine: Engine, request: pytest.FixtureRequest) -> AsyncIterator[dict[str, str]]:
    """The settings of a platform with its data in a folder and its database on the test's engine."""
    found = {"OPENMEET_DATA_DIRECTORY": str(tmp_path), "OPENMEET_DEV_MAILBOX": "true", "COLUMNS": "400"}
    if engine == "sqlite":
        yield found
        return
    databases: PostgresDatabases = request.getfixturevalue("postgres_databases")
    url = await databases.borrow_blank()
    yield {**found, "OPENMEET_DATABASE_URL": url}
    await databases.give_back_blank(url)


@pytest.fixture
async def platform(environment: dict[str, str]) -> AsyncIterator[Platform]:
    async with open_platform(read_platform_settings(None, environment), SystemClock()) as platform:
        yield platform


def erase(environment: dict[str, str], *arguments: str) -> CompletedProcess[str]:
    return FORK_SERVER.run("people", *arguments, environment=environment)


async def test_account_is_hidden_first_and_deleted_on_request(environment: dict[str, str], platform: Platform) -> None:
    """An account is first hidden, and deleted only with the option for it. The report counts the deleted rows, says
    what stays, and repeats no personal data except the typed name.
    """
    async with platform.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        his = await event_by(tx, ben, starts="2099-01-01T18:00", ends="2099-01-01T20:00")
        hers = await event_by(tx, ana, starts="2099-01-01T18:00", ends="2099-01-01T20:00")
        await attendance.answer(tx, ana, his.slug, RsvpReply.GOING)
    said = erase(environment, "erase", "Ana@Example.org", "--yes")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("Ana@Example.org is hidden now and will be deleted at ")
    async with platform.db.reader() as reader:
        assert await erasure_requests.find(reader, ana.user_id) is not None
        assert (await users.by_id(reader, ana.user_id)).display_name == "Ana"
    said = erase(environment, "erase", "ana@example.org", "--yes", "--now", "--wait", "0")
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert lines[0] == "ana@example.org is deleted."
    assert (
        "       1  attendances: Answers to events, and unanswered invitations with the address that the host typed"
        in lines
    )
    assert "       1  events: Events, made here or found on the network" in lines
    assert any(line.startswith("       1  users: People, guests") for line in lines)
    assert hers.title not in said.stdout
    async with platform.db.reader() as reader:
        assert (await users.by_id(reader, ana.user_id)).display_name == ""
        assert (await users.by_id(reader, ben.user_id)).display_name == "Ben"
    again = erase(environment, "erase", "ana@example.org", "--yes", "--now")
    assert (again.returncode, again.stdout) == (1, "")
    assert "Nobody here has the e-mail address, handle or DID ana@example.org" in again.stderr


@pytest.mark.parametrize("engine", ["postgresql"])  # SQLite has no row locks
async def test_busy_database_is_reported_and_the_deletion_continues(
    environment: dict[str, str], platform: Platform
) -> None:
    """If the database is busy, the command says that the deletion continues. Here another program holds the row of one
    of their events for too long.
    """
    async with platform.db.transaction() as tx:
        ana = await person(tx, "Ana")
        tea = await event_by(tx, ana, starts="2099-01-01T18:00", ends="2099-01-01T20:00")
    other = await asyncpg.connect(environment["OPENMEET_DATABASE_URL"])
    async with other.transaction():
        await other.execute("select id from events where id = $1 for update", tea.id)
        said = await asyncio.to_thread(erase, environment, "erase", "ana@example.org", "--yes", "--now", "--wait", "0")
    await other.close()
    assert said.returncode == 1
    assert "The deletion of ana@example.org has begun" in said.stderr
    assert await take_due(platform.db, person_erasing(platform)) == 1
    async with platform.db.reader() as reader:
        assert (await users.by_id(reader, ana.user_id)).display_name == ""


async def test_a_guest_is_found_by_their_address(environment: dict[str, str], platform: Platform) -> None:
    """A guest is found by e-mail address. Guests cannot sign in to undo the deletion, so the operator must confirm
    immediate deletion.
    """
    async with platform.db.transaction() as tx:
        ben = await person(tx, "Ben")
        his = await event_by(tx, ben, starts="2099-01-01T18:00", ends="2099-01-01T20:00")
        gus = await guests.make(tx, display_name="Gus", email="gus@example.org", language="de")
        await attendance.answer(tx, Caller(gus, "Gus"), his.slug, RsvpReply.GOING)
    refused = erase(environment, "erase", "gus@example.org", "--yes")
    assert refused.returncode == 1
    assert "gus@example.org has no account here" in refused.stderr
    assert "--now" in refused.stderr
    said = erase(environment, "erase", "gus@example.org", "--yes", "--now", "--wait", "0", "--json")
    assert said.returncode == 0, said.stderr
    report = json.loads(said.stdout)
    assert (report["deleted"]["guests"], report["deleted"]["attendances"]) == (1, 1)
    assert report["stays"] == {"users": 1}
    assert report["recordsLeft"] == []
    async with platform.db.reader() as reader:
        assert await guests.by_email(reader, "gus@example.org") is None
        assert (await users.by_id(reader, gus)).display_name == ""
        assert (await users.by_id(reader, ben.user_id)).email == "ben@example.org"


async def test_somebody_known_from_the_network_is_found_by_did_and_handle(
    environment: dict[str, str], platform: Platform
) -> None:
    async with platform.db.transaction() as tx:
        known = await create_shadow(tx)
        await identities.insert_shadows(tx, {DID: known})
        await tx.execute(
            "update identities set handle = 'cleo.example', display_name = 'Cleo' where did = :did", did=DID
        )
    said = erase(environment, "erase", "@cleo.example", "--yes", "--now", "--wait", "0", "--json")
    assert said.returncode == 0, said.stderr
    async with platform.db.reader() as reader:
        assert await reader.fetch("select did from identities") == []


async def test_name_that_matches_nobody_deletes_nobody(environment: dict[str, str], platform: Platform) -> None:
    """A name that matches nobody deletes nobody, although accounts whose handle was never verified have an empty
    handle.
    """
    async with platform.db.transaction() as tx:
        known = await create_shadow(tx)
        await identities.insert_shadows(tx, {DID: known})
    said = erase(environment, "erase", "@", "--yes", "--now", "--wait", "0")
    assert (said.returncode, said.stdout) == (1, "")
    assert (
        "We can’t tell who that is. Enter an e-mail address, or a full account name like ana.example.org."
        in said.stderr
    )
    async with platform.db.reader() as reader:
        assert len(await reader.fetch("select did from identities")) == 1


async def test_account_is_shown_before_anything_happens(environment: dict[str, str], platform: Platform) -> None:
    """Before anything happens the command shows name, account, counts and part of the e-mail address. Without a yes
    nothing is deleted or hidden.
    """
    async with platform.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana, starts="2099-01-01T18:00", ends="2099-01-01T20:00")
        await link(tx, DID, ana.user_id, handle="ana.example", pds_url="https://pds.example")
    for options in ((), ("--now",)):
        said = erase(environment, "erase", "@ana.example", *options)
        assert said.returncode == 1
        assert "Nothing was deleted." in said.stderr
        lines = said.stdout.splitlines()
        assert lines[0].startswith("Ana (person, here since 20")
        assert lines[1] == "  e-mail    a…@example.org"
        assert lines[2] == f"  account   {DID}  @ana.example"
        assert lines[3].startswith("  has       1 upcoming event, 0 answers to upcoming events, 0 memberships")
        assert "ana@example.org" not in said.stdout + said.stderr
    said = erase(environment, "erase", "@ana.example", "--now", "--json")
    assert (said.returncode, said.stdout) == (1, "")
    async with platform.db.reader() as reader:
        assert await erasure_requests.find(reader, ana.user_id) is None
        assert (await users.by_id(reader, ana.user_id)).display_name == "Ana"


async def test_after_a_restore_the_ledger_is_applied(environment: dict[str, str], platform: Platform) -> None:
    """After a restore, the ledger is applied and the number of deletions is shown. A second run has nothing left to do."""
    async with platform.db.transaction() as tx:
        ana = await person(tx, "Ana")
    rows = await _row(platform, ana.user_id)
    assert erase(environment, "erase", "ana@example.org", "--yes", "--now", "--wait", "0").returncode == 0
    async with platform.db.transaction() as tx:
        await tx.execute(
            "update users set kind = 'person', display_name = 'Ana', email = 'ana@example.org', created_at = :then"
            " where id = :id",
            id=ana.user_id,
            then=rows["created_at"],
        )
    said = erase(environment, "erase-again")
    lines = said.stdout.splitlines()
    assert lines[0] == "1 person in the ledger, 1 of them deleted again, 0 merged again"
    assert [line.partition(" from ")[0].partition(" withdrawn ")[0] for line in lines[1:4]] == ["0 requests"] * 3
    assert lines[4].startswith(f"Ledger {environment['OPENMEET_DATA_DIRECTORY']}/erasures.jsonl, last written "), (
        said.stderr
    )
    assert (await _row(platform, ana.user_id))["email"] is None
    assert erase(environment, "erase-again").stdout.startswith("1 person in the ledger, 0 of them")


async def test_entries_that_cannot_be_applied_are_listed(environment: dict[str, str], platform: Platform) -> None:
    """Entries that cannot be applied are listed by number, and the exit status tells scripts."""
    async with platform.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        for who in (ana, ben):
            await identities.put_custodial_account(
                tx,
                who.user_id,
                handle=f"{who.display_name}.example",
                email=f"{who.display_name}@example.org",
                sealed_password=b"sealed",
            )
    person_erasing(platform).ledger.note(ana.user_id, db_now=tx.now, merged_into=ben.user_id)
    said = erase(environment, "erase-again")
    assert said.returncode == 1
    assert said.stdout.startswith("0 people in the ledger, 0 of them deleted again, 0 merged again")
    assert "These could not be deleted or merged again." in said.stderr
    assert f"  {ana.user_id}\n" in said.stderr


async def _row(platform: Platform, user_id: str):
    async with platform.db.reader() as reader:
        return dict(await reader.fetch_one("select * from users where id = :id", id=user_id))

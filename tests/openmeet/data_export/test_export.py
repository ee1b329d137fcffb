"""Export and import of a whole site and of one person's data, on both engines and from one to the other, without data
that must not be exported.
"""

import json
import sqlite3
from pathlib import Path

import pytest

from groundwork.clock import HandClock, Instant
from groundwork.database.migrate import head, migrate, versions_folder
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from groundwork.errors import InvalidInput, Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.data_export.person import export_document, import_document
from openmeet.domain.data_export.tables import OWN, DataExportReason
from openmeet.domain.data_export.tenant import LEFT_OUT, OWN_PARENTS, load, write
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import GroupDetails
from openmeet.domain.legacy_import.run import import_legacy
from openmeet.domain.personal_data.model import PersonExport
from openmeet.domain.personal_data.tables import ALL_TABLES
from tests.added_migrations import Revise
from tests.databases import MakeDatabase, drop_schemas
from tests.openmeet.legacy_import.legacy_site import LEGACY_SOURCE, legacy_site, plan_of_dump, report_nothing
from tests.openmeet.site_under_test import event_by, person, sign_up, site_on

NOW = Instant(1_772_366_400_000_000)


def untold(_table: str, _rows: int) -> None:
    return


async def export(url: str, schema: str, scratch: Path) -> list[bytes]:
    lines: list[bytes] = []
    async for piece in write(url, schema, scratch, NOW, "https://m.example", untold):
        lines += piece.splitlines(keepends=True)
    return lines


@pytest.fixture
async def filled_database(tmp_path: Path, clock: HandClock) -> str:
    """Fill a database with split series, answers, groups and a session, and return its URL."""
    url = f"sqlite://{tmp_path / 'filled.db'}"
    await migrate(url, "", "openmeet")
    db = await open_database(url, clock=clock)
    await import_legacy(db, LEGACY_SOURCE, "UTC", await plan_of_dump(legacy_site(60, seed=4), tmp_path), report_nothing)
    async with db.transaction() as tx:
        await tx.execute(
            "insert into sessions (token_hash, user_id, kind, created_at, expires_at)"
            " select :hash, id, 'browser', 1, 2 from users limit 1",
            hash=b"secret",
        )
    await db.close()
    return url


async def test_a_site_survives_a_round_trip_across_engines(
    filled_database: str, postgres_url: str, tmp_path: Path
) -> None:
    """An export from SQLite to PostgreSQL and back to SQLite has the same rows every time. Sessions are left out."""
    schema = f"takeout_{tmp_path.name[-24:].replace('-', '_')}"
    first = await export(filled_database, "", tmp_path)
    assert not any(json.loads(line).get("table") in LEFT_OUT for line in first)
    assert not any("tokenHash" in json.loads(line).get("row", {}) for line in first)
    try:
        await load(iter(first), postgres_url, schema, untold)
        second = await export(postgres_url, schema, tmp_path)
        third_url = f"sqlite://{tmp_path / 'third.db'}"
        counts = await load(iter(second), third_url, "", untold)
    finally:
        await drop_schemas(postgres_url, [schema])
    third = await export(third_url, "", tmp_path)
    assert rows_of(second) == rows_of(first)
    assert rows_of(third) == rows_of(first)
    assert counts["event_series"] >= 5
    assert sum(counts.values()) > 300


def rows_of(lines: list[bytes]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    table = ""
    for line in lines[1:-1]:
        said = json.loads(line)
        table = said.get("table", table)
        found.setdefault(table, [])
        if "row" in said:
            found[table].append(json.dumps(said["row"], sort_keys=True))
    return {name: sorted(rows) for name, rows in found.items()}


async def test_an_export_of_an_older_release_is_imported(tmp_path: Path, revise: Revise) -> None:
    """An older export is imported at its own schema revision and then migrated."""
    old, new = f"sqlite://{tmp_path / 'old.db'}", f"sqlite://{tmp_path / 'new.db'}"
    await migrate(old, "", "openmeet")
    later = revise("openmeet", "alter table users rename column display_name to name_of_later")
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.execute(
            "insert into users (id, kind, display_name, email, bio, time_zone, revision, created_at, updated_at)"
            " values ('u', 'person', 'Ana', 'ana@example.org', '', null, 1, 1, 1)"
        )
    await load(iter(await export(old, "", tmp_path)), new, "", untold)
    with sqlite3.connect(tmp_path / "new.db") as connection:
        assert connection.execute("select name_of_later from users").fetchall() == [("Ana",)]
        revision = connection.execute("select max(version_num) from schema_revision_openmeet").fetchone()[0]
    assert revision == head(versions_folder("openmeet")) == later


async def test_an_invalid_export_imports_nothing(filled_database: str, tmp_path: Path) -> None:
    """The import refuses a truncated or damaged export, an export of a newer release, and a database that is not empty.
    It leaves no row.
    """
    lines = await export(filled_database, "", tmp_path)
    row = next(number for number, line in enumerate(lines) if line.startswith(b'{"row"'))
    header = json.loads(lines[0])
    damaged = {
        "cut": lines[:-1],
        "a row less": lines[:row] + lines[row + 1 :],
        "no header": lines[1:],
        "another column": [*lines[:row], b'{"row":{"evil":1}}\n', *lines[row:]],
        "no json": [*lines[:row], b"nonsense\n", *lines[row:]],
        "a session": [lines[0], b'{"table":"sessions","columns":["kind"]}\n', b'{"row":{"kind":"x"}}\n', lines[-1]],
        "newer": [json.dumps({**header, "revision": "9999"}).encode(), *lines[1:]],
    }
    for number, some in enumerate(damaged.values()):
        file = tmp_path / f"{number}.db"
        with pytest.raises((InvalidInput, Refused)):
            await load(iter(some), f"sqlite://{file}", "", untold)
        if file.exists():
            with sqlite3.connect(file) as connection:
                assert connection.execute("select count(*) from users").fetchone() == (0,)
    with pytest.raises(Refused, match=DataExportReason.NOT_EMPTY):
        await load(iter(lines), filled_database, "", untold)


def schema_of(path: Path) -> dict[str, list[tuple[str, str]]]:
    """Every table with its references (column, table)."""
    with sqlite3.connect(path) as connection:
        tables = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        return {
            table: [(row[3], row[2]) for row in connection.execute(f"pragma foreign_key_list({table})")]
            for table in tables
        }


async def test_exported_tables_exist_and_know_their_parents(filled_database: str) -> None:
    """Every table that is imported exists with its columns, and rows that refer to their own table are marked as such."""
    schema = schema_of(Path(filled_database.removeprefix("sqlite://")))
    imported = {table.name for table in ALL_TABLES if table.export is PersonExport.IMPORTED}
    assert {part.table for part in OWN} == imported
    assert len(OWN) == len(imported)
    assert LEFT_OUT.keys() <= schema.keys()
    own = {table: column for table, references in schema.items() for column, other in references if other == table}
    assert own == dict(OWN_PARENTS)


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def test_a_persons_data_can_be_imported_elsewhere(
    db: Database, make_database: MakeDatabase, clock: HandClock
) -> None:
    """A person's data can be imported on another site, and an export of it is the same again. Importing twice changes
    nothing. Answers to unknown events are left out.
    """
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        mine = await event_by(tx, ana, title="Tea")
        foreign = await event_by(tx, ben, title="Ben's secret supper")
        await attendance.answer(tx, ana, mine.slug, RsvpReply.GOING)
        await attendance.answer(tx, ana, foreign.slug, RsvpReply.GOING)
        await attendance.answer(tx, ben, mine.slug, RsvpReply.GOING)
        await groups.create(tx, ana, GroupDetails(name="Choir", time_zone="UTC"))
    first = json.loads(json.dumps(await export_document(db, ana.user_id, "https://m.example")))
    text = json.dumps(first)
    assert "ben@example.org" not in text
    assert "secret supper" not in text
    assert '"Ben"' not in text
    there = await make_database("openmeet", clock=clock)
    taken, left = await import_document(there, first)
    assert (taken["events"], taken["attendances"], left["attendances"], taken["groups"]) == (1, 1, 1, 1)
    assert (await import_document(there, first))[0] == taken
    second = json.loads(json.dumps(await export_document(there, ana.user_id, "https://m.example")))
    for part in OWN:
        name = "".join(word.capitalize() if number else word for number, word in enumerate(part.name.split("_")))
        kept = [row for row in first["tables"][name] if part.table != "attendances" or row["eventId"] == mine.id]
        assert second["tables"][name] == kept, name


async def test_a_tampered_document_is_refused(db: Database) -> None:
    """Rows of other people, unknown columns and another person's e-mail address are refused."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana)
    found = json.loads(json.dumps(await export_document(db, ana.user_id, "x")))
    foreign = json.loads(json.dumps(found))
    foreign["tables"]["events"][0]["authorId"] = "somebody"
    unknown = json.loads(json.dumps(found))
    unknown["tables"]["events"][0]["x; drop table users"] = 1
    other = json.loads(json.dumps(found))
    other["tables"]["users"][0]["id"] = "0198a3c2-7b1e-7c40-9d5e-2f6a1b8c4d01"
    for wrong in (foreign, unknown, other, {}, {**found, "tables": []}, {**found, "tables": {"users": [1]}}):
        with pytest.raises((InvalidInput, Refused)):
            await import_document(db, wrong)


async def test_people_download_their_own_data(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        assert (await browser.get("/settings/data/download")).status_code in {303, 401}
        await sign_up(browser, "ana@example.org", "Ana")
        assert "Download my data" in (await browser.get("/settings/data")).text
        file = await browser.get("/settings/data/download")
        assert file.headers["content-disposition"].startswith("attachment;")
        assert file.headers["cache-control"] == "no-store"
        assert file.json()["person"]["email"] == "ana@example.org"

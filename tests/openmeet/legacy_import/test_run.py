"""An older database is imported, imported again, interrupted and rolled back; on both engines."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import NotFound, Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.erasure import actions as erasure
from openmeet.domain.events.model import EventSlug, EventStatus
from openmeet.domain.events.queries import by_slug
from openmeet.domain.legacy_import import queries
from openmeet.domain.legacy_import.read import PostgresDump, PostgresSource, read_old
from openmeet.domain.legacy_import.report import differences
from openmeet.domain.legacy_import.rollback import roll_back
from openmeet.domain.legacy_import.run import import_legacy
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import SeriesSlug
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from openmeet.network.ingestion.person_erasure import take_due
from tests.databases import MakeDatabase, drop_schemas
from tests.openmeet.erasure.erasure_context import erasing_in
from tests.openmeet.legacy_import.legacy_site import (
    LEGACY_SOURCE,
    date_of,
    event,
    legacy_site,
    load,
    plan_of_dump,
    report_nothing,
    weekly,
)

FIRST = datetime.fromisoformat("2025-03-04T18:00")
WEEK = timedelta(weeks=1)
TABLES = ("users", "events", "event_series", "event_series_followers", "attendances", "groups", "group_members")


async def contents(db: Database) -> dict[str, int]:
    async with db.reader() as reader:
        found = {}
        for table in (*TABLES, "notifications", "notification_emails", "outbox_jobs", "publications"):
            row = await reader.fetch_one(f"select count(*) as found from {table}")
            assert row is not None
            found[table] = row["found"]
        return found


async def found(db: Database) -> dict[str, int]:
    async with db.reader() as reader:
        run = await queries.run_of(reader, LEGACY_SOURCE)
        assert run is not None
        return await queries.found_counts(reader, run.id)


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def test_everything_is_imported_and_nobody_is_notified(db: Database, tmp_path: Path) -> None:
    """The counts in the database match the generator's, and no e-mail, notification or record is queued."""
    legacy = legacy_site(150, seed=7)
    plan = await plan_of_dump(legacy, tmp_path)
    await import_legacy(db, LEGACY_SOURCE, "UTC", plan, report_nothing)
    assert differences(plan.counts(), await found(db)) == {}
    there = await contents(db)
    assert there["users"] == len(legacy.tables["users"])
    assert there["attendances"] == legacy.answers
    assert there["event_series_followers"] == legacy.followers
    assert (there["notifications"], there["notification_emails"], there["outbox_jobs"]) == (0, 0, 0)
    async with db.reader() as reader:
        row = await reader.fetch_one(
            "select count(*) as found from events where is_published_by_policy = 1 and series_id is not null "
            "and visibility = 'public'"
        )
    assert row is not None
    assert row["found"] == 0


async def test_importing_again_changes_nothing(db: Database, tmp_path: Path) -> None:
    plan = await plan_of_dump(legacy_site(60, seed=2), tmp_path)
    await import_legacy(db, LEGACY_SOURCE, "UTC", plan, report_nothing)
    before = await contents(db)
    await import_legacy(db, LEGACY_SOURCE, "UTC", plan, report_nothing)
    assert await contents(db) == before


class Stumbling:
    """A database whose process is killed just before its n-th commit."""

    def __init__(self, db: Database, commits: int) -> None:
        self._db = db
        self._left = commits

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._db.transaction() as tx:
            yield tx
            self._left -= 1
            if self._left == 0:
                raise KeyboardInterrupt


async def test_an_interrupted_import_can_be_continued(db: Database, tmp_path: Path) -> None:
    """An import is killed before its second commit, then continued and killed before the third commit of the rest, and
    so on. The counts are the same in the end.
    """
    plan = await plan_of_dump(legacy_site(60, seed=4), tmp_path)
    stumbled = 0
    for commits in range(2, 40):
        try:
            await import_legacy(cast("Database", Stumbling(db, commits)), LEGACY_SOURCE, "UTC", plan, report_nothing)
        except KeyboardInterrupt:
            stumbled += 1
        else:
            break
    assert stumbled >= 3
    assert differences(plan.counts(), await found(db)) == {}


async def test_erased_people_are_not_imported_again(db: Database, tmp_path: Path, clock: HandClock) -> None:
    """The old row of an erased person is mapped to an erased user, which does not prevent a rollback either."""
    plan = await plan_of_dump(legacy_site(30, seed=7), tmp_path)
    await import_legacy(db, LEGACY_SOURCE, "UTC", plan, report_nothing)
    async with db.transaction() as tx:
        (row,) = await tx.fetch("select id, email from users where email is not null order by id limit 1")
        await erasure.request(tx, row["id"], 0)
    assert await take_due(db, erasing_in(tmp_path)) == 1
    people = (await contents(db))["users"]
    await import_legacy(db, LEGACY_SOURCE, "UTC", plan, report_nothing)
    async with db.reader() as reader:
        assert await by_email(reader, row["email"]) is None
        run = await queries.run_of(reader, LEGACY_SOURCE)
        assert run is not None
        assert await queries.count_active_users(reader, run.id) == 0
    assert (await contents(db))["users"] == people


async def test_urls_rooms_and_status_are_preserved(db: Database, tmp_path: Path) -> None:
    """URLs, rooms, status and waitlist are as before, and the series is linked to the one that was split off."""
    legacy = legacy_site(0, people=4)
    for table in ("events", "eventAttendees"):
        legacy.tables[table].clear()
    parent = weekly(legacy, FIRST, slug="practice", matrixRoomId="!series:old", userId=2)
    off = date_of(legacy, parent, FIRST + WEEK, slug="practice-2", status="cancelled", matrixRoomId="!date:old")
    for user in (3, 1):
        legacy.answer(off, user, "waitlist")
    date_of(
        legacy, parent, FIRST + 2 * WEEK, slug="practice-new", name="New", isRecurring=True, recurrenceSplitPoint=True,
        recurrenceRule={"freq": "WEEKLY"},
    )  # fmt: skip
    await import_legacy(db, LEGACY_SOURCE, "UTC", await plan_of_dump(legacy, tmp_path), report_nothing)
    async with db.reader() as reader:
        series = await series_queries.by_slug(reader, SeriesSlug("practice"))
        behind = await series_queries.by_slug(reader, SeriesSlug("practice-new"))
        first = await by_slug(reader, EventSlug("practice"))
        second = await by_slug(reader, EventSlug("practice-2"))
        host = await by_email(reader, "person2@old.example")
        rooms = await reader.fetch(
            "select matrix_room_id from event_series union select matrix_room_id from events order by 1"
        )
        line = await reader.fetch(
            "select u.email from attendances a join users u on u.id = a.user_id order by waitlist_number"
        )
    assert series is not None
    assert behind is not None
    assert behind.split_from == series.id
    assert host is not None
    assert series.owner_id == host.id
    assert first is not None
    assert first.position_in_series is not None
    assert first.position_in_series.series_id == series.id
    assert second is not None
    assert second.status is EventStatus.CANCELLED
    assert {row[0] for row in rows_with(rooms)} == {"!date:old", "!series:old"}
    assert [row["email"] for row in line] == ["person3@old.example", "person1@old.example"]


def rows_with(rows: object) -> list:
    return [row for row in rows if row[0] is not None]  # type: ignore[attr-defined]


async def test_existing_people_and_urls_are_kept(db: Database, tmp_path: Path) -> None:
    """A person with the same e-mail address is the same user, and an event with the same URL keeps it."""
    async with db.transaction() as tx:
        ana = await users.create_person(tx, display_name="Ana", email="person1@old.example")
    legacy = legacy_site(0, people=2)
    legacy.tables["events"].clear()
    event(legacy, slug="shared", userId=1)
    event(legacy, slug="shared", userId=2)
    await import_legacy(db, LEGACY_SOURCE, "UTC", await plan_of_dump(legacy, tmp_path), report_nothing)
    async with db.reader() as reader:
        known = await by_email(reader, "person1@old.example")
        rows = await reader.fetch("select author_id, slug from events order by created_at, id")
    assert known is not None
    assert (known.id, known.display_name) == (ana, "Ana")
    assert rows[0]["author_id"] == ana
    assert rows[0]["slug"] == "shared"
    assert rows[1]["slug"] != "shared"


async def test_an_import_can_be_rolled_back(db: Database, tmp_path: Path) -> None:
    """After the rollback nothing is left, and the database can be imported again."""
    before = await contents(db)
    plan = await plan_of_dump(legacy_site(60, seed=5), tmp_path)
    await import_legacy(db, LEGACY_SOURCE, "UTC", plan, report_nothing)
    staying = await roll_back(db, LEGACY_SOURCE, report_nothing)
    assert (staying, await contents(db)) == (0, before)
    await import_legacy(db, LEGACY_SOURCE, "UTC", plan, report_nothing)
    assert differences(plan.counts(), await found(db)) == {}


async def test_rows_in_use_are_not_rolled_back(db: Database, tmp_path: Path) -> None:
    legacy = legacy_site(0, people=2)
    legacy.tables["events"].clear()
    event(legacy, slug="next-year", startDate="2027-01-05 18:00:00", endDate=None)
    await import_legacy(db, LEGACY_SOURCE, "UTC", await plan_of_dump(legacy, tmp_path), report_nothing)
    async with db.transaction() as tx:
        ben = await users.create_person(tx, display_name="Ben", email="ben@example.org")
        await attendance.answer(tx, Caller(ben, "Ben"), EventSlug("next-year"), RsvpReply.GOING)
    there = await contents(db)
    with pytest.raises(Refused, match="1 answer was given"):
        await roll_back(db, LEGACY_SOURCE, report_nothing)
    assert await contents(db) == there
    with pytest.raises(NotFound):
        await roll_back(db, "file:another.jsonl", report_nothing)


@pytest.mark.parametrize("without", [(), ("recurrenceSplitPoint",)], ids=["with_splits", "without_splits"])
async def test_read_from_a_postgresql_server(postgres_url: str, tmp_path: Path, without: tuple[str, ...]) -> None:
    """A server and a dump of the same database give the same plan, and the server is not written to."""
    legacy = legacy_site(80, seed=9)
    if without:
        for row in legacy.tables["events"]:
            row.pop("recurrenceSplitPoint")
    schema = f"legacy_{tmp_path.name[-24:].replace('-', '_')}"
    try:
        await load(legacy, postgres_url, schema)
        there = await read_old(PostgresSource(postgres_url, schema))
    finally:
        await drop_schemas(postgres_url, [schema])
    here = await read_old(PostgresDump(legacy.dump(tmp_path / "old.jsonl")))
    assert there == here
    assert there.shape.has_split_points is not bool(without)

"""What migrations make of the dates of series that are already stored; on both engines."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from groundwork.clock import HandClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from openmeet.domain.series import calendar_uids
from openmeet.domain.series.calendar_uids import OriginalStart
from tests.databases import drop_schemas
from tests.openmeet.series.practice import NOW, ZONE, create_weekly_series, dates, give_rsvp
from tests.openmeet.site_under_test import person

SCHEMA = "migrated_dates"
# Columns of publications that a later migration renamed, and one that another added. The code that makes the data knows
# only the new table.
LATER_NAMES = {"sent_revision": "completed_revision", "was_lost": "was_deleted_elsewhere"}
LATER_COLUMN = "awaited_server"


@pytest.fixture
async def url(engine: str, request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> AsyncIterator[str]:
    """URL of a database without the schema."""
    clock.turn(NOW - clock.now())
    if engine == "sqlite":
        yield f"sqlite://{tmp_path}/"
        return
    url = request.getfixturevalue("postgres_url")
    yield url
    await drop_schemas(url, [SCHEMA])


@asynccontextmanager
async def opened_at(revision: str, url: str, clock: HandClock) -> AsyncIterator[Database]:
    """A database with the schema of an older revision, in which today's code can make data."""
    await migrate(url, SCHEMA, "openmeet", to=revision)
    db = await open_database(url, schema=SCHEMA, clock=clock)
    async with db.transaction() as tx:
        for name, later in LATER_NAMES.items():
            await tx.execute(f"alter table publications rename column {name} to {later}")
        await tx.execute(f"alter table publications add column {LATER_COLUMN} text")
    yield db
    async with db.transaction() as tx:
        await tx.execute(f"alter table publications drop column {LATER_COLUMN}")
        for name, later in LATER_NAMES.items():
            await tx.execute(f"alter table publications rename column {later} to {name}")
    await db.close()


async def test_dates_in_another_zone_keep_it(url: str, clock: HandClock) -> None:
    """Unless it is an offset or UTC, which records and files name without meaning another place."""
    changes = {"Europe/Lisbon": "starts,visibility", "UTC": "starts", "+02:00": "starts", "Europe/Berlin": ""}
    async with opened_at("0057", url, clock) as db, db.transaction() as tx:
        _, series = await create_weekly_series(tx)
        for event, (zone, fields) in zip(await dates(tx, series), changes.items(), strict=False):
            await tx.execute(
                "update events set time_zone = :zone, overridden_fields = :fields where id = :id",
                zone=zone,
                fields=fields,
                id=event.id,
            )
    await migrate(url, SCHEMA, "openmeet")
    db = await open_database(url, schema=SCHEMA, clock=clock)
    async with db.reader() as reader:
        stored = (await dates(reader, series))[: len(changes)]
    await db.close()
    found = {one.time_zone: one.position_in_series and one.position_in_series.overridden for one in stored}
    assert found == {
        "Europe/Lisbon": ("starts", "time_zone", "visibility"),
        "UTC": ("starts",),
        "+02:00": ("starts",),
        "Europe/Berlin": (),
    }


async def test_entries_that_were_sent_in_another_form_are_retired(url: str, clock: HandClock) -> None:
    """The next e-mail replaces the entries of dates that had another zone than their series, or were whole days. An
    entry that was retired earlier, and was sent with an offset, is named as it was sent: in UTC.
    """
    forms = [("Europe/Lisbon", 0), (ZONE, 1), ("+02:00", 0), (ZONE, 0)]
    async with opened_at("0058", url, clock) as db, db.transaction() as tx:
        _, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        stored = (await dates(tx, series))[: len(forms)]
        for event, (zone, is_all_day) in zip(stored, forms, strict=True):
            await give_rsvp(tx, ben, event)
            await tx.execute(
                "update events set time_zone = :zone, is_all_day = :is_all_day where id = :id",
                zone=zone,
                is_all_day=is_all_day,
                id=event.id,
            )
        await tx.execute("update attendances set calendar_entry = 'stands'")
        await tx.execute(
            "insert into retired_calendar_uids (event_id, series_id, original_date, time_zone, is_all_day, sequence, left_at)"
            " values (:id, '', '', 'Europe/Berlin', 0, 1, 1)",
            id=stored[3].id,
        )
        await tx.execute(
            "insert into retired_calendar_uids (event_id, series_id, original_date, time_zone, is_all_day, sequence, left_at)"
            " values (:id, :series_id, '2026-01-01T18:00:00', '+02:00', 0, 1, 1)",
            id=stored[3].id,
            series_id=series.id,
        )
    await migrate(url, SCHEMA, "openmeet")
    db = await open_database(url, schema=SCHEMA, clock=clock)
    async with db.reader() as reader:
        found = {one.event_id: one for one in await calendar_uids.of_dates(reader, [event.id for event in stored])}
        present = await calendar_uids.identities(reader, [event.id for event in stored])
    await db.close()
    names = [datetime.fromisoformat(event.starts_local) for event in stored]
    assert [found[event.id].original for event in stored] == [
        OriginalStart(names[0], "Europe/Lisbon"),
        OriginalStart(names[1], ZONE, is_all_day=True),
        OriginalStart(names[2], "UTC"),
        OriginalStart(datetime(2026, 1, 1, 18), "UTC"),  # noqa: DTZ001 - in the zone that is given
    ]
    assert [present[event.id].original for event in stored] == [OriginalStart(name, ZONE) for name in names]
    assert all(found[one.id].sequence < present[one.id].sequence for one in stored[:3])

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
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events.values import Audience
from openmeet.domain.series import calendar_uids
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.calendar_uids import OriginalStart
from tests.databases import drop_schemas
from tests.openmeet.series.practice import NOW, ZONE, create_weekly_series, dates, give_rsvp
from tests.openmeet.site_under_test import edited_details, person

SCHEMA = "migrated_dates"
# Columns that a later migration renamed, and one of publications that another added. The code that makes the data knows
# only the new tables.
LATER_NAMES = (
    ("0063", "publications", "sent_revision", "completed_revision"),
    ("0063", "publications", "was_lost", "was_deleted_elsewhere"),
    ("0065", "events", "door_note", "entry_instructions"),
    ("0065", "events", "door_audience", "entry_audience"),
)
LATER_COLUMN = ("0064", "awaited_server")


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
    renamed = [names for later, *names in LATER_NAMES if revision < later]
    added = [column for later, column in [LATER_COLUMN] if revision < later]
    async with db.transaction() as tx:
        for table, name, later_name in renamed:
            await tx.execute(f"alter table {table} rename column {name} to {later_name}")
        for column in added:
            await tx.execute(f"alter table publications add column {column} text")
    yield db
    async with db.transaction() as tx:
        for column in added:
            await tx.execute(f"alter table publications drop column {column}")
        for table, name, later_name in renamed:
            await tx.execute(f"alter table {table} rename column {later_name} to {name}")
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
            "insert into retired_calendar_uids (event_id, series_id, original_date, time_zone, is_all_day, sequence, "
            "left_at) values (:id, '', '', 'Europe/Berlin', 0, 1, 1)",
            id=stored[3].id,
        )
        await tx.execute(
            "insert into retired_calendar_uids (event_id, series_id, original_date, time_zone, is_all_day, sequence, "
            "left_at) values (:id, :series_id, '2026-01-01T18:00:00', '+02:00', 0, 1, 1)",
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


async def test_how_to_get_in_has_another_name(url: str, clock: HandClock) -> None:
    """Dates keep their own instructions, the series its usual ones, and notifications say that they changed."""
    async with opened_at("0064", url, clock) as db, db.transaction() as tx:
        ana, series = await create_weekly_series(
            tx, entry_instructions='Say "door_note":', entry_audience=Audience.EVERYONE
        )
        ben = await person(tx, "Ben")
        first, second = (await dates(tx, series))[:2]
        await give_rsvp(tx, ben, first)
        await event_hosting.revise(tx, ana, first.slug, edited_details(first, entry_instructions="Ring twice"))
        for table, column in (("event_series", "template"), ("notifications", "particulars")):
            for later, name in (("entry_instructions", "door_note"), ("entry_audience", "door_audience")):
                await tx.execute(f"update {table} set {column} = replace({column}, '\"{later}\"', '\"{name}\"')")
        await tx.execute(
            "update events set overridden_fields = 'door_audience,door_note,ends' where id = :id", id=second.id
        )
    await migrate(url, SCHEMA, "openmeet")
    db = await open_database(url, schema=SCHEMA, clock=clock)
    async with db.reader() as reader:
        saved = await series_queries.by_id(reader, series.id)
        found = (await dates(reader, series))[:2]
        (changed,) = await reader.fetch("select particulars from notifications where kind = 'event_changed'")
    await db.close()
    assert saved == series
    assert [one.content.entry_instructions for one in found] == ["Ring twice", 'Say "door_note":']
    assert [one.position_in_series and one.position_in_series.overridden for one in found] == [
        ("entry_instructions",),
        ("ends", "entry_audience", "entry_instructions"),
    ]
    assert '"entry_instructions"' in changed["particulars"]

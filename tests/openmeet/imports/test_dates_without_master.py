"""Dates of a series whose master is not in the file, as in the site's group feeds, and cancelled single events; both
engines.
"""

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from openmeet.domain.events import drafts
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.rules import check
from openmeet.domain.events.submissions import submission_of, values_of_event
from openmeet.domain.imports import queries
from openmeet.domain.imports.calendar_file import parse_calendar
from openmeet.domain.imports.events import import_events
from openmeet.domain.imports.model import FileReading, ImportKind, ImportResult, Medium, SelectedEvents
from openmeet.domain.series import date_queries
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import SeriesSlug
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import person
from tests.worker_pool import WORKERS

HOST = "openmeet.test"


def entry(day: str, *lines: str, uid: str = "choir@elsewhere.test", start: str = "") -> list[str]:
    """One date that is at 18:00 Berlin time by its RECURRENCE-ID, without a rule."""
    return [
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"RECURRENCE-ID;TZID=Europe/Berlin:{day}T180000",
        start or f"DTSTART;TZID=Europe/Berlin:{day}T180000",
        "DURATION:PT2H",
        *(lines if any(line.startswith("SUMMARY") for line in lines) else ("SUMMARY:Choir", *lines)),
        "END:VEVENT",
    ]


def file_of(*entries: list[str]) -> bytes:
    lines = [line for one in entries for line in one]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR", ""]).encode()


FEED = file_of(
    entry("20270302"),
    entry("20270309", "STATUS:CANCELLED", "COMMENT:The conductor is ill."),
    entry("20270316", "SUMMARY:Choir with guests", start="DTSTART;TZID=Europe/Berlin:20270316T193000"),
    entry("20270323", start="DTSTART:20270323T170000Z"),
)


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def brought(db: Database, who: Caller, content: bytes) -> ImportResult:
    async with db.transaction() as tx:
        import_id = await queries.insert(
            tx, who.user_id, ImportKind.EVENTS, Medium.ICS, target="", source="a.ics", content=content
        )
    return await import_events(db, WORKERS, who, import_id, SelectedEvents(), FileReading("Europe/Berlin"), HOST)


async def dates_of(db: Database, path: str) -> list[Event]:
    async with db.reader() as reader:
        series = await series_queries.by_slug(reader, SeriesSlug(path.removeprefix("/series/")))
        assert series is not None
        return [held.event for held in await date_queries.stored(reader, series.id)]


def test_dates_without_a_master_become_one_series() -> None:
    whole = parse_calendar(FEED, "UTC")
    (found,) = whole.events
    assert found.when == "2 March 2027 at 18:00 and on 9 March 2027, 16 March 2027 and 23 March 2027"
    assert found.warnings == (
        "The file has 4 dates of this series but not its rule, so only those dates are imported.",
    )
    changed = [change.original for change in found.changes]
    assert changed == ["2027-03-09T18:00:00", "2027-03-16T18:00:00"], (
        "the last one is at the usual time, written in UTC"
    )


async def test_every_date_of_a_feed_is_imported_once(db: Database) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    outcome = await brought(db, ana, FEED)
    assert (len(outcome.made), outcome.left_out) == (1, [])
    by_name = {
        one.position_in_series.original_date: one
        for one in await dates_of(db, outcome.made[0])
        if one.position_in_series
    }
    off = by_name["2027-03-09T18:00:00"]
    assert (off.is_cancelled, off.status_reason) == (True, "The conductor is ill.")
    guests = by_name["2027-03-16T18:00:00"]
    assert (guests.title, guests.starts_local) == ("Choir with guests", "2027-03-16T19:30:00")
    async with db.reader() as reader:
        series = await series_queries.by_slug(reader, SeriesSlug(outcome.made[0].removeprefix("/series/")))
    assert series is not None
    assert [at.day for at in (series.timing.pattern.start, *series.timing.pattern.added)] == [2, 9, 16, 23]
    again = await brought(db, ana, FEED)
    assert (again.made, again.known) == ([], 1)


async def test_cancelled_dates_of_a_feed_stay_cancelled(db: Database) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    off = file_of(*(entry(day, "STATUS:CANCELLED", "COMMENT:No room.") for day in ("20270302", "20270309")))
    assert parse_calendar(off, "UTC").events[0].is_cancelled
    dates = await dates_of(db, (await brought(db, ana, off)).made[0])
    assert [(one.is_cancelled, one.status_reason) for one in dates] == [(True, "No room.")] * 2


async def test_a_cancelled_single_event_stays_cancelled_when_published(db: Database) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    tea = ["BEGIN:VEVENT", "UID:tea", "DTSTART:20270701T150000Z", "SUMMARY:Tea", "STATUS:CANCELLED"]
    tea += ["COMMENT:It rains.", "END:VEVENT"]
    (path,) = (await brought(db, ana, file_of(tea))).made
    async with db.transaction() as tx:
        draft = await by_slug(tx, EventSlug(path.removeprefix("/events/")))
        assert draft is not None
        published = await drafts.publish(tx, ana, draft.slug, check(submission_of(values_of_event(draft))))
    assert (published.is_draft, published.is_cancelled, published.status_reason) == (False, True, "It rains.")

"""A series of a file in which very many dates differ: its import takes work in proportion to them, in one transaction."""

from datetime import datetime, timedelta

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from openmeet.domain.imports import events
from openmeet.domain.imports.calendar_file import parse_calendar
from openmeet.domain.series import date_queries, queries
from openmeet.domain.series.model import SeriesSlug
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import person
from tests.openmeet.statement_counter import StatementCounter

FIRST = datetime.fromisoformat("2026-12-01T18:00")


@pytest.fixture
async def db(make_sqlite: MakeDatabase, clock: HandClock) -> Database:
    return await make_sqlite("openmeet", clock=clock)


def file_with(number: int) -> bytes:
    """A daily series. Every other of its first dates has its own title, and the others are cancelled for a reason."""
    lines = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:d", "SUMMARY:Daily", f"DTSTART:{FIRST:%Y%m%dT%H%M%S}Z"]
    lines += ["DURATION:PT1H", "RRULE:FREQ=DAILY", "END:VEVENT"]
    for index in range(number):
        at = f"{FIRST + timedelta(days=index):%Y%m%dT%H%M%S}Z"
        lines += ["BEGIN:VEVENT", "UID:d", f"RECURRENCE-ID:{at}", f"DTSTART:{at}", f"SUMMARY:Day {index}"]
        lines += ["STATUS:CANCELLED", f"COMMENT:Reason {index}"] if index % 2 else []
        lines += ["END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


async def test_the_work_is_proportional_to_the_changed_dates(db: Database) -> None:
    read = []
    for number in (40, 80):
        (imported,) = parse_calendar(file_with(number), "UTC").events
        async with db.transaction() as tx:
            host = await person(tx, f"Host {number}")
            counted = StatementCounter(tx)
            path = await events._event(counted, host, imported)
            read.append(counted.rows)
            series = await queries.by_slug(tx, SeriesSlug(path.removeprefix("/series/")))
            assert series is not None
            dates = [one.event for one in await date_queries.stored(tx, series.id)][:number]
        assert [one.title for one in dates[::2]] == [f"Day {index}" for index in range(0, number, 2)]
        assert [one.status_reason for one in dates[1::2]] == [f"Reason {index}" for index in range(1, number, 2)]
    assert read[1] < 3 * read[0]

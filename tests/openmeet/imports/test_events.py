"""Events from a calendar file: imported once, as drafts and private series, and the round trip of this site's files;
both engines.
"""

import pytest

from groundwork.clock import DAY, HOUR, HandClock, Instant
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import InvalidInput, NotFound, TooLarge
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.rules import check
from openmeet.domain.events.values import Visibility
from openmeet.domain.icalendar.instances import instances
from openmeet.domain.icalendar.read import read_calendars
from openmeet.domain.icalendar.write import vevent_of, write_calendar
from openmeet.domain.imports import queries
from openmeet.domain.imports.calendar_file import parse_calendar
from openmeet.domain.imports.events import import_events
from openmeet.domain.imports.model import FileReading, ImportId, ImportKind, ImportResult, Medium, SelectedEvents
from openmeet.domain.series import date_queries
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.calendar_uids import CalendarIdentity, identities
from openmeet.domain.series.model import Series, SeriesSlug
from openmeet.domain.users.model import Caller
from openmeet.web.series.feeds import calendar_of
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, person
from tests.worker_pool import WORKERS

HOST = "openmeet.test"
URL = f"https://{HOST}"

CHOIR = b"""BEGIN:VCALENDAR
X-WR-CALNAME:Choir
BEGIN:VEVENT
UID:choir
DTSTART;TZID=Europe/Berlin:20260307T180000
DURATION:PT2H
RRULE:FREQ=WEEKLY;COUNT=6
EXDATE;TZID=Europe/Berlin:20260314T180000
SUMMARY:Choir
LOCATION:Church, Main Street
DESCRIPTION:Sing\\, please.
END:VEVENT
BEGIN:VEVENT
UID:choir
RECURRENCE-ID;TZID=Europe/Berlin:20260321T180000
DTSTART;TZID=Europe/Berlin:20260321T190000
DURATION:PT1H
SUMMARY:Choir with guests
END:VEVENT
BEGIN:VEVENT
UID:choir
RECURRENCE-ID;TZID=Europe/Berlin:20260328T180000
DTSTART;TZID=Europe/Berlin:20260328T180000
SUMMARY:Choir
STATUS:CANCELLED
END:VEVENT
BEGIN:VEVENT
UID:tea
DTSTART:20260701T150000Z
DTEND:20260701T160000Z
SUMMARY:Tea
END:VEVENT
BEGIN:VEVENT
UID:holiday
DTSTART;VALUE=DATE:20260702
DTEND;VALUE=DATE:20260704
SUMMARY:Away
END:VEVENT
BEGIN:VTODO
UID:todo
END:VTODO
END:VCALENDAR
"""


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def kept(db: Database, who: Caller, content: bytes) -> ImportId:
    async with db.transaction() as tx:
        return await queries.insert(
            tx, who.user_id, ImportKind.EVENTS, Medium.ICS, target="", source="a.ics", content=content
        )


async def brought(db: Database, who: Caller, content: bytes) -> ImportResult:
    return await import_events(
        db, WORKERS, who, await kept(db, who, content), SelectedEvents(), FileReading("Europe/Berlin"), HOST
    )


async def series_at(tx: Transaction, path: str) -> Series:
    found = await series_queries.by_slug(tx, SeriesSlug(path.removeprefix("/series/")))
    assert found is not None
    return found


async def test_a_calendar_becomes_drafts_and_a_series_that_only_its_host_sees(db: Database) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    outcome = await brought(db, ana, CHOIR)
    assert (len(outcome.made), outcome.known, outcome.left_out) == (3, 0, [])
    async with db.transaction() as tx:
        choir = await series_at(tx, outcome.made[0])
        dates = [held.event for held in await date_queries.stored(tx, choir.id)]
        tea = await by_slug(tx, EventSlug(outcome.made[1].removeprefix("/events/")))
        away = await by_slug(tx, EventSlug(outcome.made[2].removeprefix("/events/")))
        told = await tx.fetch_one("select count(*) as found from notifications")
    assert choir.content.visibility is Visibility.PRIVATE
    assert {date.content.visibility for date in dates} == {Visibility.PRIVATE}
    by_name = {date.position_in_series.original_date: date for date in dates if date.position_in_series}
    assert "2026-03-14T18:00:00" not in by_name
    assert by_name["2026-03-21T18:00:00"].title == "Choir with guests"
    assert by_name["2026-03-21T18:00:00"].starts_local == "2026-03-21T19:00:00"
    assert by_name["2026-03-28T18:00:00"].is_cancelled
    assert tea is not None
    assert tea.is_draft
    assert away is not None
    assert away.is_draft
    assert told is not None
    assert told["found"] == 0


async def test_importing_twice_changes_nothing(db: Database) -> None:
    """Importing the same file, confirming the same import again, or changing one event in another program creates no
    new event.
    """
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
    import_id = await kept(db, ana, CHOIR)
    first = await import_events(db, WORKERS, ana, import_id, SelectedEvents(), FileReading("UTC"), HOST)
    assert await import_events(db, WORKERS, ana, import_id, SelectedEvents(), FileReading("UTC"), HOST) == first
    again = await brought(db, ana, CHOIR.replace(b"SUMMARY:Tea", b"SUMMARY:Coffee"))
    assert (again.made, again.known) == ([], 3)
    with pytest.raises(NotFound):
        await import_events(db, WORKERS, ben, import_id, SelectedEvents(), FileReading("UTC"), HOST)
    assert len((await brought(db, ben, CHOIR)).made) == 3


async def test_only_chosen_events_are_imported(db: Database) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    import_id = await kept(db, ana, CHOIR)
    outcome = await import_events(
        db, WORKERS, ana, import_id, SelectedEvents(frozenset({"tea"})), FileReading("UTC"), HOST
    )
    assert len(outcome.made) == 1


async def test_our_own_file_survives_a_round_trip(db: Database, clock: HandClock) -> None:
    """A series with changes is exported, imported by another person and exported again: the files are equal. On its own
    site the series is recognised.
    """
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        tea = await event_by(tx, ana, title="Tea; with, commas", description="Line\nbreaks")
        single = vevent_of(
            tea,
            CalendarIdentity(tea.id, None, 1),
            host=HOST,
            url=f"{URL}/events/{tea.slug}",
            description=tea.content.description,
        )
        assert single is not None
    home = (await brought(db, ana, CHOIR)).made[0]
    async with db.transaction() as tx:
        series = await series_at(tx, home)
        first = await exported(tx, series)
    assert (await brought(db, ana, first)).made == []
    assert (await brought(db, ana, write_calendar([single], name="x"))).made == []
    away = (await brought(db, ben, first)).made[0]
    async with db.transaction() as tx:
        second = await exported(tx, await series_at(tx, away))
    assert said_by(second, clock.now()) == said_by(first, clock.now())
    assert len(said_by(first, clock.now())) == 5


async def exported(tx: Transaction, series: Series) -> bytes:
    """The feed, with the details that only hosts see."""
    stored = [held.event for held in await date_queries.stored(tx, series.id)]
    known = await identities(tx, [one.id for one in stored])
    return calendar_of([(series, stored)], set(known), known, tx.now, URL)


def said_by(file: bytes, now: Instant) -> list[tuple[object, ...]]:
    """Every date of a file, with the fields that matter to readers."""
    (calendar,) = read_calendars(file)
    return [
        (
            one.starts_at,
            one.ends_at,
            one.event.summary,
            one.event.description,
            one.event.location,
            one.event.is_cancelled,
        )
        for one in instances(calendar.events, Instant(now - 400 * DAY), Instant(now + 400 * DAY))
        if not one.event.is_cancelled or one.original is not None
    ]


def test_a_hundred_thousand_lines_are_bounded() -> None:
    """A large calendar is read within seconds and cut at a number of events. A file with more components than that is
    refused.
    """
    one = b"BEGIN:VEVENT\r\nUID:%d\r\nDTSTART:20270101T100000Z\r\nSUMMARY:x\r\nEND:VEVENT\r\n"
    many = b"BEGIN:VCALENDAR\r\n" + b"".join(one % number for number in range(2_000)) + b"END:VCALENDAR\r\n"
    lines = b"X-PADDING:1\r\n" * 100_000
    whole = parse_calendar(many.replace(b"END:VCALENDAR", lines + b"END:VCALENDAR"), "UTC")
    assert len(whole.events) == 500
    assert "2,000 events" in whole.warnings[0]
    with pytest.raises(TooLarge):
        parse_calendar(b"BEGIN:VCALENDAR\r\n" + one % 1 * 25_000 + b"END:VCALENDAR\r\n", "UTC")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"BEGIN:VCALENDAR\r\n" * 50,
        b"\x00\xff" * 100,
    ],
)
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_calendar(content, "UTC")


@pytest.mark.parametrize(("night", "hours"), [("20270327", 7), ("20271030", 9)])
def test_an_event_across_a_clock_change_ends_when_the_file_says(night: str, hours: int) -> None:
    """The night in which clocks change in Berlin has an hour less or more, whether the file has an end or a duration."""
    start = (
        f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:n\r\nSUMMARY:Night\r\nDTSTART;TZID=Europe/Berlin:{night}T220000\r\n"
    )
    for end in (f"DTEND;TZID=Europe/Berlin:{int(night) + 1}T060000", f"DURATION:PT{hours}H"):
        (event,) = parse_calendar(f"{start}{end}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n".encode(), "UTC").events
        details = check(event.typed)
        assert event.typed.ends[11:] == "06:00"
        assert details.ends_at is not None
        assert details.ends_at - details.starts_at == hours * HOUR

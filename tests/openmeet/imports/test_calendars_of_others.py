"""Import of other programs' calendars: each date once, at the time in its file, or a warning before the import."""

import json
from datetime import datetime
from typing import Any

import pytest

from groundwork.clock import DAY, HandClock, Instant, from_datetime
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.icalendar.instances import instances
from openmeet.domain.icalendar.read import read_calendars
from openmeet.domain.icalendar.write import vevent_of, write_calendar
from openmeet.domain.imports import queries
from openmeet.domain.imports.calendar_file import parse_calendar
from openmeet.domain.imports.events import import_events
from openmeet.domain.imports.model import FileReading, ImportKind, ImportResult, Medium, SelectedEvents
from openmeet.domain.series import date_queries
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.calendar_uids import CalendarIdentity, identities
from openmeet.domain.series.model import Series, SeriesSlug
from openmeet.domain.users.model import Caller
from openmeet.recurrence.wall_time import instant_of
from openmeet.web.series.feeds import calendar_of
from tests.databases import MakeDatabase
from tests.external_dependencies import FIXTURES
from tests.openmeet.site_under_test import person
from tests.worker_pool import WORKERS

HOST = "openmeet.test"
URL = f"https://{HOST}"
FILES = {path.name: path.read_bytes() for path in sorted((FIXTURES / "data" / "ics").glob("*.ics"))}
WANTED: dict[str, Any] = json.loads((FIXTURES / "data" / "ics" / "expected.json").read_text())["files"] if FILES else {}


async def brought(db: Database, who: Caller, content: bytes, zone: str) -> ImportResult:
    async with db.transaction() as tx:
        import_id = await queries.insert(
            tx, who.user_id, ImportKind.EVENTS, Medium.ICS, target="", source="a.ics", content=content
        )
    # Chosen one by one, because some of them are over.
    selection = SelectedEvents(frozenset(event.uid for event in parse_calendar(content, zone).events))
    return await import_events(db, WORKERS, who, import_id, selection, FileReading(zone), HOST)


async def begin(db: Database, clock: HandClock, at: Instant) -> Caller:
    clock.turn(at - clock.now())
    async with db.transaction() as tx:
        return await person(tx, "Ana")


async def parts_of(tx: Transaction, path: str) -> list[Series]:
    """The series at a path and those that continue it."""
    found = await series_queries.by_slug(tx, SeriesSlug(path.removeprefix("/series/")))
    assert found is not None
    rows = await tx.fetch("select id from event_series where user_id = :owner order by id", owner=found.owner_id)
    every = [await series_queries.by_id(tx, row["id"]) for row in rows]
    parts, ids = [found], {found.id}
    for one in every:
        if one is not None and one.split_from in ids:
            parts.append(one)
            ids.add(one.id)
    return parts


async def said_by(
    tx: Transaction, paths: list[str], start: Instant, end: Instant
) -> list[tuple[Instant, Instant, str]]:
    """Start, end and title of each imported date that takes place and overlaps the window."""
    found = []
    for path in paths:
        if path.startswith("/events/"):
            event = await by_slug(tx, EventSlug(path.removeprefix("/events/")))
            assert event is not None
            entry = vevent_of(event, CalendarIdentity(event.id, None, 1), host=HOST, url=URL)
            assert entry is not None
            file = write_calendar([entry], name="")
        else:
            parts = [
                (part, [one.event for one in await date_queries.stored(tx, part.id)])
                for part in await parts_of(tx, path)
            ]
            known = await identities(tx, [one.id for _, held in parts for one in held])
            file = calendar_of(parts, set(known), known, tx.now, URL)
        (calendar,) = read_calendars(file)
        found += [
            (one.starts_at, one.ends_at, one.event.summary)
            for one in instances(calendar.events, start, end)
            if not one.event.is_cancelled
        ]
    return sorted(found)


def moment(text: str, zone: str) -> Instant:
    """An instant of the expected result, given with an offset or as local time of a zone."""
    at = datetime.fromisoformat(text)
    return instant_of(at, zone) if at.tzinfo is None else from_datetime(at)


@pytest.mark.parametrize("name", FILES)
async def test_each_date_is_where_its_file_has_it(make_sqlite: MakeDatabase, clock: HandClock, name: str) -> None:
    """Files by Google, Outlook, Apple and calendar servers. A second import creates nothing."""
    wanted = WANTED[name]
    zone = wanted["calendar"]["timezone"] or "UTC"
    start, end = (moment(text, "UTC") for text in wanted["window"])
    db = await make_sqlite("openmeet", clock=clock)
    ana = await begin(db, clock, Instant(start - 2 * DAY))
    whole = parse_calendar(FILES[name], zone)
    outcome = await brought(db, ana, FILES[name], zone)
    assert len(outcome.made) + len(outcome.left_out) == len(whole.events) > 0
    async with db.transaction() as tx:
        made = await said_by(tx, outcome.made, start, end)
    assert made == sorted(
        (moment(one.get("placed", one["start"]), zone), moment(one["end"], zone), one["summary"])
        for one in wanted["occurrences"]
        if one.get("status") != "CANCELLED"
    )
    assert (await brought(db, ana, FILES[name], zone)).made == []


CHOIR = """BEGIN:VCALENDAR
BEGIN:VEVENT
UID:choir
DTSTART;TZID=Europe/Berlin:20260310T180000
DURATION:PT1H
RRULE:{rule}
SUMMARY:Choir
END:VEVENT
{changes}
END:VCALENDAR
"""
CHANGE = """BEGIN:VEVENT
UID:choir
RECURRENCE-ID;TZID=Europe/Berlin{range}:{original}
DTSTART{starts}
DURATION:PT2H
SUMMARY:{summary}
SEQUENCE:{sequence}
{more}END:VEVENT"""
FOLLOWING = ";RANGE=THISANDFUTURE"


def choir(rule: str, *changes: tuple[str, str, str], more: str = "") -> bytes:
    """A file with these changes, each a RANGE, a RECURRENCE-ID and a start."""
    texts = [
        CHANGE.format(range=reach, original=original, starts=starts, summary=f"Choir {n}", sequence=n, more=more)
        for n, (reach, original, starts) in enumerate(changes, 1)
    ]
    return CHOIR.format(rule=rule, changes="\n".join(texts)).encode()


BERLIN = ";TZID=Europe/Berlin:"
TOLD = {
    "twice, and single dates after each": choir(
        "FREQ=WEEKLY;COUNT=9",
        (FOLLOWING, "20260324T180000", f"{BERLIN}20260324T193000"),
        ("", "20260331T180000", f"{BERLIN}20260401T120000"),
        (FOLLOWING, "20260414T180000", f"{BERLIN}20260413T170000"),
        ("", "20260421T180000", f"{BERLIN}20260421T090000"),
    ),
    "from its first date on": choir("FREQ=WEEKLY;COUNT=4", (FOLLOWING, "20260310T180000", f"{BERLIN}20260310T193000")),
    "to another day, with an end in UTC": choir(
        "FREQ=WEEKLY;BYDAY=TU,TH;UNTIL=20260430T160000Z", (FOLLOWING, "20260324T180000", f"{BERLIN}20260325T183000")
    ),
    "written in UTC, over the change of the clocks": choir(
        "FREQ=WEEKLY;COUNT=6", (FOLLOWING, "20260324T180000", ":20260324T180000Z")
    ),
    "longer, at the same time": choir(
        "FREQ=MONTHLY;BYDAY=2TU;COUNT=5", (FOLLOWING, "20260512T180000", f"{BERLIN}20260512T180000")
    ),
    "called off from there on": choir(
        "FREQ=WEEKLY;COUNT=6", (FOLLOWING, "20260324T180000", f"{BERLIN}20260324T180000"), more="STATUS:CANCELLED\n"
    ),
}


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("is_over", [False, True], ids=["ahead", "over in part"])
async def test_changes_to_following_dates_are_imported(
    db: Database, clock: HandClock, told: str, *, is_over: bool
) -> None:
    """Each date has the time that a calendar program shows, whether the date is over or not."""
    file = TOLD[told]
    now = instant_of(datetime.fromisoformat("2026-04-15T12:00" if is_over else "2026-03-01T12:00"), "UTC")
    start, end = Instant(now - 300 * DAY), Instant(now + 300 * DAY)
    ana = await begin(db, clock, now)
    assert parse_calendar(file, "UTC").events[0].warnings == ()
    outcome = await brought(db, ana, file, "UTC")
    (calendar,) = read_calendars(file)
    wanted = [
        (one.starts_at, one.ends_at, one.event.summary)
        for one in instances(calendar.events, start, end)
        if not one.event.is_cancelled
    ]
    async with db.transaction() as tx:
        assert await said_by(tx, outcome.made, start, end) == sorted(wanted)


@pytest.mark.parametrize(
    ("rule", "original", "starts"),
    [
        ("FREQ=MONTHLY;BYDAY=2TU;COUNT=6", "20260512T180000", f"{BERLIN}20260513T180000"),
        ("FREQ=WEEKLY;BYHOUR=9,18;BYMINUTE=0;COUNT=12", "20260317T180000", f"{BERLIN}20260317T183000"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=6", "20260430T180000", f"{BERLIN}20260501T180000"),
        ("FREQ=WEEKLY;COUNT=6", "20260324T180000", ";VALUE=DATE:20260324"),
    ],
    ids=["another day of the month", "several times a day", "behind the last day of the month", "whole days"],
)
async def test_the_preview_warns_about_changes_that_no_rule_expresses(
    db: Database, clock: HandClock, rule: str, original: str, starts: str
) -> None:
    """The date named in the file is moved. The preview says that the dates after it stay."""
    file = choir(rule, (FOLLOWING, original, starts)).replace(b"DURATION:PT2H\n", b"")
    ana = await begin(db, clock, instant_of(datetime.fromisoformat("2026-03-01T12:00"), "UTC"))
    (warning,) = parse_calendar(file, "UTC").events[0].warnings
    assert "We moved only that date" in warning
    (path,) = (await brought(db, ana, file, "UTC")).made
    at = datetime.strptime(starts.partition(":")[2][:8], "%Y%m%d").date()  # noqa: DTZ007  # a day
    async with db.transaction() as tx:
        stored = [one.event for part in await parts_of(tx, path) for one in await date_queries.stored(tx, part.id)]
    name = datetime.strptime(original, "%Y%m%dT%H%M%S").isoformat()  # noqa: DTZ007  # wall clock
    (moved,) = [
        one for one in stored if one.position_in_series is not None and one.position_in_series.original_date == name
    ]
    assert (moved.starts_local[:10], moved.title) == (at.isoformat(), "Choir 1")

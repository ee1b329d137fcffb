"""Feeds of this site, imported into another installation and exported there again, are the same; both engines."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from groundwork.clock import DAY, HandClock, Instant
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.values import Audience, Visibility
from openmeet.domain.icalendar.instances import instances
from openmeet.domain.icalendar.read import read_calendars
from openmeet.domain.icalendar.write import vevent_of, write_calendar
from openmeet.domain.imports import queries
from openmeet.domain.imports.events import import_events
from openmeet.domain.imports.model import FileReading, ImportKind, Medium, SelectedEvents
from openmeet.domain.series import date_queries
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.calendar_uids import CalendarIdentity, identities
from openmeet.domain.series.feed_queries import WholeSeries
from openmeet.domain.series.model import Series, SeriesSlug
from openmeet.domain.users.model import Caller
from openmeet.web.calendar.feed import file_of
from openmeet.web.events import feeds
from openmeet.web.events.feeds import Feed
from openmeet.web.groups import feeds as group_feed
from openmeet.web.series import feeds as series_feed
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import event_by, person
from tests.worker_pool import WORKERS

URL, AWAY_URL = "https://openmeet.test", "https://elsewhere.test"

CHOIR = b"""BEGIN:VCALENDAR
BEGIN:VEVENT
UID:choir
DTSTART;TZID=Europe/Berlin:20260307T180000
DURATION:PT2H
RRULE:FREQ=WEEKLY;COUNT=6
EXDATE;TZID=Europe/Berlin:20260314T180000
SUMMARY:Choir
LOCATION:Church\\, Main Street
CATEGORIES:Music,a cappella
DESCRIPTION:Sing\\, please.
END:VEVENT
BEGIN:VEVENT
UID:choir
RECURRENCE-ID;TZID=Europe/Berlin:20260321T180000
DTSTART;TZID=Europe/Berlin:20260321T190000
DURATION:PT1H
SUMMARY:Choir with guests
CATEGORIES:Dance
X-OPENMEET-MODE:hybrid
END:VEVENT
BEGIN:VEVENT
UID:choir
RECURRENCE-ID;TZID=Europe/Berlin:20260328T180000
DTSTART;TZID=Europe/Berlin:20260328T180000
SUMMARY:Choir
STATUS:CANCELLED
COMMENT:The conductor is ill.
END:VEVENT
BEGIN:VEVENT
UID:choir
RECURRENCE-ID;TZID=Europe/Berlin:20260404T180000
DTSTART;TZID=Europe/Berlin:20260404T180000
DURATION:PT2H
SUMMARY:Choir
LOCATION:Church\\, Main Street
CATEGORIES:Music,a cappella
DESCRIPTION:Sing\\, please.
STATUS:TENTATIVE
X-OPENMEET-STATUS:postponed
END:VEVENT
BEGIN:VEVENT
UID:choir
RECURRENCE-ID;TZID=Europe/Berlin:20260411T180000
DTSTART;TZID=Europe/Berlin:20260412T180000
DURATION:PT2H
SUMMARY:Choir
X-OPENMEET-STATUS:rescheduled
END:VEVENT
END:VCALENDAR
"""

PLACE = {
    "venue_name": "Town library, second floor",
    "street": "Hauptstraße 7",
    "postal_code": "10827",
    "locality": "Berlin",
    "region": "Berlin",
    "country": "DE",
    "point": "52.48, 13.35",
}


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


@pytest.fixture
async def other_db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


@pytest.fixture
async def ana(db: Database) -> Caller:
    async with db.transaction() as tx:
        return await person(tx, "Ana")


async def brought(db: Database, who: Caller, content: bytes, host: str) -> list[str]:
    async with db.transaction() as tx:
        import_id = await queries.insert(
            tx, who.user_id, ImportKind.EVENTS, Medium.ICS, target="", source="a.ics", content=content
        )
    outcome = await import_events(db, WORKERS, who, import_id, SelectedEvents(), FileReading("Europe/Berlin"), host)
    assert (outcome.known, outcome.left_out) == (0, [])
    return outcome.made


async def there_and_back(other_db: Database, file: bytes) -> bytes:
    """Import the file on the other installation and export everything that was created."""
    async with other_db.transaction() as tx:
        ben = await person(tx, "Ben")
    made = await brought(other_db, ben, file, "elsewhere.test")
    lines: list[bytes] = []
    async with other_db.transaction() as tx:
        for path in made:
            slug = path.rpartition("/")[2]
            if path.startswith("/series/"):
                part = await series_and_dates(tx, slug)
                known = await identities(tx, [one.id for one in part[1]])
                lines.append(series_feed.calendar_of([part], set(known), known, tx.now, AWAY_URL))
            else:
                event = await by_slug(tx, EventSlug(slug))
                assert event is not None
                lines.append(alone(event))
    return b"".join(lines)


async def series_and_dates(tx: Transaction, slug: str) -> tuple[Series, list[Event]]:
    """The series and its dates as everybody sees them. Imported ones are private at first."""
    series = await series_queries.by_slug(tx, SeriesSlug(slug))
    assert series is not None
    dates = [public(held.event) for held in await date_queries.stored(tx, series.id)]
    return series, dates


def public(event: Event) -> Event:
    return replace(event, content=replace(event.content, visibility=Visibility.PUBLIC))


def alone(*events: Event) -> bytes:
    """A calendar file with these single events, each entry as in its own file."""
    entries = [
        vevent_of(
            event,
            CalendarIdentity(event.id, None, 1),
            host="openmeet.test",
            url=f"{URL}/events/{event.slug}",
            description=event.content.description,
        )
        for event in events
    ]
    return write_calendar([entry for entry in entries if entry is not None], name="x")


def said_by(file: bytes, now: Instant) -> list[tuple[object, ...]]:
    """Every date of a file, in everything except its UID."""
    events = [
        replace(event, uid=f"{number}-{event.uid}")
        for number, calendar in enumerate(read_calendars(file))
        for event in calendar.events
    ]
    return sorted(
        (
            one.starts_at,
            one.ends_at,
            one.event.pattern.is_all_day,
            one.event.summary,
            one.event.description,
            one.event.location,
            repr(one.event.venue),
            repr(one.event.coordinates),
            repr(one.event.mode),
            one.event.categories,
            one.event.is_cancelled,
            one.event.is_tentative,
            repr(one.event.named_status),
            one.event.comment,
        )
        for one in instances(events, Instant(now - 30 * DAY), Instant(now + 300 * DAY))
    )


async def home_events(db: Database, ana: Caller) -> tuple[Series, Sequence[Event]]:
    """A series with changed dates, and single events of every kind."""
    (path,) = await brought(db, ana, CHOIR, "openmeet.test")
    async with db.transaction() as tx:
        series, dates = await series_and_dates(tx, path.rpartition("/")[2])
        tea = {"starts": "2026-04-04T15:00", "ends": "", "title": "Tea; with, commas", "description": "Line\nbreaks"}
        whole = {"starts": "2026-04-05", "ends": "2026-04-06", "all_day": "yes", "title": "Fair"}
        secret = {"starts": "2026-04-07T10:00", "ends": "2026-04-07T11:00", "place_audience": "attendees"}
        online = {"starts": "2026-04-08T10:00", "ends": "2026-04-08T11:00", "mode": "online"}
        single = [
            await event_by(tx, ana, **tea, **PLACE, mode="hybrid", categories="food,games", tags="cake, 日本語"),
            await event_by(tx, ana, **whole),
            await event_by(tx, ana, **secret, **PLACE),
            await event_by(tx, ana, **online, online_url="https://meet.example/secret"),
        ]
    assert len(dates) > 1
    return series, [*dates, *single]


async def test_single_events_come_back_the_same(
    db: Database, other_db: Database, ana: Caller, clock: HandClock
) -> None:
    _, events = await home_events(db, ana)
    single = [event for event in events if event.position_in_series is None]
    file = alone(*single)
    said = said_by(file, clock.now())
    assert len(said) == len(single)
    assert said_by(await there_and_back(other_db, file), clock.now()) == said
    assert b"secret" not in file
    # People who are not going see only the town, in every property.
    nearby = alone(*(event for event in single if event.content.place_audience is Audience.ATTENDEES))
    assert b"Berlin" in nearby
    assert all(word not in nearby for word in (b"Haupt", b"10827", b"library", b"GEO"))


async def test_a_series_with_its_exceptions_comes_back_the_same(
    db: Database, other_db: Database, ana: Caller, clock: HandClock
) -> None:
    series, events = await home_events(db, ana)
    async with db.transaction() as tx:
        known = await identities(tx, [one.id for one in events])
        dates = [one for one in events if one.position_in_series]
        file = series_feed.calendar_of([(series, dates)], set(known), known, tx.now, URL)
    said = said_by(file, clock.now())
    assert len(said) == 5
    assert b"STATUS:TENTATIVE\r\nX-OPENMEET-STATUS:postponed" in file
    assert b"X-OPENMEET-STATUS:rescheduled" in file
    assert said_by(await there_and_back(other_db, file), clock.now()) == said


@pytest.mark.parametrize("kind", ["group", "search", "person"])
async def test_a_feed_of_many_events_comes_back_the_same(
    db: Database, other_db: Database, ana: Caller, clock: HandClock, kind: str
) -> None:
    series, events = await home_events(db, ana)
    async with db.transaction() as tx:
        group = await group_by(tx, ana)
        known = await identities(tx, [one.id for one in events])
        if kind == "group":
            ours = [event if event.group else replace(event, record_uri="at://did:plc:x/y/z") for event in events]
            dates = [(event, True) for event in ours if event.position_in_series]
            whole = WholeSeries.of(series, dates, begins=Instant(0))
            single = [event for event in ours if event.position_in_series is None]
            file = group_feed.calendar_of(group, [whole], single, known, tx.now, URL, is_public=True)
            # The text avoids protocol addresses, which mean nothing in a calendar.
            assert b"From another app" in file
            assert b"at://" not in file
        elif kind == "search":
            file = feeds.calendar_of(Feed("All", "urn:x", URL, URL), events, known, URL)
        else:
            file = await file_of(tx, ana.user_id, name="Ana", public_url=URL)
    said = said_by(
        file.replace(b"From another app,", b"").replace(b"CATEGORIES:From another app\r\n", b""), clock.now()
    )
    assert len(said) >= len(events)
    assert said_by(await there_and_back(other_db, file), clock.now()) == said

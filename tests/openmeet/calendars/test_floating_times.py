"""Times without a zone in a subscribed calendar mean the owner's time zone, whoever reads the calendar again; on both
engines.
"""

import pytest

from groundwork.clock import DAY, HOUR, HandClock, Instant
from groundwork.database.transaction import Database
from openmeet.domain.calendars import queries, subscriptions, tasks
from openmeet.domain.calendars.entries import all_of
from openmeet.domain.calendars.fetch import CalendarFetcher
from openmeet.domain.calendars.model import REFRESH_EVERY
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import set_time_zone
from openmeet.recurrence.wall_time import local_of
from tests.databases import MakeDatabase
from tests.openmeet.calendars.calendar_server import CalendarServer, elsewhere, fetcher
from tests.openmeet.site_under_test import CODE_KEY, person
from tests.worker_pool import POOL, WORKERS

__all__ = ["elsewhere", "fetcher"]

SITE_ZONE = "UTC"
FLOATING = """BEGIN:VCALENDAR
BEGIN:VEVENT
UID:choir@example.org
DTSTART:20260307T180000
DURATION:PT2H
RRULE:FREQ=YEARLY
SUMMARY:Choir {extra}
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def owners(db: Database) -> list[tuple[Caller, str]]:
    """Two people in different time zones, neither of which is the site's."""
    zones = ["Asia/Tokyo", "America/Lima"]
    async with db.transaction() as tx:
        people = [(await person(tx, zone.partition("/")[2]), zone) for zone in zones]
        for caller, zone in people:
            await set_time_zone(tx, caller.user_id, zone)
    return people


async def starts(db: Database, who: Caller, zone: str, after: Instant) -> set[str]:
    """Title and local start of the person's entries in the year after this instant."""
    async with db.reader() as reader:
        entries = await all_of(reader, who.user_id, after, Instant(after + 366 * DAY))
    return {f"{one.title} {local_of(one.starts_at, zone):%H:%M}" for one in entries}


async def test_a_fetched_calendar_is_read_in_the_zone_of_its_owner(
    db: Database, elsewhere: CalendarServer, fetcher: CalendarFetcher, clock: HandClock
) -> None:
    people = await owners(db)
    elsewhere.body = FLOATING.format(extra="practice")
    for who, zone in people:
        offered = await subscriptions.preview_address(fetcher, WORKERS, elsewhere.url, clock.now(), zone)
        async with db.transaction() as tx:
            await subscriptions.subscribe(tx, CODE_KEY, who.user_id, offered, "", fetcher)
    elsewhere.body = FLOATING.format(extra="concert")
    clock.turn(REFRESH_EVERY + HOUR)
    assert await tasks.refresh_due(db, fetcher, POOL, SITE_ZONE) == len(people)
    assert [await starts(db, who, zone, clock.now()) for who, zone in people] == [{"Choir concert 18:00"}] * 2


async def test_a_later_window_is_read_in_the_zone_of_the_owner(db: Database, clock: HandClock) -> None:
    people = await owners(db)
    for who, zone in people:
        offered = await subscriptions.preview_file(
            WORKERS, FLOATING.format(extra="practice").encode(), clock.now(), zone
        )
        async with db.transaction() as tx:
            await subscriptions.subscribe(tx, CODE_KEY, who.user_id, offered, "", None)
    clock.turn(800 * DAY)
    assert await tasks.roll(db, POOL, SITE_ZONE) == len(people)
    assert [await starts(db, who, zone, clock.now()) for who, zone in people] == [{"Choir practice 18:00"}] * 2


async def test_a_person_without_a_zone_reads_in_that_of_the_site(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        assert await queries.zone_of_person(tx, ana.user_id, "Europe/Berlin") == "Europe/Berlin"
    file = FLOATING.format(extra="practice").encode()
    offered = await subscriptions.preview_file(WORKERS, file, clock.now(), "Europe/Berlin")
    async with db.transaction() as tx:
        await subscriptions.subscribe(tx, CODE_KEY, ana.user_id, offered, "", None)
    clock.turn(800 * DAY)
    await tasks.roll(db, POOL, "Europe/Berlin")
    assert await starts(db, ana, "Europe/Berlin", clock.now()) == {"Choir practice 18:00"}

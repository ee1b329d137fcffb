"""Conflicts of many times at once; on both engines."""

import random

import pytest

from groundwork.clock import DAY, HOUR, HandClock, Instant
from groundwork.database.recorded_reads import recording
from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.calendars import subscriptions
from openmeet.domain.calendars.entries import MAX_SPANS, conflicts
from openmeet.domain.calendars.model import Span
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import CODE_KEY, event_by, person
from tests.worker_pool import WORKERS

# Entries of several lengths: an instant, a day, and one that lasts for months.
FILE = """BEGIN:VCALENDAR
BEGIN:VEVENT
UID:dentist@example.org
DTSTART:20260310T090000Z
RRULE:FREQ=WEEKLY
SUMMARY:Dentist
END:VEVENT
BEGIN:VEVENT
UID:sabbatical@example.org
DTSTART;VALUE=DATE:20260601
DTEND;VALUE=DATE:20260901
SUMMARY:Sabbatical
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


@pytest.fixture
async def ana(db: Database, clock: HandClock) -> Caller:
    """Ana hosts an event each year, goes to others, and has subscribed to a calendar."""
    offered = await subscriptions.preview_file(WORKERS, FILE.encode(), clock.now(), "UTC")
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        for year in range(2026, 2032):
            await event_by(tx, ana, title=f"Fair {year}", starts=f"{year}-05-01T10:00", ends=f"{year}-05-04T18:00")
            talk = await event_by(
                tx, ben, title=f"Talk {year}", starts=f"{year}-09-01T18:00", ends=f"{year}-09-01T20:00"
            )
            await attendance.answer(tx, ana, talk.slug, RsvpReply.GOING)
        await subscriptions.subscribe(tx, CODE_KEY, ana.user_id, offered, "", None)
    return ana


async def test_the_number_of_statements_does_not_depend_on_the_number_of_times(
    db: Database, ana: Caller, clock: HandClock
) -> None:
    """Even if every two of them are further apart than a window."""
    spans = [
        Span(Instant(clock.now() + 400 * number * DAY), Instant(clock.now() + (400 * number + 1) * DAY))
        for number in range(MAX_SPANS)
    ]
    with recording(db) as log:
        async with db.reader() as reader:
            await conflicts(reader, ana.user_id, spans)
    reads = log.finished()
    assert reads is not None, "a recording has at most a hundred statements"
    assert len(reads.reads) == 5


@pytest.mark.parametrize("seed", range(6))
async def test_conflicts_of_many_times_are_those_of_each(
    db: Database, ana: Caller, clock: HandClock, seed: int
) -> None:
    chance = random.Random(seed)
    lengths = [0, HOUR, DAY, 40 * DAY, 366 * DAY]
    starts = [
        Instant(clock.now() + chance.randrange(-400, 2_000) * DAY + chance.randrange(24) * HOUR) for _ in range(30)
    ]
    spans = [Span(start, Instant(start + chance.choice(lengths))) for start in starts]
    async with db.reader() as reader:
        alone = [(await conflicts(reader, ana.user_id, [span]))[0] for span in spans]
        assert await conflicts(reader, ana.user_id, spans) == alone
    assert any(alone)

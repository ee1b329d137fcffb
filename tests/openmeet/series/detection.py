"""Single events of a person that look like a series, the detection of it, and what it must leave alone."""

from datetime import UTC, datetime, timedelta

import pytest

from groundwork.clock import HandClock, Instant
from groundwork.database.transaction import Database
from groundwork.outbox.jobs import Job, JobState
from openmeet.domain.identities import actions as identities
from openmeet.domain.series import detection_actions, detection_queries
from openmeet.domain.series.detection_queries import Detection
from openmeet.domain.users.model import Caller, UserId
from openmeet.network.ingestion.apply import apply
from openmeet.network.records.extension import named_series
from openmeet.network.records.message import RecordMessage
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.wall_time import instant_of
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import HERE, did, event


def wall_time(year: int, month: int, day: int, hour: int) -> datetime:
    """A wall-clock time."""
    return datetime(year, month, day, hour, tzinfo=UTC).replace(tzinfo=None)


BERLIN = "Europe/Berlin"
FIRST_EVENING = wall_time(2026, 1, 1, 19)
TUESDAYS = "FREQ=WEEKLY;BYDAY=TU"


def dates_of_rule(rule: str, number: int, *, first: datetime = FIRST_EVENING) -> list[datetime]:
    """The first dates of a rule, without the start, which is not always one of them."""
    pattern = Pattern(first - timedelta(days=400), BERLIN, parse_rule(rule))
    return [one.original for one in expansion.following(pattern, instant_of(first, BERLIN), number)]


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


@pytest.fixture
async def ana(db: Database) -> Caller:
    async with db.transaction() as tx:
        user_id = await identities.connect(tx, did(1), handle="ana.example", pds_url="https://pds.example")
        await tx.execute("update users set time_zone = :zone where id = :id", zone=BERLIN, id=user_id)
    return Caller(user_id, "Ana")


async def apply_messages(db: Database, *messages: RecordMessage) -> None:
    async with db.transaction() as tx:
        await apply(tx, HERE, messages)


def utc_text(local: datetime) -> str:
    return (local - timedelta(hours=1)).isoformat() + "Z"


def weekly_events(number: int, first: int = 0) -> list[RecordMessage]:
    """Single events of did(1), on Tuesdays from January. The clock is set to 1 March."""
    dates = dates_of_rule(TUESDAYS, first + number)[first:]
    return [event(1, f"tea{n}", 1 + n, f"Tea {n}", startsAt=utc_text(one)) for n, one in enumerate(dates, first)]


async def detect_series_of(db: Database, author: UserId) -> list[Detection]:
    """Run the detection on the author's single events, as the publisher does."""
    await detection_actions.detection_handler(db, named_series)(
        Job("detect_series", author, 1, JobState.LEASED, 0, Instant(0), "", 1)
    )
    async with db.reader() as reader:
        return await detection_queries.of_person(reader, author)


async def detect_series(db: Database, who: Caller) -> list[Detection]:
    return await detect_series_of(db, who.user_id)


async def rows_to_keep(db: Database) -> list[tuple[object, ...]]:
    """Everything that detection, confirmation and undo must never change."""
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select id, slug, revision, record_cid, updated_at, title, starts_at from events "
            "where origin = 'network' order by id"
        )
        queued = await reader.fetch("select subject_id, revision, state from publications order by 1")
    return [tuple(row) for row in (*rows, *queued)]


async def original_dates(db: Database) -> dict[str, str | None]:
    async with db.reader() as reader:
        rows = await reader.fetch("select title, original_date, series_id from events order by title")
    return {row["title"]: row["original_date"] if row["series_id"] else None for row in rows}

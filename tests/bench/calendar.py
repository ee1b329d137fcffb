"""The calendar month of a person with 500 events: among 100,000 events on SQLite, among a million on PostgreSQL.

The events are made by SQL in bulk, copies of one that the real code made. Once the 500 are spread over a year, as people have them, and
once all in one month, which nobody has.
"""

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import Final

import asyncpg

from groundwork.clock import DAY, MINUTE, Instant, SystemClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from openmeet.attendance import actions as attendance
from openmeet.attendance.model import Reply
from openmeet.events import actions as events
from openmeet.events.rules import Submission, check
from openmeet.personal_calendar.conflicts import conflicts
from openmeet.personal_calendar.entries import all_of
from openmeet.personal_calendar.model import Span
from openmeet.users import actions as users
from openmeet.users.model import Caller, UserId
from tests.bench.figure import Figure
from tests.bench.figure import check as holds
from tests.bench.loop import run
from tests.bench.timing import percentile, progress
from tests.databases import SERVER
from tests.parts import is_here

MINE: Final = 500
HOSTED: Final = 100
PEOPLE: Final = 1_000
ROUNDS: Final = 300
TARGET_MS: Final = 20
SCHEMA: Final = "bench_calendar"

# 2097 and one common year on: far from the events that others bring.
START: Final = Instant(4_007_750_400_000_000)
MONTH: Final = 31 * DAY

NUMBERS: Final = "with recursive n(i) as (select 1 union all select i + 1 from n where i < {count}) "


def measure() -> Iterator[Figure]:
    progress("a calendar on SQLite")
    yield from _figures("100,000 events, SQLite", run(_on_sqlite(100_000)))
    if is_here("postgresql"):
        progress("a calendar on PostgreSQL")
        yield from _figures("1,000,000 events, PostgreSQL", run(_on_postgresql(1_000_000)))


def _figures(where: str, found: Mapping[str, float]) -> Iterator[Figure]:
    for what, value in found.items():
        yield Figure(f"{what}, p99, {where}", value, "ms", TARGET_MS, less_is_better=True)


async def _on_sqlite(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "openmeet.db"
        await migrate(f"sqlite://{path}", "", "openmeet")
        db = await open_database(f"sqlite://{path}", clock=SystemClock())
        try:
            me = await _first(db)
            with sqlite3.connect(path) as connection:
                for statement in _filling(count, me, *_columns_of_sqlite(connection)):
                    connection.execute(statement)
                connection.execute("analyze")
            return await _measured(db, me)
        finally:
            await db.close()


async def _on_postgresql(count: int) -> dict[str, float]:
    connection = await asyncpg.connect(SERVER)
    await connection.execute(f"drop schema if exists {SCHEMA} cascade")
    await migrate(SERVER, SCHEMA, "openmeet")
    db = await open_database(SERVER, schema=SCHEMA, clock=SystemClock())
    try:
        me = await _first(db)
        await connection.execute(f"set search_path to {SCHEMA}; set synchronous_commit to off")
        columns = [await _columns(connection, table) for table in ("users", "events", "attendances")]
        for statement in _filling(count, me, *columns):
            await connection.execute(statement)
        await connection.execute("analyze events; analyze attendances; analyze users")
        return await _measured(db, me)
    finally:
        await db.close()
        await connection.execute(f"drop schema if exists {SCHEMA} cascade")
        await connection.close()


async def _first(db: Database) -> UserId:
    """The person, an event and an answer by the real code: what everything else is a copy of."""
    async with db.transaction() as tx:
        me = await users.create_person(tx, display_name="Me")
        event = await events.create(
            tx, Caller(me, "Me"), check(Submission(title="Choir", starts="2096-01-01T18:00", time_zone="UTC"))
        )
        await attendance.answer(tx, Caller(me, "Me"), event.slug, Reply.GOING)
    return me


def _filling(
    count: int, me: str, people: list[str], event_columns: list[str], answer_columns: list[str]
) -> Iterator[str]:
    # A prime walks over every minute of the year before it comes back.
    at = f"{START} + (i * cast(7919 as bigint) % 525600) * {MINUTE}"
    author = f"case when i <= {HOSTED} then '{me}' else 'u' || (i % {PEOPLE}) end"
    yield _copies(PEOPLE, "users", people, {"id": "'u' || (i % 1000)", "email": "null"})
    times = {"starts_at": at, "ends_at": f"{at} + {120 * MINUTE}", "over_at": f"{at} + {120 * MINUTE}"}
    unique = {"id": "'e' || i", "slug": "'e' || i", "submission_key": "null", "record_uri": "null"}
    yield _copies(count, "events", event_columns, {**unique, **times, "author_id": author})
    who = f"case when i > {HOSTED} and i <= {MINE} then '{me}' else 'u' || ((i * 31) % {PEOPLE}) end"
    yield _copies(
        count,
        "attendances",
        answer_columns,
        {"id": "'a' || i", "event_id": "'e' || i", "user_id": who, "record_uri": "null"},
    )
    # The same person in one month: another year, the same number.
    later = f"{START} + {730 * DAY} + (i * cast(89 as bigint) % 44640) * {MINUTE}"
    crowded = {"starts_at": later, "ends_at": f"{later} + {120 * MINUTE}", "over_at": f"{later} + {120 * MINUTE}"}
    unique = {**unique, "id": "'c' || i", "slug": "'c' || i"}
    yield _copies(MINE, "events", event_columns, {**unique, **crowded, "author_id": "'u1'"})
    yield _copies(
        MINE,
        "attendances",
        answer_columns,
        {"id": "'b' || i", "event_id": "'c' || i", "user_id": f"'{me}'", "record_uri": "null"},
    )


def _copies(count: int, table: str, columns: list[str], changed: Mapping[str, str]) -> str:
    names = ", ".join(columns)
    values = ", ".join(changed.get(name, f"o.{name}") for name in columns)
    # The one row that the real code has made.
    original = f"(select * from {table} where id not like 'u%' and id not like 'e%' limit 1) o"
    return f"insert into {table} ({names}) {NUMBERS.format(count=count)}select {values} from n, {original}"


def _columns_of_sqlite(connection: sqlite3.Connection) -> Iterator[list[str]]:
    for table in ("users", "events", "attendances"):
        yield [row[1] for row in connection.execute(f"pragma table_info({table})")]


async def _columns(connection: "asyncpg.Connection[asyncpg.Record]", table: str) -> list[str]:
    rows = await connection.fetch(
        "select column_name from information_schema.columns where table_schema = $1 and table_name = $2"
        " order by ordinal_position",
        SCHEMA,
        table,
    )
    return [row["column_name"] for row in rows]


async def _measured(db: Database, me: UserId) -> dict[str, float]:
    async with db.reader() as reader:
        year = await all_of(reader, me, START, Instant(START + 366 * DAY))
    holds(len(year) == MINE, f"the person has {len(year)} events in the year, not {MINE}")
    crowded = Instant(START + 730 * DAY)
    return {
        "a month of a person with 500 events": await _p99(db, me, START, Instant(START + MONTH)),
        "a month with 500 events": await _p99(db, me, crowded, Instant(crowded + MONTH)),
        "conflicts of 12 dates": await _conflicts(db, me),
    }


async def _p99(db: Database, me: UserId, start: Instant, end: Instant) -> float:
    samples = []
    for _ in range(ROUNDS):
        begun = perf_counter()
        async with db.reader() as reader:
            found = await all_of(reader, me, start, end)
        samples.append(perf_counter() - begun)
        holds(len(found) > 20, "the month is empty")
    return percentile(samples, 0.99) * 1_000


async def _conflicts(db: Database, me: UserId) -> float:
    spans = [
        Span(Instant(START + number * 7 * DAY), Instant(START + number * 7 * DAY + 120 * MINUTE))
        for number in range(12)
    ]
    samples = []
    for _ in range(ROUNDS):
        begun = perf_counter()
        async with db.reader() as reader:
            await conflicts(reader, me, spans)
        samples.append(perf_counter() - begun)
    return percentile(samples, 0.99) * 1_000

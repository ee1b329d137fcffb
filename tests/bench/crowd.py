"""A site with very many events, 100,000 on SQLite and a million on PostgreSQL, which all measurements on it share.

Events are made in bulk by SQL, as copies of one that the real code made, with texts of ``vocabulary``. They are spread
over four years, and half of them are over. One person has 500 of them twice: once spread over a year, which is
realistic, and once all in one month, which is not.
"""

import os
import random
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Final

import asyncpg

from groundwork.clock import DAY, MINUTE, Instant, SystemClock
from groundwork.database.transaction import Database
from groundwork.database.words import words_of
from groundwork.geo_points import spot
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.events.vocabulary import Category
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller, UserId
from tests.bench import stores
from tests.bench.vocabulary import texts
from tests.databases import SERVER

ON_SQLITE: Final = 100_000
ON_POSTGRESQL: Final = 1_000_000
MINE: Final = 500
HOSTED: Final = 100
PEOPLE: Final = 1_000
# Two numbers without a common factor, so that every title is combined with every text.
TITLES: Final = 4_093
TEXTS: Final = 4_096
YEARS: Final = 4
# Half a year ago, so that half of all events are over.
NOW: Final = SystemClock().now()
START: Final = Instant(NOW // DAY * DAY - 180 * DAY)
CROWDED: Final = Instant(START + 730 * DAY)

_SCHEMA: Final = f"bench_crowd_{os.getpid()}"
_NUMBERS: Final = "with recursive n(i) as (select 1 union all select i + 1 from n where i < {count}) "
_TABLES: Final = ("users", "events", "attendances")
_POOLS: Final = (
    "create temp table titles (i integer primary key, title text, words text)",
    "create temp table texts (i integer primary key, body text, words text, x bigint, y bigint, z bigint)",
)
_TOWNS: Final = 400


@dataclass(frozen=True, slots=True)
class Crowd:
    """The database, and the person with 500 events."""

    db: Database
    me: UserId


@asynccontextmanager
async def on_sqlite() -> AsyncIterator[Crowd]:
    async with stores.on_sqlite() as db:
        me = await _first(db)
        async with db.reader() as reader:
            (place,) = await reader.fetch("pragma database_list")
        with closing(sqlite3.connect(place["file"])) as connection:
            _fill_sqlite(connection, me)
        yield Crowd(db, me)


@asynccontextmanager
async def on_postgresql() -> AsyncIterator[Crowd]:
    connection = await asyncpg.connect(SERVER)
    try:
        async with stores.on_postgresql(_SCHEMA) as db:
            me = await _first(db)
            await _fill_postgresql(connection, me)
            yield Crowd(db, me)
    finally:
        await connection.close()


def _fill_sqlite(connection: sqlite3.Connection, me: str) -> None:
    for statement in _POOLS:
        connection.execute(statement)
    connection.executemany("insert into titles values (:i, :title, :words)", _titles())
    connection.executemany("insert into texts values (:i, :body, :words, :x, :y, :z)", _texts())
    columns = [[row[1] for row in connection.execute(f"pragma table_info({table})")] for table in _TABLES]
    for statement in _filling(ON_SQLITE, me, *columns):
        connection.execute(statement)
    connection.execute("analyze")
    connection.commit()


async def _fill_postgresql(connection: "asyncpg.Connection[asyncpg.Record]", me: str) -> None:
    await connection.execute(f"set search_path to {_SCHEMA}; set synchronous_commit to off")
    await connection.execute("set maintenance_work_mem to '512MB'")
    for statement in _POOLS:
        await connection.execute(statement)
    await connection.copy_records_to_table("titles", records=[tuple(row.values()) for row in _titles()])
    await connection.copy_records_to_table("texts", records=[tuple(row.values()) for row in _texts()])
    # Creating the indexes after the rows takes a third of the time.
    indexes = await connection.fetch(
        "select indexname, indexdef from pg_indexes where schemaname = $1 and tablename = 'events'"
        " and indexdef not like 'CREATE UNIQUE%'",
        _SCHEMA,
    )
    for index in indexes:
        await connection.execute(f"drop index {index['indexname']}")
    columns = [await _columns(connection, table) for table in _TABLES]
    for statement in _filling(ON_POSTGRESQL, me, *columns):
        await connection.execute(statement)
    for index in indexes:
        await connection.execute(index["indexdef"])
    for table in _TABLES:
        await connection.execute(f"vacuum analyze {table}")
    # Otherwise the server writes gigabytes to disk in the background while pages are measured.
    await connection.execute("checkpoint")


async def _first(db: Database) -> UserId:
    """A person, an event and an answer made by the real code. Everything else is a copy of them."""
    async with db.transaction() as tx:
        me = await users.create_person(tx, display_name="Me")
        event = await events.create(
            tx, Caller(me, "Me"), check(Submission(title="Choir", starts="2096-01-01T18:00", time_zone="UTC"))
        )
        await attendance.answer(tx, Caller(me, "Me"), event.slug, RsvpReply.GOING)
    return me


def _titles() -> Iterator[dict[str, object]]:
    for number, words in enumerate(texts(TITLES, is_title=True)):
        title = " ".join(words)
        yield {"i": number, "title": title, "words": words_of(title, title)}


def _texts() -> Iterator[dict[str, object]]:
    """Texts of events, with a category, some of which are rare, and a place in one of the towns, some of which are
    large.
    """
    chosen = random.Random(7)  # the same every time
    towns = [spot(chosen.uniform(-60, 70), chosen.uniform(-180, 180)) for _ in range(_TOWNS)]
    weights = [1 / (rank + 1) for rank in range(_TOWNS)]
    for number, words in enumerate(texts(TEXTS, is_title=False)):
        (category,) = chosen.choices(list(Category), weights[: len(Category)])
        (town,) = chosen.choices(towns, weights)
        x, y, z = (axis + chosen.randrange(-9_000, 9_000) for axis in town)
        body = " ".join(words)
        topics = (f"category:{category.value}",)
        yield {"i": number, "body": body, "words": words_of("", body, topics), "x": x, "y": y, "z": z}


def _filling(
    count: int, me: str, people: list[str], event_columns: list[str], answer_columns: list[str]
) -> Iterator[str]:
    # A multiple of a prime visits every minute before it repeats.
    minutes = f"(n.i * cast(7919 as bigint) % (case when n.i <= {MINE} then 525600 else {YEARS * 525_600} end))"
    begun = f"(case when n.i <= {MINE} then {START} else {NOW - YEARS * 365 * DAY // 2} end)"
    at = f"({begun} + {minutes} * {MINUTE})"
    # One in thirty lasts for several days.
    over = f"({at} + (case when n.i % 30 = 0 then {4_320 * MINUTE} else {120 * MINUTE} end))"
    author = f"case when n.i <= {HOSTED} then '{me}' else 'u' || (n.i % {PEOPLE}) end"
    yield _copies(PEOPLE, "users", people, {"id": "'u' || (n.i % 1000)", "email": "null"})
    unique = {"id": "'e' || n.i", "slug": "'e' || n.i", "submission_key": "null", "record_uri": "null"}
    texts_of = {
        "title": "t.title",
        "description": "b.body",
        "search_text": "t.title || ' ' || b.body",
        "search_words": "rtrim(b.words) || t.words || 'n' || n.i || ' '",
        "place_x": "b.x",
        "place_y": "b.y",
        "place_z": "b.z",
        "mode": "case when n.i % 10 = 0 then 'online' when n.i % 100 = 1 then 'hybrid' else 'in_person' end",
        "origin": "case when n.i % 3 = 0 then 'network' else 'here' end",
    }
    pools = (
        f", (select * from titles) t, (select * from texts) b where t.i = n.i % {TITLES}"
        f" and b.i = (n.i * cast(48271 as bigint) / 7) % {TEXTS}"
    )
    times = {"starts_at": at, "ends_at": over, "over_at": over}
    yield _copies(count, "events", event_columns, {**unique, **texts_of, **times, "author_id": author}, pools)
    who = f"case when n.i > {HOSTED} and n.i <= {MINE} then '{me}' else 'u' || ((n.i * 31) % {PEOPLE}) end"
    yield _copies(
        count,
        "attendances",
        answer_columns,
        {"id": "'a' || n.i", "event_id": "'e' || n.i", "user_id": who, "record_uri": "null"},
    )
    # The same person with all events in one month: another year, the same number.
    later = f"{CROWDED} + (n.i * cast(89 as bigint) % 44640) * {MINUTE}"
    crowded = {"starts_at": later, "ends_at": f"{later} + {120 * MINUTE}", "over_at": f"{later} + {120 * MINUTE}"}
    unique = {**unique, "id": "'c' || n.i", "slug": "'c' || n.i"}
    yield _copies(MINE, "events", event_columns, {**unique, **crowded, "author_id": "'u1'"})
    yield _copies(
        MINE,
        "attendances",
        answer_columns,
        {"id": "'b' || n.i", "event_id": "'c' || n.i", "user_id": f"'{me}'", "record_uri": "null"},
    )


def _copies(count: int, table: str, columns: list[str], changed: Mapping[str, str], beside: str = "") -> str:
    names = ", ".join(columns)
    values = ", ".join(changed.get(name, f"o.{name}") for name in columns)
    # The one row that the real code has made.
    original = f"(select * from {table} where id not like 'u%' and id not like 'e%' limit 1) o"
    return (
        f"insert into {table} ({names}) {_NUMBERS.format(count=count)}select {values} from n cross "
        f"join {original}{beside}"
    )


async def _columns(connection: "asyncpg.Connection[asyncpg.Record]", table: str) -> list[str]:
    rows = await connection.fetch(
        "select column_name from information_schema.columns where table_schema = $1 and table_name = $2"
        " order by ordinal_position",
        _SCHEMA,
        table,
    )
    return [row["column_name"] for row in rows]

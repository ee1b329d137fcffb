"""Many people answer one event with limited places at once: answers per second, with every place given exactly once."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from time import perf_counter
from typing import Final

import asyncpg

from groundwork.database.batch import GROUP_MEMBERS
from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions, queries
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from tests.bench.figure import Figure, Peer
from tests.bench.figure import check as holds
from tests.bench.loop import run
from tests.bench.stores import on_postgresql, on_sqlite
from tests.bench.timing import progress
from tests.databases import SERVER
from tests.external_dependencies import is_available

PEOPLE: Final = 3_000
PLACES: Final = 1_000
AT_ONCE: Final = 200
TARGET: Final = 500
# The database work of an answer: round trips to the server while the event's row is locked, and rows that it leaves.
WAYS: Final = 3
ROWS: Final = 5


def measure() -> Iterator[Figure]:
    progress("answers on SQLite")
    yield Figure("answers to one event, 200 at once, SQLite", run(_answered(on_sqlite())), "/s", TARGET)
    if is_available("postgresql"):
        progress("answers on PostgreSQL")
        per_second = run(_answered(on_postgresql("bench_answers")))
        progress("as many rows by the driver alone")
        peer = Peer(f"as many rows in {WAYS} ways, asyncpg alone", run(_rows_alone()))
        yield Figure("answers to one event, 200 at once, PostgreSQL", per_second, "/s", TARGET, peer=peer)


async def _answered(store: AbstractAsyncContextManager[Database]) -> float:
    async with store as db:
        return await _per_second(db)


async def _per_second(db: Database) -> float:
    """Answers per second. Raises Wrong unless every place is given, and none twice."""
    async with db.transaction() as tx:
        host = Caller(await users.create_person(tx, display_name="Host", email="host@example.org"), "Host")
        typed = Submission(title="Opening", starts="2099-04-01T17:00", time_zone="UTC", capacity=str(PLACES))
        event = await events.create(tx, host, check(typed))
    people = []
    for start in range(0, PEOPLE, 500):
        async with db.transaction() as tx:
            for number in range(start, start + 500):
                name = f"Person {number}"
                people.append(Caller(await users.create_person(tx, display_name=name), name))
    began = perf_counter()
    await asyncio.gather(*(_says(db, people[start::AT_ONCE], event.slug) for start in range(AT_ONCE)))
    per_second = PEOPLE / (perf_counter() - began)
    async with db.reader() as reader:
        counts = (await queries.counts(reader, [event.id]))[event.id]
    found = (counts.going, counts.waitlisted, counts.seats)
    holds(found == (PLACES, PEOPLE - PLACES, PLACES), f"{found} of {PLACES} places and {PEOPLE} people")
    return per_second


async def _says(db: Database, some: Sequence[Caller], slug: EventSlug) -> None:
    for one in some:
        await db.batch(partial(actions.answer, caller=one, slug=slug, reply=RsvpReply.GOING), key=slug)


async def _rows_alone() -> float:
    """The same number of bare database operations, one after the other: count the rows twice and write as many rows in
    one statement, in as many transactions.
    """
    schema = "bench_answers_alone"
    connection = await asyncpg.connect(SERVER)
    try:
        await connection.execute(f"drop schema if exists {schema} cascade; create schema {schema}")
        await connection.execute(
            f"create table {schema}.alone (id text primary key, about text not null, who text not null, body text not "
            f"null);create index on {schema}.alone (about, who)"
        )
        taken = f"select count(*) from {schema}.alone where about = 'place' and who = $1"
        places = ", ".join(
            f"($1 || '{number}', case {number} when 0 then 'place' else $1 end, $2, $3)" for number in range(ROWS)
        )
        begun = perf_counter()
        for start in range(0, PEOPLE, GROUP_MEMBERS):
            async with connection.transaction():
                for number in range(start, min(PEOPLE, start + GROUP_MEMBERS)):
                    for _ in range(WAYS - 1):
                        await connection.fetchval(taken, f"person {number % PLACES}")
                    await connection.execute(
                        f"insert into {schema}.alone values {places}",
                        f"answer {number} ",
                        f"person {number % PLACES}",
                        "x" * 120,
                    )
        return PEOPLE / (perf_counter() - begun)
    finally:
        await connection.execute(f"drop schema if exists {schema} cascade")
        await connection.close()

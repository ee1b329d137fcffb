"""Records of the network applied to the platform's database: events and answers, in batches as the processor takes them from the queue."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import asyncpg

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import from_microseconds
from groundwork.clock import SystemClock
from groundwork.database.transaction import Database
from groundwork.queue.contract import Message
from groundwork.queue.open_ import open_embedded
from groundwork.telemetry.metrics import stopwatch
from openmeet.ingestion.events import Here
from openmeet.ingestion.processor import BATCH, Processor, next_limit, run_once
from openmeet.records.message import Operation, RecordMessage, encode
from tests.bench.captured import EVENT
from tests.bench.figure import Figure, Peer, check
from tests.bench.loop import run
from tests.bench.stores import on_postgresql, on_sqlite
from tests.bench.timing import progress
from tests.databases import SERVER
from tests.openmeet.ingestion.network import counted
from tests.parts import is_here

EVENTS = 600
ANSWERS_EACH = 4
WARM = 50
FIRST_US = 1_783_000_000_000_000
RSVP = "community.lexicon.calendar.rsvp"
HERE = Here("https://meet.example")
# What an applied record writes to.
TABLES = [
    "subjects",
    "records",
    "users",
    "identities",
    "debts",
    "events",
    "chat_rooms",
    "attendances",
    "attendance_changes",
    "network_authors",
    "network_hosts",
    "moderation_states",
]
# Of the tables of applied records, about what the middle one has: text, numbers, a key and two more indexes.
ALONE = """
    create table {schema}.alone (id text primary key, about text not null, who text not null, body text not null,
                                 number bigint not null, at bigint not null);
    create index on {schema}.alone (about, who);
    create index on {schema}.alone (who, at)
"""


@dataclass(frozen=True)
class Found:
    """Of one run: records per second, processor seconds of each, how many there were, and how many rows they became."""

    per_second: float
    busy: float
    records: int
    rows: int


def measure() -> Iterator[Figure]:
    messages = _messages()
    for batch in (BATCH, 1):
        some = messages if batch > 1 else messages[: len(messages) // 8]
        progress(f"applying {len(some):,} records, {batch} at a time")
        yield from _figures("SQLite", batch, run(_process(some, batch, on_sqlite())), 1_000)
    if is_here("postgresql"):
        progress(f"applying {len(messages):,} records on PostgreSQL")
        found = run(_process(messages, BATCH, on_postgresql("bench_ingest")))
        progress("as many rows by the driver alone")
        peer = Peer("as many rows, asyncpg alone", run(_rows_alone(len(messages), found.rows)))
        yield from _figures("PostgreSQL", BATCH, found, 2_000, peer)


def _figures(engine: str, batch: int, found: Found, target: int, peer: Peer | None = None) -> Iterator[Figure]:
    how = f"{batch} at a time, {engine}"
    yield Figure(
        f"events and answers (1 to {ANSWERS_EACH}), {how}",
        found.per_second,
        "records/s",
        target if batch == BATCH else None,
        peer=peer,
        note=f"{found.rows / found.records:.1f} rows each",
    )
    yield Figure(
        f"processor time of each, {how}",
        found.busy * 1000,
        "ms",
        1000 / target if batch == BATCH else None,
        less_is_better=True,
    )


def _messages() -> list[RecordMessage]:
    """Events of many people, each followed by answers of others."""
    found: list[RecordMessage] = []
    for number in range(EVENTS):
        event = _message(number, EVENT["$type"], len(found), {**EVENT, "name": f"Board games {number}"})
        found.append(event)
        subject = {"uri": event.uri, "cid": event.cid}
        for answer in range(ANSWERS_EACH):
            value = {
                "$type": RSVP,
                "subject": subject,
                "status": f"{RSVP}#going",
                "createdAt": "2026-07-02T09:00:00.000Z",
            }
            found.append(_message(1000 + (number * 7 + answer * 131) % 1500, RSVP, len(found), value))
    return found


def _message(author: int, collection: str, at: int, value: dict[str, Any]) -> RecordMessage:
    body = cbor.encode(value)
    letters = "".join("abcdefghij"[int(digit)] for digit in f"{author:024d}")
    when = from_microseconds(FIRST_US + at * 1_000_000, 5)
    return RecordMessage(
        did=parse_did(f"did:plc:{letters}"),
        collection=parse_nsid(collection),
        rkey=parse_record_key(when),
        rev=when,
        operation=Operation.CREATE,
        cid=str(Cid.for_cbor(body)),
        body=body,
        is_verified=True,
    )


async def _process(messages: list[RecordMessage], batch: int, store: AbstractAsyncContextManager[Database]) -> Found:
    """Leased from the queue, applied, acknowledged, all durable; the first few are not measured."""
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        async with store as db:
            return await _processed(messages, batch, db, Path(folder))


async def _processed(messages: list[RecordMessage], batch: int, db: Database, folder: Path) -> Found:
    queue = await open_embedded(f"sqlite://{folder / 'queue.db'}", "", SystemClock())
    await queue.publish([Message(one.routing_key, one.did, encode(one), one.message_id) for one in messages])
    processor = Processor(db, queue, HERE, counted())
    # What a process does once is no record's: names of countries are loaded, statements prepared.
    warm = await run_once(processor, limit=WARM)
    begun, busy = perf_counter(), process_time()
    limit, elapsed = batch, stopwatch()
    while done := await run_once(processor, limit=limit):
        # As the program does it: a batch that takes too long is lost and done again in parts.
        limit, elapsed = min(batch, next_limit(limit, done, elapsed())), stopwatch()
    taken, busy = perf_counter() - begun, process_time() - busy
    depth = await queue.depth()
    async with db.reader() as reader:
        events = (await reader.fetch("select count(*) from events"))[0][0]
        answers = (await reader.fetch("select count(*) from attendances"))[0][0]
        rows = sum([(await reader.fetch(f"select count(*) from {table}"))[0][0] for table in TABLES])
    await queue.close()
    check((depth.waiting, depth.dead) == (0, 0), f"{depth.waiting} messages wait, {depth.dead} were given up")
    kinds = Counter(message.collection for message in messages)
    found = {EVENT["$type"]: events, RSVP: answers}
    check(found == kinds, f"the database holds {found} instead of {dict(kinds)}")
    measured = len(messages) - warm
    return Found(measured / taken, busy / measured, len(messages), rows)


async def _rows_alone(records: int, rows: int) -> float:
    """Records per second if each were only its rows, written by the driver alone in as many transactions."""
    schema = "bench_alone"
    connection = await asyncpg.connect(SERVER)
    try:
        await connection.execute(f"drop schema if exists {schema} cascade; create schema {schema}")
        await connection.execute(ALONE.format(schema=schema))
        each, begun = rows * BATCH // records, perf_counter()
        for start in range(0, rows, each):
            values = [
                (
                    f"at://{number:024d}",
                    f"at://{number % 997:024d}",
                    f"did:plc:{number % 1500:024d}",
                    "x" * 120,
                    number,
                    1,
                )
                for number in range(start, min(rows, start + each))
            ]
            async with connection.transaction():
                await connection.executemany(f"insert into {schema}.alone values ($1, $2, $3, $4, $5, $6)", values)
        return records / (perf_counter() - begun)
    finally:
        await connection.execute(f"drop schema if exists {schema} cascade")
        await connection.close()

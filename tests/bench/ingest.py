"""Apply records of the network to the platform's database in batches, as the worker takes them from the queue."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import asyncpg

from groundwork.clock import SystemClock
from groundwork.database.transaction import Database
from groundwork.queue.contract import Message
from groundwork.queue.open_ import open_embedded
from groundwork.telemetry.metrics import stopwatch
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.processor import MAX_BATCH_SIZE, Processor, next_limit, run_once
from openmeet.network.records.message import RecordMessage, encode
from tests.bench.figure import Figure, Peer, check
from tests.bench.loop import run
from tests.bench.stores import on_postgresql, on_sqlite
from tests.bench.stream import ANSWERS_EACH, CHANGED, created, mixed, outcome
from tests.bench.timing import progress
from tests.databases import SERVER
from tests.external_dependencies import is_available
from tests.openmeet.ingestion.network import processor_metrics

EVENTS = 600
MIXED = 3_000
WARM = 50
HERE = IngestionContext("https://meet.example")
# The tables that an applied record is written to.
TABLES = [
    "record_subjects",
    "records",
    "users",
    "identities",
    "outbox_jobs",
    "events",
    "attendances",
    "attendance_history",
    "remote_authors",
    "remote_hosts",
    "moderation_states",
]
# About as many columns and indexes as the median of these tables has: text, numbers, a key and two more indexes.
ALONE = """
    create table {schema}.alone (id text primary key, about text not null, who text not null, body text not null,
                                 number bigint not null, at bigint not null);
    create index on {schema}.alone (about, who);
    create index on {schema}.alone (who, at)
"""


@dataclass(frozen=True)
class Found:
    """The result of one run: records per second, processor seconds per record, number of records, and number of rows
    that they became.
    """

    per_second: float
    busy: float
    records: int
    rows: int


def measure() -> Iterator[Figure]:
    messages = created(EVENTS)
    some = messages[: len(messages) // 8]
    changing = mixed(messages, MIXED)
    new, change = f"events and answers (1 to {ANSWERS_EACH})", "new, changed and deleted ones"
    progress(f"applying {len(messages):,} records, {MAX_BATCH_SIZE} at a time")
    yield from _figures(
        f"{new}, {MAX_BATCH_SIZE} at a time, SQLite", run(_process([], messages, MAX_BATCH_SIZE, on_sqlite())), 1_000
    )
    progress(f"applying {len(some):,} records, one at a time")
    yield from _figures(f"{new}, 1 at a time, SQLite", run(_process([], some, 1, on_sqlite())), None)
    progress(f"applying {len(changing):,} {change}")
    yield from _figures(
        f"{change}, {MAX_BATCH_SIZE} at a time, SQLite",
        run(_process(messages, changing, MAX_BATCH_SIZE, on_sqlite())),
        1_000,
    )
    if is_available("postgresql"):
        progress(f"applying {len(messages):,} records on PostgreSQL")
        found = run(_process([], messages, MAX_BATCH_SIZE, on_postgresql("bench_ingest")))
        progress("as many rows by the driver alone")
        peer = Peer("as many rows, asyncpg alone", run(_rows_alone(len(messages), found.rows)))
        yield from _figures(f"{new}, {MAX_BATCH_SIZE} at a time, PostgreSQL", found, 2_000, peer)
        progress(f"applying {len(changing):,} {change} on PostgreSQL")
        found = run(_process(messages, changing, MAX_BATCH_SIZE, on_postgresql("bench_ingest")))
        yield from _figures(f"{change}, {MAX_BATCH_SIZE} at a time, PostgreSQL", found, 2_000)


def _figures(what: str, found: Found, target: int | None, peer: Peer | None = None) -> Iterator[Figure]:
    note = f"{found.rows / found.records:.1f} rows each"
    yield Figure(what, found.per_second, "records/s", target, peer=peer, note=note)
    at_most = None if target is None else 1000 / target
    yield Figure(f"processor time of each, {what}", found.busy * 1000, "ms", at_most, less_is_better=True)


async def _process(
    before: list[RecordMessage], messages: list[RecordMessage], batch: int, store: AbstractAsyncContextManager[Database]
) -> Found:
    """Lease messages from the queue, apply and acknowledge them, all durably. Those of ``before``, and the first few,
    are not measured.
    """
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        async with store as db:
            return await _processed(before, messages, batch, db, Path(folder))


async def _processed(
    before: list[RecordMessage], messages: list[RecordMessage], batch: int, db: Database, folder: Path
) -> Found:
    queue = await open_embedded(f"sqlite://{folder / 'queue.db'}", "", SystemClock())
    processor = Processor(db, queue, HERE, processor_metrics())
    await queue.publish([_queued(one) for one in before])
    while await run_once(processor, limit=WARM):
        pass
    if before and db.engine == "postgresql":
        await _analyze(db)
    rows_before = await _rows(db)
    await queue.publish([_queued(one) for one in messages])
    # A process does some work only once, such as loading the names of countries and preparing statements. No record
    # should pay for it.
    warm = await run_once(processor, limit=WARM)
    begun, busy = perf_counter(), process_time()
    limit, elapsed = batch, stopwatch()
    while done := await run_once(processor, limit=limit):
        # As in the program: a batch that takes too long is given up and processed again in parts.
        limit, elapsed = min(batch, next_limit(limit, done, elapsed(), db.engine)), stopwatch()
    taken, busy = perf_counter() - begun, process_time() - busy
    depth = await queue.depth()
    check((depth.waiting, depth.dead) == (0, 0), f"{depth.waiting} messages wait, {depth.dead} were given up")
    rows = await _rows(db) - rows_before
    found, expected = await _found(db), outcome([*before, *messages])
    await queue.close()
    check(found == expected, f"the database contains {found} instead of {expected}")
    measured = len(messages) - warm
    return Found(measured / taken, busy / measured, len(messages), rows)


async def _analyze(db: Database) -> None:
    """Collect statistics, as autovacuum has long done on a server with so many rows. Without them, PostgreSQL plans as for
    empty tables.
    """
    async with db.transaction() as tx:
        for table in TABLES:
            await tx.execute(f"analyze {table}")


def _queued(one: RecordMessage) -> Message:
    return Message(one.routing_key, one.did, encode(one), one.message_id)


async def _rows(db: Database) -> int:
    async with db.reader() as reader:
        return sum([(await reader.fetch(f"select count(*) from {table}"))[0][0] for table in TABLES])


async def _found(db: Database) -> Counter[str]:
    """The number of events, and of answers by status. The remaining row of a deleted answer counts as "no"."""
    async with db.reader() as reader:
        events = await reader.fetch("select title from events where removed_at is null")
        answers = await reader.fetch("select status from attendances")
    return Counter(["changed" if row["title"].endswith(CHANGED) else "event" for row in events]) + Counter(
        [row["status"] for row in answers]
    )


async def _rows_alone(records: int, rows: int) -> float:
    """Records per second if each record were only its rows, written by the driver alone in the same number of
    transactions.
    """
    schema = "bench_alone"
    connection = await asyncpg.connect(SERVER)
    try:
        await connection.execute(f"drop schema if exists {schema} cascade; create schema {schema}")
        await connection.execute(ALONE.format(schema=schema))
        each, begun = rows * MAX_BATCH_SIZE // records, perf_counter()
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

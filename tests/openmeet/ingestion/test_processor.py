"""The event processor: batches, separate handling of bad messages, and hints that only trigger a fetch."""

import asyncio
import contextvars
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from at_protocol.syntax.nsid import parse_nsid
from groundwork.clock import HOUR, HandClock
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from groundwork.errors import Unavailable
from groundwork.queue.contract import Delivery, Message
from groundwork.queue.embedded import EmbeddedQueue
from groundwork.telemetry.metrics import Metrics
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import FieldDecision, MergeReason, MergeSide
from openmeet.i18n.reasons.messages import explain
from openmeet.network.ingestion import dead_letters
from openmeet.network.ingestion import processor as processors
from openmeet.network.ingestion.local_rsvps import RSVP_FIELD
from openmeet.network.ingestion.processor import (
    MAX_BATCH_SIZE,
    POLICY,
    Processor,
    ingestion_metrics,
    next_limit,
    run,
    run_once,
)
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.records import seen
from openmeet.network.records.message import Hint, HintKind, RecordMessage, decode, encode
from openmeet.network.records.metrics import results_of
from openmeet.outbox.kinds import JobKind
from programs.balancer import listen_balanced
from tests.databases import MakeDatabase, drop_schemas, make_schema
from tests.openmeet.ingestion.network import HERE, did, event, processor_metrics, rev, rsvp
from tests.openmeet.ingestion.view import apply_messages, view_of
from tests.simulation.processes import free_port


@pytest.fixture
async def db(make_sqlite: MakeDatabase) -> Database:
    return await make_sqlite("openmeet")


@pytest.fixture
async def processor(db: Database, make_sqlite: MakeDatabase, clock: HandClock) -> Processor:
    queue = EmbeddedQueue(await make_sqlite("groundwork.queue"), clock)
    return Processor(db, queue, HERE, processor_metrics())


def envelope(message: RecordMessage | Hint) -> Message:
    return Message(message.routing_key, message.did, encode(message), message.message_id)


async def publish(processor: Processor, *messages: RecordMessage | Hint) -> None:
    await processor.queue.publish([envelope(message) for message in messages])


async def test_messages_survive_the_queue():
    for message in (event(1, "tea", 1), Hint(did(1), HintKind.ACCOUNT, "deactivated", 7)):
        assert decode(encode(message)) == message


_WAITS_FOR_US = "select 1 from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))"


@pytest.mark.parametrize("engine", ["postgresql"])  # SQLite has a single writer
async def test_a_hint_locks_rows_in_the_order_of_batches(
    make_database: MakeDatabase, make_sqlite: MakeDatabase, clock: HandClock
):
    """A hint locks RSVPs before events, and no row of neighbouring records. Otherwise two processors could deadlock."""
    db = await make_database("openmeet")
    processor = Processor(db, EmbeddedQueue(await make_sqlite("groundwork.queue"), clock), HERE, processor_metrics())
    tea, cake = event(1, "tea", 1), event(1, "cake", 1)
    answers = [rsvp(2, "a", 2, tea.uri), rsvp(2, "b", 2, cake.uri)]
    await apply_messages(db, tea, cake, *answers)
    theirs = FieldDecision(RSVP_FIELD, "", "attending", "declined", MergeReason.LATEST_ANSWER, MergeSide.THEIRS)
    async with db.transaction() as tx:
        for one in answers:
            await merge_decisions.store(tx, uri=one.uri, theirs_rev=rev(9), ours_revision=1, decisions=(theirs,))
    await publish(processor, rsvp(3, "c", 3, tea.uri), Hint(did(2), HintKind.REPOSITORY, "", 1, rev(5)))
    outside = contextvars.copy_context()
    async with db.transaction() as tx:
        await seen.lock_records(tx, [answers[1].uri])
        running = asyncio.create_task(run_once(processor), context=outside)
        while not running.done() and not await tx.fetch(_WAITS_FOR_US):
            await tx.fetch("select pg_sleep(0.01)")
        await tx.execute("set local lock_timeout = '10ms'")
        await seen.lock_records(tx, [tea.uri, cake.uri])
    assert await running == 2
    assert (await processor.queue.depth()).waiting == 0


async def test_a_batch_is_applied_and_acknowledged(db: Database, processor: Processor):
    tea = event(1, "tea", 1)
    await publish(processor, tea, rsvp(2, "one", 2, tea.uri), rsvp(3, "one", 3, tea.uri))
    assert await run_once(processor) == 3
    assert len((await view_of(db)).answers) == 2
    assert (await processor.queue.depth()).waiting == 0


@pytest.mark.parametrize(
    ("limit", "taken", "seconds", "expected"),
    [
        (MAX_BATCH_SIZE, MAX_BATCH_SIZE, 0.1, MAX_BATCH_SIZE),
        (MAX_BATCH_SIZE, MAX_BATCH_SIZE, 2.0, MAX_BATCH_SIZE // 4),
        (MAX_BATCH_SIZE, MAX_BATCH_SIZE, 4.0, MAX_BATCH_SIZE // 2),
        (25, 25, 0.1, 50),
        (50, 50, 0.1, 100),
        (50, 50, 1.9, 50),
        (50, 50, 2.1, 25),
        (25, 25, 0.6, 25),
        (MAX_BATCH_SIZE, 1, 1.9, MAX_BATCH_SIZE),
        (1, 1, 3.0, 1),
        (40, 0, 1.0, 40),
    ],
)
def test_the_batch_size_adapts_to_the_transaction_time(limit, taken, seconds, expected):
    """The limit follows the pace of the last full batch, grows by doubling, and does not change when the queue is
    empty.
    """
    assert next_limit(limit, taken, seconds, "sqlite") == expected


@pytest.mark.parametrize("away_ms", [0, 2, 5, 10, 15])
def test_batches_stay_large_on_a_database_that_is_some_milliseconds_away(away_ms):
    """Most of the time goes into statements that every batch has. Small batches would never catch up."""
    limit, seconds = 50, 0.0
    for _ in range(20):
        seconds = 60 * away_ms / 1000 + 0.0005 * limit
        limit = next_limit(limit, limit, seconds, "postgresql")
    assert limit >= 50
    assert limit == MAX_BATCH_SIZE or seconds > 0.9


async def test_a_long_pause_takes_few_log_lines(
    db: Database, processor: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the queue cannot be used, the log says so at growing intervals, and once that it can be used again."""
    lease, failures, stop = EmbeddedQueue.lease, iter(range(10)), asyncio.Event()

    async def try_to_lease(queue: EmbeddedQueue, limit: int, seconds: float) -> Sequence[Delivery]:
        if next(failures, None) is not None:
            raise Unavailable("the disk is full")
        stop.set()
        return await lease(queue, limit, seconds)

    monkeypatch.setattr(EmbeddedQueue, "lease", try_to_lease)
    monkeypatch.setattr(processors, "PAUSE_SECONDS", 0.0)
    await publish(processor, event(1, "tea", 1))
    with capture_logs() as lines:
        await run(processor, stop)
    assert [(line["event"], line["failures"]) for line in lines if line["event"].startswith("processor.")] == [
        *[("processor.paused", number) for number in (1, 2, 4, 8)],
        ("processor.resumed", 10),
    ]
    assert len((await view_of(db)).events) == 1


async def test_an_unavailable_database_costs_no_message_an_attempt(
    postgres_url: str, make_sqlite: MakeDatabase, clock: HandClock, monkeypatch: pytest.MonkeyPatch
):
    """The database cannot be reached for more attempts than a message has. The batch is neither split nor given up."""
    monkeypatch.setattr(processors, "PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(processors, "LONGEST_PAUSE_SECONDS", 0.01)
    server, port, schema = urlsplit(postgres_url), free_port(), f"outage_{os.getpid()}"
    behind = server._replace(netloc=f"{server.username}@127.0.0.1:{port}").geturl()
    await make_schema(postgres_url, schema, "openmeet")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(drop_schemas, postgres_url, [schema])
        line = await stack.enter_async_context(AsyncExitStack())
        await line.enter_async_context(listen_balanced("127.0.0.1", port, [server.port or 5432]))
        db = await open_database(behind, schema=schema, clock=clock, transaction_seconds=60.0, reader_seconds=60.0)
        stack.push_async_callback(db.close)
        processor = Processor(
            db, EmbeddedQueue(await make_sqlite("groundwork.queue"), clock), HERE, processor_metrics()
        )
        await publish(processor, *(event(number, "tea", 1) for number in range(1, 9)))
        await line.aclose()
        stop = asyncio.Event()
        with capture_logs() as lines:
            running = asyncio.create_task(run(processor, stop))
            async with asyncio.timeout(60):
                while not any(line.get("failures") == 32 for line in lines):  # noqa: ASYNC110 - a line of the log
                    await asyncio.sleep(0.001)
                await line.enter_async_context(listen_balanced("127.0.0.1", port, [server.port or 5432]))
                while (await processor.queue.depth()).waiting:  # noqa: ASYNC110 - the processor tells nobody
                    await asyncio.sleep(0.01)
            stop.set()
            # A message that is there already wakes the processor.
            await publish(processor, event(8, "tea", 1))
            await running
        assert {line["event"] for line in lines} >= {"processor.paused", "processor.resumed"}
        assert all("Error: " in line["cause"] for line in lines if line["event"] == "processor.paused")
        assert "message.failed" not in {line["event"] for line in lines}
        assert len((await view_of(db)).events) == 8
        assert (await processor.queue.depth()).dead == 0


async def test_an_unreadable_message_becomes_a_dead_letter(db: Database, processor: Processor):
    await processor.queue.publish([Message("event.create", "did:x", b"\xff", "bad")])
    await publish(processor, event(1, "tea", 1))
    await run_once(processor)
    letters = await dead_letters.page(processor.queue)
    assert [(letter.routing_key, explain(letter.reason)) for letter in letters] == [
        ("event.create", "The message can’t be read: cbor isn’t valid.")
    ]
    assert len((await view_of(db)).events) == 1


async def test_nothing_in_a_message_becomes_a_metric_label(db: Database, make_sqlite: MakeDatabase, clock: HandClock):
    """Labels have a closed set of values, whatever a stranger's record or another program at the broker says (invariant
    3).
    """
    metrics = Metrics("openmeet")
    counts = ingestion_metrics(metrics, results_of(metrics))
    processor = Processor(db, EmbeddedQueue(await make_sqlite("groundwork.queue"), clock), HERE, counts)
    strange = replace(event(1, "tea", 1, "zqtitle"), collection=parse_nsid("com.example.zqcollection"))
    await publish(processor, strange, event(2, "tea", 1, "zqtitle"), rsvp(3, "zqkey", 2, "at://did:web:zqhost/x/zq"))
    await processor.queue.publish([Message("zqnoun.create", "did:web:zqhost", b"\xff", "zqid")])
    await run_once(processor)
    labels = {label for family in metrics.registry.collect() for one in family.samples for label in one.labels.values()}
    assert {"event", "rsvp", "other"} <= labels
    assert [label for label in labels if "zq" in label or "did:" in label] == []


async def test_a_rev_from_the_future_becomes_a_dead_letter(processor: Processor):
    await publish(processor, event(1, "tea", 100_000))
    await run_once(processor)
    letters = await dead_letters.page(processor.queue)
    assert letters[0].reason == IngestionReason.REV_AHEAD()
    assert letters[0].about.endswith("/tea")
    assert await dead_letters.discard(processor.queue, [letters[0].letter_id]) == 1


async def test_a_bad_message_does_not_affect_the_others(
    db: Database, processor: Processor, clock: HandClock, monkeypatch: pytest.MonkeyPatch
):
    """A message that cannot be applied is retried several times alone and then becomes a dead letter. The others are
    applied at once.
    """
    async with db.transaction() as tx:
        # The database refuses one title, as it might because of a bug or a full disk.
        await tx.execute(
            "create trigger refuse before insert on events when new.title = 'Poison'"
            " begin select raise(abort, 'CHECK constraint failed: poison'); end"
        )
    await publish(processor, event(1, "tea", 1), event(2, "tea", 1, "Poison"), event(3, "tea", 1))
    for _ in range(POLICY.unforeseen_tries + 1):
        await run_once(processor)
        clock.turn(HOUR)
    assert len((await view_of(db)).events) == 2
    letters = await dead_letters.page(processor.queue)
    assert [letter.partition for letter in letters] == [did(2)]
    async with db.transaction() as tx:
        await tx.execute("drop trigger refuse")
    assert await dead_letters.retry(processor.queue, [letters[0].letter_id]) == 1
    await run_once(processor)
    assert len((await view_of(db)).events) == 3


@pytest.mark.parametrize(
    ("kind", "job"),
    [
        (HintKind.IDENTITY, JobKind.REFRESH_IDENTITY),
        (HintKind.ACCOUNT, JobKind.REFRESH_IDENTITY),
        (HintKind.REPOSITORY, JobKind.BACKFILL),
    ],
)
async def test_hints_only_trigger_a_fetch(db: Database, processor: Processor, kind: HintKind, job: JobKind):
    """``#account deleted`` from a stream deletes nothing. The account's own PDS is queried."""
    await publish(processor, event(1, "tea", 1))
    await run_once(processor)
    await publish(processor, Hint(did(1), kind, "deleted", 9))
    await run_once(processor)
    async with db.reader() as reader:
        queued = await reader.fetch(
            "select subject from outbox_jobs where kind = :kind and state = 'due'", kind=job.value
        )
        stale = await reader.fetch_one("select stale_at from repositories where did = :did", did=did(1))
    assert [row["subject"] for row in queued] == [did(1)]
    assert stale["stale_at"] is not None
    assert len((await view_of(db)).events) == 1

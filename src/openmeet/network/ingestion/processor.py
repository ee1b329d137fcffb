"""Event processor: applies messages from the queue to a tenant's database, one batch per transaction, acknowledged
after the commit.

A failing batch is split, so that one message does not affect the others. If an event fails because of an RSVP that
awaits it, the event is applied without the RSVP (``failure_isolation``). A message that keeps failing becomes a dead
letter with the reason, for an operator; so does an unreadable one.

If the database or the queue is unavailable, no message is the cause: the batch is neither split nor counted as an
attempt, and is tried again as a whole after a pause.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import Counter, Histogram

from at_protocol.failures import Malformed
from at_protocol.syntax.tid import to_microseconds
from groundwork.clock import SECOND, Clock, Instant, SystemClock
from groundwork.database.transaction import Database, DatabaseUnavailable, Engine, Transaction
from groundwork.errors import Explanation, Failure
from groundwork.outbox import retry
from groundwork.outbox.jobs import enqueue_again
from groundwork.outbox.retry import RetryPolicy
from groundwork.queue.contract import Delivery, Queue
from groundwork.telemetry.health import log_fields
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import Metrics, stopwatch
from openmeet.network.ingestion import late_change_times, quarantine
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.failure_isolation import apply_without_awaiting_rsvps
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.records import repository_state
from openmeet.network.records.message import Hint, HintKind, RecordMessage, decode, noun_of
from openmeet.network.records.metrics import SyncResult
from openmeet.outbox.kinds import JobKind

# From what people perceive as instant to what an operator needs to look at.
AGE_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 86_400.0)
# A message's share of its batch. Applying a record takes about a millisecond.
SHARE_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)

# The first words of routing keys. A message in a broker can have any other one, which must not become a label.
_NOUNS: Final = frozenset(
    {"event", "rsvp", "series", "group", "membership", "group_event", "other", "identity", "account"}
)

# Messages that this site does not accept count as neither success nor failure.
_UNCOUNTED: Final = frozenset({IngestResult.IGNORED, IngestResult.SWITCHED_OFF})
# A record takes about half a millisecond on an idle machine.
MAX_BATCH_SIZE = 400
# The batch size before the speed is known. About sixty statements are the same for every size, so smaller batches are
# slower per message, above all if the database is some milliseconds away.
_FIRST_BATCH = 50
# A transaction may last two seconds. On SQLite, all other writers wait for it.
_TRANSACTION_SECONDS = 2.0
_BATCH_SECONDS: Final[Mapping[Engine, float]] = {"sqlite": 0.5, "postgresql": 1.0}
LEASE_SECONDS = 60.0
# A batch that waits for the database is given back early enough for its last attempt to end within the lease.
_HELD_SECONDS = LEASE_SECONDS / 2
# The pause doubles with each failure, up to the longest, so that recovery is noticed soon.
PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 8.0
POLICY = RetryPolicy(first_seconds=1.0, longest_seconds=300.0, unforeseen_tries=5)
# Temporary failures of a single message (a lost race, a slow transaction) are retried for about two hours, then an
# operator must look.
TEMPORARY_TRIES = 30


@dataclass(frozen=True, slots=True)
class IngestionMetrics:
    """Counters of one program, for one tenant."""

    tenant: str
    messages: Counter
    seconds: Histogram
    results: Counter
    processing: Histogram
    age: Histogram

    def count(self, message: RecordMessage | Hint, result: IngestResult, seconds: float, now: Instant) -> None:
        """Count an applied message. ``seconds``: its share of the batch's time."""
        self.messages.labels(result.value).inc()
        if isinstance(message, Hint):
            self.processing.labels(self.tenant, "hint", message.kind.value).observe(seconds)
            return
        source = "signed" if message.is_verified else "unsigned"
        self.processing.labels(self.tenant, source, message.operation.value).observe(seconds)
        if result is IngestResult.FROM_THE_FUTURE:
            return  # failed permanently, and counted there
        if result not in _UNCOUNTED:
            self.results.labels("ingest", noun_of(message.collection), SyncResult.SUCCESS.value).inc()
        if result is IngestResult.APPLIED:
            self.age.observe(max(0.0, (now - to_microseconds(message.rev)) / SECOND))

    def result(self, routing_key: str, result: SyncResult) -> None:
        """Count a message that was not applied."""
        noun = routing_key.partition(".")[0]
        self.results.labels("ingest", noun if noun in _NOUNS else "other", result.value).inc()

    def buried(self, routing_key: str) -> None:
        """Count a message that became a dead letter."""
        self.messages.labels("buried").inc()
        self.result(routing_key, SyncResult.FAILED)


def ingestion_metrics(metrics: Metrics, results: Counter, *, tenant: str = "default") -> IngestionMetrics:
    """Register the metrics of ingestion, once per program. ``results``: its counter from
    ``records.metrics.results_of``.
    """
    return IngestionMetrics(
        tenant,
        metrics.counter("ingested_messages", "Messages applied, by outcome", ["outcome"]),
        metrics.histogram("ingest_batch_seconds", "Time from the lease to the acknowledgement of a batch"),
        results,
        metrics.histogram(
            "processing_seconds",
            "Time to apply one message, as its share of a batch",
            ["tenant", "source_type", "operation"],
            buckets=SHARE_BUCKETS,
        ),
        metrics.histogram(
            "commit_to_applied_seconds", "Age of a commit when its change was applied", buckets=AGE_BUCKETS
        ),
    )


@dataclass(frozen=True, slots=True)
class Processor:
    """The processor of one tenant. Any number may run at the same time."""

    db: Database
    queue: Queue
    ingestion_context: IngestionContext
    metrics: IngestionMetrics
    clock: Clock = field(default_factory=SystemClock)


@dataclass(frozen=True, slots=True)
class LeasedBatch:
    """Messages leased from the queue that are not applied yet, and for how long they have been leased, in seconds."""

    deliveries: Sequence[Delivery]
    held_seconds: Callable[[], float]


async def run(processor: Processor, stop: asyncio.Event) -> None:
    """Take messages from the queue and apply them, batch by batch, until ``stop`` is set.

    While the database or the queue is unavailable (a restart, a full disk), the same batch is tried again after growing
    pauses. The log says so at growing intervals.
    """
    limit, failures, batch = _FIRST_BATCH, 0, None
    while not stop.is_set():
        try:
            if batch is None or batch.held_seconds() > _HELD_SECONDS:
                batch = await lease(processor, limit=limit)
            elapsed = stopwatch()
            await apply_batch(processor, batch)
            if failures:
                log.info("processor.resumed", failures=failures)
                failures = 0
            count, batch = len(batch.deliveries), None
            limit = next_limit(limit, count, elapsed(), processor.db.engine)
            if count == 0:
                await processor.queue.wait(1.0)
        except Failure as away:
            failures += 1
            if failures.bit_count() == 1:  # after 1, 2, 4, 8, … failures
                log.warning("processor.paused", **log_fields(away), failures=failures)
            pause = min(LONGEST_PAUSE_SECONDS, PAUSE_SECONDS * 2.0 ** min(failures - 1, 8))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stop.wait()


def next_limit(limit: int, count: int, seconds: float, engine: Engine) -> int:
    """Return the next batch size after a batch of ``count`` messages took ``seconds``: as many as fit well into a
    transaction at this speed, but at most twice the last size.

    It is less than 50 only after a batch that did not fit into a transaction. Such a batch is split and applied again,
    which slows down a slow machine further.
    """
    if seconds > _TRANSACTION_SECONDS:
        return max(1, min(limit, count // 2))
    fitting = int(count * _BATCH_SECONDS[engine] / max(seconds, 1e-6))
    if fitting >= limit:
        return min(MAX_BATCH_SIZE, 2 * limit, fitting)
    # The time of a batch that was not full says little about a full one.
    return limit if count < limit else max(fitting, min(limit, _FIRST_BATCH))


async def run_once(processor: Processor, *, limit: int = MAX_BATCH_SIZE) -> int:
    """Take one batch and complete every message in it; return how many there were. Raises Unavailable, as ``apply_batch``
    does. Used by tests.
    """
    batch = await lease(processor, limit=limit)
    await apply_batch(processor, batch)
    return len(batch.deliveries)


async def lease(processor: Processor, *, limit: int) -> LeasedBatch:
    """Take up to ``limit`` messages from the queue."""
    held = stopwatch()
    return LeasedBatch(await processor.queue.lease(limit, LEASE_SECONDS), held)


async def apply_batch(processor: Processor, batch: LeasedBatch) -> None:
    """Complete every message of a batch. Repeating this is harmless.

    Raises Unavailable if the database or the queue is; the messages are delivered again when their lease ends.
    """
    if not batch.deliveries:
        return
    elapsed = stopwatch()
    readable: list[tuple[Delivery, RecordMessage | Hint]] = []
    for delivery in batch.deliveries:
        try:
            readable.append((delivery, decode(delivery.message.body)))
        except Malformed as wrong:
            log.error("message.unreadable", message_id=delivery.message.message_id, error=str(wrong))
            await _bury(processor, delivery, IngestionReason.MALFORMED_MESSAGE(what=wrong.kind))
    await _apply_readable(processor, readable)
    processor.metrics.seconds.observe(elapsed())


async def _apply_readable(processor: Processor, batch: Sequence[tuple[Delivery, RecordMessage | Hint]]) -> None:
    if not batch:
        return
    elapsed = stopwatch()
    try:
        results = await _apply_or_isolate(processor, [message for _, message in batch])
    except DatabaseUnavailable:
        raise
    except Exception as failure:  # noqa: BLE001 - the edge of the worker: whatever it is, the message must not be lost
        if len(batch) > 1:
            # Split into halves, so that one bad message costs a few transactions instead of one for each other message.
            middle = len(batch) // 2
            await _apply_readable(processor, batch[:middle])
            await _apply_readable(processor, batch[middle:])
        else:
            await _retry_or_bury(processor, batch[0][0], failure)
        return
    seconds, now = elapsed() / len(batch), processor.clock.now()
    for (_, message), result in zip(batch, results, strict=True):
        processor.metrics.count(message, result, seconds, now)
    refused = [
        delivery for (delivery, _), result in zip(batch, results, strict=True) if result is IngestResult.FROM_THE_FUTURE
    ]
    for delivery in refused:
        await _bury(processor, delivery, IngestionReason.REV_AHEAD())
    await processor.queue.ack([delivery for delivery, _ in batch if delivery not in refused])


async def _apply_or_isolate(processor: Processor, messages: Sequence[RecordMessage | Hint]) -> list[IngestResult]:
    """Apply messages. An event that fails by itself is applied again without the RSVPs that await it."""
    try:
        return await _apply(processor, messages)
    except Exception as failure:
        (first, *others) = messages
        if others or isinstance(first, Hint):
            raise
        return await apply_without_awaiting_rsvps(processor.db, processor.ingestion_context, first, failure)


async def _apply(processor: Processor, messages: Sequence[RecordMessage | Hint]) -> list[IngestResult]:
    records = [message for message in messages if isinstance(message, RecordMessage)]
    hints = [message for message in messages if isinstance(message, Hint)]
    # Run as a batch: it takes about forty statements, more on SQLite, and each would otherwise switch threads. Hints
    # lock other RSVPs and events, so they are applied after the transaction of the records has released its locks.
    # Applying records again is harmless.
    applied = iter(
        await processor.db.batch(lambda tx: apply(tx, processor.ingestion_context, records)) if records else []
    )
    if hints:
        await processor.db.batch(lambda tx: _enqueue_jobs(tx, hints))
    return [next(applied) if isinstance(message, RecordMessage) else IngestResult.APPLIED for message in messages]


async def _enqueue_jobs(tx: Transaction, hints: Sequence[Hint]) -> None:
    """Enqueue identity refreshes and repository reads, which run outside the batch. Each hint enqueues its job again."""
    unread = [hint for hint in hints if hint.kind is HintKind.REPOSITORY]
    revs = {(hint.did, hint.rev) for hint in unread if hint.rev is not None}
    # Locks the repositories, which batches lock before their records.
    await repository_state.mark_stale(tx, {hint.did for hint in hints})
    await repository_state.note_missed(tx, [(hint.did, hint.rev) for hint in unread])
    locked = await late_change_times.lock_missed(tx, revs)
    # A read may have already fetched the missed changes before the stream reported the gap.
    await late_change_times.reconsider_missed(tx, revs, locked)
    await enqueue_again(tx, JobKind.BACKFILL, {hint.did for hint in unread})
    await enqueue_again(
        tx, JobKind.REFRESH_IDENTITY, {hint.did for hint in hints if hint.kind is not HintKind.REPOSITORY}
    )


async def _retry_or_bury(processor: Processor, delivery: Delivery, failure: Exception) -> None:
    attempts = delivery.attempts + 1
    is_temporary = isinstance(failure, Failure) and retry.is_worth_retrying(failure)
    log.error("message.failed", message_id=delivery.message.message_id, attempts=attempts, error=repr(failure))
    reason = quarantine.reason_not_applied(failure)
    if attempts >= (TEMPORARY_TRIES if is_temporary else POLICY.unforeseen_tries):
        await _bury(processor, delivery, reason)
        return
    processor.metrics.result(delivery.message.routing_key, SyncResult.RETRIED)
    jitter = random.random()  # noqa: S311 - spreads retries; not used for security
    await processor.queue.retry(delivery, retry.wait_seconds(attempts, jitter, policy=POLICY), reason)


async def _bury(processor: Processor, delivery: Delivery, reason: Explanation) -> None:
    log.error("message.buried", message_id=delivery.message.message_id, reason=str(reason))
    processor.metrics.buried(delivery.message.routing_key)
    await processor.queue.bury(delivery, reason)

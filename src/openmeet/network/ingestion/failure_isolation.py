"""Isolate records that fail because of their own content: they are quarantined, and all others are applied.

This holds for records that were read, fetched individually or submitted, and for an event from the stream. A failing
batch is split into halves, each in a separate transaction, until a single record fails. Nothing of that record is kept.
A batch that takes too long for one transaction is split in the same way. An event may fail because of an RSVP that
awaits it, or take too long because of their number. The event is then applied without the RSVPs that await it, and they
are applied individually (``rsvps_awaiting_event``). A failure that no record causes (an unreachable database, a
lost race) fails the read, which is retried as a whole; everything applied before that is kept. Splitting is safe because
the order of messages does not affect the result (``apply``).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from groundwork.database.transaction import Database, Transaction
from groundwork.outbox.jobs import enqueue_again
from groundwork.telemetry.logs import log
from openmeet.domain.identities import backfill_progress
from openmeet.network.ingestion import quarantine
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.ingestion.quarantine import (
    MAX_QUARANTINED,
    FailedStep,
    RecordFailure,
    is_of_record,
    is_worth_splitting,
)
from openmeet.network.records.collections import EVENTS
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.outbox.kinds import JobKind

# Records per transaction: far fewer than fit into its limit of two seconds.
BATCH = 100


# Writes something else in the transaction of the applied messages.
AlsoWrite = Callable[[Transaction, Sequence[RecordMessage]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """The result of applying the messages of a read. ``is_complete``: nothing was skipped because its kind is turned off.
    ``failed``: records to quarantine.
    """

    is_complete: bool
    failed: Sequence[RecordFailure]


async def apply_of_repository(
    db: Database, context: IngestionContext, messages: Sequence[RecordMessage], *, max_failures: int = MAX_QUARANTINED
) -> ApplyResult:
    """Apply the messages of one repository in order. ``max_failures``: how many records may fail; if more fail, the
    call fails.

    Raises the database's errors if no record is the cause.
    """
    is_complete, failed = True, list[RecordFailure]()
    for start in range(0, len(messages), BATCH):
        results_and_failures = await _apply_batch(db, context, messages[start : start + BATCH], _count_read)
        is_complete = is_complete and IngestResult.SWITCHED_OFF not in results_and_failures
        failed += _failed_of(results_and_failures)
        if len(failed) > max_failures:
            raise failed[-1].failure
    return ApplyResult(is_complete, failed)


async def apply_fetched(db: Database, context: IngestionContext, message: RecordMessage) -> None:
    """Apply an individually fetched record, or quarantine it. Raises the database's errors if the record is not the
    cause.
    """
    await _quarantine(db, _failed_of(await _apply_batch(db, context, [message], _release_from_quarantine)))


async def apply_submitted(
    db: Database, context: IngestionContext, messages: Sequence[RecordMessage]
) -> list[IngestResult | RecordFailure]:
    """Apply submitted records in order, or quarantine them; return the result of each.

    Raises the database's errors if no record is the cause, or if more than ``MAX_QUARANTINED`` fail.
    """
    results_and_failures = await _apply_batch(db, context, messages, _write_nothing_else)
    failed = _failed_of(results_and_failures)
    if len(failed) > MAX_QUARANTINED:
        raise failed[-1].failure
    await _quarantine(db, failed)
    return results_and_failures


async def apply_without_awaiting_rsvps(
    db: Database, context: IngestionContext, message: RecordMessage, failure: Exception
) -> list[IngestResult]:
    """Apply a failed event without the RSVPs that await it, one of which may be the cause. The RSVPs are applied
    individually.

    Raises ``failure`` if this does not apply to the message, or the new error if the event fails even without them.
    """
    if message.collection not in EVENTS or message.body is None or not is_worth_splitting(failure):
        raise failure
    return await db.batch(partial(_apply_without_awaiting_rsvps, context, message, _write_nothing_else))


async def _apply_batch(
    db: Database, context: IngestionContext, messages: Sequence[RecordMessage], also_write: AlsoWrite
) -> list[IngestResult | RecordFailure]:
    try:
        return [*await db.batch(partial(_apply, context, messages, also_write))]
    except Exception as failure:
        if not is_worth_splitting(failure):
            raise
        if len(messages) == 1:
            return [*await _apply_alone(db, context, messages[0], also_write, failure)]
    # Split into halves, so that one bad record costs a few transactions instead of one for each other record.
    middle = len(messages) // 2
    first = await _apply_batch(db, context, messages[:middle], also_write)
    return first + await _apply_batch(db, context, messages[middle:], also_write)


async def _apply_alone(
    db: Database, context: IngestionContext, message: RecordMessage, also_write: AlsoWrite, failure: Exception
) -> Sequence[IngestResult | RecordFailure]:
    """Return the result of one record that failed on its own or together with RSVPs that await it."""
    if message.collection in EVENTS and message.body is not None:
        try:
            return await db.batch(partial(_apply_without_awaiting_rsvps, context, message, also_write))
        except Exception as again:
            if not is_of_record(again):
                raise
            failure = again
    elif not is_of_record(failure):
        raise failure
    record_failure = RecordFailure(message.uri, message.rev, failure, message.cid)
    log.error("record.quarantined", uri=record_failure.uri, rev=record_failure.rev, reason=record_failure.reason)
    return [record_failure]


def _failed_of(results_and_failures: Sequence[IngestResult | RecordFailure]) -> list[RecordFailure]:
    return [one for one in results_and_failures if isinstance(one, RecordFailure)]


async def _quarantine(db: Database, failed: Sequence[RecordFailure]) -> None:
    if failed:
        async with db.transaction() as tx:
            await quarantine.add(tx, FailedStep.APPLY, failed)


async def _apply_without_awaiting_rsvps(
    context: IngestionContext, message: RecordMessage, also_write: AlsoWrite, tx: Transaction
) -> list[IngestResult]:
    results = await apply(tx, context, [message], applies_awaiting=False)
    await also_write(tx, [message])
    await enqueue_again(tx, JobKind.FETCH_SUBJECT, [message.uri])
    return results


async def _apply(
    context: IngestionContext, messages: Sequence[RecordMessage], also_write: AlsoWrite, tx: Transaction
) -> list[IngestResult]:
    results = await apply(tx, context, messages)
    await also_write(tx, messages)
    return results


async def _count_read(tx: Transaction, messages: Sequence[RecordMessage]) -> None:
    await backfill_progress.add_applied(
        tx, messages[0].did, sum(one.operation is not RecordOperation.DELETE for one in messages)
    )


async def _release_from_quarantine(tx: Transaction, messages: Sequence[RecordMessage]) -> None:
    await quarantine.release(tx, FailedStep.APPLY, [one.uri for one in messages])


async def _write_nothing_else(_tx: Transaction, _messages: Sequence[RecordMessage]) -> None:
    return

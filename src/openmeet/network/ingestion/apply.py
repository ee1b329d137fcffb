"""Apply a batch of messages: merge the records, and derive domain rows in the same transaction.

Nearly all messages are events or RSVPs of people who do not use this site. These are applied in bulk, in a number of
statements that does not grow with the batch (``apply_bulk``); special cases are applied one by one, in order
(``apply_one``). A batch of one takes the same path. Within a batch, puts come before deletions and events before RSVPs,
which the order-independent merge allows; versions of one record are applied one after the other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from groundwork.database.transaction import ForeignKeyViolated, Transaction, TransactionConflict
from groundwork.outbox.jobs import enqueue_many
from openmeet.domain.events import by_record
from openmeet.network.ingestion import apply_bulk, intake, ownership_transfer, reevaluate, remote_series
from openmeet.network.ingestion.apply_one import apply_one
from openmeet.network.ingestion.batch import Batch, load_batch
from openmeet.network.ingestion.events import IngestionContext
from openmeet.network.ingestion.parsed_messages import IngestResult, ParsedMessage, read
from openmeet.network.records import seen
from openmeet.network.records.collections import EVENTS, RSVPS
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.seen import RecordState, SeenRecord
from openmeet.outbox.kinds import JobKind

# Results that also apply to every copy of the message.
_REFUSED = {IngestResult.IGNORED, IngestResult.SWITCHED_OFF, IngestResult.FROM_THE_FUTURE}


async def apply(
    tx: Transaction, context: IngestionContext, messages: Sequence[RecordMessage], *, counts_pending: bool = True
) -> list[IngestResult]:
    """Apply messages and return one result each. Raises the database's errors, and then nothing is applied.

    ``counts_pending``: also count the pending RSVPs of events in the batch; a caller that turns this off must have them
    counted later. Raises TransactionConflict if accounts of people concerned were merged in the meantime: retry.
    """
    readings = [read(message, tx.now) for message in messages]
    batch = await load_batch(tx, context, readings)
    if not counts_pending:
        batch.waited_for.clear()
    readings = batch.following(readings)
    outcomes: dict[int, IngestResult] = {}
    try:
        for number, wave in enumerate(_waves(batch, readings)):
            if number:
                uris = sorted({readings[place].message.uri for place in wave})
                # A second version of a record must see the result of the first.
                seen_records = await seen.find_many(tx, uris)
                readings = await _following_now(tx, batch, readings)
            else:
                seen_records = batch.before
            await _apply_wave(tx, context, batch, {place: readings[place] for place in wave}, seen_records, outcomes)
        await remote_series.fill(tx, batch.freed_dates, batch.appeared)
        await _follow_transfers(tx, context, readings, outcomes)
    except ForeignKeyViolated as failure:
        raise TransactionConflict("somebody was joined with another row of theirs in between") from failure
    of_version = {_version(readings[place].message): outcome for place, outcome in outcomes.items()}
    for place, reading in enumerate(readings):
        if place not in outcomes:
            first = of_version[_version(reading.message)]
            outcomes[place] = first if first in _REFUSED else IngestResult.KNOWN
    results = [outcomes[place] for place in range(len(readings))]
    await _apply_intake_rules(tx, context, batch, readings, results)
    return results


async def _following_now(tx: Transaction, batch: Batch, readings: list[ParsedMessage]) -> list[ParsedMessage]:
    """Point later messages at the current records. A record of the previous wave may be the new record of a transferred
    event.
    """
    if not any(reading.event is not None and reading.message.uri in batch.owned for reading in readings):
        return readings
    subjects = {str(reading.rsvp.subject) for reading in readings if reading.rsvp is not None}
    return replace(batch, current_uris=await by_record.current(tx, subjects)).following(readings)


async def _follow_transfers(
    tx: Transaction, context: IngestionContext, readings: Sequence[ParsedMessage], outcomes: Mapping[int, IngestResult]
) -> None:
    """Follow ownership transfers once everything else in the batch is applied, because RSVPs in it refer to the old
    URIs.
    """
    for place, reading in enumerate(readings):
        if outcomes.get(place) is IngestResult.APPLIED and reading.event is not None:
            await ownership_transfer.follow(tx, context, reading.message.uri, reading.record)


def _waves(batch: Batch, readings: Sequence[ParsedMessage]) -> Iterator[list[int]]:
    """Yield the messages, by index, in waves: no two messages of one wave are about the same record or the same
    person's RSVP to the same event.

    Repeated copies of a message, which several sources may deliver, are left out. Messages about our own records are
    always applied.
    """
    # A deletion does not name its record's subject, and the current version is only known after the earlier waves.
    subjects: dict[str, set[str | None]] = {
        uri: {seen_record.subject_uri} - {None} for uri, seen_record in batch.before.items()
    }
    for reading in readings:
        subjects.setdefault(reading.message.uri, set()).update({reading.subject_uri} - {None})
    waves: list[list[int]] = []
    used: dict[object, int] = {}
    copies: set[object] = set()
    for place, reading in enumerate(readings):
        message = reading.message
        if message.uri not in batch.owned:
            if _version(message) in copies:
                continue
            copies.add(_version(message))
        names = {message.uri, *((message.did, about) for about in subjects[message.uri])}
        number = max(used.get(name, 0) for name in names)
        used.update(dict.fromkeys(names, number + 1))
        if number == len(waves):
            waves.append([])
        waves[number].append(place)
    yield from waves


def _version(message: RecordMessage) -> tuple[object, ...]:
    return message.uri, message.rev, message.cid, message.is_verified


async def _apply_wave(
    tx: Transaction,
    context: IngestionContext,
    batch: Batch,
    wave: dict[int, ParsedMessage],
    seen_records: dict[str, SeenRecord],
    outcomes: dict[int, IngestResult],
) -> None:
    doubted: list[str] = []
    events: dict[int, apply_bulk.EventUpdate] = {}
    replies: dict[int, apply_bulk.RsvpUpdate] = {}
    deletions: dict[int, RecordMessage] = {}
    unknown: dict[int, ParsedMessage] = {}
    remaining: dict[int, ParsedMessage] = {}
    for place, reading in wave.items():
        message, before = reading.message, seen_records.get(reading.message.uri)
        refusal = batch.refusal(message, tx.now)
        if refusal is not None:
            outcomes[place] = refusal
            continue
        if batch.is_late(message):
            remaining[place] = reading
            continue
        if before is not None and _is_in_flight(message, before):
            doubted.append(message.uri)
        if message.uri in batch.owned or message.uri in batch.former:
            remaining[place] = reading
        elif message.body is None:
            if before is None or before.state is RecordState.TOMBSTONE:
                unknown[place] = reading
            elif message.collection in EVENTS or message.collection in RSVPS:
                deletions[place] = message
            else:
                remaining[place] = reading
        elif message.collection in EVENTS:
            events[place] = apply_bulk.EventUpdate(reading, before)
        elif message.collection in RSVPS:
            replies[place] = apply_bulk.RsvpUpdate(reading, before)
        else:
            remaining[place] = reading
    # The current time serves as a growing revision: a message that arrives after a proof requests another one.
    await enqueue_many(tx, JobKind.PROVE_RECORD, [(uri, int(tx.now), tx.now) for uri in doubted])
    outcomes.update(zip(events, await apply_bulk.put_each(tx, context, batch, list(events.values())), strict=True))
    outcomes.update(zip(replies, await apply_bulk.put_each_rsvp(tx, batch, list(replies.values())), strict=True))
    await _note_gone(tx, list(unknown.values()), seen_records)
    outcomes.update(dict.fromkeys(unknown, IngestResult.KNOWN))
    outcomes.update(await _delete_each(tx, context, batch, deletions))
    for place, reading in remaining.items():
        before = seen_records.get(reading.message.uri)
        if before is not None and reading.message.collection in RSVPS:
            # Its event may have moved to another record in this batch.
            before = await seen.find(tx, before.uri)
        outcomes[place] = await apply_one(tx, context, batch, reading, before)


async def _delete_each(
    tx: Transaction, context: IngestionContext, batch: Batch, deletions: Mapping[int, RecordMessage]
) -> dict[int, IngestResult]:
    # Their events may have moved to other records in this batch.
    seen_records = await seen.find_many(tx, [message.uri for message in deletions.values()])
    outcomes: dict[int, IngestResult] = {}
    of_kind = {
        place: apply_bulk.DeletedRecord(message, seen_records[message.uri]) for place, message in deletions.items()
    }
    events = {place: one for place, one in of_kind.items() if one.message.collection in EVENTS}
    replies = {place: one for place, one in of_kind.items() if one.message.collection in RSVPS}
    outcomes.update(zip(events, await apply_bulk.delete_events(tx, context, batch, list(events.values())), strict=True))
    outcomes.update(zip(replies, await apply_bulk.delete_rsvps(tx, list(replies.values())), strict=True))
    return outcomes


async def _note_gone(tx: Transaction, readings: Sequence[ParsedMessage], seen_records: dict[str, SeenRecord]) -> None:
    """Store deletions of unknown records, so that older messages are ignored."""
    updates = [
        seen.RecordUpdate(
            reading.message,
            RecordState.TOMBSTONE,
            subject_uri=seen_records[reading.message.uri].subject_uri if reading.message.uri in seen_records else None,
        )
        for reading in readings
    ]
    newest = await seen.put_each(tx, updates)
    for one in updates:
        if one.message.uri not in newest and one.message.collection in RSVPS:
            await reevaluate.reconsider_with(tx, one.message, seen_records.get(one.message.uri))


def _is_in_flight(message: RecordMessage, seen_record: SeenRecord) -> bool:
    """Whether a verified and an unverified version disagree and the unverified one claims to be newer. In that case the
    repository itself must be queried.
    """
    if message.is_verified == seen_record.is_verified or message.cid == seen_record.cid:
        return False
    return (message.rev > seen_record.rev) is seen_record.is_verified


async def _apply_intake_rules(
    tx: Transaction,
    context: IngestionContext,
    batch: Batch,
    readings: Sequence[ParsedMessage],
    outcomes: Sequence[IngestResult],
) -> None:
    """Apply the intake rules to new events, by author."""
    fresh: dict[str, list[str]] = {}
    here_before = {uri for uri, known in batch.before.items() if known.state is RecordState.MAPPED}
    for reading, outcome in zip(readings, outcomes, strict=True):
        uri = reading.message.uri
        if outcome not in {IngestResult.APPLIED, IngestResult.RAW} or uri in batch.owned:
            continue
        if reading.event is None:
            here_before.discard(uri)
        elif uri not in here_before:
            here_before.add(uri)
            fresh.setdefault(reading.message.did, []).append(uri)
    if fresh:
        await intake.receive(tx, fresh, context.trusted_origins)

"""Apply a batch of messages: merge the records, and derive domain rows in the same transaction.

Nearly all messages are events or RSVPs of people who do not use this site. These are applied in bulk, in a number of
statements that does not grow with the batch (``apply_bulk``); special cases are applied one by one, in order
(``apply_one``). A batch of one takes the same path. Within a batch, puts come before deletions and events before RSVPs,
which the order-independent merge allows; versions of one record are applied one after the other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from groundwork.database.transaction import ForeignKeyViolated, Transaction, TransactionConflict
from openmeet.domain.events import event_records
from openmeet.network.ingestion import (
    apply_bulk,
    intake,
    late_change_times,
    ownership_transfer,
    record_proofs,
    remote_series,
)
from openmeet.network.ingestion.apply_one import apply_one
from openmeet.network.ingestion.batch import Batch, load_batch
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.parsed_messages import IngestResult, ParsedMessage, read
from openmeet.network.records import seen
from openmeet.network.records.collections import EVENTS, RSVPS
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.seen import RecordState, SeenRecord

# Results that also apply to every copy of the message.
_REFUSED = {IngestResult.IGNORED, IngestResult.SWITCHED_OFF, IngestResult.FROM_THE_FUTURE}


async def apply(
    tx: Transaction,
    context: IngestionContext,
    messages: Sequence[RecordMessage],
    *,
    makes_awaiting_effective: bool = True,
) -> list[IngestResult]:
    """Apply messages and return one result each. Raises the database's errors, and then nothing is applied.

    ``makes_awaiting_effective``: also make the RSVPs effective that await events of the batch; a caller that turns this
    off must have that done later. Raises TransactionConflict if accounts of people concerned were merged in the
    meantime: retry.
    """
    parsed_messages = [read(message, tx.now) for message in messages]
    batch = await load_batch(tx, context, parsed_messages)
    if not makes_awaiting_effective:
        batch.awaited_uris.clear()
    parsed_messages = batch.with_current_subjects(parsed_messages)
    outcomes: dict[int, IngestResult] = {}
    try:
        for number, wave in enumerate(_waves(batch, parsed_messages)):
            if number:
                uris = sorted({parsed_messages[index].message.uri for index in wave})
                # A second version of a record must see the result of the first.
                seen_records = await seen.find_many(tx, uris)
                parsed_messages = await _with_subjects_now(tx, batch, parsed_messages)
            else:
                seen_records = batch.seen_records
            await _apply_wave(
                tx, context, batch, {index: parsed_messages[index] for index in wave}, seen_records, outcomes
            )
        await remote_series.fill_freed_dates(tx, batch.freed_dates, batch.changed_series)
        await _follow_transfers(tx, context, parsed_messages, outcomes)
    except ForeignKeyViolated as failure:
        raise TransactionConflict("a person’s account was merged with another one in between") from failure
    of_version = {_version(parsed_messages[index].message): outcome for index, outcome in outcomes.items()}
    for index, parsed in enumerate(parsed_messages):
        if index not in outcomes:
            first = of_version[_version(parsed.message)]
            outcomes[index] = first if first in _REFUSED else IngestResult.KNOWN
    results = [outcomes[index] for index in range(len(parsed_messages))]
    await _apply_intake_rules(tx, context, batch, parsed_messages, results)
    return results


async def _with_subjects_now(
    tx: Transaction, batch: Batch, parsed_messages: list[ParsedMessage]
) -> list[ParsedMessage]:
    """Return the messages with RSVPs that refer to the current records of their events: a record of the previous wave may
    be the new record of a transferred event.
    """
    if not any(parsed.event is not None and parsed.message.uri in batch.own_uris for parsed in parsed_messages):
        return parsed_messages
    subjects = {str(parsed.rsvp.subject) for parsed in parsed_messages if parsed.rsvp is not None}
    return replace(batch, current_uris=await event_records.current(tx, subjects)).with_current_subjects(parsed_messages)


async def _follow_transfers(
    tx: Transaction,
    context: IngestionContext,
    parsed_messages: Sequence[ParsedMessage],
    outcomes: Mapping[int, IngestResult],
) -> None:
    """Follow ownership transfers once everything else in the batch is applied, because RSVPs in it refer to the old
    URIs.
    """
    for index, parsed in enumerate(parsed_messages):
        if outcomes.get(index) is IngestResult.APPLIED and parsed.event is not None:
            await ownership_transfer.follow(tx, context, parsed.message.uri, parsed.record)


def _waves(batch: Batch, parsed_messages: Sequence[ParsedMessage]) -> Iterator[list[int]]:
    """Yield the messages, by index, in waves that are applied one after the other. No two messages of a wave are about the
    same record, or about the same person's RSVP to the same event.

    Several sources may deliver copies of a message; only the first one is kept, except of messages about our own
    records.
    """
    # A deletion does not name its record's subject, and the current version is only known after the earlier waves.
    subjects: dict[str, set[str | None]] = {
        uri: {seen_record.subject_uri} - {None} for uri, seen_record in batch.seen_records.items()
    }
    for parsed in parsed_messages:
        subjects.setdefault(parsed.message.uri, set()).update({parsed.subject_uri} - {None})
    waves: list[list[int]] = []
    used: dict[object, int] = {}
    copies: set[object] = set()
    for index, parsed in enumerate(parsed_messages):
        message = parsed.message
        if message.uri not in batch.own_uris:
            if _version(message) in copies:
                continue
            copies.add(_version(message))
        names = {message.uri, *((message.did, about) for about in subjects[message.uri])}
        number = max(used.get(name, 0) for name in names)
        used.update(dict.fromkeys(names, number + 1))
        if number == len(waves):
            waves.append([])
        waves[number].append(index)
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
    to_prove: list[str] = []
    events: dict[int, apply_bulk.EventUpdate] = {}
    replies: dict[int, apply_bulk.RsvpUpdate] = {}
    deletions: dict[int, RecordMessage] = {}
    unknown: dict[int, ParsedMessage] = {}
    remaining: dict[int, ParsedMessage] = {}
    for index, parsed in wave.items():
        message, before = parsed.message, seen_records.get(parsed.message.uri)
        refusal = batch.refusal(message, tx.now)
        if refusal is not None:
            outcomes[index] = refusal
            continue
        if batch.is_late_write(message):
            remaining[index] = parsed
            continue
        if before is not None and _needs_proof(message, before):
            to_prove.append(message.uri)
        if message.uri in batch.own_uris or message.uri in batch.superseded_uris:
            remaining[index] = parsed
        elif message.body is None:
            if before is None or before.state is RecordState.TOMBSTONE:
                unknown[index] = parsed
            elif message.collection in EVENTS or message.collection in RSVPS:
                deletions[index] = message
            else:
                remaining[index] = parsed
        elif message.collection in EVENTS:
            events[index] = apply_bulk.EventUpdate(parsed, before)
        elif message.collection in RSVPS:
            replies[index] = apply_bulk.RsvpUpdate(parsed, before)
        else:
            remaining[index] = parsed
    await record_proofs.enqueue(tx, to_prove)
    outcomes.update(zip(events, await apply_bulk.put_events(tx, context, batch, list(events.values())), strict=True))
    outcomes.update(zip(replies, await apply_bulk.put_rsvps(tx, batch, list(replies.values())), strict=True))
    await _note_gone(tx, list(unknown.values()), seen_records)
    outcomes.update(dict.fromkeys(unknown, IngestResult.KNOWN))
    outcomes.update(await _delete_each(tx, context, batch, deletions))
    for index, parsed in remaining.items():
        before = seen_records.get(parsed.message.uri)
        if before is not None and parsed.message.collection in RSVPS:
            # Its event may have moved to another record in this batch.
            before = await seen.find(tx, before.uri)
        outcomes[index] = await apply_one(tx, context, batch, parsed, before)


async def _delete_each(
    tx: Transaction, context: IngestionContext, batch: Batch, deletions: Mapping[int, RecordMessage]
) -> dict[int, IngestResult]:
    # Their events may have moved to other records in this batch.
    seen_records = await seen.find_many(tx, [message.uri for message in deletions.values()])
    outcomes: dict[int, IngestResult] = {}
    deleted = {
        index: apply_bulk.DeletedRecord(message, seen_records[message.uri]) for index, message in deletions.items()
    }
    events = {index: one for index, one in deleted.items() if one.message.collection in EVENTS}
    replies = {index: one for index, one in deleted.items() if one.message.collection in RSVPS}
    outcomes.update(zip(events, await apply_bulk.delete_events(tx, context, batch, list(events.values())), strict=True))
    outcomes.update(zip(replies, await apply_bulk.delete_rsvps(tx, list(replies.values())), strict=True))
    return outcomes


async def _note_gone(
    tx: Transaction, parsed_messages: Sequence[ParsedMessage], seen_records: dict[str, SeenRecord]
) -> None:
    """Store deletions of unknown records, so that older messages are ignored."""
    updates = [
        seen.RecordUpdate(
            parsed.message,
            RecordState.TOMBSTONE,
            subject_uri=seen_records[parsed.message.uri].subject_uri if parsed.message.uri in seen_records else None,
        )
        for parsed in parsed_messages
    ]
    newest = await seen.put_each(tx, updates)
    for one in updates:
        if one.message.uri not in newest and one.message.collection in RSVPS:
            await late_change_times.reconsider_with(tx, one.message, seen_records.get(one.message.uri))


def _needs_proof(message: RecordMessage, seen_record: SeenRecord) -> bool:
    """Whether only the repository can tell which version it has: a verified and an unverified one differ, and the
    unverified one claims to be newer.
    """
    if message.is_verified == seen_record.is_verified or message.cid == seen_record.cid:
        return False
    return (message.rev > seen_record.rev) is seen_record.is_verified


async def _apply_intake_rules(
    tx: Transaction,
    context: IngestionContext,
    batch: Batch,
    parsed_messages: Sequence[ParsedMessage],
    outcomes: Sequence[IngestResult],
) -> None:
    """Apply the intake rules to new events, by author."""
    fresh: dict[str, list[str]] = {}
    here_before = {uri for uri, seen_record in batch.seen_records.items() if seen_record.state is RecordState.MAPPED}
    for parsed, outcome in zip(parsed_messages, outcomes, strict=True):
        uri = parsed.message.uri
        if outcome not in {IngestResult.APPLIED, IngestResult.RAW} or uri in batch.own_uris:
            continue
        if parsed.event is None:
            here_before.discard(uri)
        elif uri not in here_before:
            here_before.add(uri)
            fresh.setdefault(parsed.message.did, []).append(uri)
    if fresh:
        await intake.receive(tx, fresh, context.trusted_origins)

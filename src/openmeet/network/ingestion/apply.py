"""Apply a batch of messages: merge the records, and derive domain rows in the same transaction.

Nearly all messages are events or RSVPs of people who do not use this site. These are applied in bulk, in a number of
statements that does not grow with the batch (``apply_bulk``); special cases are applied one by one, in order
(``apply_one``). A batch of one takes the same path. Within a batch, puts come before deletions and events before RSVPs,
which the order-independent merge allows; versions of one record are applied one after the other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from groundwork.clock import Instant
from groundwork.database.transaction import ForeignKeyViolated, Transaction, TransactionConflict
from openmeet.domain.events import event_records
from openmeet.network.ingestion import (
    apply_bulk,
    intake,
    late_change_times,
    origins,
    ownership_transfer,
    record_proofs,
    remote_series,
)
from openmeet.network.ingestion.apply_one import apply_one
from openmeet.network.ingestion.batch import Batch, load_batch
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.parsed_messages import IngestResult, ParsedMessage, read
from openmeet.network.ingestion.record_change import RecordChange
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
    applies_awaiting: bool = True,
) -> list[IngestResult]:
    """Apply messages and return one result each. Raises the database's errors, and then nothing is applied.

    ``applies_awaiting``: also apply the RSVPs that await events of the batch; a caller that turns this
    off must have that done later. Raises TransactionConflict if accounts of people concerned were merged in the
    meantime: retry.
    """
    parsed_messages = [read(message, tx.now) for message in messages]
    batch = await load_batch(tx, context, parsed_messages)
    unknown = [parsed for parsed in parsed_messages if batch.may_be_ours(parsed.message, tx.now)]
    batch.own_uris.update(await origins.attach_own_records(tx, context.instance, unknown))
    if not applies_awaiting:
        batch.awaited_uris.clear()
    parsed_messages = batch.with_current_subjects(parsed_messages)
    results_by_index: dict[int, IngestResult] = {}
    try:
        for number, indexes in enumerate(_waves(batch, parsed_messages)):
            seen_records = batch.seen_records
            if number:
                # A second version of a record must see the result of the first.
                seen_records = await seen.find_many(tx, sorted({parsed_messages[one].message.uri for one in indexes}))
                parsed_messages = await _with_subjects_now(tx, batch, parsed_messages)
            changes = {one: _change(parsed_messages[one], seen_records) for one in indexes}
            results_by_index |= await _apply_wave(tx, context, batch, _sorted_wave(batch, changes, tx.now))
        await remote_series.fill_freed_dates(tx, batch.freed_dates, batch.changed_series)
        await _follow_transfers(tx, context, parsed_messages, results_by_index)
    except ForeignKeyViolated as failure:
        raise TransactionConflict("a person’s account was merged with another one in between") from failure
    results = _results(parsed_messages, results_by_index)
    await _apply_intake_rules(tx, context, batch, parsed_messages, results)
    return results


def _results(
    parsed_messages: Sequence[ParsedMessage], results_by_index: Mapping[int, IngestResult]
) -> list[IngestResult]:
    """Return the result of each message. A copy of a message was not applied and is known, or refused as well."""
    of_version = {_version(parsed_messages[index].message): result for index, result in results_by_index.items()}
    of_copies = {version: one if one in _REFUSED else IngestResult.KNOWN for version, one in of_version.items()}
    return [
        results_by_index[index] if index in results_by_index else of_copies[_version(parsed.message)]
        for index, parsed in enumerate(parsed_messages)
    ]


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
    results_by_index: Mapping[int, IngestResult],
) -> None:
    """Follow ownership transfers once everything else in the batch is applied, because RSVPs in it refer to the old
    URIs.
    """
    for index, parsed in enumerate(parsed_messages):
        if results_by_index.get(index) is IngestResult.APPLIED and parsed.event is not None:
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


def _change(parsed: ParsedMessage, seen_records: Mapping[str, SeenRecord]) -> RecordChange:
    return RecordChange(parsed, seen_records.get(parsed.message.uri))


@dataclass(frozen=True, slots=True)
class SortedWave:
    """The messages of a wave, by index, sorted by how they are applied.

    ``absent``: deletions of records that are unknown or already deleted. ``to_prove``: URIs of records of which only the
    repository can tell which version it has.
    """

    refused: dict[int, IngestResult] = field(default_factory=dict)
    events: dict[int, RecordChange] = field(default_factory=dict)
    rsvps: dict[int, RecordChange] = field(default_factory=dict)
    absent: dict[int, RecordChange] = field(default_factory=dict)
    deleted_events: dict[int, RecordChange] = field(default_factory=dict)
    deleted_rsvps: dict[int, RecordChange] = field(default_factory=dict)
    one_by_one: dict[int, RecordChange] = field(default_factory=dict)
    to_prove: list[str] = field(default_factory=list)

    def part_for(self, batch: Batch, change: RecordChange) -> dict[int, RecordChange]:
        """Return the part to which a message belongs that is not refused."""
        message, is_deletion = change.message, change.message.body is None
        if batch.is_late_write(message) or message.uri in batch.own_uris or message.uri in batch.superseded_uris:
            return self.one_by_one
        if is_deletion and change.is_absent:
            return self.absent
        if message.collection in EVENTS:
            return self.deleted_events if is_deletion else self.events
        if message.collection in RSVPS:
            return self.deleted_rsvps if is_deletion else self.rsvps
        return self.one_by_one


def _sorted_wave(batch: Batch, changes: Mapping[int, RecordChange], now: Instant) -> SortedWave:
    wave = SortedWave()
    for index, change in changes.items():
        refusal = batch.refusal(change.message, now)
        if refusal is not None:
            wave.refused[index] = refusal
            continue
        wave.part_for(batch, change)[index] = change
        if not batch.is_late_write(change.message) and _needs_proof(change):
            wave.to_prove.append(change.message.uri)
    return wave


async def _apply_wave(
    tx: Transaction, context: IngestionContext, batch: Batch, wave: SortedWave
) -> dict[int, IngestResult]:
    results_by_index = dict(wave.refused)
    await record_proofs.enqueue(tx, wave.to_prove)
    events, rsvps = list(wave.events.values()), list(wave.rsvps.values())
    results_by_index.update(zip(wave.events, await apply_bulk.put_events(tx, context, batch, events), strict=True))
    results_by_index.update(zip(wave.rsvps, await apply_bulk.put_rsvps(tx, batch, rsvps), strict=True))
    await _store_tombstones(tx, list(wave.absent.values()))
    results_by_index.update(dict.fromkeys(wave.absent, IngestResult.KNOWN))
    results_by_index.update(await _delete_each(tx, context, batch, wave))
    for index, change in wave.one_by_one.items():
        seen_record = change.seen_record
        if seen_record is not None and change.message.collection in RSVPS:
            # Its event may have moved to another record in this batch.
            seen_record = await seen.find(tx, seen_record.uri)
        results_by_index[index] = await apply_one(tx, context, batch, change.parsed, seen_record)
    return results_by_index


async def _delete_each(
    tx: Transaction, context: IngestionContext, batch: Batch, wave: SortedWave
) -> dict[int, IngestResult]:
    # Their events may have moved to other records in this batch.
    deletions = wave.deleted_events | wave.deleted_rsvps
    seen_records = await seen.find_many(tx, [one.message.uri for one in deletions.values()])
    events = [_change(one.parsed, seen_records) for one in wave.deleted_events.values()]
    rsvps = [_change(one.parsed, seen_records) for one in wave.deleted_rsvps.values()]
    of_events = await apply_bulk.delete_events(tx, context, batch, events)
    of_rsvps = await apply_bulk.delete_rsvps(tx, rsvps)
    return dict(zip(deletions, of_events + of_rsvps, strict=True))


async def _store_tombstones(tx: Transaction, deletions: Sequence[RecordChange]) -> None:
    """Store deletions of records that are absent, so that older messages are ignored."""
    updates = [
        seen.RecordUpdate(one.message, RecordState.TOMBSTONE, subject_uri=one.former_subject_uri) for one in deletions
    ]
    newest = await seen.put_each(tx, updates)
    for one in deletions:
        if one.message.uri not in newest and one.message.collection in RSVPS:
            await late_change_times.reconsider_with(tx, one.message, one.seen_record)


def _needs_proof(change: RecordChange) -> bool:
    """Whether only the repository can tell which version it has: a signed and an unsigned one differ, and the
    unsigned one claims to be newer.
    """
    message, seen_record = change.message, change.seen_record
    if seen_record is None or message.is_verified == seen_record.is_verified or change.is_same_version:
        return False
    return (message.rev > seen_record.rev) is seen_record.is_verified


async def _apply_intake_rules(
    tx: Transaction,
    context: IngestionContext,
    batch: Batch,
    parsed_messages: Sequence[ParsedMessage],
    results: Sequence[IngestResult],
) -> None:
    """Apply the intake rules to new events, by author."""
    fresh: dict[str, list[str]] = {}
    here_before = {uri for uri, seen_record in batch.seen_records.items() if seen_record.state is RecordState.MAPPED}
    for parsed, result in zip(parsed_messages, results, strict=True):
        uri = parsed.message.uri
        if result not in {IngestResult.APPLIED, IngestResult.RAW} or uri in batch.own_uris:
            continue
        if parsed.event is None:
            here_before.discard(uri)
        elif uri not in here_before:
            here_before.add(uri)
            fresh.setdefault(parsed.message.did, []).append(uri)
    if fresh:
        await intake.receive(tx, fresh, context.trusted_origins)

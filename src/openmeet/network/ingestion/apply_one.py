"""Apply one message at a time: records that we write, series, groups, superseded records, late writes, and the special
cases of ``apply``.

Each message goes through three steps. If it is our own write, that is completed. ``records.seen`` decides whether
this is the newest version. Only then are rows derived. A message that was applied before, or is older than what is
known, changes nothing.

Only signed messages change our publications. Anybody could send our own bytes with a rev of their choice: that would
complete a write that never arrived, or make the agreed version newer than what the PDS will answer.
"""

from dataclasses import replace

from groundwork.database.transaction import Transaction
from groundwork.telemetry import tracing
from groundwork.telemetry.logs import log
from openmeet.domain.events import event_records
from openmeet.domain.series import remote_records
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion import (
    apply_bulk,
    apply_event,
    late_change_times,
    local_records,
    local_series,
    notify,
    origins,
    record_proofs,
    remote_groups,
    remote_series,
    rsvps_awaiting_event,
)
from openmeet.network.ingestion.batch import Batch
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.parsed_messages import IngestResult, ParsedMessage
from openmeet.network.ingestion.record_change import RecordChange, store
from openmeet.network.records import links, repository_state, seen
from openmeet.network.records.collections import EVENTS, GROUP_COLLECTIONS, OF_GROUPS, RSVPS, SERIES_COLLECTIONS
from openmeet.network.records.event_reader import ParsedEvent
from openmeet.network.records.group_statements import OF_STATEMENTS
from openmeet.network.records.links import lock_row_of
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.seen import RecordState, SeenRecord
from openmeet.network.records.versions import last_readable_version, version_of
from openmeet.outbox import in_flight, ingested_changes, publication_queries
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind
from openmeet.outbox.reasons import PublicationReason


async def apply_one(
    tx: Transaction, context: IngestionContext, batch: Batch, parsed: ParsedMessage, seen_record: SeenRecord | None
) -> IngestResult:
    """Apply a message that ``Batch.refusal`` allows. ``seen_record``: its record as last seen, which is locked."""
    message = parsed.message
    if batch.is_late_write(message):
        return await _retract_again(tx, parsed)
    change = RecordChange(parsed, seen_record)
    publication = await publication_queries.find_by_uri(tx, message.uri) if message.uri in batch.own_uris else None
    if publication is not None and not message.is_verified and not _is_confirmed_by_signed_version(change):
        return await _request_own_record(tx, change)
    if publication is not None:
        locked = await _lock_publication(tx, message, publication)
        change = await _apply_if_own_write(tx, replace(change, publication=locked))
    if message.body is None:
        return await _delete(tx, context, batch, change)
    return await _put(tx, context, batch, change)


def _is_confirmed_by_signed_version(change: RecordChange) -> bool:
    """Whether the record as last seen is signed and has the content of this message, or was deleted as it says."""
    return change.seen_record is not None and change.seen_record.is_verified and change.is_same_version


async def _request_own_record(tx: Transaction, change: RecordChange) -> IngestResult:
    """Request a record of ours about which only unsigned data has arrived. The signed response is our own write or
    an edit.
    """
    if change.seen_record is None or not change.seen_record.is_verified:
        await record_proofs.enqueue(tx, [change.message.uri])
    # If a signed version is known, ``apply`` has requested the record, unless the message is older.
    return IngestResult.KNOWN


async def _lock_publication(tx: Transaction, message: RecordMessage, publication: Publication) -> Publication | None:
    """Lock what the publication is about. Return the publication as it is then; None if it no longer has the record."""
    await lock_row_of(tx, publication.kind, publication.subject_id)
    # Concurrent edits have been committed by now.
    return await publication_queries.find_by_uri(tx, message.uri)


async def _apply_if_own_write(tx: Transaction, change: RecordChange) -> RecordChange:
    """If this is our own write, mark it as published, store where the record is, and set ``is_own_write``."""
    message, publication = change.message, change.publication
    if publication is None or message.cid is None or message.body is None:
        return change
    is_own_write = message.is_verified and await ingested_changes.apply_own_write(
        tx,
        uri=message.uri,
        cid=message.cid,
        rev=message.rev,
        body=message.body,
        is_deleted_since=await _is_deleted_since(tx, change),
    )
    if is_own_write or message.cid == publication.base_cid:
        _trace_came_back(publication, message)
    if not is_own_write:
        return change
    # Our own write can arrive before the PDS's response.
    completed = await publication_queries.find_by_uri(tx, message.uri)
    if completed is not None:
        await links.store_location(tx, completed.kind, completed.subject_id, version_of(message))
    return replace(change, publication=completed, is_own_write=True)


async def _is_deleted_since(tx: Transaction, change: RecordChange) -> bool:
    """Whether the record is known to have been deleted since. An old, repeated message changes nothing (invariant 10)."""
    message, seen_record = change.message, change.seen_record
    if seen_record is None:
        return await repository_state.is_history(tx, message.did, message.rev)
    return seen_record.state is RecordState.TOMBSTONE and seen_record.rev >= message.rev


async def _retract_again(tx: Transaction, parsed: ParsedMessage) -> IngestResult:
    """Delete a record again that we had retracted before this message arrived. No rows are derived from it (invariant
    3).
    """
    message = parsed.message
    reason = RecordReason.RETRACTED_BEFORE
    if not await seen.put(tx, message, state=RecordState.RAW, reason=reason, subject_uri=parsed.subject_uri):
        return IngestResult.KNOWN
    await in_flight.enqueue_check(tx, message.uri)
    log.warning("record.arrived_late", uri=message.uri, rev=str(message.rev))
    return IngestResult.LATE


def _trace_came_back(publication: Publication, message: RecordMessage) -> None:
    """Write a trace event: a record of ours has come back through the stream."""
    tracing.note(
        "record.came_back", publication.subject_id, kind=publication.kind.value, uri=message.uri, rev=str(message.rev)
    )


async def _put(tx: Transaction, context: IngestionContext, batch: Batch, change: RecordChange) -> IngestResult:
    collection, publication = change.message.collection, change.publication
    if collection in EVENTS:
        return await _put_event(tx, context, batch, change)
    if publication is not None and publication.kind in local_records.KINDS:
        return await local_records.put(tx, context, change, publication)
    if collection in SERIES_COLLECTIONS:
        return await _put_series(tx, context, batch, change)
    if collection in OF_GROUPS:
        return await _put_of_group(tx, change)
    (result,) = await apply_bulk.put_rsvps(tx, batch, [change])
    return result


async def _put_event(tx: Transaction, context: IngestionContext, batch: Batch, change: RecordChange) -> IngestResult:
    """Apply an event record that we also write."""
    if not await store(tx, change):
        return await _put_overtaken_event(tx, context, batch, change)
    if change.is_own_write:
        await rsvps_awaiting_event.apply_awaiting_in_batch(tx, batch.awaited_uris, [change.message.uri])
        return IngestResult.OWN_WRITE
    if change.is_known:
        return IngestResult.KNOWN
    if change.parsed.event is None:
        return IngestResult.RAW
    await _apply_event_version(tx, context, batch, change, change.parsed.event)
    return IngestResult.APPLIED


async def _put_overtaken_event(
    tx: Transaction, context: IngestionContext, batch: Batch, change: RecordChange
) -> IngestResult:
    """Apply a version that is not the newest. It can be our own write, if its response was stored before it
    arrived, or a version that overtook one of our writes.
    """
    if change.is_same_version and not change.is_own_write:
        await rsvps_awaiting_event.apply_awaiting_in_batch(tx, batch.awaited_uris, [change.message.uri])
    await local_records.merge_overtaking(tx, context, change)
    return IngestResult.OWN_WRITE if change.is_own_write else IngestResult.KNOWN


async def _apply_event_version(
    tx: Transaction, context: IngestionContext, batch: Batch, change: RecordChange, parsed_event: ParsedEvent
) -> None:
    message, publication = change.message, change.publication
    is_new = change.seen_record is None and publication is None
    before = None if is_new else await event_records.find(tx, message.uri)
    version, last = version_of(message), last_readable_version(change.seen_record)
    event_id = await apply_event.apply_record(tx, context, version, parsed_event.event, publication, last)
    if (
        publication is not None
        and publication.kind is PublicationKind.EVENT
        and Flag.NATIVE_RECURRENCE in batch.switches
    ):
        await local_series.apply_rule_of_date(tx, context, version, parsed_event.event, publication, event_id)
    await origins.raise_revision_to_counter(tx, context.instance, parsed_event.origin, event_id)
    if before is not None:
        await notify.of_change(tx, before, event_id, message.rev)
    await rsvps_awaiting_event.apply_awaiting_in_batch(tx, batch.awaited_uris, [message.uri])


async def _put_series(tx: Transaction, context: IngestionContext, batch: Batch, change: RecordChange) -> IngestResult:
    """Apply a series record of somebody else, or a superseded record of one of our series."""
    is_newest = await store(tx, change)
    if change.is_own_write:
        return IngestResult.OWN_WRITE
    if not is_newest or change.is_known:
        return IngestResult.KNOWN
    message, parsed_series = change.message, change.parsed.series
    is_superseded = message.uri in batch.superseded_uris
    if change.publication is not None:
        if parsed_series is not None and is_superseded:
            await local_series.store_edit_of_former_owner(
                tx, context, version_of(message), parsed_series, change.publication
            )
        await _accept_if_unedited(tx, change)
        return IngestResult.APPLIED
    if parsed_series is None:
        return IngestResult.RAW
    if not is_superseded:
        await remote_series.apply_record(
            tx, did=message.did, uri=message.uri, parsed_series=parsed_series, changed_series=batch.changed_series
        )
    return IngestResult.APPLIED


async def _accept_if_unedited(tx: Transaction, change: RecordChange) -> None:
    """Make another app's version the base of its publication if nothing is left to send."""
    if change.publication is not None and not change.publication.has_unsent_revision:
        await ingested_changes.accept_foreign_version(tx, version_of(change.message))


async def _put_of_group(tx: Transaction, change: RecordChange) -> IngestResult:
    """Apply a group of somebody else, or a statement about membership. Statements count no matter who wrote them, but
    only once they are signed.
    """
    if change.parsed.statement is not None and change.publication is None and not change.message.is_verified:
        return await _request_statement(tx, change)
    if not await store(tx, change) and not change.is_same_version:
        return IngestResult.OWN_WRITE if change.is_own_write else IngestResult.KNOWN
    if not change.is_same_version and not change.is_own_write:
        await _accept_if_unedited(tx, change)
    await _apply_group_or_statement(tx, change)
    if change.is_own_write:
        return IngestResult.OWN_WRITE
    if change.is_same_version:
        return IngestResult.KNOWN
    return IngestResult.RAW if change.parsed.reason else IngestResult.APPLIED


async def _apply_group_or_statement(tx: Transaction, change: RecordChange) -> None:
    """Apply a group record or a statement about a group. A statement counts even if its content is known: ours is stored
    when the PDS responds, and nothing is derived from it then.
    """
    message, parsed = change.message, change.parsed
    if parsed.statement is not None:
        await remote_groups.apply_statement(tx, message.did, message.uri, parsed.statement)
    elif change.is_same_version:
        return
    elif change.seen_record is not None and message.collection in OF_STATEMENTS:
        await remote_groups.withdraw_statement(tx, OF_STATEMENTS[message.collection], message.uri)
    elif parsed.group is not None and change.publication is None:
        await remote_groups.apply_record(tx, message.did, message.uri, message.cid or "", parsed.group)


async def _request_statement(tx: Transaction, change: RecordChange) -> IngestResult:
    """Store an unsigned statement about a group, and request it from its repository. Nothing is derived from it, because
    statements decide about members and roles.
    """
    message, subject_uri = change.message, change.parsed.subject_uri
    reason = RecordReason.AWAITS_PROOF
    if not await seen.put(tx, message, state=RecordState.RAW, reason=reason, subject_uri=subject_uri):
        return IngestResult.KNOWN
    if not change.is_same_version:
        await record_proofs.enqueue(tx, [message.uri])
    return IngestResult.RAW


async def _delete(tx: Transaction, context: IngestionContext, batch: Batch, change: RecordChange) -> IngestResult:
    message, publication = change.message, change.publication
    if not await seen.put(tx, message, state=RecordState.TOMBSTONE, subject_uri=change.former_subject_uri):
        await _apply_older_deletion(tx, change)
        return IngestResult.KNOWN
    if publication is None and change.is_absent:
        return IngestResult.KNOWN
    if publication is not None and publication.kind in local_records.KINDS:
        await local_records.delete(tx, context, message, publication)
    elif message.collection in SERIES_COLLECTIONS:
        await _delete_series(tx, message, publication)
    elif message.collection in OF_GROUPS:
        await _delete_of_group(tx, message, publication)
    elif message.collection in EVENTS:
        await apply_bulk.apply_event_deletion(tx, context, batch, change)
    else:
        await apply_bulk.apply_rsvp_deletion(tx, change)
    return IngestResult.APPLIED


async def _apply_older_deletion(tx: Transaction, change: RecordChange) -> None:
    """Apply what remains of a deletion that is not the newest that is known of its record."""
    message = change.message
    if message.collection in RSVPS:
        await late_change_times.reconsider_with(tx, message, change.seen_record)
    if message.collection in OF_STATEMENTS and change.seen_record is not None and change.is_absent:
        # We retracted it and stored that before this message arrived.
        await remote_groups.withdraw_statement(tx, OF_STATEMENTS[message.collection], message.uri)


async def _delete_series(tx: Transaction, message: RecordMessage, publication: Publication | None) -> None:
    await links.mark_superseded_gone(tx, message.uri)
    if publication is None:
        await remote_records.apply_deletion(tx, message.uri)
    elif not publication.has_delete_in_flight:
        reason = PublicationReason.SERIES_RECORD_DELETED
        await ingested_changes.mark_deleted_elsewhere(tx, uri=message.uri, rev=message.rev, reason=reason)


async def _delete_of_group(tx: Transaction, message: RecordMessage, publication: Publication | None) -> None:
    if message.collection in GROUP_COLLECTIONS:
        await links.mark_superseded_group_gone(tx, message.uri)
    if publication is not None and not publication.has_delete_in_flight:
        reason = PublicationReason.RECORD_DELETED
        await ingested_changes.mark_deleted_elsewhere(tx, uri=message.uri, rev=message.rev, reason=reason)
    if message.collection in OF_STATEMENTS:
        await remote_groups.withdraw_statement(tx, OF_STATEMENTS[message.collection], message.uri)
    if publication is not None:
        await links.forget_group_location(tx, publication.kind, publication.subject_id)
    elif message.collection in GROUP_COLLECTIONS:
        await remote_groups.remove(tx, message.uri)

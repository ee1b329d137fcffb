"""Apply one message at a time: records that we write, series, deletions, and the special cases of ``apply``.

Each message goes through three steps. The echo of our own bytes completes the write. ``records.seen`` decides whether
this is the newest version. Only then are rows derived. A message that was applied before, or is older than what is
known, changes nothing.

Only signed messages change our publications. Anybody could send our own bytes with a rev of their choice: that would
complete a write that never arrived, or make the agreed version newer than what the PDS will answer.
"""

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
from openmeet.network.records import links, repository_state, seen
from openmeet.network.records.collections import EVENTS, GROUP_COLLECTIONS, OF_GROUPS, RSVPS, SERIES_COLLECTIONS
from openmeet.network.records.group_statements import OF_STATEMENTS
from openmeet.network.records.links import lock_row_of
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.seen import RecordState, SeenRecord
from openmeet.network.records.versions import readable_version_seen, version_of
from openmeet.outbox import in_flight, publication_echoes, publication_queries
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
    is_ours = message.uri in batch.own_uris
    publication = await publication_queries.find_by_uri(tx, message.uri) if is_ours else None
    is_echo = False
    if publication is not None and not message.is_verified and not _is_signed_here(message, seen_record):
        return await _request_own_record(tx, message, seen_record)
    if publication is not None:
        await lock_row_of(tx, publication.kind, publication.subject_id)
        # Concurrent edits have been committed by now.
        publication = await publication_queries.find_by_uri(tx, message.uri)
    if publication is not None and message.cid is not None and message.body is not None:
        is_echo = message.is_verified and await publication_echoes.complete_by_echo(
            tx,
            uri=message.uri,
            cid=message.cid,
            rev=message.rev,
            body=message.body,
            is_deleted_since=await _is_deleted_since(tx, message, seen_record),
        )
        if is_echo or message.cid == publication.base_cid:
            _trace_return(publication, message)
        if is_echo:
            # The echo can arrive before the PDS's response.
            publication = await publication_queries.find_by_uri(tx, message.uri)
            if publication is not None:
                await links.store_location(tx, publication.kind, publication.subject_id, version_of(message))
    if message.body is None:
        return await _delete(tx, context, batch, message, seen_record, publication)
    if message.collection in EVENTS:
        return await _put_event(tx, context, batch, parsed, seen_record, publication, is_echo=is_echo)
    if publication is not None and publication.kind in local_records.KINDS:
        return await local_records.put(tx, context, parsed, seen_record, publication, is_echo=is_echo)
    if message.collection in SERIES_COLLECTIONS:
        return await _put_series(tx, context, batch, parsed, seen_record, publication, is_echo=is_echo)
    if message.collection in OF_GROUPS:
        return await _put_of_group(tx, parsed, seen_record, publication, is_echo=is_echo)
    ((outcome),) = await apply_bulk.put_rsvps(tx, batch, [apply_bulk.RsvpUpdate(parsed, seen_record, is_echo=is_echo)])
    return outcome


def _is_signed_here(message: RecordMessage, seen_record: SeenRecord | None) -> bool:
    """Whether the record as last seen is signed and has the content of this message, or was deleted as it says."""
    return seen_record is not None and seen_record.is_verified and seen_record.cid == message.cid


async def _request_own_record(tx: Transaction, message: RecordMessage, seen_record: SeenRecord | None) -> IngestResult:
    """Request a record of ours about which only unsigned data has arrived. The signed response is an echo or an edit."""
    if seen_record is None or not seen_record.is_verified:
        await record_proofs.enqueue(tx, [message.uri])
    # If a signed version is known, ``apply`` has requested the record, unless the message is older.
    return IngestResult.KNOWN


async def _is_deleted_since(tx: Transaction, message: RecordMessage, seen_record: SeenRecord | None) -> bool:
    """Whether the record is known to have been deleted since. An old, repeated message changes nothing (invariant 10)."""
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
    await in_flight.check_now(tx, message.uri)
    log.warning("record.came_late", uri=message.uri, rev=str(message.rev))
    return IngestResult.LATE


def _trace_return(publication: Publication, message: RecordMessage) -> None:
    """Write a trace event: a record of ours has come back through the stream."""
    tracing.note(
        "record.came_back", publication.subject_id, kind=publication.kind.value, uri=message.uri, rev=str(message.rev)
    )


async def _put_event(
    tx: Transaction,
    context: IngestionContext,
    batch: Batch,
    parsed: ParsedMessage,
    seen_record: SeenRecord | None,
    publication: Publication | None,
    *,
    is_echo: bool,
) -> IngestResult:
    """Apply an event record that we also write."""
    message, parsed_event = parsed.message, parsed.event
    state = RecordState.RAW if parsed_event is None else RecordState.MAPPED
    is_newest = await seen.put(tx, message, state=state, reason=parsed.reason, subject_uri=parsed.subject_uri)
    if not is_newest and not is_echo:
        if seen_record is not None and seen_record.cid == message.cid:
            # This can be our own write, if its response was stored before its echo came, or a version that overtook one
            # of our writes.
            await rsvps_awaiting_event.release(tx, batch.awaited_uris, [message.uri])
            if publication is not None and publication.base_rev is not None and publication.base_rev < seen_record.rev:
                await local_records.merge_newest_again(tx, context, message.uri, publication)
        return IngestResult.KNOWN
    if not is_newest:
        if publication is not None:
            await local_records.merge_newest_again(tx, context, message.uri, publication)
        return IngestResult.ECHO
    if is_echo:
        await rsvps_awaiting_event.release(tx, batch.awaited_uris, [message.uri])
        return IngestResult.ECHO
    if seen_record is not None and seen_record.cid == message.cid and seen_record.state is state:
        return IngestResult.KNOWN
    if parsed_event is None:
        return IngestResult.RAW
    before = None if seen_record is None and publication is None else await event_records.find(tx, message.uri)
    last = readable_version_seen(seen_record)
    event_id = await apply_event.apply_record(tx, context, version_of(message), parsed_event.event, publication, last)
    if (
        publication is not None
        and publication.kind is PublicationKind.EVENT
        and Flag.NATIVE_RECURRENCE in batch.switches
    ):
        await local_series.apply_rule_of_date(
            tx, context, version_of(message), parsed_event.event, publication, event_id
        )
    await origins.raise_revision_to_counter(tx, context.instance, parsed_event.origin, event_id)
    if before is not None:
        await notify.of_change(tx, before, event_id, message.rev)
    await rsvps_awaiting_event.release(tx, batch.awaited_uris, [message.uri])
    return IngestResult.APPLIED


async def _put_series(
    tx: Transaction,
    context: IngestionContext,
    batch: Batch,
    parsed: ParsedMessage,
    seen_record: SeenRecord | None,
    publication: Publication | None,
    *,
    is_echo: bool,
) -> IngestResult:
    """Apply a series record of somebody else, or a superseded record of one of our series."""
    message, parsed_series = parsed.message, parsed.series
    state = RecordState.RAW if parsed_series is None else RecordState.MAPPED
    is_newest = await seen.put(tx, message, state=state, reason=parsed.reason, subject_uri=message.uri)
    if is_echo:
        return IngestResult.ECHO
    if not is_newest or (seen_record is not None and seen_record.cid == message.cid and seen_record.state is state):
        return IngestResult.KNOWN
    if publication is not None:
        if parsed_series is not None and message.uri in batch.superseded_uris:
            await local_series.store_edit_of_former_owner(tx, context, version_of(message), parsed_series, publication)
        if not publication.has_unsent_revision and message.cid is not None and message.body is not None:
            await publication_echoes.accept_foreign_version(tx, version_of(message))
        return IngestResult.APPLIED
    if parsed_series is None:
        return IngestResult.RAW
    if message.uri in batch.superseded_uris:
        return IngestResult.APPLIED
    await remote_series.apply_record(
        tx, did=message.did, uri=message.uri, parsed_series=parsed_series, changed_series=batch.changed_series
    )
    return IngestResult.APPLIED


async def _put_of_group(
    tx: Transaction,
    parsed: ParsedMessage,
    seen_record: SeenRecord | None,
    publication: Publication | None,
    *,
    is_echo: bool,
) -> IngestResult:
    """Apply a group of somebody else, or a statement about membership. Statements count no matter who wrote them, but
    only once they are signed.
    """
    message = parsed.message
    if parsed.statement is not None and publication is None and not message.is_verified:
        return await _request_statement(tx, parsed, seen_record)
    state = RecordState.RAW if parsed.reason else RecordState.MAPPED
    subject_uri, is_same = parsed.subject_uri, seen_record is not None and seen_record.cid == message.cid
    is_newest = await seen.put(tx, message, state=state, reason=parsed.reason, subject_uri=subject_uri)
    if not is_newest and not is_same:
        return IngestResult.ECHO if is_echo else IngestResult.KNOWN
    if (
        publication is not None
        and not is_same
        and not is_echo
        and not publication.has_unsent_revision
        and message.body is not None
    ):
        await publication_echoes.accept_foreign_version(tx, version_of(message))
    if parsed.statement is not None:
        await remote_groups.apply_statement(tx, message.did, message.uri, parsed.statement)
    elif seen_record is not None and not is_same and message.collection in OF_STATEMENTS:
        await remote_groups.withdraw_statement(tx, OF_STATEMENTS[message.collection], message.uri)
    elif parsed.group is not None and publication is None and not is_same:
        await remote_groups.apply_record(tx, message.did, message.uri, message.cid or "", parsed.group)
    if is_echo:
        return IngestResult.ECHO
    if is_same:
        return IngestResult.KNOWN
    return IngestResult.RAW if parsed.reason else IngestResult.APPLIED


async def _request_statement(tx: Transaction, parsed: ParsedMessage, seen_record: SeenRecord | None) -> IngestResult:
    """Store an unsigned statement about a group, and request it from its repository. Nothing is derived from it, because
    statements decide about members and roles.
    """
    message = parsed.message
    reason = RecordReason.AWAITS_PROOF
    if not await seen.put(tx, message, state=RecordState.RAW, reason=reason, subject_uri=parsed.subject_uri):
        return IngestResult.KNOWN
    if seen_record is None or seen_record.cid != message.cid:
        await record_proofs.enqueue(tx, [message.uri])
    return IngestResult.RAW


async def _delete(
    tx: Transaction,
    context: IngestionContext,
    batch: Batch,
    message: RecordMessage,
    seen_record: SeenRecord | None,
    publication: Publication | None,
) -> IngestResult:
    subject_uri = None if seen_record is None else seen_record.subject_uri
    if not await seen.put(tx, message, state=RecordState.TOMBSTONE, subject_uri=subject_uri):
        if message.collection in RSVPS:
            await late_change_times.reconsider_with(tx, message, seen_record)
        if (
            message.collection in OF_STATEMENTS
            and seen_record is not None
            and seen_record.state is RecordState.TOMBSTONE
        ):
            # We retracted it and stored that before this message arrived.
            await remote_groups.withdraw_statement(tx, OF_STATEMENTS[message.collection], message.uri)
        return IngestResult.KNOWN
    if publication is None and (seen_record is None or seen_record.state is RecordState.TOMBSTONE):
        return IngestResult.KNOWN
    if publication is not None and publication.kind in local_records.KINDS:
        await local_records.delete(tx, context, message, publication)
    elif message.collection in SERIES_COLLECTIONS:
        await links.note_superseded_gone(tx, message.uri)
        if publication is None:
            await remote_records.apply_deletion(tx, message.uri)
        elif not publication.has_delete_in_flight:
            reason = PublicationReason.SERIES_RECORD_DELETED
            await publication_echoes.mark_deleted_elsewhere(tx, uri=message.uri, rev=message.rev, reason=reason)
    elif message.collection in OF_GROUPS:
        await _delete_of_group(tx, message, publication)
    elif message.collection in EVENTS:
        await apply_bulk.apply_event_deletion(tx, context, batch, message, seen_record, publication)
    else:
        await apply_bulk.apply_rsvp_deletion(tx, message, seen_record)
    return IngestResult.APPLIED


async def _delete_of_group(tx: Transaction, message: RecordMessage, publication: Publication | None) -> None:
    if publication is not None and not publication.has_delete_in_flight:
        reason = PublicationReason.RECORD_DELETED
        await publication_echoes.mark_deleted_elsewhere(tx, uri=message.uri, rev=message.rev, reason=reason)
    if message.collection in OF_STATEMENTS:
        await remote_groups.withdraw_statement(tx, OF_STATEMENTS[message.collection], message.uri)
    if publication is not None:
        await links.forget_group_location(tx, publication.kind, publication.subject_id)
    elif message.collection in GROUP_COLLECTIONS:
        await remote_groups.remove(tx, message.uri)

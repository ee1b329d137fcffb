"""Apply many records that other people write, in bulk: events, RSVPs, and their deletions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from at_protocol.syntax.did import parse_did
from groundwork.database.row_lock import hold_each
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import event_changes, rsvp_records_in_bulk
from openmeet.domain.events import event_records, record_changes
from openmeet.domain.events.model import Event, EventId, NetworkEvent
from openmeet.domain.events.record_changes import RecordRead
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.series.detection_actions import enqueue_detection
from openmeet.network.ingestion import (
    apply_event,
    apply_rsvp,
    late_change_times,
    notify,
    remote_groups,
    remote_series,
    rsvp_deletions,
    rsvps_awaiting_event,
)
from openmeet.network.ingestion.apply_rsvp import PersonAndEvent
from openmeet.network.ingestion.batch import Batch
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.parsed_messages import IngestResult, ParsedMessage
from openmeet.network.ingestion.rsvp_deletions import deletion_of
from openmeet.network.records import seen, seen_rsvps
from openmeet.network.records.collections import RSVPS
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.rsvp import has_durable_subject
from openmeet.network.records.seen import RecordState, SeenRecord
from openmeet.network.records.versions import readable_version_seen, version_of
from openmeet.outbox import superseded_records
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publication_status import subjects_with_publication
from openmeet.outbox.publications import PublicationKind


@dataclass(frozen=True, slots=True)
class EventUpdate:
    """A new version of an event record, and the record as last seen."""

    parsed: ParsedMessage
    seen_record: SeenRecord | None


async def put_events(
    tx: Transaction, context: IngestionContext, batch: Batch, puts: Sequence[EventUpdate]
) -> list[IngestResult]:
    """Apply versions of different event records, none of which we write; one result each."""
    if not puts:
        return []
    versions = [
        seen.RecordUpdate(
            one.parsed.message,
            RecordState.RAW if one.parsed.event is None else RecordState.MAPPED,
            one.parsed.reason,
            one.parsed.subject_uri,
        )
        for one in puts
    ]
    newest = await seen.put_each(tx, versions)
    outcomes: list[IngestResult] = []
    applied: list[tuple[EventUpdate, NetworkEvent]] = []
    awaited_uris: list[str] = []
    for one, version in zip(puts, versions, strict=True):
        is_same = one.seen_record is not None and one.seen_record.cid == one.parsed.message.cid
        if one.parsed.message.uri not in newest:
            # RSVPs to this event may have arrived before it.
            awaited_uris += [one.parsed.message.uri] if is_same else []
            outcomes.append(IngestResult.KNOWN)
        elif is_same and one.seen_record is not None and one.seen_record.state is version.state:
            outcomes.append(IngestResult.KNOWN)
        elif one.parsed.event is None:
            outcomes.append(IngestResult.RAW)
            last = readable_version_seen(one.seen_record)
            if last is not None:
                await apply_event.keep_unsent(tx, context, last)
        else:
            applied.append((one, one.parsed.event.event))
            awaited_uris.append(one.parsed.message.uri)
            outcomes.append(IngestResult.APPLIED)
    await _apply_events(tx, context, batch, applied)
    await rsvps_awaiting_event.release(tx, batch.awaited_uris, awaited_uris)
    return outcomes


async def _apply_events(
    tx: Transaction, context: IngestionContext, batch: Batch, applied: Sequence[tuple[EventUpdate, NetworkEvent]]
) -> None:
    if not applied:
        return
    uris = [one.parsed.message.uri for one, _ in applied]
    await hold_each(tx, "events", "record_uri", uris)
    events_by_uri = await event_records.events_with(tx, uris)
    edited = await subjects_with_publication(tx, PublicationKind.EVENT, [event.id for event in events_by_uri.values()])
    authors = await identity_actions.authors_for_dids(tx, {one.parsed.message.did for one, _ in applied})
    records: dict[str, RecordRead] = {}
    for one, network_event in applied:
        message = one.parsed.message
        event = events_by_uri.get(message.uri)
        if event is not None and event.id in edited:
            await _merge_with_edits(tx, context, batch, one, network_event, event)
            continue
        author_id, _ = authors[message.did]
        own = apply_event.without_own_links(network_event, context)
        records[message.uri] = RecordRead(message.uri, message.cid or "", author_id, own)
    changed = await record_changes.apply_each_from_network(tx, list(records.values()), events_by_uri)
    await enqueue_detection(
        tx, {authors[one.parsed.message.did] for one, _ in applied if one.parsed.message.uri in records}
    )
    of_uri = {after.record_uri: (before, after) for before, after in changed}
    back = [after for before, after in changed if before is not None and before.is_without_record]
    await event_changes.resume_rsvps(tx, back)
    puts = [one for one, _ in applied if one.parsed.message.uri in records]
    await _notify(tx, puts, of_uri)
    made = {uri: after.id for uri, (before, after) in of_uri.items() if uri and before is None}
    await superseded_records.delete_each(tx, made)
    await rsvps_awaiting_event.follow_record(tx, made)
    for one in puts:
        _, after = of_uri[one.parsed.message.uri]
        if remote_groups.concerns_group(one.parsed.record, after, batch.switches):
            await remote_groups.attribute(tx, after.id)
        if remote_series.changes_recurrence(one.parsed.record, after, batch.switches):
            network_event = records[one.parsed.message.uri].event
            version = version_of(one.parsed.message)
            await remote_series.place(tx, version, network_event, after.id, batch.switches, batch.freed_dates)


async def _notify(
    tx: Transaction, puts: Sequence[EventUpdate], of_uri: Mapping[str | None, tuple[Event | None, Event]]
) -> None:
    """Notify the recipients of each change."""
    for one in puts:
        before, after = of_uri[one.parsed.message.uri]
        if before is not None and one.seen_record is not None and notify.is_news(before, after, tx.now):
            await notify.of_change(tx, before, after.id, one.parsed.message.rev)


async def _merge_with_edits(
    tx: Transaction,
    context: IngestionContext,
    batch: Batch,
    update: EventUpdate,
    network_event: NetworkEvent,
    event: Event,
) -> None:
    """Merge a new version with the edits made here. The event is locked and has a publication."""
    message = update.parsed.message
    version = version_of(message)
    before = readable_version_seen(update.seen_record)
    owned = await apply_event.attach_unsent_publication(tx, context, message.uri, before, version, network_event)
    event_id = await apply_event.apply_record(tx, context, version, network_event, owned)
    if update.seen_record is not None:
        await notify.of_change(tx, event, event_id, message.rev)
    if owned is None:
        await remote_series.place(tx, version, network_event, event_id, batch.switches, batch.freed_dates)


@dataclass(frozen=True, slots=True)
class RsvpUpdate:
    """A new version of an RSVP record, and the record as last seen. ``is_echo``: it is the echo of our own write and
    has completed it.
    """

    parsed: ParsedMessage
    seen_record: SeenRecord | None
    is_echo: bool = False


async def put_rsvps(tx: Transaction, batch: Batch, puts: Sequence[RsvpUpdate]) -> list[IngestResult]:
    """Apply versions of different RSVP records, no two by the same person about the same event; one result each.

    A signature for a version that was known without one changes no content, but that record may now override others.
    """
    if not puts:
        return []
    about = {str(one.parsed.rsvp.subject) for one in puts if one.parsed.rsvp and has_durable_subject(one.parsed.rsvp)}
    ids_by_uri = await event_records.ids_with(tx, about)
    event_ids = [_event_of(one, ids_by_uri) for one in puts]
    versions = await _versions(tx, puts, event_ids)
    newest = await seen.put_each(tx, versions)
    outcomes: list[IngestResult] = []
    pairs: list[PersonAndEvent] = []
    awaited: list[str] = []
    for one, version, event_id in zip(puts, versions, event_ids, strict=True):
        message, rsvp, seen_record = one.parsed.message, one.parsed.rsvp, one.seen_record
        is_known = seen_record is not None and seen_record.cid == message.cid and seen_record.state is version.state
        if message.uri not in newest:
            await late_change_times.reconsider_with(tx, message, seen_record)
            outcomes.append(IngestResult.ECHO if one.is_echo else IngestResult.KNOWN)
            continue
        if one.is_echo or is_known:
            outcomes.append(IngestResult.ECHO if one.is_echo else IngestResult.KNOWN)
            if not one.is_echo and _is_newly_signed(one) and rsvp is not None and event_id is not None:
                pairs.append(PersonAndEvent(message.did, str(rsvp.subject), event_id, (message.cid or "", rsvp)))
            continue
        if (
            seen_record is not None
            and seen_record.subject_uri is not None
            and seen_record.subject_uri != version.subject_uri
        ):
            # The record used to be about another event: withdraw the RSVP there.
            former_event_id = await event_records.id_with(tx, seen_record.subject_uri)
            await rsvp_deletions.apply_deletion(tx, deletion_of(message, seen_record, former_event_id))
        if rsvp is None:
            outcomes.append(IngestResult.RAW)
        elif version.state is RecordState.AWAITS_EVENT:
            awaited.append(str(rsvp.subject))
            outcomes.append(IngestResult.AWAITS_EVENT)
        elif event_id is None:
            # Their author has too many of them. Each fetch would call a server of the author's choice.
            outcomes.append(IngestResult.RAW)
        else:
            pairs.append(PersonAndEvent(message.did, str(rsvp.subject), event_id, (message.cid or "", rsvp)))
            outcomes.append(IngestResult.APPLIED)
    await rsvps_awaiting_event.enqueue_fetches(tx, batch.awaited_uris, awaited)
    await apply_rsvp.derive_each(tx, pairs)
    return outcomes


def _is_newly_signed(put: RsvpUpdate) -> bool:
    return put.parsed.message.is_verified and put.seen_record is not None and not put.seen_record.is_verified


def _event_of(put: RsvpUpdate, event_ids: Mapping[str, EventId]) -> EventId | None:
    """Return the event of an RSVP from ``event_ids``, which is keyed by record URI."""
    return None if put.parsed.rsvp is None else event_ids.get(str(put.parsed.rsvp.subject))


async def _versions(
    tx: Transaction, puts: Sequence[RsvpUpdate], event_ids: Sequence[EventId | None]
) -> list[seen.RecordUpdate]:
    """Return the new state of each record whose version is the newest."""
    early = [
        one.parsed.message.did
        for one, event_id in zip(puts, event_ids, strict=True)
        if one.parsed.rsvp is not None and event_id is None
    ]
    waiting = await seen_rsvps.count_awaiting(tx, early)
    versions: list[seen.RecordUpdate] = []
    for one, event_id in zip(puts, event_ids, strict=True):
        message, rsvp = one.parsed.message, one.parsed.rsvp
        state, reason = RecordState.RAW, one.parsed.reason
        if rsvp is not None:
            if event_id is not None:
                state = RecordState.MAPPED
            elif one.seen_record is not None and one.seen_record.state is RecordState.AWAITS_EVENT:
                state = RecordState.AWAITS_EVENT
            elif waiting.get((message.did, message.is_verified), 0) < seen_rsvps.MAX_AWAITING_PER_AUTHOR:
                for is_verified in {False, message.is_verified}:
                    waiting[message.did, is_verified] = waiting.get((message.did, is_verified), 0) + 1
                state = RecordState.AWAITS_EVENT
            else:
                reason = RecordReason.TOO_MANY_PENDING()
        precedence = "" if rsvp is None else rsvp.precedence
        versions.append(seen.RecordUpdate(message, state, reason, one.parsed.subject_uri, precedence))
    return versions


@dataclass(frozen=True, slots=True)
class DeletedRecord:
    """The deletion of a record, and the record as last seen."""

    message: RecordMessage
    seen_record: SeenRecord


async def delete_events(
    tx: Transaction, context: IngestionContext, batch: Batch, deleted_records: Sequence[DeletedRecord]
) -> list[IngestResult]:
    """Apply deletions of event records that we do not write and never wrote; one result each."""
    newest = await _store_tombstones(tx, deleted_records)
    uris = sorted(newest)
    await hold_each(tx, "events", "record_uri", uris)
    events_by_uri = await event_records.events_with(tx, uris)
    # Edits of such an event that were made here are kept in case its record comes back.
    with_publication = await subjects_with_publication(
        tx, PublicationKind.EVENT, sorted(event.id for event in events_by_uri.values())
    )
    together: dict[str, Event] = {}
    for one in deleted_records:
        event = events_by_uri.get(one.message.uri)
        if event is None:
            continue
        if event.id in with_publication or event.deleted_at is not None:
            await apply_event_deletion(tx, context, batch, one.message, one.seen_record, None)
        else:
            together[one.message.uri] = event
    ids = [event.id for event in together.values()]
    await event_records.set_removed(tx, ids)
    with_recipients_ids = await event_changes.events_with_recipients(tx, ids)
    for one in deleted_records:
        event = together.get(one.message.uri)
        if event is not None and event.id in with_recipients_ids:
            await notify.of_removal(tx, event, one.message.rev)
        if event is not None:
            await remote_series.free_date(tx, event, batch.freed_dates)
    return _outcomes(deleted_records, newest)


async def delete_rsvps(tx: Transaction, deleted_records: Sequence[DeletedRecord]) -> list[IngestResult]:
    """Apply deletions of RSVP records that we do not write; one result each."""
    newest = await _store_tombstones(tx, deleted_records)
    applied = [one for one in deleted_records if one.message.uri in newest]
    event_ids = await event_records.ids_with(
        tx, {one.seen_record.subject_uri for one in applied if one.seen_record.subject_uri}
    )
    one_by_one = await _uris_for_one_by_one(tx, applied, event_ids)
    in_bulk = [one for one in applied if one.message.uri not in one_by_one]
    next_effective = await _next_effective(tx, in_bulk, event_ids)
    await apply_rsvp.derive_each(tx, [*next_effective.values()])
    last = [one for one in in_bulk if _pair(one) not in next_effective]
    remaining_rsvps = await rsvp_records_in_bulk.apply_deletions_in_bulk(
        tx, {one.message.uri: event_ids.get(one.seen_record.subject_uri or "") for one in last}
    )
    for one in applied:
        if one.message.uri in one_by_one or one.message.uri in remaining_rsvps:
            await apply_rsvp_deletion(tx, one.message, one.seen_record)
    return _outcomes(deleted_records, newest)


async def _store_tombstones(tx: Transaction, deleted_records: Sequence[DeletedRecord]) -> set[str]:
    """Store the tombstones; return the URIs for which the deletion is the newest message."""
    return await seen.put_each(
        tx,
        [
            seen.RecordUpdate(one.message, RecordState.TOMBSTONE, subject_uri=one.seen_record.subject_uri)
            for one in deleted_records
        ],
    )


def _outcomes(deleted_records: Sequence[DeletedRecord], newest: set[str]) -> list[IngestResult]:
    return [IngestResult.APPLIED if one.message.uri in newest else IngestResult.KNOWN for one in deleted_records]


async def _uris_for_one_by_one(
    tx: Transaction, deleted_records: Sequence[DeletedRecord], event_ids: Mapping[str, EventId]
) -> set[str]:
    """Return the URIs of records that are deleted one by one: their authors have signed in, have several DIDs or are not
    known yet.
    """
    people = await identity_queries.of_people_with(tx, {one.message.did for one in deleted_records})
    return {
        one.message.uri
        for one in deleted_records
        if not (
            apply_rsvp.is_known_by_one_did(people[one.message.did])
            if one.message.did in people
            else one.seen_record.subject_uri not in event_ids
        )
    }


async def _next_effective(
    tx: Transaction, deleted_records: Sequence[DeletedRecord], event_ids: Mapping[str, EventId]
) -> dict[tuple[str, str], PersonAndEvent]:
    """Return other RSVPs of the same people to the same event that now become effective, by event record and DID."""
    pairs = {
        _pair(one): event_ids[uri]
        for one in deleted_records
        if (uri := one.seen_record.subject_uri) and uri in event_ids
    }
    effective = await seen_rsvps.effective_by_pair(tx, pairs, sorted(RSVPS))
    return {
        (uri, did): PersonAndEvent(parse_did(did), uri, event_id)
        for (uri, did), event_id in pairs.items()
        if (uri, did) in effective
    }


def _pair(record: DeletedRecord) -> tuple[str, str]:
    return record.seen_record.subject_uri or "", record.message.did


async def apply_event_deletion(
    tx: Transaction,
    context: IngestionContext,
    batch: Batch,
    message: RecordMessage,
    seen_record: SeenRecord | None,
    publication: Publication | None,
) -> None:
    """Remove the event, or detach its record; notify the recipients."""
    before = await event_records.by_record_uri(tx, message.uri)
    last = readable_version_seen(seen_record)
    await apply_event.remove(tx, context, uri=message.uri, rev=message.rev, publication=publication, last=last)
    if before is not None:
        await notify.of_removal(tx, before, message.rev)
        await notify.of_deleted_record(tx, before, message.rev)
        await remote_series.free_date(tx, before, batch.freed_dates)
    if publication is not None and publication.kind is PublicationKind.EVENT:
        await event_changes.recheck_rsvp_records(tx, [EventId(publication.subject_id)])


async def apply_rsvp_deletion(tx: Transaction, message: RecordMessage, seen_record: SeenRecord | None) -> None:
    """Withdraw the RSVP. The person's next RSVP, if any, becomes effective."""
    event_id = await event_records.id_with(tx, None if seen_record is None else seen_record.subject_uri)
    await rsvp_deletions.apply_deletion(tx, deletion_of(message, seen_record, event_id))

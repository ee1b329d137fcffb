"""Apply many records in bulk: events that other people write, RSVPs, and deletions of both. To put a record is to apply a
version of it, new or not. ``apply_one`` calls the same functions for single messages, also for RSVPs that we write.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from at_protocol.syntax.did import parse_did
from groundwork.database.row_lock import lock_rows
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
    local_events,
    notify,
    record_proofs,
    remote_groups,
    remote_series,
    rsvp_deletions,
    rsvps_awaiting_event,
)
from openmeet.network.ingestion.apply_rsvp import PersonAndEvent
from openmeet.network.ingestion.batch import Batch
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.ingestion.record_change import RecordChange
from openmeet.network.ingestion.rsvp_deletions import rsvp_deletion_of
from openmeet.network.records import seen, seen_rsvps
from openmeet.network.records.collections import RSVPS
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.rsvp import has_durable_subject
from openmeet.network.records.seen import RecordState
from openmeet.network.records.versions import last_readable_version, version_of
from openmeet.outbox import superseded_records
from openmeet.outbox.publication_status import subjects_with_publication
from openmeet.outbox.publications import PublicationKind


async def put_events(
    tx: Transaction, context: IngestionContext, batch: Batch, changes: Sequence[RecordChange]
) -> list[IngestResult]:
    """Apply versions of different event records, none of which we write; one result each."""
    if not changes:
        return []
    known_events = await _lock_events(tx, [change.message.uri for change in changes if not change.is_known])
    unproven = await seen.unsigned_news(tx, [one.message for one in changes if known_events.awaits_proof(one)])
    await record_proofs.enqueue(tx, sorted(unproven))
    newest = await seen.put_each(tx, [change.update for change in changes if change.message.uri not in unproven])
    results = [_result_of_event(change, is_newest=change.message.uri in newest) for change in changes]
    for change, result in zip(changes, results, strict=True):
        last = last_readable_version(change.seen_record)
        if result is IngestResult.RAW and last is not None:
            await local_events.keep_unsent(tx, context, last)
    await _apply_events(
        tx,
        context,
        batch,
        known_events,
        [
            (change, change.parsed.event.event)
            for change, result in zip(changes, results, strict=True)
            if result is IngestResult.APPLIED and change.parsed.event is not None
        ],
    )
    # RSVPs to a known event may have arrived before it.
    found_uris = [
        change.message.uri
        for change, result in zip(changes, results, strict=True)
        if result is IngestResult.APPLIED or (change.message.uri not in newest and change.is_same_version)
    ]
    await rsvps_awaiting_event.apply_awaiting_in_batch(tx, batch.awaited_uris, found_uris)
    return results


def _result_of_event(change: RecordChange, *, is_newest: bool) -> IngestResult:
    if not is_newest or change.is_known:
        return IngestResult.KNOWN
    return IngestResult.RAW if change.parsed.event is None else IngestResult.APPLIED


@dataclass(frozen=True, slots=True)
class _LockedEvents:
    """Events that are locked, by record. ``edited``: the URIs of those that were edited here."""

    by_uri: Mapping[str, Event]
    edited: frozenset[str]

    def awaits_proof(self, change: RecordChange) -> bool:
        """Whether this is an unsigned version of an event that was edited here. If it is news, it is not merged, because
        anybody could have chosen its rev, which would become that of the base. If a signed version is known, it is not
        newer than that.
        """
        seen_record = change.seen_record
        is_signed = change.message.is_verified or (seen_record is not None and seen_record.is_verified)
        return not is_signed and change.message.uri in self.edited


async def _lock_events(tx: Transaction, uris: Sequence[str]) -> _LockedEvents:
    if not uris:
        return _LockedEvents({}, frozenset())
    await lock_rows(tx, "events", "record_uri", uris)
    by_uri = await event_records.events_with(tx, uris)
    edited = await subjects_with_publication(tx, PublicationKind.EVENT, [event.id for event in by_uri.values()])
    return _LockedEvents(by_uri, frozenset(uri for uri, event in by_uri.items() if event.id in edited))


async def _apply_events(
    tx: Transaction,
    context: IngestionContext,
    batch: Batch,
    known_events: _LockedEvents,
    applied: Sequence[tuple[RecordChange, NetworkEvent]],
) -> None:
    """Adopt these versions, or merge them with edits made here."""
    if not applied:
        return
    authors = await identity_actions.authors_for_dids(tx, {change.message.did for change, _ in applied})
    adopted: list[tuple[RecordChange, RecordRead]] = []
    for change, network_event in applied:
        message, event = change.message, known_events.by_uri.get(change.message.uri)
        if event is not None and message.uri in known_events.edited:
            await _merge_with_edits(tx, context, batch, change, network_event, event)
        else:
            author_id, _ = authors[message.did]
            own = local_events.without_own_links(network_event, context)
            adopted.append((change, RecordRead(message.uri, message.cid or "", author_id, own)))
    changed = await record_changes.apply_each_from_network(tx, [record for _, record in adopted], known_events.by_uri)
    await enqueue_detection(tx, {authors[change.message.did] for change, _ in adopted})
    await _apply_consequences(tx, batch, adopted, {after.record_uri: (before, after) for before, after in changed})


async def _apply_consequences(
    tx: Transaction,
    batch: Batch,
    adopted: Sequence[tuple[RecordChange, RecordRead]],
    events: Mapping[str | None, tuple[Event | None, Event]],
) -> None:
    """Apply what follows from adopted versions to RSVPs, notifications, groups and series. ``events``: before and after,
    by record.
    """
    back = [after for before, after in events.values() if before is not None and before.is_without_record]
    await event_changes.make_rsvp_records_due_and_fill_seats(tx, back)
    for change, _ in adopted:
        before, after = events[change.message.uri]
        if before is not None and change.seen_record is not None and notify.is_news(before, after, tx.now):
            await notify.of_change(tx, before, after.id, change.message.rev)
    made = {uri: after.id for uri, (before, after) in events.items() if uri and before is None}
    await superseded_records.delete_each(tx, made)
    await rsvps_awaiting_event.update_attendances_of_new_events(tx, made)
    for change, record in adopted:
        _, after = events[change.message.uri]
        if remote_groups.concerns_group(change.parsed.record, after, batch.switches):
            await remote_groups.attribute(tx, after.id)
        if remote_series.changes_recurrence(change.parsed.record, after, batch.switches):
            version = version_of(change.message)
            await remote_series.place(tx, version, record.event, after.id, batch.switches, batch.freed_dates)


async def _merge_with_edits(
    tx: Transaction,
    context: IngestionContext,
    batch: Batch,
    change: RecordChange,
    network_event: NetworkEvent,
    event: Event,
) -> None:
    """Merge a new version with the edits made here. The event is locked and has a publication."""
    message, version = change.message, version_of(change.message)
    before = last_readable_version(change.seen_record)
    owned = await local_events.attach_unsent_publication(
        tx, context, before, version, network_event, was_absent=change.is_absent
    )
    event_id = await apply_event.apply_record(tx, context, version, network_event, owned)
    if change.seen_record is not None:
        await notify.of_change(tx, event, event_id, message.rev)
    if owned is None:
        await remote_series.place(tx, version, network_event, event_id, batch.switches, batch.freed_dates)


@dataclass(frozen=True, slots=True)
class _StoredRsvp:
    """A version of an RSVP record with the state in which it was stored, unless a newer version is known, and its event,
    if that is here.
    """

    change: RecordChange
    state: RecordState
    event_id: EventId | None
    is_newest: bool

    @property
    def result(self) -> IngestResult:
        if self.change.is_own_write:
            return IngestResult.OWN_WRITE
        if not self.is_newest or self._is_known:
            return IngestResult.KNOWN
        if self.event_id is not None:
            return IngestResult.APPLIED
        return IngestResult.AWAITS_EVENT if self.state is RecordState.AWAITS_EVENT else IngestResult.RAW

    @property
    def _is_known(self) -> bool:
        seen_record = self.change.seen_record
        return self.change.is_same_version and seen_record is not None and seen_record.state is self.state

    @property
    def is_applied(self) -> bool:
        """Whether this version replaces another one, or none."""
        return self.is_newest and not self.change.is_own_write and not self._is_known

    @property
    def was_about_another_event(self) -> bool:
        return self.is_applied and self.change.former_subject_uri not in {None, self.change.parsed.subject_uri}

    @property
    def awaited_uri(self) -> str | None:
        """The event that it awaits. If its author has too many such RSVPs, it awaits none, because each fetch would call
        a server of the author's choice.
        """
        is_awaiting = self.is_applied and self.state is RecordState.AWAITS_EVENT
        return self.change.parsed.subject_uri if is_awaiting else None

    @property
    def to_update(self) -> PersonAndEvent | None:
        """The person and event whose effective RSVP may have changed. A signature for a version that was known without
        one changes no content, but that record may now override others.
        """
        message, rsvp, seen_record = self.change.message, self.change.parsed.rsvp, self.change.seen_record
        is_signed_now = message.is_verified and seen_record is not None and not seen_record.is_verified
        if not self.is_newest or self.change.is_own_write or not (self.is_applied or is_signed_now):
            return None
        if rsvp is None or self.event_id is None:
            return None
        return PersonAndEvent(message.did, str(rsvp.subject), self.event_id, (message.cid or "", rsvp))


async def put_rsvps(tx: Transaction, batch: Batch, changes: Sequence[RecordChange]) -> list[IngestResult]:
    """Apply versions of different RSVP records, no two by the same person about the same event; one result each."""
    if not changes:
        return []
    stored = await _store_rsvps(tx, changes)
    for one in stored:
        message, seen_record = one.change.message, one.change.seen_record
        if not one.is_newest:
            await late_change_times.reconsider_with(tx, message, seen_record)
        elif one.was_about_another_event:
            former_event_id = await event_records.id_with(tx, one.change.former_subject_uri)
            await rsvp_deletions.apply_deletion(tx, rsvp_deletion_of(message, seen_record, former_event_id))
    awaited_uris = [uri for one in stored if (uri := one.awaited_uri) is not None]
    await rsvps_awaiting_event.enqueue_fetches(tx, batch.awaited_uris, awaited_uris)
    await apply_rsvp.update_attendances(tx, [to_update for one in stored if (to_update := one.to_update) is not None])
    return [one.result for one in stored]


async def _store_rsvps(tx: Transaction, changes: Sequence[RecordChange]) -> list[_StoredRsvp]:
    about = {
        str(change.parsed.rsvp.subject)
        for change in changes
        if change.parsed.rsvp and has_durable_subject(change.parsed.rsvp)
    }
    ids_by_uri = await event_records.ids_with(tx, about)
    event_ids = [_event_of(change, ids_by_uri) for change in changes]
    versions = await _updates_of(tx, changes, event_ids)
    newest = await seen.put_each(tx, versions)
    return [
        _StoredRsvp(change, version.state, event_id, change.message.uri in newest)
        for change, version, event_id in zip(changes, versions, event_ids, strict=True)
    ]


def _event_of(change: RecordChange, event_ids: Mapping[str, EventId]) -> EventId | None:
    """Return the event of an RSVP from ``event_ids``, which is keyed by record URI."""
    return None if change.parsed.rsvp is None else event_ids.get(str(change.parsed.rsvp.subject))


async def _updates_of(
    tx: Transaction, changes: Sequence[RecordChange], event_ids: Sequence[EventId | None]
) -> list[seen.RecordUpdate]:
    """Return what is stored of each version if it is the newest of its record."""
    early = [
        change.message.did
        for change, event_id in zip(changes, event_ids, strict=True)
        if change.parsed.rsvp is not None and event_id is None
    ]
    waiting = await seen_rsvps.count_awaiting(tx, early)
    versions: list[seen.RecordUpdate] = []
    for change, event_id in zip(changes, event_ids, strict=True):
        message, rsvp = change.message, change.parsed.rsvp
        update = change.update if rsvp is None else replace(change.update, precedence=rsvp.precedence)
        if rsvp is not None and event_id is None:
            if _was_awaiting(change) or _reserve_place(waiting, message):
                update = replace(update, state=RecordState.AWAITS_EVENT)
            else:
                update = replace(update, state=RecordState.RAW, reason=RecordReason.TOO_MANY_PENDING())
        versions.append(update)
    return versions


def _was_awaiting(change: RecordChange) -> bool:
    return change.seen_record is not None and change.seen_record.state is RecordState.AWAITS_EVENT


def _reserve_place(waiting: dict[tuple[str, bool], int], message: RecordMessage) -> bool:
    """Count one more RSVP of this author that awaits its event. ``waiting``: see ``seen_rsvps.count_awaiting``. Returns
    False if there are too many.
    """
    if waiting.get((message.did, message.is_verified), 0) >= seen_rsvps.MAX_AWAITING_PER_AUTHOR:
        return False
    for is_verified in {False, message.is_verified}:
        waiting[message.did, is_verified] = waiting.get((message.did, is_verified), 0) + 1
    return True


async def delete_events(
    tx: Transaction, context: IngestionContext, batch: Batch, deletions: Sequence[RecordChange]
) -> list[IngestResult]:
    """Apply deletions of event records that we do not write and never wrote; one result each."""
    newest = await _store_tombstones(tx, deletions)
    uris = sorted(newest)
    await lock_rows(tx, "events", "record_uri", uris)
    events_by_uri = await event_records.events_with(tx, uris)
    # Edits of such an event that were made here are kept in case its record comes back.
    with_publication = await subjects_with_publication(
        tx, PublicationKind.EVENT, sorted(event.id for event in events_by_uri.values())
    )
    in_bulk: list[tuple[RecordChange, Event]] = []
    for deletion in deletions:
        event = events_by_uri.get(deletion.message.uri)
        if event is not None and (event.id in with_publication or event.deleted_at is not None):
            await apply_event_deletion(tx, context, batch, deletion)
        elif event is not None:
            in_bulk.append((deletion, event))
    ids = [event.id for _, event in in_bulk]
    await event_records.set_removed(tx, ids)
    with_recipients_ids = await event_changes.events_with_recipients(tx, ids)
    for deletion, event in in_bulk:
        if event.id in with_recipients_ids:
            await notify.of_removal(tx, event, deletion.message.rev)
        await remote_series.free_date(tx, event, batch.freed_dates)
    return _results(deletions, newest)


async def delete_rsvps(tx: Transaction, deletions: Sequence[RecordChange]) -> list[IngestResult]:
    """Apply deletions of RSVP records that we do not write; one result each."""
    newest = await _store_tombstones(tx, deletions)
    applied = [one for one in deletions if one.message.uri in newest]
    event_ids = await event_records.ids_with(tx, {one.former_subject_uri for one in applied if one.former_subject_uri})
    one_by_one = await _uris_for_one_by_one(tx, applied, event_ids)
    in_bulk = [one for one in applied if one.message.uri not in one_by_one]
    next_effective = await _next_effective(tx, in_bulk, event_ids)
    await apply_rsvp.update_attendances(tx, [*next_effective.values()])
    last = [one for one in in_bulk if _pair(one) not in next_effective]
    remaining_rsvps = await rsvp_records_in_bulk.apply_deletions_in_bulk(
        tx, {one.message.uri: event_ids.get(one.former_subject_uri or "") for one in last}
    )
    for one in applied:
        if one.message.uri in one_by_one or one.message.uri in remaining_rsvps:
            await apply_rsvp_deletion(tx, one)
    return _results(deletions, newest)


async def _store_tombstones(tx: Transaction, deletions: Sequence[RecordChange]) -> set[str]:
    """Store the tombstones; return the URIs for which the deletion is the newest message."""
    return await seen.put_each(
        tx,
        [
            seen.RecordUpdate(one.message, RecordState.TOMBSTONE, subject_uri=one.former_subject_uri)
            for one in deletions
        ],
    )


def _results(deletions: Sequence[RecordChange], newest: set[str]) -> list[IngestResult]:
    return [IngestResult.APPLIED if one.message.uri in newest else IngestResult.KNOWN for one in deletions]


async def _uris_for_one_by_one(
    tx: Transaction, deletions: Sequence[RecordChange], event_ids: Mapping[str, EventId]
) -> set[str]:
    """Return the URIs of records that are deleted one by one: their authors have signed in, have several DIDs or are not
    known yet.
    """
    people = await identity_queries.of_people_with(tx, {one.message.did for one in deletions})
    return {
        one.message.uri
        for one in deletions
        if not (
            apply_rsvp.is_known_by_one_did(people[one.message.did])
            if one.message.did in people
            else one.former_subject_uri not in event_ids
        )
    }


async def _next_effective(
    tx: Transaction, deletions: Sequence[RecordChange], event_ids: Mapping[str, EventId]
) -> dict[tuple[str, str], PersonAndEvent]:
    """Return other RSVPs of the same people to the same event that now become effective, by event record and DID."""
    pairs = {_pair(one): event_ids[uri] for one in deletions if (uri := one.former_subject_uri) and uri in event_ids}
    effective = await seen_rsvps.effective_by_pair(tx, pairs, sorted(RSVPS))
    return {
        (uri, did): PersonAndEvent(parse_did(did), uri, event_id)
        for (uri, did), event_id in pairs.items()
        if (uri, did) in effective
    }


def _pair(deletion: RecordChange) -> tuple[str, str]:
    return deletion.former_subject_uri or "", deletion.message.did


async def apply_event_deletion(
    tx: Transaction, context: IngestionContext, batch: Batch, deletion: RecordChange
) -> None:
    """Remove the event, or detach its record; notify the recipients."""
    message, publication = deletion.message, deletion.publication
    before = await event_records.by_record_uri(tx, message.uri)
    last = last_readable_version(deletion.seen_record)
    await apply_event.remove(tx, context, uri=message.uri, rev=message.rev, publication=publication, last=last)
    if before is not None:
        await notify.of_removal(tx, before, message.rev)
        await notify.of_deleted_record(tx, before, message.rev)
        await remote_series.free_date(tx, before, batch.freed_dates)
    if publication is not None and publication.kind is PublicationKind.EVENT:
        await event_changes.make_rsvp_records_due(tx, [EventId(publication.subject_id)])


async def apply_rsvp_deletion(tx: Transaction, deletion: RecordChange) -> None:
    """End the RSVP of a deleted record. The person's next RSVP, if any, becomes effective."""
    event_id = await event_records.id_with(tx, deletion.former_subject_uri)
    await rsvp_deletions.apply_deletion(tx, rsvp_deletion_of(deletion.message, deletion.seen_record, event_id))

"""Apply a new version of an event record: adopt it, merge it with edits made here, or remove the event."""

from dataclasses import replace

from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import event_changes
from openmeet.domain.events import event_records, record_changes
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import Event, EventId, NetworkEvent
from openmeet.domain.events.publication import settle_merges
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.series.detection_actions import enqueue_detection
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion import merge_local, superseded_events
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.event_merge_rule import EVENT_RULE, with_local_values
from openmeet.network.ingestion.local_events import (
    edits_to_merge,
    keep_unsent,
    merge_sides,
    stored_content,
    unsent_edits,
    without_own_links,
)
from openmeet.network.ingestion.three_way_merge import encode_edits
from openmeet.network.records import links
from openmeet.outbox import ingested_changes, superseded_records
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import RecordVersion
from openmeet.outbox.reasons import PublicationReason


async def apply_record(
    tx: Transaction,
    context: IngestionContext,
    version: RecordVersion,
    network_event: NetworkEvent,
    publication: Publication | None,
    before: RecordVersion | None = None,
) -> EventId:
    """Make the event match the newest version of its record. Edits made here in the meantime are merged, not lost.

    ``superseded_events`` has what a version of a superseded record means. ``before``: the record as last seen, which is
    the agreed version if nothing was ever published to it.
    """
    superseded = await superseded_events.find(tx, version.uri, publication)
    if superseded is not None:
        if publication is not None:
            agreed = publication.base_body or (None if before is None else before.body)
            with_agreed = replace(publication, base_body=agreed)
            await superseded_events.apply_version(tx, context, version, network_event, with_agreed, superseded)
        return EventId(superseded.subject_id)
    if publication is None:
        author_id, is_here = await identity_actions.author_for_did(tx, version.did)
        event_id = await _adopt(tx, version, author_id, without_own_links(network_event, context))
        await enqueue_detection(tx, [(author_id, is_here)])
        return event_id
    event = await event_queries.lock_for_update(tx, EventId(publication.subject_id))
    if event is None:
        raise LookupError(f"publication of an event that is not here: {publication.subject_id}")
    await _merge_with_edits(tx, context, version, network_event, publication, event)
    return event.id


async def _adopt(tx: Transaction, version: RecordVersion, author_id: UserId, content: NetworkEvent) -> EventId:
    """Make the event match this content. For a new event, also delete the superseded record with this URI; for an event
    that had lost its record, also restore its RSVPs.
    """
    before = await event_records.by_record_uri(tx, version.uri)
    event_id = await record_changes.apply_from_network(
        tx, uri=version.uri, cid=version.cid, author_id=author_id, event=content
    )
    if before is None:
        await superseded_records.delete(tx, version.uri)
    elif before.is_without_record:
        await event_changes.make_rsvp_records_due_and_fill_seats(tx, await event_queries.several(tx, [event_id]))
    return event_id


async def _merge_with_edits(
    tx: Transaction,
    context: IngestionContext,
    version: RecordVersion,
    theirs: NetworkEvent,
    publication: Publication,
    event: Event,
) -> None:
    sides = await merge_sides(tx, context, version, theirs, publication, event)
    edits = edits_to_merge(publication, event, sides)
    are_edits_due = publication.has_unsent_revision or (
        # The record was deleted and is back, and edits from before that are in no record.
        bool(edits) and await ingested_changes.resume_after_deletion(tx, version.uri)
    )
    facts = merge_local.merge_input(publication, version, tx.now, event.origin)
    merged = EVENT_RULE.merge(sides.base, edits, sides.theirs, facts)
    if event.record_uri != version.uri:
        # Our first write arrived although its response was lost, and somebody has edited it since. It is this event's
        # record.
        await links.store_event_location(tx, event.id, uri=version.uri, cid=version.cid, did=version.did)
    # Without an agreed version, the row itself is compared with the record.
    is_row_compared = are_edits_due or bool(edits) or publication.base_body is None
    content = with_local_values(event, sides.ours if is_row_compared else sides.base, merged.value)
    await _adopt(tx, version, event.author_id, stored_content(event, content, context))
    if after := await event_queries.by_id(tx, event.id):
        await settle_merges(tx, [event], [after])
    await merge_decisions.store(
        tx, uri=version.uri, theirs_rev=version.rev, ours_revision=publication.revision, decisions=merged.decisions
    )
    if are_edits_due:
        await ingested_changes.remember_merge(
            tx, uri=version.uri, edits=encode_edits(edits), merged=EVENT_RULE.encode(merged.value)
        )
    else:
        await ingested_changes.accept_foreign_version(tx, version)


async def remove(
    tx: Transaction,
    context: IngestionContext,
    *,
    uri: str,
    rev: str,
    publication: Publication | None,
    last: RecordVersion | None,
) -> None:
    """Remove the event of a deleted record, or detach the record from the event.

    If we retracted the record, it is only detached. If another app deleted the record of an event made here, the
    event's host is asked. Otherwise the event is removed too. ``last``: the record's last version, if it could be read.
    Deleting a superseded record removes nothing. Edits made here and never sent are kept in case the record comes back
    (``local_events.attach_unsent_publication``).
    """
    if await superseded_events.find(tx, uri, publication) is not None:
        await superseded_events.apply_deletion(tx, uri, rev, publication)
    elif publication is None:
        if last is not None:
            await keep_unsent(tx, context, last)
        await _remove_event(tx, uri)
    elif publication.has_delete_in_flight:
        await record_changes.forget_record(tx, EventId(publication.subject_id), uri)
    elif await _mark_deleted_elsewhere(tx, context, uri, rev, publication):
        await _remove_event(tx, uri)


async def _mark_deleted_elsewhere(
    tx: Transaction, context: IngestionContext, uri: str, rev: str, publication: Publication
) -> bool:
    """Note that another app has deleted the record. Returns False if the base was written after the deletion."""
    unsent = await unsent_edits(tx, context, uri, publication)
    reason = PublicationReason.RECORD_DELETED
    is_marked = await ingested_changes.mark_deleted_elsewhere(tx, uri=uri, rev=rev, reason=reason, unsent=unsent)
    return is_marked or (publication.base_rev or "") < rev


async def _remove_event(tx: Transaction, uri: str) -> None:
    """Remove the event of a deleted record. Its host is asked first if it was made here."""
    event = await event_records.by_record_uri(tx, uri)
    if event is not None and event.deleted_at is not None:
        # The event was already deleted here. If a copy of the repository brings the record back, it is a new event of
        # its author.
        await record_changes.forget_record(tx, event.id)
    elif event is not None and record_changes.asks_host_about_deletion(event):
        if await event_records.set_record_deleted(tx, event.id):
            await event_records.count_retraction(tx, event.id)
    else:
        await record_changes.apply_deletion(tx, uri=uri)

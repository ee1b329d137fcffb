"""Versions of superseded records of events made here: another record is the event's own since it passed to another owner.

Such a version comes from the former owner and changes nothing, unless it was written before the transfer: then it is
merged, however late it arrives.
"""

from groundwork.database.transaction import Transaction
from openmeet.domain.events import actions as event_actions
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventId, NetworkEvent, RecordOrigin
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import MergeReason
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.event_merge_rule import EVENT_RULE, with_local_values
from openmeet.network.ingestion.local_events import merge_sides, stored_content
from openmeet.network.ingestion.three_way_merge import MergeInput
from openmeet.network.records import links
from openmeet.network.records.versions import moment_of_rev
from openmeet.outbox import ingested_changes, publications, superseded_records
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, RecordVersion
from openmeet.outbox.reasons import PublicationReason
from openmeet.outbox.superseded_records import SupersededRecord


async def find(tx: Transaction, uri: str, publication: Publication | None) -> SupersededRecord | None:
    """Return the superseded record with this URI, if the URI still belongs to it: the subject's current record may have
    come back to it since. ``publication``: the one with this URI.
    """
    if publication is not None and publication.kind is not PublicationKind.SUPERSEDED_EVENT:
        return None
    if publication is None and not await superseded_records.superseded_among(tx, [uri]):
        return None
    return await superseded_records.find(tx, uri)


async def apply_version(
    tx: Transaction,
    context: IngestionContext,
    version: RecordVersion,
    theirs: NetworkEvent,
    publication: Publication,
    superseded: SupersededRecord,
) -> None:
    """Apply a version of a superseded record. ``publication``: of the superseded record, with the agreed version."""
    is_earlier = moment_of_rev(version.rev, tx.now) < superseded.created_at
    await (_merge_earlier_version if is_earlier else _store_edit_of_former_owner)(
        tx, context, version, theirs, publication, superseded
    )
    # The record belongs to the old owner now, except that the successor may have to be written into it.
    await ingested_changes.accept_foreign_version(tx, version)
    if publication.has_unsent_revision:
        await publications.make_due(tx, kind=publication.kind, subject_ids=[superseded.uri], resets_write_count=True)


async def _merge_earlier_version(
    tx: Transaction,
    context: IngestionContext,
    version: RecordVersion,
    theirs: NetworkEvent,
    publication: Publication,
    superseded: SupersededRecord,
) -> None:
    """Merge an owner's version with edits made here, after the event has passed to another owner.

    The edits since the agreed version count; the result is published in the event's current record.
    """
    event = await event_queries.lock_for_update(tx, EventId(superseded.subject_id))
    if event is None or event.is_gone or publication.base_body is None:
        return
    sides = await merge_sides(tx, context, version, theirs, publication, event)
    facts = MergeInput(
        origin=RecordOrigin.HERE,
        ours_at=superseded.created_at,
        theirs_at=moment_of_rev(version.rev, tx.now),
        ours_cid=publication.chosen_cid or "",
        theirs_cid=version.cid,
    )
    merged = EVENT_RULE.merge(sides.base, EVENT_RULE.edits_between(sides.base, sides.ours), sides.theirs, facts)
    content = with_local_values(event, sides.ours, merged.value)
    await event_actions.take_record(tx, event, stored_content(event, content, context))
    await merge_decisions.store(
        tx,
        uri=event.record_uri or version.uri,
        theirs_rev=version.rev,
        ours_revision=event.revision,
        decisions=merged.decisions,
    )


async def _store_edit_of_former_owner(
    tx: Transaction,
    context: IngestionContext,
    version: RecordVersion,
    theirs: NetworkEvent,
    publication: Publication,
    superseded: SupersededRecord,
) -> None:
    """Store what a former owner changed in their record, as decisions for our values.

    If the event is handed back to them, our values are written into this record again. They then find their own in the
    list of decisions and can choose them.
    """
    event = await event_queries.by_id(tx, EventId(superseded.subject_id))
    if event is None or event.is_gone or publication.base_body is None:
        return
    sides = await merge_sides(tx, context, version, theirs, publication, event)
    decisions = EVENT_RULE.in_our_favor(sides, MergeReason.FORMER_OWNER)
    await merge_decisions.store(
        tx, uri=version.uri, theirs_rev=version.rev, ours_revision=event.revision, decisions=decisions
    )


async def apply_deletion(tx: Transaction, uri: str, rev: str, publication: Publication | None) -> None:
    """Note that a superseded record was deleted. The event itself stays."""
    if publication is not None and not publication.has_delete_in_flight:
        await ingested_changes.mark_deleted_elsewhere(tx, uri=uri, rev=rev, reason=PublicationReason.RECORD_DELETED)
    await links.mark_superseded_gone(tx, uri)

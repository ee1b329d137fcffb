"""Apply a new version of an event record: adopt it, merge it with edits made here, or remove the event."""

from dataclasses import replace
from typing import Any

from at_protocol.data import cbor
from at_protocol.data.model import Value
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import event_changes
from openmeet.domain.events import actions as event_actions
from openmeet.domain.events import event_records, record_changes
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.content import extension_of
from openmeet.domain.events.model import Event, EventId, NetworkEvent, RecordOrigin
from openmeet.domain.events.publication import PublishLevel, reach_of, settle_merges
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import MergeReason
from openmeet.domain.series.detection_actions import enqueue_detection
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.three_way_merge import (
    MERGE_RULE,
    MergeInput,
    encode_edits,
    with_details_of,
    with_local_values,
)
from openmeet.network.records import links as record_links
from openmeet.network.records.collections import EVENT
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.event_writer import ours_as_read, own_links, publishable
from openmeet.network.records.extension import has_details
from openmeet.network.records.group import group_part
from openmeet.network.records.own_entries import EarlierVersions
from openmeet.network.records.preserve import sentence_in, without_sentence
from openmeet.network.records.series import series_part
from openmeet.network.records.versions import moment_of_rev
from openmeet.outbox import publication_echoes, publication_moves, publication_queries, publications, superseded_records
from openmeet.outbox.publication_echoes import UnsentEdits
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, PublicationState, RecordVersion
from openmeet.outbox.reasons import PublicationReason
from openmeet.outbox.superseded_records import SupersededRecord


async def apply_record(
    tx: Transaction,
    context: IngestionContext,
    version: RecordVersion,
    network_event: NetworkEvent,
    publication: Publication | None,
    before: RecordVersion | None = None,
) -> EventId:
    """Make the event match the newest version of its record. Edits made here in the meantime are merged, not lost.

    A version of a superseded record comes from the previous owner and changes nothing, unless it was written before the
    transfer: such a version is merged, however late it arrives. ``before``: the record as last seen, which is the agreed
    version if nothing was ever published to it.
    """
    superseded = await _superseded_record(tx, version.uri, publication)
    if superseded is not None:
        if publication is not None:
            agreed = publication.base_body if before is None else publication.base_body or before.body
            is_earlier = moment_of_rev(version.rev, tx.now) < superseded.created_at
            await (_merge_earlier_version if is_earlier else _store_edit_of_former_owner)(
                tx, context, version, network_event, replace(publication, base_body=agreed), superseded
            )
        await _keep_superseded(tx, version, superseded, publication)
        return EventId(superseded.subject_id)
    if publication is None:
        author_id, is_here = await identity_actions.author_for_did(tx, version.did)
        event_id = await _apply_with_consequences(
            tx, uri=version.uri, cid=version.cid, author_id=author_id, event=without_own_links(network_event, context)
        )
        await enqueue_detection(tx, [(author_id, is_here)])
        return event_id
    event = await event_queries.lock_for_update(tx, EventId(publication.subject_id))
    if event is None:
        raise LookupError(f"publication of an event that is not here: {publication.subject_id}")
    await _merge_with_edits(tx, context, version, network_event, publication, event)
    return event.id


async def _apply_with_consequences(
    tx: Transaction, *, uri: str, cid: str, author_id: UserId, event: NetworkEvent
) -> EventId:
    """Call ``record_changes.apply_from_network``. For a new event, also delete the superseded record with this URI; for
    an event that had lost its record, also restore its RSVPs.
    """
    before = await event_records.by_record_uri(tx, uri)
    event_id = await record_changes.apply_from_network(tx, uri=uri, cid=cid, author_id=author_id, event=event)
    if before is None:
        await superseded_records.delete(tx, uri)
    elif before.is_without_record:
        await event_changes.resume_rsvps(tx, await event_queries.several(tx, [event_id]))
    return event_id


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
    (``attach_unsent_publication``).
    """
    superseded = await _superseded_record(tx, uri, publication)
    if superseded is not None:
        if publication is not None and not publication.has_delete_in_flight:
            await publication_echoes.mark_deleted_elsewhere(
                tx, uri=uri, rev=rev, reason=PublicationReason.RECORD_DELETED
            )
        await record_links.note_superseded_gone(tx, uri)
        return
    if publication is not None and publication.has_delete_in_flight:
        await record_changes.forget_record(tx, EventId(publication.subject_id), uri)
        return
    if publication is not None:
        unsent = await _unsent(tx, context, uri, publication)
        reason = PublicationReason.RECORD_DELETED
        is_deleted = await publication_echoes.mark_deleted_elsewhere(tx, uri=uri, rev=rev, reason=reason, unsent=unsent)
        if not is_deleted and (publication.base_rev or "") >= rev:
            return  # the base was written after the deletion
    elif last is not None:
        await keep_unsent(tx, context, last)
    event = await event_records.by_record_uri(tx, uri)
    if event is not None and event.deleted_at is not None:
        # The event was already deleted here. If a copy of the repository brings the record back, it is a new event of
        # its author.
        await record_changes.forget_record(tx, event.id)
        return
    if event is not None and record_changes.asks_host_about_deletion(event):
        if await event_records.set_record_deleted(tx, event.id):
            await event_records.count_retraction(tx, event.id)
        return
    await record_changes.apply_deletion(tx, uri=uri)


async def keep_unsent(tx: Transaction, context: IngestionContext, last: RecordVersion) -> None:
    """Keep the edits of an event from another app's record that were made here and never sent, with its publication.

    ``last``: the record's last readable version, which was deleted, or replaced by one that cannot be read. The edits
    apply to its next version (``attach_unsent_publication``).
    """
    event = await event_records.by_record_uri(tx, last.uri)
    publication = None if event is None else await publication_queries.find(tx, PublicationKind.EVENT, event.id)
    if publication is None or publication.uri is not None:
        return
    agreed = replace(publication, did=last.did, base_cid=last.cid, base_body=last.body, base_rev=last.rev)
    unsent = await _unsent(tx, context, last.uri, agreed)
    if unsent is not None:
        await publication_echoes.keep_edits(tx, publication, unsent)


async def _unsent(tx: Transaction, context: IngestionContext, uri: str, publication: Publication) -> UnsentEdits | None:
    """Return the edits made here that are in no record, in the form kept with the publication; None if there are none."""
    event = (
        await event_queries.by_id(tx, EventId(publication.subject_id))
        if publication.kind is PublicationKind.EVENT
        else None
    )
    if (
        event is None
        or publication.base_body is None
        or not (publication.has_unsent_revision or _keeps_edits_local(event))
    ):
        return None
    rkey = uri.rpartition("/")[2]
    agreed = RecordVersion(uri, publication.base_rev or "", publication.base_cid or "", publication.base_body)
    network_event = read_event(EVENT, _record(publication.base_body), rkey=rkey, indexed_at=tx.now).event
    base, ours, _ = await _sides(tx, context, agreed, network_event, publication, event)
    edits = (
        _edits_since(publication, base, ours)
        if publication.has_unsent_revision
        else MERGE_RULE.edits_between(base, ours)
    )
    return UnsentEdits(encode_edits(edits), MERGE_RULE.encode(ours)) if edits else None


def _edits_since(publication: Publication, base: NetworkEvent, ours: NetworkEvent) -> dict[str, Any]:
    """Return the edits made here since ``base``: those kept by the last merge or when the record was lost, and all
    later ones.
    """
    edits = {} if publication.edits is None else MERGE_RULE.decode_edits(publication.edits)
    since = base if publication.merged is None else MERGE_RULE.decode(publication.merged)
    return edits | MERGE_RULE.edits_between(since, ours)


async def _superseded_record(tx: Transaction, uri: str, publication: Publication | None) -> SupersededRecord | None:
    """Return the superseded record with this URI, if the URI still belongs to it: the subject's current record may have
    come back to it since.
    """
    if publication is not None and publication.kind is not PublicationKind.SUPERSEDED_EVENT:
        return None
    if publication is None and not await superseded_records.superseded_among(tx, [uri]):
        return None
    return await superseded_records.find(tx, uri)


async def _keep_superseded(
    tx: Transaction, version: RecordVersion, superseded: SupersededRecord, publication: Publication | None
) -> None:
    """Adopt their version as the base if the successor must still be written into it. After that, the record belongs to
    the old owner.
    """
    if publication is None:
        return
    await publication_echoes.accept_foreign_version(tx, version)
    if publication.has_unsent_revision:
        await publications.recheck(tx, kind=publication.kind, subject_ids=[superseded.uri], resets_write_count=True)


async def attach_unsent_publication(
    tx: Transaction,
    context: IngestionContext,
    uri: str,
    before: RecordVersion | None,
    now: RecordVersion,
    network_event: NetworkEvent,
) -> Publication | None:
    """Attach and return the publication of an event that came from this record and has edits that were never sent.

    ``before`` is the version that was edited; it is the base of the merge. Without it, the record was deleted, or could
    not be read, and is back as ``now`` (``network_event``). Edits from before that are kept with the publication and
    count as edits of this version, as do later ones.
    """
    event = await event_records.by_record_uri(tx, uri)
    publication = None if event is None else await publication_queries.find(tx, PublicationKind.EVENT, event.id)
    if event is None or publication is None or publication.uri is not None:
        return None
    if before is None and publication.edits is None:
        return await _owned_again(tx, now, event, publication)
    base = now if before is None else before
    await publication_echoes.attach_foreign_record(tx, base, kind=PublicationKind.EVENT, subject_id=event.id)
    attached = await publication_queries.find(tx, PublicationKind.EVENT, event.id)
    if attached is not None and publication.state is PublicationState.RETRACTED:
        attached = replace(attached, state=publication.state)  # earlier edits made here are in no record
    if attached is None or before is not None or attached.merged is not None:
        return attached
    # The record was lost before such content was kept. Everything else here came from the record and is not an edit.
    _, ours, _ = await _sides(tx, context, now, network_event, attached, event)
    return replace(attached, merged=MERGE_RULE.encode(ours))


async def _owned_again(
    tx: Transaction, now: RecordVersion, event: Event, publication: Publication
) -> Publication | None:
    """Reattach the record of an event made here after another app deleted it and it came back. We may write and delete
    it again.

    Only later edits are merged with it.
    """
    if event.origin is not RecordOrigin.HERE:
        return None
    is_found = await publication_moves.reattach_after_deletion(
        tx,
        now,
        kind=publication.kind,
        subject_id=publication.subject_id,
        awaits_host_decision=event.record_deleted_at is not None,
    )
    attached = await publication_queries.find(tx, publication.kind, publication.subject_id) if is_found else None
    return None if attached is None else replace(attached, base_body=None)


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
    base, ours, theirs = await _sides(tx, context, version, theirs, publication, event)
    facts = MergeInput(
        origin=RecordOrigin.HERE,
        ours_at=superseded.created_at,
        theirs_at=moment_of_rev(version.rev, tx.now),
        ours_cid=publication.chosen_cid or "",
        theirs_cid=version.cid,
    )
    merged = MERGE_RULE.merge(base, MERGE_RULE.edits_between(base, ours), theirs, facts)
    network_event = with_local_values(event, ours, merged.value)
    await event_actions.take_record(tx, event, without_own_links(_with_private_values(event, network_event), context))
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
    base, ours, theirs = await _sides(tx, context, version, theirs, publication, event)
    decisions = MERGE_RULE.in_our_favor(base, ours, theirs, MergeReason.FORMER_OWNER)
    await merge_decisions.store(
        tx, uri=version.uri, theirs_rev=version.rev, ours_revision=event.revision, decisions=decisions
    )


async def _sides(
    tx: Transaction,
    context: IngestionContext,
    version: RecordVersion,
    theirs: NetworkEvent,
    publication: Publication,
    event: Event,
) -> tuple[NetworkEvent, NetworkEvent, NetworkEvent]:
    """Return the agreed version, ours and theirs, all without what we added for publication."""
    base_record = _record(publication.base_body if publication.base_body is not None else version.body)
    base = read_event(EVENT, base_record, rkey=version.rkey, indexed_at=event.created_at).event
    part = await series_part(tx, event, context.instance)
    group_uri = await group_part(tx, event)
    ours_public = publishable(event, instance=context.instance, series=part, group_uri=group_uri)
    earlier = EarlierVersions(written=None if publication.chosen_body is None else _record(publication.chosen_body))
    # If another app has removed our mark, our last version shows which sentence we added.
    sentence = sentence_in(base_record) or sentence_in(earlier.written)
    theirs = replace(theirs, description=without_sentence(theirs.description, sentence))
    if not has_details(_record(version.body)):
        theirs = with_details_of(theirs, base)
    return base, ours_as_read(ours_public, base_record, rkey=version.rkey, earlier=earlier), theirs


async def _merge_with_edits(
    tx: Transaction,
    context: IngestionContext,
    version: RecordVersion,
    theirs: NetworkEvent,
    publication: Publication,
    event: Event,
) -> None:
    base, ours, theirs = await _sides(tx, context, version, theirs, publication, event)
    edits: dict[str, Any] = {}
    has_unsent_revision = publication.has_unsent_revision
    if has_unsent_revision:
        edits = _edits_since(publication, base, ours)
    elif publication.base_body is not None and (
        _keeps_edits_local(event) or publication.state is PublicationState.RETRACTED or publication.edits is not None
    ):
        # Completed without being sent: the edits made here are in no record and must not be overwritten (invariant 6).
        edits = _edits_since(publication, base, ours)
        # Edits that lost their record through a deletion are enqueued again when the record is back.
        has_unsent_revision = bool(edits) and await publication_echoes.resume_lost(tx, version.uri)
    facts = MergeInput(
        origin=event.origin,
        ours_at=publication.edited_at,
        theirs_at=moment_of_rev(version.rev, tx.now),
        ours_cid=publication.chosen_cid or "",
        theirs_cid=version.cid,
    )
    merged = MERGE_RULE.merge(base, edits, theirs, facts)
    if event.record_uri != version.uri:
        # Our first write arrived although its response was lost, and somebody has edited it since. It is this event's
        # record.
        await record_links.note_event(tx, event.id, uri=version.uri, cid=version.cid, did=version.did)
    # Without an agreed version, the row itself is compared with the record.
    ours_before = ours if has_unsent_revision or edits or publication.base_body is None else base
    await _apply_with_consequences(
        tx,
        uri=version.uri,
        cid=version.cid,
        author_id=event.author_id,
        event=without_own_links(
            _with_private_values(event, with_local_values(event, ours_before, merged.value)), context
        ),
    )
    if after := await event_queries.by_id(tx, event.id):
        await settle_merges(tx, [event], [after])
    await merge_decisions.store(
        tx, uri=version.uri, theirs_rev=version.rev, ours_revision=publication.revision, decisions=merged.decisions
    )
    if has_unsent_revision:
        await publication_echoes.remember_merge(
            tx, uri=version.uri, edits=encode_edits(edits), merged=MERGE_RULE.encode(merged.value)
        )
    else:
        await publication_echoes.accept_foreign_version(tx, version)


def _keeps_edits_local(event: Event) -> bool:
    """Whether edits made here are not written into the existing record (``publishing.eligibility``, ``DoNothing``)."""
    is_narrower = event.is_record_of_author and reach_of(event) is PublishLevel.NOTHING
    return is_narrower or event.needs_author_approval or event.is_hidden


def _with_private_values(event: Event, merged: NetworkEvent) -> NetworkEvent:
    """Keep the values that the event's group keeps private here, instead of those of a minimal record."""
    if reach_of(event) is not PublishLevel.MINIMAL:
        return merged
    return replace(
        merged,
        description=event.content.description,
        venues=() if event.content.venue.is_empty else (event.content.venue,),
        online_url=event.content.online_url,
        links=event.content.links,
        **extension_of(event.content),
    )


def _record(body: bytes) -> dict[str, Value]:
    value = cbor.decode(body)
    return {**value, "$type": EVENT} if isinstance(value, dict) else {"$type": EVENT}


def without_own_links(event: NetworkEvent, context: IngestionContext) -> NetworkEvent:
    """Return the content of a record without the links to our own pages that we added."""
    links = own_links(event.links, context.instance)
    return event if links == event.links else replace(event, links=links)

"""Edits of events made here: how they are merged with another app's version of the event's record, and where they are kept
as long as there is no record.
"""

from dataclasses import replace
from typing import Any

from at_protocol.data.model import Value
from groundwork.database.transaction import Transaction
from openmeet.domain.events import event_records
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.content import extension_of
from openmeet.domain.events.model import Event, EventId, NetworkEvent, RecordOrigin
from openmeet.domain.events.publication import PublishLevel, reach_of
from openmeet.network.ingestion import merge_local
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.event_merge_rule import EVENT_RULE, with_details_of
from openmeet.network.ingestion.three_way_merge import MergeSides, encode_edits
from openmeet.network.records.collections import EVENT
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.event_writer import ours_as_read, own_links, publishable
from openmeet.network.records.extension import has_details
from openmeet.network.records.group import group_part
from openmeet.network.records.own_entries import EarlierVersions
from openmeet.network.records.preserve import sentence_in, without_sentence
from openmeet.network.records.series import series_part
from openmeet.outbox import ingested_changes, publication_moves, publication_queries
from openmeet.outbox.ingested_changes import UnsentEdits
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, PublicationState, RecordVersion


async def merge_sides(
    tx: Transaction,
    context: IngestionContext,
    version: RecordVersion,
    theirs: NetworkEvent,
    publication: Publication,
    event: Event,
) -> MergeSides[NetworkEvent]:
    """Return the agreed version, ours and theirs (of which ``version`` is the record), all without what we added for
    publication. If no version was agreed on, ours takes its place, so that every difference is a conflict.
    """
    base_record = _event_record(publication.base_body if publication.base_body is not None else version.body)
    base = read_event(EVENT, base_record, rkey=version.rkey, indexed_at=event.created_at).event
    part = await series_part(tx, event, context.instance)
    group_uri = await group_part(tx, event)
    ours_public = publishable(event, instance=context.instance, series=part, group_uri=group_uri)
    earlier = EarlierVersions(
        written=None if publication.chosen_body is None else _event_record(publication.chosen_body)
    )
    ours = ours_as_read(ours_public, base_record, rkey=version.rkey, earlier=earlier)
    # If another app has removed our mark, our last version shows which sentence we added.
    sentence = sentence_in(base_record) or sentence_in(earlier.written)
    theirs = replace(theirs, description=without_sentence(theirs.description, sentence))
    if not has_details(_event_record(version.body)):
        theirs = with_details_of(theirs, base)
    return MergeSides(ours if publication.base_body is None else base, ours, theirs)


def edits_to_merge(publication: Publication, event: Event, sides: MergeSides[NetworkEvent]) -> dict[str, Any]:
    """Return the edits made here that another app's version must not overwrite (invariant 6), by field."""
    are_in_no_record = (
        publication.has_unsent_revision
        # Completed without being sent.
        or _keeps_edits_local(event)
        or publication.state in {PublicationState.RETRACTED, PublicationState.WITHHELD}
        or publication.edits is not None
    )
    return _edits_since(publication, sides) if are_in_no_record else {}


def _edits_since(publication: Publication, sides: MergeSides[NetworkEvent]) -> dict[str, Any]:
    """Return the edits made here since the base: those kept by the last merge or when the record was deleted, and all
    later ones. Without a base, these are all differences.
    """
    edits = {} if publication.edits is None else EVENT_RULE.decode_edits(publication.edits)
    base = sides.theirs if publication.base_body is None else sides.base
    since = merge_local.compared_value(EVENT_RULE, publication, base)
    return edits | EVENT_RULE.edits_between(since, sides.ours)


def _keeps_edits_local(event: Event) -> bool:
    """Whether edits made here are not written into the existing record (``publishing.eligibility``, ``DoNothing``)."""
    is_narrower = event.has_foreign_record and reach_of(event) is PublishLevel.NOTHING
    return is_narrower or event.needs_author_approval or event.is_hidden


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
    unsent = await unsent_edits(tx, context, last.uri, agreed)
    if unsent is not None:
        await ingested_changes.keep_edits(tx, publication, unsent)


async def unsent_edits(
    tx: Transaction, context: IngestionContext, uri: str, publication: Publication
) -> UnsentEdits | None:
    """Return the edits made here that are in no record, in the form kept with the publication; None if there are none."""
    if publication.kind is not PublicationKind.EVENT or publication.base_body is None:
        return None
    event = await event_queries.by_id(tx, EventId(publication.subject_id))
    if event is None or not (publication.has_unsent_revision or _keeps_edits_local(event)):
        return None
    agreed = RecordVersion(uri, publication.base_rev or "", publication.base_cid or "", publication.base_body)
    agreed_event = read_event(EVENT, _event_record(agreed.body), rkey=agreed.rkey, indexed_at=tx.now).event
    sides = await merge_sides(tx, context, agreed, agreed_event, publication, event)
    edits = (
        _edits_since(publication, sides)
        if publication.has_unsent_revision
        else EVENT_RULE.edits_between(sides.base, sides.ours)
    )
    return UnsentEdits(encode_edits(edits), EVENT_RULE.encode(sides.ours)) if edits else None


async def attach_unsent_publication(
    tx: Transaction,
    context: IngestionContext,
    before: RecordVersion | None,
    now: RecordVersion,
    network_event: NetworkEvent,
    *,
    was_absent: bool,
) -> Publication | None:
    """Attach and return the publication of an event that came from this record and has edits that were never sent.

    ``before`` is the version that was edited; it is the base of the merge. Without it, the record was deleted
    (``was_absent``) and is back as ``now`` (``network_event``). Edits from before that are kept with the publication and
    count as edits of this version, as do later ones. If it was not deleted and none are kept, the edited version is
    unknown.
    """
    event = await event_records.by_record_uri(tx, now.uri)
    publication = None if event is None else await publication_queries.find(tx, PublicationKind.EVENT, event.id)
    if event is None or publication is None or publication.uri is not None:
        return None
    if before is not None:
        return await _attach(tx, before, publication)
    if publication.edits is None and was_absent:
        return await _own_again(tx, now, event, publication)
    attached = await _attach(tx, now, publication)
    if attached is not None and attached.edits is None:
        return replace(attached, base_body=None)
    if attached is None or attached.merged is not None:
        return attached
    # The record was deleted before such content was kept. Everything else here came from the record and is not an edit.
    sides = await merge_sides(tx, context, now, network_event, attached, event)
    return replace(attached, merged=EVENT_RULE.encode(sides.ours))


async def _attach(tx: Transaction, base: RecordVersion, publication: Publication) -> Publication | None:
    """Attach a record to a publication with edits that were never sent. This version is their base."""
    kind, subject_id = publication.kind, publication.subject_id
    await ingested_changes.attach_foreign_record(tx, base, kind=kind, subject_id=subject_id)
    attached = await publication_queries.find(tx, kind, subject_id)
    if attached is not None and publication.state is PublicationState.RETRACTED:
        return replace(attached, state=publication.state)  # earlier edits made here are in no record
    return attached


async def _own_again(tx: Transaction, now: RecordVersion, event: Event, publication: Publication) -> Publication | None:
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


def stored_content(event: Event, merged: NetworkEvent, context: IngestionContext) -> NetworkEvent:
    """Return a merged version as it is stored: without links to our own pages, and with the values that the event's
    group keeps private here, instead of those of a minimal record.
    """
    if reach_of(event) is PublishLevel.MINIMAL:
        merged = replace(
            merged,
            description=event.content.description,
            venues=() if event.content.venue.is_empty else (event.content.venue,),
            online_url=event.content.online_url,
            links=event.content.links,
            **extension_of(event.content),
        )
    return without_own_links(merged, context)


def without_own_links(event: NetworkEvent, context: IngestionContext) -> NetworkEvent:
    """Return the content of a record without the links to our own pages that we added."""
    links = own_links(event.links, context.instance)
    return event if links == event.links else replace(event, links=links)


def _event_record(body: bytes) -> dict[str, Value]:
    return {**merge_local.record_of(body), "$type": EVENT}

"""Make rows match an understood record, or its absence, when reading it again finds nothing new."""

from dataclasses import replace

from at_protocol.data import cbor
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did
from groundwork.database.transaction import Transaction
from openmeet.domain.events import queries as event_queries
from openmeet.domain.groups import record_queries
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series import remote_records
from openmeet.network.ingestion import events, local_records, remote_groups, remote_series, rsvps
from openmeet.network.ingestion.events import IngestionContext
from openmeet.network.records import links, seen
from openmeet.network.records.collections import EVENTS, GROUP_COLLECTIONS, GROUP_STATEMENTS, RSVPS, SERIES_COLLECTIONS
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.group import read_group
from openmeet.network.records.group_statements import OF_STATEMENTS, read_statement
from openmeet.network.records.links import current_subject, lock_row_of
from openmeet.network.records.seen import RecordState
from openmeet.network.records.series import read_series
from openmeet.outbox import publication_echoes, publication_leases, publications
from openmeet.outbox.publication_leases import Publication
from openmeet.outbox.publications import PublicationState, RecordVersion
from openmeet.outbox.reasons import PublicationReason


async def derive_anew(
    tx: Transaction, context: IngestionContext, did: Did, uri: str, *, forgets_base: bool = False
) -> None:
    """Derive the rows of an understood record again from its newest version.

    ``forgets_base``: the row gets the record's content, regardless of the agreed version. Used to compare the two.
    """
    await seen.lock_answers(tx, [uri])
    seen_record = await seen.find(tx, uri)
    if (
        seen_record is None
        or seen_record.state is not RecordState.MAPPED
        or seen_record.cid is None
        or seen_record.body is None
    ):
        return
    version = RecordVersion(uri, seen_record.rev, seen_record.cid, seen_record.body)
    if seen_record.collection in RSVPS:
        subject = await current_subject(tx, seen_record.subject_uri or "")
        event = await event_queries.by_record_uri(tx, subject)
        if event is not None:
            await rsvps.derive(tx, did=did, subject_uri=subject, event_id=event.id)
        return
    await seen.lock_subjects(tx, [uri])
    publication = await _owned(tx, uri)
    if publication is not None and forgets_base:
        publication = replace(publication, base_body=None)
    record = cbor.decode(seen_record.body)
    if seen_record.collection in EVENTS and (
        publication is None or publication.kind is publications.PublicationKind.EVENT
    ):
        parsed_event = read_event(seen_record.collection, record, rkey=seen_record.rkey, indexed_at=tx.now)
        await events.apply_record(tx, context, version, parsed_event.event, publication)
        return
    if seen_record.collection in GROUP_STATEMENTS:
        await remote_groups.apply_statement(tx, did, uri, read_statement(seen_record.collection, did, record))
    if publication is not None and publication.kind in local_records.KINDS:
        await local_records.apply_foreign_version(tx, context, version, publication)
    elif publication is not None:
        await publications.recheck(tx, kind=publication.kind, subject_ids=[publication.subject_id])
    elif seen_record.collection in GROUP_COLLECTIONS:
        await remote_groups.apply_record(tx, did, uri, seen_record.cid, read_group(seen_record.collection, record))
    elif seen_record.collection in SERIES_COLLECTIONS:
        read_anew, changed_series = read_series(seen_record.collection, record), set[str]()
        await remote_series.apply_record(tx, did=did, uri=uri, parsed_series=read_anew, changed_series=changed_series)
        await remote_series.fill_freed_dates(tx, {}, changed_series)


async def detach_record(tx: Transaction, context: IngestionContext, did: Did, uri: str, rev: str) -> None:
    """Detach a record from its row: neither the repository, as of ``rev``, nor our database has this record.

    Its RSVP is withdrawn. An event, series or group of somebody else is removed; one of ours stays, without a record.
    """
    await seen.lock_answers(tx, [uri])
    seen_record = await seen.find(tx, uri)
    if seen_record is not None and seen_record.state is not RecordState.TOMBSTONE:
        return
    collection = parse_at_uri(uri).collection
    if collection in RSVPS:
        await rsvps.withdraw(tx, uri=uri, did=did, rev=rev, subject_uri=None, event_id=None)
        return
    publication = await _owned(tx, uri)
    if collection in EVENTS:
        await remote_records.remove_from_network(tx, uri)
        await events.remove(tx, context, uri=uri, rev=rev, publication=publication, last=None)
    elif collection in GROUP_STATEMENTS:
        await remote_groups.withdraw_statement(tx, OF_STATEMENTS[str(collection)], uri)
        membership = await record_queries.by_statement(tx, uri)
        if membership is not None:
            await record_queries.set_statement(tx, membership.id, None, None)
    elif collection in GROUP_COLLECTIONS:
        group = await record_queries.by_record(tx, uri)
        if group is not None and group.is_read_only:
            await remote_groups.remove(tx, uri)
        elif group is not None:
            await links.note(tx, publications.PublicationKind.GROUP, group.id, uri=None, cid=None)
    else:
        series = await series_queries.by_record_uri(tx, uri)
        if series is not None and series.is_read_only:
            await remote_records.remove_from_network(tx, uri)
        elif series is not None:
            await links.note_series(tx, series.id, None)


async def mark_not_published(tx: Transaction, uri: str, rev: str) -> None:
    """Mark a publication as not published: it is marked published, but as of ``rev`` its record does not exist.

    Changes nothing if the read has already handled that.
    """
    publication = await _owned(tx, uri)
    if publication is None or publication.state is not PublicationState.PUBLISHED or (publication.base_rev or "") > rev:
        return
    if publication.kind in local_records.KINDS:
        await local_records.record_deleted(tx, uri=uri, rev=rev, publication=publication)
    else:
        reason = PublicationReason.RECORD_MISSING
        await publication_echoes.mark_deleted_elsewhere(tx, uri=uri, rev=rev, reason=reason)


async def _owned(tx: Transaction, uri: str) -> Publication | None:
    """Return the publication of this record. Its row is locked first."""
    publication = await publication_leases.find_by_uri(tx, uri)
    if publication is None:
        return None
    await lock_row_of(tx, publication.kind, publication.subject_id)
    return await publication_leases.find_by_uri(tx, uri)

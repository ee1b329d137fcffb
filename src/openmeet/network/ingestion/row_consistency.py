"""Consistency of rows with their records: compare a row with its record, field by field, and make it match.

To compare, the record is derived again by the code path of ingestion, in a transaction that is rolled back. Equality is
therefore defined in one place, and comparing changes nothing. Rows that have an unsent edit or are currently not
published are skipped, because their differences are intended. An imported row is repaired from its record. A row that we
published is published again: edits made here are never overwritten.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

from at_protocol.data import cbor
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.telemetry.logs import log
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance import rules as attendance_rules
from openmeet.domain.attendance.model import AttendanceId
from openmeet.domain.events import event_records
from openmeet.domain.groups import record_queries
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series import remote_records
from openmeet.network.ingestion import (
    apply_event,
    apply_rsvp,
    local_groups,
    local_records,
    local_series,
    quarantine,
    remote_groups,
    remote_series,
    rsvp_deletions,
)
from openmeet.network.ingestion.apply_rsvp import PersonAndEvent
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.discrepancies import Discrepancy, RecordDiscrepancy
from openmeet.network.ingestion.local_rsvps import UNPUBLISHED_STATUSES, read_of
from openmeet.network.ingestion.rsvp_deletions import RsvpDeletion
from openmeet.network.records import links, seen
from openmeet.network.records.collections import EVENTS, GROUP_COLLECTIONS, GROUP_STATEMENTS, RSVPS, SERIES_COLLECTIONS
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.group import read_group
from openmeet.network.records.group_statements import OF_STATEMENTS, read_statement
from openmeet.network.records.links import current_subject, lock_row_of
from openmeet.network.records.seen import RecordState
from openmeet.network.records.series import read_series
from openmeet.network.records.versions import version_seen
from openmeet.outbox import ingested_changes, publication_queries, publications
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import PublicationReason

_ROWS: Mapping[str, str] = {
    "event": "select * from events where record_uri = :uri and deleted_at is null",
    # The waitlist position is decided here and is not part of any record.
    "answer": "select status, mode, record_uri from attendances where record_uri = :uri",
    "group": "select * from groups where external_id = :uri and deleted_at is null",
    "statement": "select * from group_statements where uri = :uri",
    "series": "select * from event_series where record_uri = :uri and deleted_at is null",
}
# Columns that change with every write, regardless of content.
_BOOKKEEPING = frozenset({"revision", "updated_at", "search_words", "search_text", "seen_at", "changed_at"})


class _UndoneError(Exception):
    """Raised to roll back a transaction whose changes must not be kept."""


async def differing(
    db: Database, context: IngestionContext, did: Did, uris: Sequence[str], *, is_dry_run: bool
) -> list[RecordDiscrepancy]:
    """Return the rows of these records that differ from the record as last seen. They are repaired unless this is a dry
    run.

    A record that cannot be derived because of its own content is skipped here: ``reconcile`` quarantines it when
    repairing.
    """
    discrepancies = []
    for uri in uris:
        try:
            fields = await _differing(db, context, did, uri, is_dry_run=is_dry_run)
        except Exception as failure:
            if not quarantine.is_of_record(failure):
                raise
            log.warning("record.not_compared", uri=uri, reason=str(failure))
            continue
        if fields:
            discrepancies.append(RecordDiscrepancy(uri, Discrepancy.ROW_DIFFERS, fields))
    return discrepancies


async def _differing(
    db: Database, context: IngestionContext, did: Did, uri: str, *, is_dry_run: bool
) -> tuple[str, ...]:
    async with db.reader() as reader:
        publication = await publication_queries.find_by_uri(reader, uri)
        if publication is None and await _is_edited_here(reader, uri):
            return ()
    if publication is not None and (
        publication.state is not PublicationState.PUBLISHED or publication.has_unsent_revision
    ):
        return ()
    if publication is not None and publication.kind is PublicationKind.RSVP:
        fields = await _differing_rsvp(db, publication, uri)
    elif publication is not None and publication.kind in local_records.KINDS:
        fields = await _differing_from_ours(db, context, publication, uri)
    else:
        fields = await _differing_row(db, context, did, uri, is_kept=publication is None and not is_dry_run)
    if publication is not None and fields and not is_dry_run:
        async with db.transaction() as tx:
            await publications.make_due(
                tx, kind=publication.kind, subject_ids=[publication.subject_id], resets_write_count=True
            )
    return fields


async def _is_edited_here(reader: Reader, uri: str) -> bool:
    """Whether another app wrote this event's record, and the event has an edit made here that was not sent or must not
    be sent.
    """
    event = await event_records.by_record_uri(reader, uri)
    return event is not None and await publication_queries.find(reader, PublicationKind.EVENT, event.id) is not None


async def _differing_rsvp(db: Database, publication: Publication, uri: str) -> tuple[str, ...]:
    """Compare an RSVP that we published: its status, but not its waitlist position."""
    async with db.reader() as reader:
        attendance = await attendance_queries.by_id(reader, AttendanceId(publication.subject_id))
        seen_record = await seen.find(reader, uri)
    if (
        attendance is None
        or seen_record is None
        or seen_record.body is None
        or attendance.status in UNPUBLISHED_STATUSES
    ):
        return ()
    return () if read_of(seen_record).status is attendance_rules.record_status_of(attendance.status) else ("status",)


async def _differing_from_ours(
    db: Database, context: IngestionContext, publication: Publication, uri: str
) -> tuple[str, ...]:
    """Compare a group, series or membership made here with what we would write now. (Deriving it from the record would
    keep our values.)
    """
    async with db.reader() as reader:
        seen_record = await seen.find(reader, uri)
        if seen_record is None or seen_record.body is None:
            return ()
        match publication.kind:
            case PublicationKind.GROUP:
                return await local_groups.differing(reader, context, publication, seen_record.body)
            case PublicationKind.SERIES:
                return await local_series.differing(reader, context, publication, seen_record.body)
            case _:
                return await local_groups.differing_members(reader, publication, seen_record.body)


async def _differing_row(
    db: Database, context: IngestionContext, did: Did, uri: str, *, is_kept: bool
) -> tuple[str, ...]:
    fields: tuple[str, ...] = ()
    with contextlib.suppress(_UndoneError):
        async with db.transaction() as tx:
            before = await _row(tx, uri)
            if before is None:
                return ()
            await derive_rows_again(tx, context, did, uri, forgets_base=True)
            after = await _row(tx, uri) or {}
            before, after = _without_cover_title(before), _without_cover_title(after)
            fields = tuple(sorted(name for name, value in before.items() if after.get(name) != value))
            if not (is_kept and fields):
                _undo()
    return fields


def _without_cover_title(row: Mapping[str, object]) -> dict[str, object]:
    """Leave out the first title of an event, which a changed title stores so that the generated cover stays."""
    extra = row.get("extra")
    if not isinstance(extra, str):
        return dict(row)
    fields = json.loads(extra)
    fields.pop("cover_title", None)
    return {**row, "extra": fields}


def _undo() -> NoReturn:
    raise _UndoneError


async def _row(reader: Reader, uri: str) -> dict[str, object] | None:
    collection = parse_at_uri(uri).collection
    if collection in EVENTS:
        kind = "event"
    elif collection in RSVPS:
        kind = "answer"
    elif collection in GROUP_COLLECTIONS:
        kind = "group"
    else:
        kind = "statement" if collection in GROUP_STATEMENTS else "series"
    row = await reader.fetch_one(_ROWS[kind], uri=uri)
    return None if row is None else {name: value for name, value in dict(row).items() if name not in _BOOKKEEPING}


async def derive_rows_again(
    tx: Transaction, context: IngestionContext, did: Did, uri: str, *, forgets_base: bool = False
) -> None:
    """Derive the rows of an understood record again from its newest version.

    ``forgets_base``: the row gets the record's content, regardless of the agreed version. Used to compare the two.
    """
    await seen.lock_records(tx, [uri])
    seen_record = await seen.find(tx, uri)
    version = None if seen_record is None else version_seen(seen_record)
    if seen_record is None or version is None or seen_record.state is not RecordState.MAPPED:
        return
    if seen_record.collection in RSVPS:
        subject = await current_subject(tx, seen_record.subject_uri or "")
        event = await event_records.by_record_uri(tx, subject)
        if event is not None:
            await apply_rsvp.update_attendance(tx, PersonAndEvent(did, subject, event.id))
        return
    await seen.lock_records(tx, [uri])
    publication = await _owned(tx, uri)
    if publication is not None and forgets_base:
        publication = replace(publication, base_body=None)
    record = cbor.decode(version.body)
    if seen_record.collection in EVENTS and (
        publication is None or publication.kind is publications.PublicationKind.EVENT
    ):
        parsed_event = read_event(seen_record.collection, record, rkey=seen_record.rkey, indexed_at=tx.now)
        await apply_event.apply_record(tx, context, version, parsed_event.event, publication)
        return
    if seen_record.collection in GROUP_STATEMENTS:
        await remote_groups.apply_statement(tx, did, uri, read_statement(seen_record.collection, did, record))
    if publication is not None and publication.kind in local_records.KINDS:
        await local_records.apply_foreign_version(tx, context, version, publication)
    elif publication is not None:
        await publications.make_due(tx, kind=publication.kind, subject_ids=[publication.subject_id])
    elif seen_record.collection in GROUP_COLLECTIONS:
        await remote_groups.apply_record(tx, did, uri, version.cid, read_group(seen_record.collection, record))
    elif seen_record.collection in SERIES_COLLECTIONS:
        read_anew, changed_series = read_series(seen_record.collection, record), set[str]()
        await remote_series.apply_record(tx, did=did, uri=uri, parsed_series=read_anew, changed_series=changed_series)
        await remote_series.fill_freed_dates(tx, {}, changed_series)


async def detach_record(tx: Transaction, context: IngestionContext, did: Did, uri: str, rev: str) -> None:
    """Detach a record from its row: neither the repository, as of ``rev``, nor our database has this record.

    Its RSVP is declined. An event, series or group of somebody else is removed; one of ours stays, without a record.
    """
    await seen.lock_records(tx, [uri])
    seen_record = await seen.find(tx, uri)
    if seen_record is not None and seen_record.state is not RecordState.TOMBSTONE:
        return
    collection = parse_at_uri(uri).collection
    if collection in RSVPS:
        await rsvp_deletions.apply_deletion(tx, RsvpDeletion(did, uri, rev))
        return
    publication = await _owned(tx, uri)
    if collection in EVENTS:
        await remote_records.apply_deletion(tx, uri)
        await apply_event.remove(tx, context, uri=uri, rev=rev, publication=publication, last=None)
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
            await links.store_group_location(tx, group.id, None, None)
    else:
        series = await series_queries.by_record_uri(tx, uri)
        if series is not None and series.is_read_only:
            await remote_records.apply_deletion(tx, uri)
        elif series is not None:
            await links.store_series_location(tx, series.id, None)


async def mark_not_published(tx: Transaction, context: IngestionContext, uri: str, rev: str) -> None:
    """Mark a publication as not published: it is marked published, but as of ``rev`` its record does not exist.

    Changes nothing if the read has already handled that.
    """
    publication = await _owned(tx, uri)
    if publication is None or publication.state is not PublicationState.PUBLISHED or (publication.base_rev or "") > rev:
        return
    if publication.kind in local_records.KINDS:
        await local_records.record_deleted(tx, context, uri=uri, rev=rev, publication=publication)
    else:
        reason = PublicationReason.RECORD_MISSING
        await ingested_changes.mark_deleted_elsewhere(tx, uri=uri, rev=rev, reason=reason)


async def _owned(tx: Transaction, uri: str) -> Publication | None:
    """Return the publication of this record. Its row is locked first."""
    publication = await publication_queries.find_by_uri(tx, uri)
    if publication is None:
        return None
    await lock_row_of(tx, publication.kind, publication.subject_id)
    return await publication_queries.find_by_uri(tx, uri)

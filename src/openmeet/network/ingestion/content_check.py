"""Compare a row with its record, field by field: the current row against the row that the record would produce.

The record is derived again by the code path of ingestion (``repair``), in a transaction that is rolled back. Equality
is therefore defined in one place, and comparing changes nothing. Rows that have an unsent edit or are currently not
published are skipped, because their differences are intended. An imported row is repaired from its record. A row that
we published is published again: edits made here are never overwritten.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import NoReturn

from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did
from groundwork.database.transaction import Database, Reader
from groundwork.telemetry.logs import log
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance import rules as attendance_rules
from openmeet.domain.attendance.model import AttendanceId
from openmeet.domain.events import queries as event_queries
from openmeet.network.ingestion import local_groups, local_records, local_series, quarantine, repair, rsvps
from openmeet.network.ingestion.discrepancies import Discrepancy, RecordDiscrepancy
from openmeet.network.ingestion.events import IngestionContext
from openmeet.network.ingestion.rsvps import UNPUBLISHED
from openmeet.network.records import seen
from openmeet.network.records.collections import EVENTS, GROUP_COLLECTIONS, GROUP_STATEMENTS, RSVPS
from openmeet.outbox import publication_leases, publications
from openmeet.outbox.publication_leases import Publication
from openmeet.outbox.publications import PublicationKind, PublicationState

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
        publication = await publication_leases.find_by_uri(reader, uri)
        if publication is None and await _is_edited_here(reader, uri):
            return ()
    if publication is not None and (publication.state is not PublicationState.PUBLISHED or publication.is_pending):
        return ()
    if publication is not None and publication.kind is PublicationKind.RSVP:
        fields = await _differing_answer(db, publication, uri)
    elif publication is not None and publication.kind in local_records.KINDS:
        fields = await _differing_from_ours(db, context, publication, uri)
    else:
        fields = await _differing_row(db, context, did, uri, is_kept=publication is None and not is_dry_run)
    if publication is not None and fields and not is_dry_run:
        async with db.transaction() as tx:
            await publications.recheck(tx, kind=publication.kind, subject_ids=[publication.subject_id], is_edit=True)
    return fields


async def _is_edited_here(reader: Reader, uri: str) -> bool:
    """Whether another app wrote this event's record, and the event has an edit made here that was not sent or must not
    be sent.
    """
    event = await event_queries.by_record_uri(reader, uri)
    return event is not None and await publication_leases.find(reader, PublicationKind.EVENT, event.id) is not None


async def _differing_answer(db: Database, publication: Publication, uri: str) -> tuple[str, ...]:
    """Compare an RSVP that we published: its status, but not its waitlist position."""
    async with db.reader() as reader:
        attendance = await attendance_queries.by_id(reader, AttendanceId(publication.subject_id))
        seen_record = await seen.find(reader, uri)
    if attendance is None or seen_record is None or seen_record.body is None or attendance.status in UNPUBLISHED:
        return ()
    return (
        () if rsvps.read_of(seen_record).answer is attendance_rules.record_status_of(attendance.status) else ("status",)
    )


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
            await repair.derive_anew(tx, context, did, uri, forgets_base=True)
            after = await _row(tx, uri) or {}
            fields = tuple(sorted(name for name, value in before.items() if after.get(name) != value))
            if not (is_kept and fields):
                _undo()
    return fields


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

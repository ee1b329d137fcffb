"""Arriving versions of records that are written here: groups, series, and a group's statements about members. Each is
our own write or another app's edit.
"""

from typing import Final

from at_protocol.data import cbor
from at_protocol.failures import Malformed
from groundwork.database.transaction import Transaction
from openmeet.domain.series.model import SeriesId
from openmeet.network.ingestion import apply_event, local_groups, local_series, merge_local, remote_groups
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.ingestion.record_change import RecordChange, store
from openmeet.network.records import links, seen
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.group import read_group
from openmeet.network.records.group_statements import StatementKind, read_statement
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.reading_notes import Unmappable
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.series import read_series
from openmeet.network.records.versions import readable_version_seen, version_of
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, RecordVersion

KINDS: Final = frozenset({PublicationKind.GROUP, PublicationKind.SERIES, PublicationKind.ACCEPTANCE})


async def put(
    tx: Transaction, context: IngestionContext, change: RecordChange, publication: Publication
) -> IngestResult:
    """Apply an arriving version of a record that is written here. The caller holds the lock on the group or series."""
    message, statement = change.message, change.parsed.statement
    is_newest = await store(tx, change)
    if publication.kind is PublicationKind.ACCEPTANCE and (is_newest or change.is_same_version):
        if statement is not None:
            await remote_groups.apply_statement(tx, message.did, message.uri, statement)
        else:
            await remote_groups.withdraw_statement(tx, StatementKind.ACCEPTANCE, message.uri)
    if not is_newest:
        await merge_overtaking(tx, context, change)
    if change.is_own_write:
        return IngestResult.OWN_WRITE
    if not is_newest or change.is_known:
        return IngestResult.KNOWN
    await apply_foreign_version(tx, context, version_of(message), publication)
    return IngestResult.RAW if change.parsed.reason else IngestResult.APPLIED


async def merge_overtaking(tx: Transaction, context: IngestionContext, change: RecordChange) -> None:
    """Merge the newest version again if it overtook one of our writes, and this message reveals that: it is that
    write, or the newest version itself once more, after the write's response was stored.
    """
    overtakes_base = change.is_same_version and change.is_base_outdated
    if change.publication is not None and (change.is_own_write or overtakes_base):
        await _merge_newest_again(tx, context, change.message.uri, change.publication)


async def _merge_newest_again(tx: Transaction, context: IngestionContext, uri: str, publication: Publication) -> None:
    """Merge the version that overtook one of our writes again, now that the base is known.

    An unreadable version was stored when it arrived, and there is nothing to merge.
    """
    version = readable_version_seen(await seen.find(tx, uri))
    if version is None or version.cid == publication.base_cid:
        return
    if publication.kind in KINDS:
        await apply_foreign_version(tx, context, version, publication)
    else:
        parsed = read_event(version.collection, cbor.decode(version.body), rkey=version.rkey, indexed_at=tx.now)
        await apply_event.apply_record(tx, context, version, parsed.event, publication)


async def apply_foreign_version(
    tx: Transaction, context: IngestionContext, version: RecordVersion, publication: Publication
) -> None:
    """Merge a version of our record that another app wrote with the current content here. Not for events."""
    try:
        record = cbor.decode(version.body)
        match publication.kind:
            case PublicationKind.GROUP:
                await local_groups.apply_record(
                    tx, context, version, read_group(version.collection, record), publication
                )
            case PublicationKind.SERIES:
                await local_series.apply_record(
                    tx, context, version, read_series(version.collection, record), publication
                )
            case _:
                stated = read_statement(version.collection, version.did, record)
                await local_groups.apply_acceptance(tx, version, stated, publication)
    except (Unmappable, Malformed) as wrong:
        why = wrong.why if isinstance(wrong, Unmappable) else RecordReason.NOT_VALID(what=wrong.kind)
        await merge_local.store_unapplied_version(tx, publication, version, why=why)


async def delete(tx: Transaction, context: IngestionContext, message: RecordMessage, publication: Publication) -> None:
    """Handle the deletion of a record, by us or by another app. A deletion by another app takes the record off the
    network.
    """
    if publication.kind is PublicationKind.ACCEPTANCE:
        await remote_groups.withdraw_statement(tx, StatementKind.ACCEPTANCE, message.uri)
    if not publication.has_delete_in_flight:
        await record_deleted(tx, context, uri=message.uri, rev=message.rev, publication=publication)
    elif publication.kind is PublicationKind.SERIES:
        await links.store_series_location(tx, SeriesId(publication.subject_id), None)
    else:
        await links.forget_group_location(tx, publication.kind, publication.subject_id)


async def record_deleted(
    tx: Transaction, context: IngestionContext, *, uri: str, rev: str, publication: Publication
) -> None:
    """Handle the deletion of a group's, series' or member's record by another app."""
    match publication.kind:
        case PublicationKind.GROUP:
            await local_groups.record_deleted(tx, context, uri=uri, rev=rev, publication=publication)
        case PublicationKind.SERIES:
            await local_series.record_deleted(tx, context, uri=uri, rev=rev, publication=publication)
        case _:
            await local_groups.acceptance_deleted(tx, uri=uri, rev=rev, publication=publication)

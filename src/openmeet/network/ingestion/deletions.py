"""Effects of the deletion of one event or RSVP record, once its tombstone is stored."""

from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import event_changes
from openmeet.domain.events import by_record
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventId
from openmeet.network.ingestion import events, notify, remote_series, rsvps
from openmeet.network.ingestion.batch import Batch
from openmeet.network.ingestion.events import IngestionContext
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.seen import SeenRecord
from openmeet.outbox.publication_leases import Publication
from openmeet.outbox.publications import PublicationKind


async def of_event(
    tx: Transaction,
    context: IngestionContext,
    batch: Batch,
    message: RecordMessage,
    seen_record: SeenRecord | None,
    publication: Publication | None,
) -> None:
    """Remove the event, or detach its record; notify the recipients."""
    before = await event_queries.by_record_uri(tx, message.uri)
    last = None if seen_record is None else events.version_seen(seen_record)
    await events.remove(tx, context, uri=message.uri, rev=message.rev, publication=publication, last=last)
    if before is not None:
        await notify.of_removal(tx, before, message.rev)
        await notify.of_deleted_record(tx, before, message.rev)
        await remote_series.free_date(tx, before, batch.freed_dates)
    if publication is not None and publication.kind is PublicationKind.EVENT:
        await event_changes.recheck_rsvp_records(tx, [EventId(publication.subject_id)])


async def of_answer(tx: Transaction, message: RecordMessage, seen_record: SeenRecord | None) -> None:
    """Withdraw the RSVP. The person's next RSVP, if any, becomes effective."""
    subject_uri = None if seen_record is None else seen_record.subject_uri
    await rsvps.withdraw(
        tx,
        uri=message.uri,
        did=message.did,
        rev=message.rev,
        subject_uri=subject_uri,
        event_id=await by_record.id_with(tx, subject_uri),
        after_rev=_known_before(message, seen_record),
    )


def _known_before(message: RecordMessage, seen_record: SeenRecord | None) -> str:
    """Return the rev at which the record was known to exist, or the deletion's own rev if its commit was seen."""
    if not message.is_read:
        return message.rev
    return "" if seen_record is None else seen_record.rev

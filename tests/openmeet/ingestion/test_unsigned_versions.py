"""An event of another app that was edited here is merged with signed versions of its record only."""

from dataclasses import replace

from groundwork.database.transaction import Database
from openmeet.domain.events import actions as events
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventId
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.records import repository_state
from openmeet.network.records.message import RecordMessage
from openmeet.outbox import publication_queries
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.ingestion.merge_conflicts import TEA_TIMES, TEA_URI, ingest_anas_event
from tests.openmeet.ingestion.network import deletion_of, did, event
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.site_under_test import details


async def ingest_unsigned_and_edit(db: Database) -> EventId:
    """Ana's event, read from unsigned data with a rev of somebody's choice and edited on this site."""
    ana, slug = await ingest_anas_event(db, is_signed=False)
    await apply_messages(db, unsigned(event(1, "tea", 100, "Tea", description="Old.", **TEA_TIMES)))
    async with db.transaction() as tx:
        return (await events.revise(tx, ana, slug, details(title="Ours", description="Old."))).id


def unsigned(message: RecordMessage) -> RecordMessage:
    return replace(message, is_verified=False)


async def publication_of(db: Database, event_id: EventId) -> Publication:
    async with db.reader() as reader:
        found = await publication_queries.find(reader, PublicationKind.EVENT, event_id)
    assert found is not None
    return found


async def texts_of(db: Database, event_id: EventId) -> tuple[str, str]:
    async with db.reader() as reader:
        found = await event_queries.by_id(reader, event_id)
    assert found is not None
    return found.title, found.content.description


async def requested_proofs(db: Database) -> list[str]:
    async with db.reader() as reader:
        jobs = await reader.fetch("select subject from outbox_jobs where kind = :kind", kind=JobKind.PROVE_RECORD.value)
    return [row["subject"] for row in jobs]


async def test_an_unsigned_version_is_proven_before_it_is_merged_with_edits(db: Database):
    tea_id = await ingest_unsigned_and_edit(db)
    theirs = event(1, "tea", 110, "Tea", description="New.", **TEA_TIMES)
    assert await apply_messages(db, unsigned(theirs)) == [IngestResult.KNOWN]
    assert (await publication_of(db, tea_id)).uri is None
    assert await texts_of(db, tea_id) == ("Ours", "Old.")
    assert await requested_proofs(db) == [TEA_URI]
    assert await apply_messages(db, replace(theirs, is_read=True)) == [IngestResult.APPLIED]
    assert await texts_of(db, tea_id) == ("Ours", "New.")


async def test_an_older_unsigned_version_is_not_proven(db: Database):
    """Such versions are sent again whenever a source is read from an earlier position."""
    tea_id = await ingest_unsigned_and_edit(db)
    older = unsigned(event(1, "tea", 90, "Tea", description="Older.", **TEA_TIMES))
    assert await apply_messages(db, older) == [IngestResult.KNOWN]
    assert await requested_proofs(db) == []
    assert await texts_of(db, tea_id) == ("Ours", "Old.")


async def test_an_unsigned_version_of_a_new_epoch_is_proven(db: Database):
    """The repository was created again, and its revs are lower than before."""
    tea_id = await ingest_unsigned_and_edit(db)
    async with db.transaction() as tx:
        await repository_state.start_epoch(tx, did(1))
    again = unsigned(event(1, "tea", 90, "Tea", description="New.", **TEA_TIMES))
    assert await apply_messages(db, again) == [IngestResult.KNOWN]
    assert await requested_proofs(db) == [TEA_URI]
    assert await texts_of(db, tea_id) == ("Ours", "Old.")


async def test_a_deletion_counts_although_the_edited_version_had_a_later_unproven_rev(db: Database):
    tea_id = await ingest_unsigned_and_edit(db)
    signed = event(1, "tea", 5, "Tea", description="New.", **TEA_TIMES)
    await apply_messages(db, signed)
    assert (await publication_of(db, tea_id)).uri == TEA_URI
    await apply_messages(db, deletion_of(signed, 6))
    assert (await publication_of(db, tea_id)).state is PublicationState.RETRACTED

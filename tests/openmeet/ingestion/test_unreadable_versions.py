"""Another app writes a version of our record that cannot be read. It is kept with the reason and fails no message."""

import pytest

from groundwork.database.transaction import Database
from openmeet.domain.events import actions as events
from openmeet.domain.events import queries as event_queries
from openmeet.domain.merge_decisions.model import MergeReason, MergeSide
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.records import seen
from openmeet.network.records.seen import RecordState
from openmeet.outbox import publication_queries
from tests.openmeet.ingestion.merge_conflicts import (
    TEA_TIMES,
    TEA_URI,
    edit_on_both_sides,
    ingest_anas_event,
    kept_decisions,
)
from tests.openmeet.ingestion.network import deletion_of, event, rev
from tests.openmeet.ingestion.own_groups_and_series import OWN_GROUP_URI, create_published_group, update_message
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.site_under_test import details


async def test_an_unreadable_version_of_our_event_can_be_repeated(db: Database):
    """It is newer than the agreed version, so every repetition compares the two again."""
    _, tea = await edit_on_both_sides(db)
    unreadable = event(1, "tea", 3, "Theirs", startsAt="4000-01-01T00:00:00Z")
    assert await apply_messages(db, unreadable) == [IngestResult.RAW]
    assert await apply_messages(db, unreadable) == [IngestResult.KNOWN]
    async with db.reader() as reader:
        publication = await publication_queries.find_by_uri(reader, TEA_URI)
        kept = await seen.find(reader, TEA_URI)
        after = await event_queries.by_id(reader, tea.id)
    assert publication is not None
    assert publication.base_rev == rev(1)
    assert kept is not None
    assert (kept.rev, kept.state) == (rev(3), RecordState.RAW)
    assert after is not None
    assert after.title == "Ours"


async def test_an_unreadable_version_of_our_group_can_be_repeated(db: Database):
    _, _, record = await create_published_group(db)
    unreadable = update_message(OWN_GROUP_URI, 3, record | {"name": ""})
    assert await apply_messages(db, unreadable) == [IngestResult.RAW]
    assert await apply_messages(db, unreadable) == [IngestResult.KNOWN]


@pytest.mark.parametrize("is_deleted", [False, True], ids=["a readable version", "a deletion"])
async def test_an_edited_event_of_another_app_survives_an_unreadable_version(db: Database, is_deleted: bool):
    """Its edits were never sent, so the version before the next message would be the agreed one. It cannot be read."""
    ana, slug = await ingest_anas_event(db)
    async with db.transaction() as tx:
        tea = await events.revise(tx, ana, slug, details(title="Ours"))
    unreadable = event(1, "tea", 3, "Theirs", startsAt="4000-01-01T00:00:00Z")
    assert await apply_messages(db, unreadable) == [IngestResult.RAW]
    following = event(1, "tea", 4, "Tea", description="New.", **TEA_TIMES)
    if is_deleted:
        following = deletion_of(following, 4)
    assert await apply_messages(db, following) == [IngestResult.APPLIED]
    async with db.reader() as reader:
        after = await event_queries.by_id(reader, tea.id)
    assert after is not None
    assert (after.title, after.removed_at is not None) == ("Ours", is_deleted)


@pytest.mark.parametrize("is_repeated", [False, True], ids=["one unreadable version", "two unreadable versions"])
async def test_a_first_edit_after_an_unreadable_version_is_merged(db: Database, is_repeated: bool):
    """The base is the version that was edited, which is the last one that could be read."""
    ana, slug = await ingest_anas_event(db)
    await apply_messages(db, event(1, "tea", 2, "Theirs", startsAt="4000-01-01T00:00:00Z"))
    async with db.transaction() as tx:
        tea = await events.revise(tx, ana, slug, details(title="Ours"))
    if is_repeated:
        await apply_messages(db, event(1, "tea", 3, "Theirs", startsAt="5000-01-01T00:00:00Z"))
    readable = event(1, "tea", 4, "Theirs", description="New.", **TEA_TIMES)
    assert await apply_messages(db, readable) == [IngestResult.APPLIED]
    async with db.reader() as reader:
        after = await event_queries.by_id(reader, tea.id)
    assert after is not None
    assert (after.title, after.content.description) == ("Ours", "New.")
    decision = (await kept_decisions(db, ana, tea))["name"].decision
    assert (decision.base, decision.ours, decision.theirs) == ("Tea", "Ours", "Theirs")
    assert (decision.policy, decision.result) == (MergeReason.MANUAL_EDIT_IS_KEPT, MergeSide.OURS)


async def test_a_first_edit_of_an_unknown_version_is_merged_as_a_conflict(db: Database):
    """The last readable version is not known, as in databases from before it was kept. So it is unknown which side
    changed a field, and every difference is decided. The host can choose the other side.
    """
    ana, slug = await ingest_anas_event(db)
    await apply_messages(db, event(1, "tea", 2, "Theirs", startsAt="4000-01-01T00:00:00Z"))
    async with db.transaction() as tx:
        await tx.execute("update records set readable_rev = null, readable_cid = null, readable_body = null")
        tea = await events.revise(tx, ana, slug, details(title="Ours"))
    times = {**TEA_TIMES, "startsAt": "2026-07-04T15:00:00Z"}
    assert await apply_messages(db, event(1, "tea", 4, "Theirs", **times)) == [IngestResult.APPLIED]
    async with db.reader() as reader:
        after = await event_queries.by_id(reader, tea.id)
    assert after is not None
    assert after.title == "Ours"
    kept = await kept_decisions(db, ana, tea)
    assert {name: (one.decision.ours, one.decision.theirs) for name, one in kept.items() if name == "name"} == {
        "name": ("Ours", "Theirs")
    }
    assert (kept["name"].decision.result, kept["starts_at"].decision.result) == (MergeSide.OURS, MergeSide.THEIRS)


async def test_a_deletion_forgets_the_last_readable_version(db: Database):
    """What its author deletes must not stay here."""
    await ingest_anas_event(db)
    unreadable = event(1, "tea", 2, "Theirs", startsAt="4000-01-01T00:00:00Z")
    await apply_messages(db, unreadable)
    async with db.reader() as reader:
        kept = await seen.find(reader, TEA_URI)
    assert kept is not None
    assert kept.readable is not None
    await apply_messages(db, deletion_of(unreadable, 3))
    async with db.reader() as reader:
        deleted = await seen.find(reader, TEA_URI)
    assert deleted is not None
    assert deleted.readable is None

"""Changes to an event by its hosts and by the network; on both engines."""

import asyncio
from dataclasses import replace

import pytest

from groundwork.clock import Instant
from groundwork.errors import Forbidden, NotFound, PreconditionFailed
from openmeet.domain.events import actions, event_records, queries, record_changes
from openmeet.domain.events.disclosure import private_details
from openmeet.domain.events.edits import new_slug, search_text
from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.values import Visibility
from openmeet.domain.users import actions as users
from openmeet.outbox import publication_status, publications
from openmeet.web.events.schemas import event_fields
from tests.openmeet.events.network_event import PARTY_FROM_NETWORK, PARTY_URI
from tests.openmeet.site_under_test import details, event_by, person


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def publication_of(reader, event):
    return (await publication_status.statuses(reader, publications.PublicationKind.EVENT, [event.id]))[event.id]


async def test_a_new_event_enqueues_a_read_of_its_authors_repository(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        publication = await publication_of(tx, event)
    assert (publication.state, publication.revision) == (publications.PublicationState.DUE, 1)


async def test_one_form_makes_one_event_however_often_it_is_sent(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        first = await actions.create(tx, ana, details(), submission_key="k1")
        again = await actions.create(tx, ana, details(), submission_key="k1")
        with pytest.raises(actions.EventAlreadyCreated) as refused:
            await actions.create(tx, ana, details(title="Other"), submission_key="k1")
    assert again == first
    assert refused.value.slug == first.slug


async def test_an_edit_raises_the_revision_and_enqueues_again(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        edited = await actions.revise(tx, ana, event.slug, details(title="Chess"), expected_revision=1)
        publication = await publication_of(tx, event)
    assert (edited.title, edited.revision, publication.revision) == ("Chess", 2, 2)
    assert edited.slug == event.slug


async def test_an_edit_without_changes_makes_no_revision(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        same = await actions.revise(tx, ana, event.slug, details())
    assert same.revision == 1


async def test_an_edit_of_an_older_version_is_refused(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        await actions.revise(tx, ana, event.slug, details(title="Chess"))
        with pytest.raises(PreconditionFailed):
            await actions.revise(tx, ana, event.slug, details(title="Go"), expected_revision=1)


async def test_only_the_host_may_edit(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        with pytest.raises(Forbidden):
            await actions.revise(tx, ben, event.slug, details(title="Mine now"))


async def test_somebody_elses_private_event_does_not_exist(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, visibility="private")
        with pytest.raises(NotFound):
            await actions.cancel(tx, ben, event.slug, "")


async def test_a_restored_event_is_as_before(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        cancelled = await actions.cancel(tx, ana, event.slug, "Rain")
        back = await actions.reinstate(tx, ana, event.slug)
    assert (cancelled.status, cancelled.status_reason, cancelled.revision) == (EventStatus.CANCELLED, "Rain", 2)
    assert (back.status, back.status_reason, back.revision) == (EventStatus.SCHEDULED, "", 3)


async def test_a_deleted_event_is_gone_and_its_record_is_to_be_retracted(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        gone = await actions.delete(tx, ana, event.slug)
        publication = await publication_of(tx, event)
        with pytest.raises(NotFound):
            await actions.reinstate(tx, ana, event.slug)
    assert gone.is_gone
    assert publication.revision == 2


async def test_a_record_becomes_an_event_and_enqueues_no_record(db):
    async with db.transaction() as tx:
        author = await users.create_shadow(tx)
        event_id = await record_changes.apply_from_network(
            tx, uri=PARTY_URI, cid="cid1", author_id=author, event=PARTY_FROM_NETWORK
        )
        event = await event_records.by_record_uri(tx, PARTY_URI)
        publication = await publication_of(tx, event)
    assert event.id == event_id
    assert (event.title, event.starts_local, event.starts_text) == (
        "Party",
        "2026-07-04T10:00:00",
        "2026-07-04T10:00:00-06:00",
    )
    assert event.record_did == "did:plc:4hodhjl2kposuchzvpiviwps"
    assert publication is publication_status.NO_PUBLICATION


async def test_the_same_record_again_is_the_same_event(db):
    async with db.transaction() as tx:
        author = await users.create_shadow(tx)
        first = await record_changes.apply_from_network(
            tx, uri=PARTY_URI, cid="cid1", author_id=author, event=PARTY_FROM_NETWORK
        )
        again = await record_changes.apply_from_network(
            tx, uri=PARTY_URI, cid="cid1", author_id=author, event=PARTY_FROM_NETWORK
        )
        rows = await tx.fetch("select id from events")
    assert first == again
    assert len(rows) == 1


async def test_an_update_from_the_network_keeps_what_the_host_chose_here(db):
    """Capacity, visibility and the attendees' join link are not in any record, so a record cannot remove them."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="5", mode="hybrid", online_url="https://meet.example/x")
        await record_changes.store_record_uri(
            tx, event.id, uri=PARTY_URI, cid="cid1", did="did:plc:4hodhjl2kposuchzvpiviwps"
        )
        await record_changes.apply_from_network(
            tx,
            uri=PARTY_URI,
            cid="cid2",
            author_id=ana.user_id,
            event=replace(PARTY_FROM_NETWORK, is_discoverable=False),
        )
        after = await queries.by_id(tx, event.id)
    assert (after.title, after.content.capacity, after.visibility) == ("Party", 5, Visibility.PUBLIC)
    assert after.content.online_url == "https://meet.example/x"
    assert after.revision == event.revision + 1, "forms that show the earlier content are outdated"


async def test_a_removed_record_removes_the_event_and_a_new_one_brings_it_back(db):
    async with db.transaction() as tx:
        author = await users.create_shadow(tx)
        await record_changes.apply_from_network(
            tx, uri=PARTY_URI, cid="cid1", author_id=author, event=PARTY_FROM_NETWORK
        )
        await record_changes.apply_deletion(tx, uri=PARTY_URI)
        removed = await event_records.by_record_uri(tx, PARTY_URI)
        await record_changes.apply_from_network(
            tx, uri=PARTY_URI, cid="cid2", author_id=author, event=PARTY_FROM_NETWORK
        )
        back = await event_records.by_record_uri(tx, PARTY_URI)
    assert removed.removed_at is not None
    assert back.removed_at is None


async def test_an_undated_record_is_an_event_with_its_date_to_be_announced(db):
    async with db.transaction() as tx:
        author = await users.create_shadow(tx)
        undated = replace(PARTY_FROM_NETWORK, starts_at=None, starts_text="", ends_at=Instant(5))
        await record_changes.apply_from_network(tx, uri=PARTY_URI, cid="cid1", author_id=author, event=undated)
        event = await event_records.by_record_uri(tx, PARTY_URI)
    assert (event.starts_at, event.ends_at, event.starts_local) == (None, None, "")


async def test_an_edit_that_leaves_the_start_keeps_its_original_spelling(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await record_changes.apply_from_network(
            tx, uri=PARTY_URI, cid="cid1", author_id=ana.user_id, event=PARTY_FROM_NETWORK
        )
        event = await event_records.by_record_uri(tx, PARTY_URI)
        renamed = await actions.revise(
            tx, ana, event.slug, details(title="Feast", starts="2026-07-04T10:00", ends="", time_zone="-06:00")
        )
        moved = await actions.revise(
            tx, ana, event.slug, details(title="Feast", starts="2026-07-04T11:00", ends="", time_zone="-06:00")
        )
    assert renamed.starts_text == "2026-07-04T10:00:00-06:00"
    assert moved.starts_text == ""


async def test_visibility_can_be_restricted_while_the_record_stays_public(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await record_changes.apply_from_network(
            tx, uri=PARTY_URI, cid="cid1", author_id=ana.user_id, event=PARTY_FROM_NETWORK
        )
        event = await event_records.by_record_uri(tx, PARTY_URI)
        narrowed = await actions.revise(tx, ana, event.slug, details(visibility="private"))
    assert (narrowed.visibility, narrowed.record_uri) == (Visibility.PRIVATE, PARTY_URI)


def test_a_slug_is_readable_and_cannot_be_guessed():
    first, second = new_slug("Café – Straße & Co."), new_slug("Café – Straße & Co.")
    assert first.startswith("cafe-strasse-co-")
    assert first != second
    assert new_slug("🎉").startswith("event-")


async def test_a_form_sent_twice_at_the_same_moment_makes_one_event(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")

    async def send():
        async with db.transaction() as tx:
            return await actions.create(tx, ana, details(), submission_key="k1")

    first, second = await asyncio.gather(send(), send())
    assert first.id == second.id


async def test_the_address_of_an_event_moved_online_is_hidden(db):
    """The host keeps the typed address in case the event becomes in-person again. Search and the API do not show it
    (invariant 3).
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        ben = await person(tx, "Ben")
        event = await event_by(tx, ana)
        assert "town library" in search_text(event)
        event = await actions.revise(tx, ana, event.slug, details(mode="online"))
    assert "town library" not in search_text(event)
    told = {
        viewer.display_name: event_fields(
            event, private_details(event, viewer.user_id, is_going=True, now=event.created_at), public_url=""
        )["venue"].name
        for viewer in (ana, ben)
    }
    assert told == {"Ana": "Town library", "Ben": ""}

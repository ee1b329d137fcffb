"""The state machine of publications: every transition of the graph works, and no others exist."""

import itertools

import pytest

from groundwork.clock import HOUR, MINUTE, SECOND, HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import encode_explanation
from groundwork.outbox.states import ImpossibleMove
from openmeet.domain.users import actions as users
from openmeet.i18n.reasons.messages import explain
from openmeet.outbox import (
    in_flight,
    ingested_changes,
    leased_publications,
    publication_moves,
    publication_queries,
    publication_rechecks,
    publication_status,
    publication_withdrawals,
    publications,
)
from openmeet.outbox.in_flight import InFlightWrite
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import (
    DUE_ON_NEW_REVISION,
    STATE_GRAPH,
    PublicationKind,
    PublicationState,
    RecordVersion,
)
from openmeet.outbox.reasons import PublicationReason, RecordStatus
from tests.databases import MakeDatabase

DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
URI = f"at://{DID}/community.lexicon.calendar.event/3mqdau33ozs2n"
PAIRS = list(itertools.product(PublicationState, PublicationState))


@pytest.fixture
async def db(make_sqlite: MakeDatabase) -> Database:
    return await make_sqlite("openmeet")


async def place(tx: Transaction, state: PublicationState, *, uri: str | None = URI) -> str:
    """Insert a row in this state, as if the transitions had led there. Returns the user who owns it."""
    user_id = await users.create_person(tx, display_name="Ana")
    await publications.enqueue(tx, kind=PublicationKind.EVENT, subject_id="e", user_id=user_id, revision=1)
    leased = state in {PublicationState.SENDING, PublicationState.RETRACTING}
    await tx.execute(
        "update publications set state = :state, uri = :uri, did = :did, lease = 1, leased_until = :until,"
        " base_rev = '3aaaaaaaaaaaa', base_cid = 'old', chosen_cid = 'new', chosen_revision = 1, chosen_body = :body",
        state=state.value,
        uri=uri,
        did=DID,
        until=tx.now + MINUTE if leased else None,
        body=b"\xa0",
    )
    return user_id


async def state_of(db: Database) -> PublicationState:
    async with db.reader() as reader:
        return (await publication_status.statuses(reader, PublicationKind.EVENT, ["e"]))["e"].state


async def held(tx: Transaction) -> Publication:
    found = await publication_queries.find(tx, PublicationKind.EVENT, "e")
    assert found is not None
    return found


@pytest.mark.parametrize(("current", "following"), PAIRS, ids=lambda state: state.value)
def test_only_declared_transitions_are_possible(current: PublicationState, following: PublicationState):
    """A declared transition is allowed, and any other is a programming error."""
    if following in STATE_GRAPH.moves[current]:
        STATE_GRAPH.require(current, following)
    else:
        with pytest.raises(ImpossibleMove):
            STATE_GRAPH.require(current, following)


def test_every_state_can_be_reached_and_left():
    assert all(STATE_GRAPH.sources_of(state) for state in PublicationState)
    assert all(STATE_GRAPH.moves[state] for state in PublicationState)


@pytest.mark.parametrize(
    "state", [s for s in PublicationState if s not in {PublicationState.SENDING, PublicationState.RETRACTING}]
)
@pytest.mark.parametrize("following", PublicationState, ids=lambda state: state.value)
async def test_handlers_do_not_move_rows_that_they_have_not_leased(
    db: Database, state: PublicationState, following: PublicationState
):
    """A publisher whose lease has passed to another publisher changes nothing."""
    async with db.transaction() as tx:
        await place(tx, state)
        late = await held(tx)
        if STATE_GRAPH.allows(PublicationState.SENDING, following):
            assert not await leased_publications.end_lease(tx, late, following)
    assert await state_of(db) is state


@pytest.mark.parametrize("leased", [PublicationState.SENDING, PublicationState.RETRACTING])
@pytest.mark.parametrize("following", PublicationState, ids=lambda state: state.value)
async def test_handlers_move_leased_rows_only_along_the_graph(
    db: Database, leased: PublicationState, following: PublicationState
):
    async with db.transaction() as tx:
        await place(tx, leased)
        row = await held(tx)
        if STATE_GRAPH.allows(leased, following):
            assert await leased_publications.end_lease(tx, row, following)
        else:
            with pytest.raises(ImpossibleMove):
                await leased_publications.end_lease(tx, row, following)
            following = leased
    assert await state_of(db) is following


@pytest.mark.parametrize("state", PublicationState, ids=lambda state: state.value)
async def test_a_new_revision_makes_a_row_due(db: Database, state: PublicationState):
    """The row is due at once, unless it is leased (its publisher sees the new revision) or needs a sign-in anyway."""
    async with db.transaction() as tx:
        user_id = await place(tx, state)
        await publications.enqueue(tx, kind=PublicationKind.EVENT, subject_id="e", user_id=user_id, revision=2)
    expected = PublicationState.DUE if state in DUE_ON_NEW_REVISION else state
    assert await state_of(db) is expected
    assert STATE_GRAPH.allows(state, expected) or state is expected


@pytest.mark.parametrize("state", PublicationState, ids=lambda state: state.value)
async def test_the_same_revision_enqueues_nothing(db: Database, state: PublicationState):
    async with db.transaction() as tx:
        user_id = await place(tx, state)
        await publications.enqueue(tx, kind=PublicationKind.EVENT, subject_id="e", user_id=user_id, revision=1)
    assert await state_of(db) is state


@pytest.mark.parametrize("state", PublicationState, ids=lambda state: state.value)
async def test_our_own_write_is_completed_when_it_comes_back(db: Database, state: PublicationState):
    """A record with the CID of this site's write under its record key completes every state that has a transition to
    ``published``.
    """
    async with db.transaction() as tx:
        await place(tx, state)
        is_completed = await ingested_changes.apply_own_write(
            tx, uri=URI, cid="new", rev="3bbbbbbbbbbbb", body=b"bytes"
        )
    assert is_completed is STATE_GRAPH.allows(state, PublicationState.PUBLISHED)
    assert await state_of(db) is (after_hearing(state) if is_completed else state)


def after_hearing(state: PublicationState) -> PublicationState:
    """Return the state after our own write has come back. Rows that are due or wait for a sign-in might have to be
    retracted, so they become due.
    """
    return (
        PublicationState.DUE
        if state in {PublicationState.DUE, PublicationState.BLOCKED}
        else PublicationState.PUBLISHED
    )


@pytest.mark.parametrize("comes_back", ["written here", "adopted"])
@pytest.mark.parametrize("how", ["own write", "earlier write", "adopted"])
async def test_a_delete_of_an_earlier_version_is_forgotten(db: Database, how: str, comes_back: str):
    """A delete without a response names the version that it deletes. If the record has another version by now and gets
    those bytes again, it is not deleted.
    """
    async with db.transaction() as tx:
        await place(tx, PublicationState.BLOCKED)
        await tx.execute("update publications set deleting_cid = 'old', earlier_cids = ' earlier', attempts = 3")
        version = RecordVersion(URI, "3bbbbbbbbbbbb", "earlier" if how == "earlier write" else "new", b"\xa0")
        if how == "adopted":
            assert await ingested_changes.accept_foreign_version(tx, version)
            assert (await held(tx)).attempts == 0
        else:
            assert await ingested_changes.apply_own_write(
                tx, uri=URI, cid=version.cid, rev=version.rev, body=version.body
            )
        if comes_back == "adopted":
            assert await ingested_changes.accept_foreign_version(
                tx, RecordVersion(URI, "3cccccccccccc", "old", b"\xa0")
            )
        else:
            await tx.execute("update publications set chosen_cid = 'old'")
            assert await ingested_changes.apply_own_write(tx, uri=URI, cid="old", rev="3cccccccccccc", body=b"\xa0")
        assert not (await held(tx)).has_delete_in_flight


async def test_a_delete_of_the_version_that_was_read_again_stays_in_flight(db: Database):
    """A read reports the same version at a later rev, so the delete can still take effect."""
    async with db.transaction() as tx:
        await place(tx, PublicationState.BLOCKED)
        await tx.execute("update publications set deleting_cid = 'old', chosen_cid = 'old'")
        assert await ingested_changes.apply_own_write(tx, uri=URI, cid="old", rev="3bbbbbbbbbbbb", body=b"\xa0")
        assert (await held(tx)).has_delete_in_flight


@pytest.mark.parametrize(
    ("cid", "rev"), [("other", "3bbbbbbbbbbbb"), ("new", "3aaaaaaaaaaaa"), ("new", "2zzzzzzzzzzzz")]
)
async def test_our_own_write_is_recognised_by_content_and_rev(db: Database, cid: str, rev: str):
    """CID and URI must match, and the rev must be greater than the rev of the last completed write."""
    async with db.transaction() as tx:
        await place(tx, PublicationState.SENDING)
        assert not await ingested_changes.apply_own_write(tx, uri=URI, cid=cid, rev=rev, body=b"bytes")
        assert not await ingested_changes.apply_own_write(
            tx, uri=URI + "x", cid="new", rev="3bbbbbbbbbbbb", body=b"bytes"
        )
    assert await state_of(db) is PublicationState.SENDING


@pytest.mark.parametrize("state", PublicationState, ids=lambda state: state.value)
async def test_a_record_deleted_by_another_app(db: Database, state: PublicationState):
    """A row that was already void has no URI. When it is attached to a record again, it is due."""
    async with db.transaction() as tx:
        await place(tx, state)
        lost = await ingested_changes.mark_deleted_elsewhere(
            tx, uri=URI, rev="3bbbbbbbbbbbb", reason=PublicationReason.RECORD_DELETED
        )
    assert lost is STATE_GRAPH.allows(state, PublicationState.RETRACTED)
    assert await state_of(db) is (PublicationState.RETRACTED if lost else state)


@pytest.mark.parametrize("state", PublicationState, ids=lambda state: state.value)
async def test_a_record_changed_by_another_app(db: Database, state: PublicationState):
    async with db.transaction() as tx:
        await place(tx, state)
        adopted = await ingested_changes.accept_foreign_version(
            tx, RecordVersion(URI, "3bbbbbbbbbbbb", "theirs", b"\xa0")
        )
    assert adopted is STATE_GRAPH.allows(state, PublicationState.PUBLISHED)


@pytest.mark.parametrize("state", PublicationState, ids=lambda state: state.value)
async def test_retracting_a_publication(db: Database, state: PublicationState):
    """A record that might exist on the PDS is retracted first. A leased row is retracted by its publisher."""
    async with db.transaction() as tx:
        user_id = await place(tx, state)
        await publications.enqueue_retraction(
            tx, kind=PublicationKind.EVENT, subject_id="e", user_id=user_id, revision=2
        )
    after = await state_of(db)
    assert after is state or STATE_GRAPH.allows(state, after)
    if STATE_GRAPH.allows(state, PublicationState.RETRACTING) and state not in {
        PublicationState.SENDING,
        PublicationState.RETRACTING,
    }:
        assert after is PublicationState.RETRACTING


async def test_a_newer_revision_during_sending_is_due_after_the_response(db: Database):
    async with db.transaction() as tx:
        user_id = await place(tx, PublicationState.SENDING)
        row = await held(tx)
        await publications.enqueue(tx, kind=PublicationKind.EVENT, subject_id="e", user_id=user_id, revision=2)
        await leased_publications.set_published(
            tx, row, RecordVersion(URI, "3bbbbbbbbbbbb", "new", b"\xa0"), revision=row.revision
        )
    assert await state_of(db) is PublicationState.DUE


async def test_an_expired_lease_is_taken_over_and_the_late_response_ignored(db: Database, clock: HandClock):
    async with db.transaction() as tx:
        user_id = await users.create_person(tx, display_name="Ana")
        await publications.enqueue(tx, kind=PublicationKind.EVENT, subject_id="e", user_id=user_id, revision=1)
        first = (await leased_publications.lease_due(tx, limit=10, seconds=60))[0]
        assert await leased_publications.lease_due(tx, limit=10, seconds=60) == []
    clock.turn(61 * SECOND)
    async with db.transaction() as tx:
        second = (await leased_publications.lease_due(tx, limit=10, seconds=60))[0]
        assert second.lease == first.lease + 1
        assert not await leased_publications.end_lease(tx, first, PublicationState.REFUSED)
        assert await leased_publications.end_lease(tx, second, PublicationState.PUBLISHED)
    assert await state_of(db) is PublicationState.PUBLISHED


async def test_retractions_go_first(db: Database, clock: HandClock):
    async with db.transaction() as tx:
        user_id = await users.create_person(tx, display_name="Ana")
        for number in range(3):
            await publications.enqueue(
                tx, kind=PublicationKind.EVENT, subject_id=f"e{number}", user_id=user_id, revision=1
            )
        await tx.execute("update publications set uri = 'at://x', state = 'published' where subject_id = 'e2'")
    clock.turn(SECOND)
    async with db.transaction() as tx:
        await publications.enqueue_retraction(
            tx, kind=PublicationKind.EVENT, subject_id="e2", user_id=user_id, revision=2
        )
        assert [row.subject_id for row in await leased_publications.lease_due(tx, limit=1, seconds=60)] == ["e2"]


async def test_writes_are_counted_by_the_hour(db: Database, clock: HandClock):
    """After more than five writes in an hour without a local edit, the owner has to decide."""
    async with db.transaction() as tx:
        await place(tx, PublicationState.SENDING)
        row = await held(tx)
        counted = [
            await leased_publications.store_before_sending(tx, row, InFlightWrite(URI, "c", None), did=DID, body=b"")
            for _ in range(6)
        ]
    assert counted == [1, 2, 3, 4, 5, 6]
    clock.turn(HOUR + 1)
    async with db.transaction() as tx:
        assert (
            await leased_publications.store_before_sending(tx, row, InFlightWrite(URI, "c", None), did=DID, body=b"")
            == 1
        )


@pytest.mark.parametrize("state", PublicationState, ids=lambda state: state.value)
async def test_every_state_has_a_text(db: Database, state: PublicationState):
    async with db.transaction() as tx:
        await place(tx, state)
        publication = (await publication_status.statuses(tx, PublicationKind.EVENT, ["e"]))["e"]
        assert explain(publication.explanation_for_owner(tx.now, is_allowed=True))


async def test_a_subject_without_a_job_is_only_here(db: Database):
    async with db.reader() as reader:
        publication = (await publication_status.statuses(reader, PublicationKind.EVENT, ["never"]))["never"]
        assert publication.explanation_for_owner(reader.now, is_allowed=True) == RecordStatus.ONLY_HERE()
        assert await publication_status.statuses(reader, PublicationKind.EVENT, []) == {}


@pytest.mark.parametrize("state", [PublicationState.REFUSED, PublicationState.RETRYING, PublicationState.BLOCKED])
async def test_a_create_that_never_arrived_does_not_count_as_published(db: Database, state: PublicationState):
    """A later answer in another app makes this site's obsolete. No page says that this site's answer is on the PDS. If
    the create can still arrive, the site checks for it.
    """
    async with db.transaction() as tx:
        await place(tx, state)
        await tx.execute("update publications set base_rev = null, base_cid = null")
        await in_flight.store(tx, InFlightWrite(URI, "new", None), did=DID)
        await ingested_changes.abandon_revision(tx, await held(tx))
        found = await held(tx)
        queued = await tx.fetch("select kind, subject from outbox_jobs where state = 'due'")
    assert (found.state, found.uri, found.chosen_cid, found.has_unsent_revision) == (
        PublicationState.WITHHELD,
        None,
        None,
        False,
    )
    assert [(row["kind"], row["subject"]) for row in queued] == [("late_write", URI)]


async def test_a_record_published_with_consent_stays_published(db: Database):
    """The record exists, so a later answer in another app makes only the newer revision obsolete."""
    async with db.transaction() as tx:
        await place(tx, PublicationState.REFUSED)
        await ingested_changes.abandon_revision(tx, await held(tx))
        found = await held(tx)
    assert (found.state, found.uri, found.has_unsent_revision) == (PublicationState.PUBLISHED, URI, False)


@pytest.mark.parametrize("state", [s for s in PublicationState if s is not PublicationState.SENDING])
async def test_a_merge_changes_the_reason_only_of_rows_that_become_due(db: Database, state: PublicationState):
    """A row that waits for something else, such as a permission, still says what it waits for."""
    async with db.transaction() as tx:
        await place(tx, state)
        await tx.execute(
            "update publications set reason = :why", why=encode_explanation(PublicationReason.NO_ACCESS_GRANTED)
        )
        await ingested_changes.remember_merge(tx, uri=URI, edits=b"{}", merged=b"{}")
        found = await held(tx)
    is_due = state in {PublicationState.DUE, PublicationState.RETRYING, PublicationState.PUBLISHED}
    assert (found.state, found.reason) == (
        (PublicationState.DUE, None) if is_due else (state, PublicationReason.NO_ACCESS_GRANTED())
    )


async def test_a_leased_row_no_longer_waits_for_a_version_that_was_merged(db: Database):
    """If it finds another version, that is another merge round."""
    async with db.transaction() as tx:
        await place(tx, PublicationState.SENDING)
        await tx.execute("update publications set reason = :why", why=encode_explanation(PublicationReason.MERGING))
        await ingested_changes.remember_merge(tx, uri=URI, edits=b"{}", merged=b"{}")
        found = await held(tx)
    assert (found.state, found.reason) == (PublicationState.SENDING, None)


async def test_every_statement_runs_on_both_engines(make_database: MakeDatabase):
    """PostgreSQL also accepts every statement of the state machine."""
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        user_id = await place(tx, PublicationState.DUE, uri=None)
        other = await users.create_person(tx, display_name="Ben")
        row = (await leased_publications.lease_due(tx, limit=5, seconds=60))[0]
        assert (
            await leased_publications.store_before_sending(
                tx, row, InFlightWrite(URI, "c", None), did=DID, body=b"\x00\xff"
            )
            == 1
        )
        assert await leased_publications.set_published(
            tx, row, RecordVersion(URI, "3bbbbbbbbbbbb", "c", b"\x00\xff"), revision=1
        )
        found = await publication_queries.find_by_uri(tx, URI)
        assert found is not None
        assert (found.base_body, found.state) == (b"\x00\xff", PublicationState.PUBLISHED)
        await ingested_changes.remember_merge(tx, uri=URI, edits=b"{}", merged=b"{}")
        await ingested_changes.abandon_revision(tx, found)
        await ingested_changes.attach_foreign_record(
            tx, RecordVersion(URI, "r", "c", b""), kind=PublicationKind.EVENT, subject_id="e"
        )
        await publications.retry_now(tx, kind=PublicationKind.EVENT, subject_id="e")
        await publication_rechecks.make_unpublished_due_of(tx, user_id)
        await publications.make_due(tx, kind=PublicationKind.RSVP, subject_ids=["a", "b"])
        await publication_withdrawals.withdraw_all_of(tx, user_id)
        await publication_withdrawals.undo_withdrawals_of(tx, user_id)
        await publication_moves.reassign(tx, from_user=user_id, to_user=other)
        await publications.enqueue_retraction(tx, kind=PublicationKind.EVENT, subject_id="e", user_id=other, revision=5)
        row = (await leased_publications.lease_due(tx, limit=5, seconds=60))[0]
        assert await leased_publications.start_retracting(tx, row)
        assert await leased_publications.set_retracted(tx, row, is_gone=True)
        await leased_publications.complete_without_write(tx, row)
        await leased_publications.attach_found_record(tx, row, did=DID, uri=URI)
        assert await publication_status.counts(tx)
        assert await leased_publications.lease_one(tx, kind=PublicationKind.EVENT, subject_id="e", seconds=1) is None

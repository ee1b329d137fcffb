"""If the data behind a decision changes while a publisher is carrying it out, the decision is made again after any
result of the publisher.
"""

from collections.abc import Awaitable, Callable

import pytest

from groundwork.clock import HOUR, MINUTE
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import UserId
from openmeet.outbox import (
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
from openmeet.outbox.publications import PublicationKind, PublicationState, RecordVersion
from openmeet.outbox.reasons import PublicationReason
from tests.databases import MakeDatabase

DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
URI = f"at://{DID}/community.lexicon.calendar.event/3mqdau33ozs2n"
REV, LATER = "3aaaaaaaaaaaa", "3bbbbbbbbbbbb"
KIND = PublicationKind.EVENT

Change = Callable[[Transaction, UserId], Awaitable[object]]
Outcome = Callable[[Transaction, Publication], Awaitable[object]]

CHANGES: dict[str, Change] = {
    "of it": lambda tx, _: publications.make_due(tx, kind=KIND, subject_ids=["e"]),
    "of all of a person": publication_rechecks.make_all_due_of,
    "of all of a kind": lambda tx, _: publication_rechecks.make_kind_due(tx, KIND),
    "a selection": lambda tx, _: publications.recheck_leased(tx, kind=KIND, subselect="select 'e'"),
    "a new yes": publication_rechecks.make_unpublished_due_of,
    "read": lambda tx, user_id: publications.make_due_after_account_read(tx, user_id, KIND),
    "switched on": lambda tx, _: publications.make_due_after_flag_on(tx, KIND),
    "withdrawn": lambda tx, _: publication_withdrawals.withdraw(tx, kind=KIND, subject_id="e"),
    "all withdrawn": publication_withdrawals.withdraw_all_of,
}


def _confirm(tx: Transaction, held: Publication) -> Awaitable[object]:
    return leased_publications.set_published(tx, held, RecordVersion(URI, LATER, "new", b"\xa0"), revision=1)


def _move(state: PublicationState, reason: PublicationReason | None = None) -> Outcome:
    return lambda tx, held: leased_publications.end_lease(tx, held, state, reason=reason, due_at=tx.now + HOUR)


def _edit(tx: Transaction, user_id: UserId) -> Awaitable[object]:
    return publications.enqueue(tx, kind=KIND, subject_id="e", user_id=user_id, revision=2)


RESULTS: dict[str, Outcome] = {
    "confirmed": _confirm,
    "own write": lambda tx, _: ingested_changes.apply_own_write(tx, uri=URI, cid="new", rev=LATER, body=b"\xa0"),
    "adopted": lambda tx, _: ingested_changes.accept_foreign_version(tx, RecordVersion(URI, LATER, "theirs", b"\xa0")),
    "left": leased_publications.complete_without_write,
    "withheld": _move(PublicationState.WITHHELD),
    "waiting": _move(PublicationState.WAITING),
    "refused": _move(PublicationState.REFUSED),
    "blocked": _move(PublicationState.BLOCKED),
    "conflicted": _move(PublicationState.CONFLICTED),
    "switched off": _move(PublicationState.RETRYING, PublicationReason.FLAG_OFF),
}


async def _leased(tx: Transaction) -> tuple[UserId, Publication]:
    user_id = await users.create_person(tx, display_name="Ana")
    await publications.enqueue(tx, kind=KIND, subject_id="e", user_id=user_id, revision=1)
    (held,) = await leased_publications.lease_due(tx, limit=1, seconds=60)
    await tx.execute(
        "update publications set uri = :uri, did = :did, base_rev = :rev, base_cid = 'old', base_body = :body,"
        " chosen_cid = 'new', chosen_revision = 1, chosen_body = :body",
        uri=URI,
        did=DID,
        rev=REV,
        body=b"\xa0",
    )
    found = await publication_queries.find(tx, KIND, "e")
    assert found is not None
    assert found.lease == held.lease
    return user_id, found


async def _leased_again(db: Database) -> Publication | None:
    async with db.transaction() as tx:
        found = await leased_publications.lease_due(tx, limit=1, seconds=60)
        return found[0] if found else None


async def _writes(db: Database, held: Publication) -> int | None:
    """Store a write before it is sent. Returns None if it must not be sent."""
    async with db.transaction() as tx:
        return await leased_publications.store_before_sending(
            tx, held, InFlightWrite(URI, "newer", None), did=DID, body=b"\xa0"
        )


@pytest.fixture
async def database(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("result", RESULTS)
async def test_a_change_during_sending_is_checked(database: Database, change: str, result: str):
    async with database.transaction() as tx:
        user_id, held = await _leased(tx)
    async with database.transaction() as tx:
        await CHANGES[change](tx, user_id)
    async with database.transaction() as tx:
        assert await RESULTS[result](tx, held)
    assert await _leased_again(database) is not None


@pytest.mark.parametrize("result", RESULTS)
async def test_publishing_again_during_sending_ends_the_withdrawal(database: Database, result: str):
    async with database.transaction() as tx:
        _, held = await _leased(tx)
        await tx.execute("update publications set is_withdrawn = 1")
    async with database.transaction() as tx:
        assert await publications.retry_now(tx, kind=KIND, subject_id="e")
    async with database.transaction() as tx:
        assert await RESULTS[result](tx, held)
    again = await _leased_again(database)
    assert again is not None
    assert not again.is_withdrawn


# Another app's version is only adopted if nothing was edited here.
@pytest.mark.parametrize("result", sorted(RESULTS.keys() - {"adopted"}))
async def test_an_edit_during_sending_is_sent(database: Database, result: str):
    """A refusal is about the earlier revision. A blocked row waits for the login that the newer one needs, too."""
    async with database.transaction() as tx:
        user_id, held = await _leased(tx)
    async with database.transaction() as tx:
        await _edit(tx, user_id)
    async with database.transaction() as tx:
        assert await RESULTS[result](tx, held)
    again = await _leased_again(database)
    assert (again and again.revision) == (None if result == "blocked" else 2)


@pytest.mark.parametrize("result", RESULTS)
async def test_nothing_is_checked_twice(database: Database, result: str):
    """The mark belongs to one lease. The next publisher decides from the current state, and no further check is queued."""
    async with database.transaction() as tx:
        user_id, held = await _leased(tx)
        await publication_rechecks.make_all_due_of(tx, user_id)
        await RESULTS[result](tx, held)
    again = await _leased_again(database)
    assert again is not None
    async with database.transaction() as tx:
        await leased_publications.complete_without_write(tx, again)
    assert await _leased_again(database) is None


async def test_a_failed_try_is_not_repeated_early(database: Database):
    """If the server is down, a change does not cause an earlier retry. The next retry reads the current state anyway."""
    async with database.transaction() as tx:
        user_id, held = await _leased(tx)
        await publication_rechecks.make_all_due_of(tx, user_id)
        assert await leased_publications.end_lease(
            tx, held, PublicationState.RETRYING, due_at=tx.now + MINUTE, is_failure=True
        )
        publication = (await publication_status.statuses(tx, KIND, ["e"]))["e"]
    assert publication.state is PublicationState.RETRYING
    assert await _leased_again(database) is None


@pytest.mark.parametrize("change", [*CHANGES, "edited"])
async def test_nothing_is_sent_that_was_decided_before_a_change(database: Database, change: str):
    """The row is due at once, without a failed attempt, and the write was not stored."""
    async with database.transaction() as tx:
        user_id, held = await _leased(tx)
    async with database.transaction() as tx:
        await {**CHANGES, "edited": _edit}[change](tx, user_id)
    assert await _writes(database, held) is None
    again = await _leased_again(database)
    assert again is not None
    assert (again.chosen_cid, again.attempts) == ("new", 0)


@pytest.mark.parametrize("change", [*CHANGES, "edited"])
async def test_what_changed_before_the_decision_does_not_prevent_the_write(database: Database, change: str):
    async with database.transaction() as tx:
        user_id, held = await _leased(tx)
    async with database.reader() as reader:
        assert not await leased_publications.have_changed(reader, [held])
    async with database.transaction() as tx:
        await {**CHANGES, "edited": _edit}[change](tx, user_id)
    async with database.transaction() as tx:
        assert await leased_publications.have_changed(tx, [held])
        (known,) = await leased_publications.acknowledge_changes(tx, [held])
        assert not await leased_publications.have_changed(tx, [known])
    is_withdrawn = change in {"withdrawn", "all withdrawn"}
    assert (known.revision, known.is_withdrawn) == (2 if change == "edited" else 1, is_withdrawn)
    assert await _writes(database, known) == (None if is_withdrawn else 1)


async def test_a_row_that_another_worker_leased_is_not_read_again(database: Database):
    async with database.transaction() as tx:
        user_id, held = await _leased(tx)
        await tx.execute("update publications set lease = lease + 1")
        await _edit(tx, user_id)
        assert await leased_publications.acknowledge_changes(tx, [held]) == [held]


@pytest.mark.parametrize("is_first_write", [True, False])
async def test_nothing_more_is_written_for_the_previous_person(database: Database, is_first_write: bool):
    """The handler decided for the previous person, who withdrew this record or all of theirs, or nothing was written yet.
    The write would go to their repository.
    """
    async with database.transaction() as tx:
        user_id, held = await _leased(tx)
        if is_first_write:
            await tx.execute("update publications set uri = null, did = null, base_cid = null, chosen_cid = null")
        else:
            await publication_withdrawals.withdraw_all_of(tx, user_id)
    async with database.transaction() as tx:
        heir = await users.create_person(tx, display_name="Ben")
        await publication_moves.move_to_user(tx, KIND, ["e"], heir)
    assert await _writes(database, held) is None
    again = await _leased_again(database)
    assert again is not None
    assert (again.user_id, again.chosen_cid) == (heir, None if is_first_write else "new")

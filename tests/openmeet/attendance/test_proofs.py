"""Proofs of attendance: who can make one, what it says, and when it is valid; on both engines."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import pytest

from at_protocol.crypto import jwk, jwt
from groundwork.clock import DAY, HOUR, HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Conflict, NotFound, Refused, Unavailable
from groundwork.signing_key import SigningKey
from openmeet.domain.account_merge.merge import merge
from openmeet.domain.attendance import actions, host_decisions, proof_keys, proofs
from openmeet.domain.attendance.model import Attendance, RsvpReply
from openmeet.domain.attendance.proofs import ShownAs
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.events import actions as events
from openmeet.domain.events.model import Event
from openmeet.domain.identities import queries as identities
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.moderation import visibility as moderation
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.users import erasure_requests
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.interleaving import run_interleaved
from tests.openmeet.site_under_test import CODE_KEY, event_by, person

# The clock of the tests is at 13:00 in Berlin on this day.
TODAY = {"starts": "2026-03-01T12:00", "ends": "2026-03-01T15:00"}
DID = "did:plc:abcdefghijklmnopqrstuvwx"


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


@dataclass(frozen=True)
class Visit:
    """An event with a host and a guest who was checked in."""

    host: Caller
    guest: Caller
    event: Event
    rsvp: Attendance

    async def proof(
        self, tx: Transaction, shown_as: ShownAs = ShownAs.NAME, replaces: str = ""
    ) -> proofs.AttendanceProof:
        return await proofs.make(tx, CODE_KEY, self.guest, self.event.slug, shown_as, replaces=replaces)


async def visit(tx: Transaction, **typed: str) -> Visit:
    host, guest = await person(tx, "Ana"), await person(tx, "Ben")
    event = await event_by(tx, host, **TODAY | typed)
    rsvp = await actions.answer(tx, guest, event.slug, RsvpReply.GOING)
    await host_decisions.check_in(tx, host, event.slug, rsvp.id)
    return Visit(host, guest, event, rsvp)


async def connected(tx: Transaction, who: Caller, did: str = DID) -> None:
    await identities.insert(
        tx,
        did,
        who.user_id,
        IdentityKind.CONNECTED,
        handle="ben.example",
        pds_url="https://pds.example",
        is_default=True,
    )


async def state(db: Database, token: str) -> str:
    async with db.reader() as reader:
        try:
            await proofs.content_of(reader, token)
        except NotFound as refused:
            return refused.name or "absent"
    return "valid"


async def test_a_proof_says_who_was_at_which_event(db: Database) -> None:
    async with db.transaction() as tx:
        seen = await visit(tx)
        await connected(tx, seen.guest)
        named = await seen.proof(tx)
        said = await proofs.content_of(tx, named.token)
        assert (said.event.title, said.host, said.name, said.account) == ("Board games", "Ana", "Ben", None)
        by_account = await seen.proof(tx, ShownAs.ACCOUNT, replaces=named.id)
        said = await proofs.content_of(tx, by_account.token)
        assert (said.name, said.account and said.account.did) == ("", DID)


async def test_only_the_person_who_was_checked_in_gets_a_proof(db: Database) -> None:
    async with db.transaction() as tx:
        seen = await visit(tx)
        cleo, dora = await person(tx, "Cleo"), await person(tx, "Dora")
        await actions.answer(tx, cleo, seen.event.slug, RsvpReply.GOING)
        with pytest.raises(Refused, match=AttendanceReason.PROOF_NEEDS_CHECK_IN):
            await proofs.make(tx, CODE_KEY, cleo, seen.event.slug, ShownAs.NAME)
        with pytest.raises(NotFound):
            await proofs.make(tx, CODE_KEY, dora, seen.event.slug, ShownAs.NAME)
        with pytest.raises(Refused, match=AttendanceReason.PROOF_NEEDS_ACCOUNT):
            await seen.proof(tx, ShownAs.ACCOUNT)
        # Somebody else’s proof cannot be withdrawn.
        proof = await seen.proof(tx)
        await proofs.withdraw(tx, cleo, seen.event.slug, proof.id)
    assert await state(db, proof.token) == "valid"


async def test_there_is_no_proof_before_the_start(db: Database, clock: HandClock) -> None:
    """Guests are checked in up to a day before, when badges are handed out."""
    async with db.transaction() as tx:
        seen = await visit(tx, starts="2026-03-01T18:00", ends="2026-03-01T20:00")
        with pytest.raises(Refused, match=AttendanceReason.PROOF_NOT_YET):
            await seen.proof(tx)
    clock.turn(6 * HOUR)
    async with db.transaction() as tx:
        assert (await seen.proof(tx)).token


async def test_a_private_event_is_not_confirmed_to_others(db: Database) -> None:
    """This holds even for proofs that were made before the event became private."""
    async with db.transaction() as tx:
        seen = await visit(tx)
        proof = await seen.proof(tx)
        await tx.execute("update events set visibility = 'private' where id = :id", id=seen.event.id)
        with pytest.raises(Refused, match=AttendanceReason.PROOF_OF_PRIVATE_EVENT):
            await seen.proof(tx, replaces=proof.id)
    assert await state(db, proof.token) == "ProofNotConfirmed"
    async with db.transaction() as tx:
        await tx.execute("update events set visibility = 'unlisted' where id = :id", id=seen.event.id)
    assert await state(db, proof.token) == "valid"


async def test_a_proof_stands_as_long_as_the_check_in(db: Database) -> None:
    async with db.transaction() as tx:
        seen = await visit(tx)
        proof = await seen.proof(tx)
        await host_decisions.undo_check_in(tx, seen.host, seen.event.slug, seen.rsvp.id)
    assert await state(db, proof.token) == "ProofNotConfirmed"
    async with db.transaction() as tx:
        await host_decisions.check_in(tx, seen.host, seen.event.slug, seen.rsvp.id)
        assert (await seen.proof(tx)).id == proof.id
    assert await state(db, proof.token) == "valid"


@pytest.mark.parametrize("what", ["cancelled", "deleted", "leaving", "host leaving", "blocked", "unlinked"])
async def test_a_proof_ends_with_the_event_and_the_account(db: Database, what: str) -> None:
    async with db.transaction() as tx:
        seen = await visit(tx)
        await connected(tx, seen.guest)
        proof = await seen.proof(tx, ShownAs.ACCOUNT)
        match what:
            case "cancelled":
                await events.cancel(tx, seen.host, seen.event.slug, "Rain")
            case "deleted":
                await events.delete(tx, seen.host, seen.event.slug)
            case "leaving":
                await erasure_requests.put(tx, seen.guest.user_id, due_at=tx.now)
            case "host leaving":
                await erasure_requests.put(tx, seen.host.user_id, due_at=tx.now)
            case "blocked":
                subject = Subject(ModeratedKind.PERSON, seen.guest.user_id)
                shown, hidden = SubjectVisibility.SHOWN, SubjectVisibility.HIDDEN
                await moderation.change(tx, subject, shown, hidden, reason="spam", by=seen.host.user_id)
            case _:
                await tx.execute("delete from identities where did = :did", did=DID)
    assert await state(db, proof.token) == "ProofNotConfirmed"


async def test_a_withdrawn_proof_stays_withdrawn_and_can_be_replaced(db: Database) -> None:
    async with db.transaction() as tx:
        seen = await visit(tx)
        first = await seen.proof(tx)
        await proofs.withdraw(tx, seen.guest, seen.event.slug, first.id)
        second = await seen.proof(tx)
        third = await seen.proof(tx, replaces=second.id)
        # The same form, sent again.
        assert (await seen.proof(tx, replaces=second.id)).id == third.id
        assert (await proofs.options_of(tx, CODE_KEY, seen.guest, seen.event.slug)).proof == third
    states = [await state(db, one.token) for one in (first, second, third)]
    assert states == ["ProofWithdrawn", "ProofWithdrawn", "valid"]


async def test_a_person_lists_their_own_proofs_alone(db: Database, clock: HandClock) -> None:
    """Newest first, by page, with the reason why one is not valid; without those that were withdrawn."""
    async with db.transaction() as tx:
        first = await visit(tx)
        await connected(tx, first.guest)
        withdrawn = await first.proof(tx)
        by_account = await first.proof(tx, ShownAs.ACCOUNT, replaces=withdrawn.id)
        clock.turn(HOUR)
        second = await event_by(tx, first.host, **TODAY, title="Chess")
        rsvp = await actions.answer(tx, first.guest, second.slug, RsvpReply.GOING)
        await host_decisions.check_in(tx, first.host, second.slug, rsvp.id)
        named = await proofs.make(tx, CODE_KEY, first.guest, second.slug, ShownAs.NAME)
    assert [(one.proof, one.why_not, one.is_visible) for one in await listed(db, first.guest)] == [
        (named, None, True),
        (by_account, None, True),
    ]
    assert await listed(db, first.host) == []
    assert [one.proof for one in await listed(db, first.guest, Page(1, (named.made_at, named.id)))] == [by_account]
    async with db.transaction() as tx:
        assert await proofs.count(tx, first.guest.user_id) == 2
        await tx.execute("delete from identities where did = :did", did=DID)
        await events.delete(tx, first.host, second.slug)
    assert [(one.why_not, one.is_named) for one in await listed(db, first.guest)] == [
        (AttendanceReason.PROOF_NOT_CONFIRMED, False),
        (AttendanceReason.PROOF_ACCOUNT_GONE, True),
    ]


async def listed(db: Database, who: Caller, page: Page = ALL_ROWS) -> list[proofs.ListedProof]:
    async with db.reader() as reader:
        return await proofs.of_person(reader, CODE_KEY, who, page)


async def test_simultaneous_requests_make_one_proof(db: Database) -> None:
    async with db.transaction() as tx:
        seen = await visit(tx)

    async def made() -> str:
        async with db.transaction() as tx:
            return (await seen.proof(tx)).id

    assert len(set(await asyncio.gather(*(made() for _ in range(4))))) == 1


async def test_the_options_tell_the_account_that_the_proof_shows(db: Database) -> None:
    """Also if another account has become the default since, or the one that it shows is gone."""
    other = DID[:-1] + "y"
    async with db.transaction() as tx:
        seen = await visit(tx)
        await connected(tx, seen.guest)
        proof = await seen.proof(tx, ShownAs.ACCOUNT)
        await tx.execute("update identities set is_default = 0 where did = :did", did=DID)
        await connected(tx, seen.guest, other)
        options = await proofs.options_of(tx, CODE_KEY, seen.guest, seen.event.slug)
        assert options.account is not None
        assert options.shown_account is not None
        assert (options.account.did, options.shown_account.did, options.is_confirmed) == (other, DID, True)
        await tx.execute("delete from identities where did = :did", did=DID)
        options = await proofs.options_of(tx, CODE_KEY, seen.guest, seen.event.slug)
        assert (options.proof, options.shown_account, options.is_confirmed) == (proof, None, False)
        new = await seen.proof(tx, ShownAs.ACCOUNT, replaces=proof.id)
        assert (await proofs.options_of(tx, CODE_KEY, seen.guest, seen.event.slug)).is_confirmed
    assert [await state(db, one.token) for one in (proof, new)] == ["ProofWithdrawn", "valid"]


async def test_a_proof_that_is_withdrawn_while_it_is_requested_again(db: Database) -> None:
    """The request gets the proof, a new one, or a conflict. With a pause before each statement."""
    at, is_paused = 0, True
    while is_paused:
        at += 1
        async with db.transaction() as tx:
            seen = await visit(tx)
            proof = await seen.proof(tx)

        async def request_again(tx: Transaction, seen: Visit = seen) -> None:
            with suppress(Conflict):
                await seen.proof(tx)

        async def withdraw(tx: Transaction, seen: Visit = seen, proof_id: str = proof.id) -> None:
            await proofs.withdraw(tx, seen.guest, seen.event.slug, proof_id)

        is_paused = await run_interleaved(db, request_again, withdraw, at)
        assert await state(db, proof.token) == "ProofWithdrawn"
    assert at > 2, "nothing ran at the same time"


async def test_an_unknown_or_changed_token_is_absent(db: Database) -> None:
    async with db.transaction() as tx:
        seen = await visit(tx)
        proof = await seen.proof(tx)
        await proofs.withdraw(tx, seen.guest, seen.event.slug, proof.id)
    assert len(proof.token) == 43  # 256 bits
    wrong = "A" if proof.token[0] != "A" else "B"
    for token in ("", "x", wrong + proof.token[1:], proof.token[:-1], f"{proof.token}A", proof.id, seen.rsvp.id):
        assert await state(db, token) == "absent", token


async def test_proofs_follow_a_merged_account(db: Database) -> None:
    """If both accounts have a proof of the same event, that of the remaining answer counts."""
    async with db.transaction() as tx:
        seen = await visit(tx)
        other = await person(tx, "Benjamin")
        twin = await actions.answer(tx, other, seen.event.slug, RsvpReply.GOING)
        await host_decisions.check_in(tx, seen.host, seen.event.slug, twin.id)
        alone = await event_by(tx, seen.host, **TODAY, title="Chess")
        rsvp = await actions.answer(tx, other, alone.slug, RsvpReply.GOING)
        await host_decisions.check_in(tx, seen.host, alone.slug, rsvp.id)
        mine = await seen.proof(tx)
        theirs = await proofs.make(tx, CODE_KEY, other, seen.event.slug, ShownAs.NAME)
        moved = await proofs.make(tx, CODE_KEY, other, alone.slug, ShownAs.NAME)
    async with db.transaction() as tx:
        await merge(tx, other.user_id, seen.guest.user_id)
        assert (await proofs.content_of(tx, moved.token)).name == "Ben"
    assert sorted([await state(db, mine.token), await state(db, theirs.token)]) == ["ProofWithdrawn", "valid"]


async def test_old_proofs_can_be_verified_after_a_rotation(db: Database, clock: HandClock) -> None:
    """Public keys stay. The private half of a replaced key is erased."""
    async with db.transaction() as tx:
        await (await visit(tx)).proof(tx)
        before = await proof_keys.sign(tx, CODE_KEY, {"iss": "x"})
    assert not await proof_keys.rotate_when_due(db, CODE_KEY)
    clock.turn(366 * DAY)
    assert await proof_keys.rotate_when_due(db, CODE_KEY)
    assert not await proof_keys.rotate_when_due(db, CODE_KEY)
    async with db.reader() as reader:
        after = await proof_keys.sign(reader, CODE_KEY, {"iss": "x"})
        keys = {one.key_id: jwk.from_jwk(one.public_key) for one in await proof_keys.all_keys(reader)}
        sealed = await reader.fetch("select sealed from attendance_proof_keys where sealed is not null")
    used = [str(jwt.read(one).header["kid"]) for one in (before, after)]
    assert (len(sealed), len(keys), len(set(used))) == (1, 2, 2)
    for one, key_id in zip((before, after), used, strict=True):
        assert jwt.verify(one, keys[key_id], allow_high_s=True).claims == {"iss": "x"}


async def test_a_revoked_key_is_replaced_and_signs_no_more(db: Database, clock: HandClock) -> None:
    """Only files that it may have signed end. A key that was replaced before can be revoked, too."""
    async with db.transaction() as tx:
        old = (await (await visit(tx)).proof(tx)).made_at
    clock.turn(366 * DAY)
    await proof_keys.rotate_when_due(db, CODE_KEY)
    clock.turn(DAY)
    async with db.transaction() as tx:
        signing, replaced = await proof_keys.all_keys(tx)
        assert (signing.replaced_at, replaced.replaced_at) == (None, signing.created_at)
        assert await proof_keys.revoked_files_until(tx, old) is None
        await proof_keys.revoke(tx, CODE_KEY, replaced)
        assert await proof_keys.revoked_files_until(tx, old) == replaced.replaced_at
        assert await proof_keys.revoked_files_until(tx, signing.created_at) is None
        await proof_keys.revoke(tx, CODE_KEY, signing)
        new, *others = await proof_keys.all_keys(tx)
        assert [one.revoked_at for one in (new, *others)] == [None, tx.now, tx.now]
        assert jwt.read(await proof_keys.sign(tx, CODE_KEY, {})).header["kid"] == new.key_id
        assert await proof_keys.revoked_files_until(tx, old) == tx.now


async def test_a_key_that_cannot_be_opened_is_replaced(db: Database) -> None:
    async with db.transaction() as tx:
        await (await visit(tx)).proof(tx)
    lost = SigningKey(b"z" * 32)
    async with db.reader() as reader:
        with pytest.raises(Unavailable):
            await proof_keys.sign(reader, lost, {})
    async with db.transaction() as tx:
        seen = await visit(tx)
        # Another process may have the newer list of keys, so only the scheduler replaces the key.
        with pytest.raises(Unavailable):
            await proofs.make(tx, lost, seen.guest, seen.event.slug, ShownAs.NAME)
    assert await proof_keys.rotate_when_due(db, lost)
    async with db.reader() as reader:
        assert await proof_keys.sign(reader, lost, {})
        assert len(await proof_keys.all_keys(reader)) == 2

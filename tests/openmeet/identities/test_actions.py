"""Ownership of a DID, and consent to publishing."""

from contextlib import suppress

import pytest

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import InvalidInput, Refused
from openmeet.domain.identities import actions, queries
from openmeet.domain.identities.model import IdentityKind, NewSession, PdsSessionKind
from openmeet.domain.users import queries as users
from openmeet.domain.users.model import UserId, UserKind
from openmeet.network.repositories.custodial import check_handle, mail_domain_of, suggest_handle
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import did
from tests.openmeet.interleaving import Work, run_interleaved
from tests.openmeet.site_under_test import person

HANDLE = "ana.town.test"


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


def session(sealed: bytes) -> NewSession:
    return NewSession(did(1), PdsSessionKind.PASSWORD, "https://pds.example", sealed)


async def jobs(db: Database, kind: JobKind) -> list[str]:
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select subject from outbox_jobs where kind = :kind order by subject", kind=kind.value
        )
    return [row["subject"] for row in rows]


async def test_an_unknown_did_creates_one_shadow(db: Database):
    """A person known only by DID has no address and no role. The identity is resolved outside the transaction."""
    async with db.transaction() as tx:
        first = await actions.person_for_did(tx, did(1))
        assert await actions.person_for_did(tx, did(1)) == first
        user = await users.by_id(tx, first)
    assert user is not None
    assert (user.kind, user.email, user.display_name) == (UserKind.SHADOW, None, "")
    assert await jobs(db, JobKind.REFRESH_IDENTITY) == [did(1)]


async def test_signing_in_keeps_what_the_shadow_had(db: Database):
    """Signing in claims the shadow's row: the person stays the same, with everything that was stored about them."""
    async with db.transaction() as tx:
        shadow = await actions.person_for_did(tx, did(1))
        claimed = await actions.connect(tx, did(1), handle=HANDLE, pds_url="https://pds.example")
        again = await actions.connect(tx, did(1), handle=HANDLE, pds_url="https://pds.example")
        user = await users.by_id(tx, claimed)
    assert shadow == claimed == again
    assert user is not None
    assert user.kind is UserKind.PERSON


async def test_the_default_is_no_and_a_no_is_stored(db: Database):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        before = await queries.consent(tx, ana.user_id)
        assert (before.is_given, before.answered_at) == (False, None)
        await actions.withdraw(tx, ana.user_id)
        after = await queries.consent(tx, ana.user_id)
        assert (after.is_given, after.answered_at) == (False, tx.now)
    assert await jobs(db, JobKind.CUSTODIAL_ACCOUNT) == []


async def test_consent_enqueues_a_repository_for_people_without_one(db: Database):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await actions.grant_consent(tx, ana.user_id, handle=HANDLE)
        cleo = await actions.connect(tx, did(2), handle="cleo.example", pds_url="https://pds.example")
        await actions.grant_consent(tx, cleo, handle="cleo.example")
    assert await jobs(db, JobKind.CUSTODIAL_ACCOUNT) == [ana.user_id]


async def test_consent_can_be_withdrawn_and_given_again(db: Database):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        for given in (True, False, True):
            if given:
                await actions.grant_consent(tx, ana.user_id, handle=HANDLE)
            else:
                await actions.withdraw(tx, ana.user_id)
            consent = await queries.consent(tx, ana.user_id)
            assert (consent.is_given, consent.handle) == (given, HANDLE)


async def test_early_frames_make_no_second_person(db: Database):
    """The new account's first frames arrive before the response and create a shadow for its DID. The response assigns
    the DID to the person.
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await actions.grant_consent(tx, ana.user_id, handle=HANDLE)
        await queries.put_custodial_account(
            tx, ana.user_id, handle=HANDLE, email="ana@town.test", sealed_password=b"sealed"
        )
        await actions.person_for_did(tx, did(1))
        await actions.link_custodial_account(tx, ana.user_id, did(1), handle=HANDLE, session=session(b"sealed"))
        mine = await queries.of_user(tx, ana.user_id)
    assert [(one.did, one.kind) for one in mine] == [(did(1), IdentityKind.CUSTODIAL)]


@pytest.mark.parametrize("name", ["Ana", "Ängström Ö.", "李小龍", "", "x", "A" * 80, "--", "Ana  of   Vienna"])
def test_suggested_handles_are_valid(name: str):
    domain = ".town.test"
    suggested = suggest_handle(name, "0195f3a0-1111-7000-8000-000000000001", domain)
    assert check_handle(suggested, domain) == suggested


def test_a_suggested_handle_keeps_accented_letters():
    assert suggest_handle("Søren Ørsted Łuk", "0195f3a0", ".town.test") == "soren-orsted-luk.town.test"


@pytest.mark.parametrize(
    "typed", ["", "a", "ana.other.test", "ana..town.test", "a_b", "ana.b.town.test", "x" * 40, "@"]
)
def test_invalid_handles_are_refused(typed: str):
    with pytest.raises(InvalidInput):
        check_handle(typed, ".town.test")


def test_a_handle_can_be_typed_short_or_in_full():
    assert check_handle("Ana", ".town.test") == check_handle("@ana.town.test", ".town.test") == "ana.town.test"


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://meet.example", "no-mail.meet.example"),
        ("http://127.0.0.1:3000", "no-mail.invalid"),
        ("http://localhost:3000", "no-mail.invalid"),
    ],
)
def test_undeliverable_addresses_are_recognised(url: str, domain: str):
    assert mail_domain_of(url) == domain


async def test_the_last_way_in_cannot_be_unlinked(db: Database):
    """Nor if the last two are unlinked at the same moment."""
    for at in range(1, 5):
        first, second = did(2 * at), did(2 * at + 1)
        async with db.transaction() as tx:
            user_id = await actions.connect(tx, first, handle="", pds_url="https://pds.example")
            await actions.link(tx, second, user_id, handle="", pds_url="https://pds.example")
        await run_interleaved(db, unlinking(user_id, first), unlinking(user_id, second), at)
        async with db.reader() as reader:
            assert len(await queries.of_user(reader, user_id)) == 1, at


def unlinking(user_id: UserId, one: Did) -> Work:
    async def unlink(tx: Transaction) -> None:
        with suppress(Refused):
            await actions.unlink(tx, user_id, one)

    return unlink

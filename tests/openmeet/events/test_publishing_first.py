"""Their PDS first: what waits for its author's repository, and what ends the waiting."""

import pytest

from at_protocol.syntax.did import parse_did
from openmeet.domain.events import actions, queries
from openmeet.domain.events.publishing import is_held_at_first
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from openmeet.outbox import publications
from tests.openmeet.site_under_test import change_services, details, inputs_of, person, site_on

DID = parse_did("did:plc:4hodhjl2kposuchzvpiviwps")
URI = f"at://{DID}/community.lexicon.calendar.event/3mqdau33ozs2n"
PUBLIC, UNLISTED = details(), details(visibility="unlisted")


@pytest.fixture
async def db(make_sqlite):
    return await make_sqlite("openmeet")


async def connected(tx):
    user_id = await identities.connect(tx, DID, handle="ana.example.org", pds_url="https://pds.example.org")
    await identities.agree(tx, user_id, handle="ana.example.org")
    return Caller(user_id, "Ana")


async def test_a_public_event_of_somebody_with_their_own_repository_waits(db):
    async with db.transaction() as tx:
        ana = await connected(tx)
        assert await is_held_at_first(tx, ana.user_id, PUBLIC)
        assert not await is_held_at_first(tx, ana.user_id, UNLISTED)


async def test_nothing_waits_for_people_who_did_not_agree_or_have_no_repository_of_their_own(db):
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        assert not await is_held_at_first(tx, ben.user_id, PUBLIC)
        await identities.agree(tx, ben.user_id, handle="ben.test")
        assert not await is_held_at_first(tx, ben.user_id, PUBLIC)


async def test_the_record_ends_the_waiting(db):
    async with db.transaction() as tx:
        ana = await connected(tx)
        event = await actions.create(tx, ana, PUBLIC, is_held=True)
        await actions.note_record(tx, event.id, uri=URI, cid="c", did=DID)
        assert not (await queries.by_id(tx, event.id)).is_held


async def test_becoming_unlisted_ends_the_waiting(db):
    async with db.transaction() as tx:
        ana = await connected(tx)
        event = await actions.create(tx, ana, PUBLIC, is_held=True)
        assert not (await actions.revise(tx, ana, event.slug, UNLISTED)).is_held


@pytest.mark.parametrize(("answers", "is_draft"), [(True, False), (False, True)])
async def test_the_request_pays_its_own_debt_and_says_what_came_of_it(make_sqlite, clock, answers, is_draft):
    site = site_on(await make_sqlite("openmeet"), clock)

    async def publish(db, event_id):
        if answers:
            async with db.transaction() as tx:
                await actions.note_record(tx, event_id, uri=URI, cid="c", did=DID)
        return answers

    async def with_password(db, identifier, password, _address):
        async with db.transaction() as tx:
            return (await connected(tx)).user_id

    change_services(site.app, publish_first=publish, password_sign_in=with_password)
    async with site.browser() as browser:
        await browser.post("/sign-in/handle", data={"handle": "@ana.example.org", "password": "secret"})
        form = inputs_of((await browser.get("/events/new")).text)
        typed = {"title": "Chess", "starts": "2026-07-04T18:00", "time_zone": "UTC", "visibility": "public"}
        made = await browser.post("/events/new", data=form | typed)
        page = (await browser.get(made.headers["location"])).text
        assert ("Only you see this yet." in page) is is_draft
        assert ("your server has not answered yet" in page) is is_draft
        assert ("Chess" in (await browser.get("/")).text) is not is_draft


async def test_a_promise_that_is_withheld_holds_nothing_when_asked_again(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet"), clock)

    async def with_password(db, identifier, password, _address):
        async with db.transaction() as tx:
            return (await connected(tx)).user_id

    change_services(site.app, password_sign_in=with_password)
    async with site.browser() as browser:
        await browser.post("/sign-in/handle", data={"handle": "ana.example.org", "password": "secret"})
        async with site.db.transaction() as tx:
            user_id = (await tx.fetch_one("select id from users"))["id"]
            event = await actions.create(tx, Caller(user_id, "Ana"), PUBLIC, is_held=True)
        await browser.post(f"/events/{event.slug}/publish", data={"x": "y"})
        async with site.db.transaction() as tx:
            assert (await queries.by_id(tx, event.id)).is_held
            # What the payer does when it finds that the consent is gone.
            await tx.execute("update publications set state = :state", state=publications.State.WITHHELD.value)

        async def withhold(db, event_id):
            async with db.transaction() as tx:
                await tx.execute("update publications set state = :state", state=publications.State.WITHHELD.value)
            return False

        change_services(site.app, publish_first=withhold)
        await browser.post(f"/events/{event.slug}/publish", data={"x": "y"})
        async with site.db.reader() as reader:
            assert not (await queries.by_id(reader, event.id)).is_held

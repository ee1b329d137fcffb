"""An event stays hidden until its author's PDS has its record, and the ways in which the waiting ends."""

import pytest

from at_protocol.syntax.did import parse_did
from openmeet.domain.events import actions, queries, record_changes
from openmeet.domain.events.publication import is_held_at_first
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from tests.openmeet.deployment import Deployment, deployment
from tests.openmeet.site_under_test import Site, change_services, details, inputs_of, person, signed_in, site_on

__all__ = ["deployment"]

DID = parse_did("did:plc:4hodhjl2kposuchzvpiviwps")
URI = f"at://{DID}/community.lexicon.calendar.event/3mqdau33ozs2n"
PUBLIC, UNLISTED = details(), details(visibility="unlisted")


@pytest.fixture
async def db(make_sqlite):
    return await make_sqlite("openmeet")


async def connected(tx):
    user_id = await identities.connect(tx, DID, handle="ana.example.org", pds_url="https://pds.example.org")
    await identities.grant_consent(tx, user_id, handle="ana.example.org")
    return Caller(user_id, "Ana")


async def test_a_public_event_of_somebody_with_their_own_repository_waits(db):
    async with db.transaction() as tx:
        ana = await connected(tx)
        assert await is_held_at_first(tx, ana.user_id, PUBLIC)
        assert not await is_held_at_first(tx, ana.user_id, UNLISTED)


async def test_events_of_custodial_accounts_are_not_held_at_first(db):
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        assert not await is_held_at_first(tx, ben.user_id, PUBLIC)
        await identities.grant_consent(tx, ben.user_id, handle="ben.test")
        assert not await is_held_at_first(tx, ben.user_id, PUBLIC)


async def test_the_record_ends_the_waiting(db):
    async with db.transaction() as tx:
        ana = await connected(tx)
        event = await actions.create(tx, ana, PUBLIC, is_held=True)
        await record_changes.store_record_uri(tx, event.id, uri=URI, cid="c", did=DID)
        assert not (await queries.by_id(tx, event.id)).is_held


async def test_becoming_unlisted_ends_the_waiting(db):
    async with db.transaction() as tx:
        ana = await connected(tx)
        event = await actions.create(tx, ana, PUBLIC, is_held=True)
        assert not (await actions.revise(tx, ana, event.slug, UNLISTED)).is_held


@pytest.fixture
def site(deployment: Deployment) -> Site:
    made = site_on(deployment.db, deployment.clock)
    change_services(made.app, network=deployment.network, publishing_dependencies=deployment.publisher)
    return made


@pytest.mark.parametrize("is_there", [True, False])
async def test_the_request_runs_its_own_job_and_reports_the_result(deployment: Deployment, site: Site, is_there: bool):
    """If the author's PDS responds, others see the event at once. Otherwise it remains a draft until it does."""
    await deployment.connected()
    async with site.browser() as browser:
        typed = {"handle": "@cleo.town.test", "password": "a long password"}
        assert (await browser.post("/sign-in/handle", data=typed)).status_code == 303
        if not is_there:
            async with deployment.db.transaction() as tx:
                await tx.execute("update repository_sessions set needs_login = 1")
        form = inputs_of((await browser.get("/events/new")).text)
        typed = {"title": "Chess", "starts": "2026-07-04T18:00", "time_zone": "UTC", "visibility": "public"}
        made = await browser.post("/events/new", data=form | typed)
        page = (await browser.get(made.headers["location"])).text
        assert ("Only you see this for now." in page) is not is_there
        assert ("your server hasn’t answered yet" in page) is not is_there
        assert ("Chess" in (await browser.get("/")).text) is is_there


async def test_a_second_request_does_not_hold_an_event_whose_publication_is_withheld(
    deployment: Deployment, site: Site
):
    cleo = await deployment.connected()
    async with deployment.db.transaction() as tx:
        event = await actions.create(tx, cleo, PUBLIC, is_held=True)
    async with signed_in(site, cleo.user_id) as browser:
        change_services(site.app, publishing_dependencies=None)
        await browser.post(f"/events/{event.slug}/publish", data={"x": "y"})
        async with deployment.db.transaction() as tx:
            # The publisher finds that the consent was withdrawn.
            await identities.withdraw(tx, cleo.user_id)
            assert (await queries.by_id(tx, event.id)).is_held
        change_services(site.app, publishing_dependencies=deployment.publisher)
        await browser.post(f"/events/{event.slug}/publish", data={"x": "y"})
        async with deployment.db.reader() as reader:
            assert not (await queries.by_id(reader, event.id)).is_held

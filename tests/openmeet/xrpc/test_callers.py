"""Service tokens of callers: required claims, the viewer that a token identifies, and single use."""

import pytest

from at_protocol.lexicon.authority import own_name
from at_protocol.syntax.nsid import Nsid
from groundwork.clock import SECOND
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.web.xrpc.service import did_of
from tests.openmeet.site_under_test import ORIGIN, event_by, person, site_on
from tests.openmeet.xrpc.query_client import app, body_of, error_of, response_of


@pytest.fixture
async def site(make_sqlite, clock, people):
    return site_on(await make_sqlite("openmeet"), clock, service_callers=people.callers(), api_requests_per_minute=0)


@pytest.fixture
async def page(site):
    """The URI of a private event's page, and its host."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, visibility="private", title="Only Ana's")
    return ana, f"{ORIGIN}/events/{event.slug}"


async def test_invalid_tokens_are_refused(client, people, clock):
    ana = people.account("ana")
    now = clock.now() // SECOND
    for changes, error in (
        ({"audience": "did:web:elsewhere.example#openmeet"}, "BadJwtAudience"),
        ({"audience": f"{did_of(ORIGIN)}#other"}, "BadJwtAudience"),
        ({"method": Nsid(own_name("getEvent"))}, "BadJwtLexiconMethod"),
        ({"method": Nsid("net.openmeet.listEvents")}, "BadJwtLexiconMethod"),
        ({"method": None}, "BadJwtLexiconMethod"),
        ({"now_seconds": now - 61}, "JwtExpired"),
        ({"now_seconds": now + 90}, "BadJwt"),
        ({"lifetime_seconds": 4_000}, "BadJwt"),
        ({"issuer": "did:web:nobody.example.org"}, "BadJwtIss"),
        ({"issuer": people.account("bo")}, "BadJwtSignature"),
    ):
        assert await error_of(client, "listEvents", token=people.token(ana, "listEvents", **changes)) == (401, error)


async def test_a_token_can_be_used_once(client, people):
    token = people.token(people.account("ana"), "listEvents")
    await body_of(client, "listEvents", token=token)
    assert await error_of(client, "listEvents", token=token) == (401, "BadJwt")


async def test_the_bare_did_can_be_switched_off(make_sqlite, clock, people):
    db = await make_sqlite("openmeet")
    did = did_of(ORIGIN)
    for bare, status in ((True, 200), (False, 401)):
        site = site_on(db, clock, service_callers=people.callers(bare=bare), accept_bare_audience=bare)
        async with app(site) as client:
            token = people.token(people.account("ana"), "listEvents", audience=did)
            assert (await response_of(client, "listEvents", token=token)).status_code == status


async def test_other_credentials_are_refused_and_not_ignored(site, client, page):
    """A caller that sends other credentials expects to be recognised, so the response is an error."""
    ana, _ = page
    async with site.db.transaction() as tx:
        session = await open_session(tx, ana.user_id, SessionTransport.API)
    for header in (f"Bearer {session.token}", "Bearer", "Bearer ", "Basic YTpi", "DPoP abc", "nonsense"):
        answer = await client.get(f"/xrpc/{own_name('listEvents')}", headers={"authorization": header})
        assert answer.status_code == 401, header
        assert "www-authenticate" in answer.headers


async def test_without_key_resolution_there_are_only_anonymous_callers(make_sqlite, clock, people):
    async with app(site_on(await make_sqlite("openmeet"), clock)) as client:
        assert (await body_of(client, "listEvents"))["events"] == []
        token = people.token(people.account("ana"), "listEvents")
        assert await error_of(client, "listEvents", token=token) == (401, "AuthenticationRequired")


async def test_each_caller_sees_what_they_may_see(site, client, people, page):
    """The host, recognised by their DID, sees the event. Another person, an unknown DID and an anonymous caller do not."""
    ana, uri = page
    async with site.db.transaction() as tx:
        of_ana = await people.connect(tx, ana)
        of_bo = await people.connect(tx, await person(tx, "Bo"))
    found = (await body_of(client, "getEvent", uri=uri, token=people.token(of_ana, "getEvent")))["event"]
    assert (found["title"], found["viewer"]) == ("Only Ana's", {"isHost": True})
    for did in (of_bo, people.account("unknown")):
        assert await error_of(client, "getEvent", uri=uri, token=people.token(did, "getEvent")) == (
            400,
            "EventNotFound",
        )
    assert await error_of(client, "getEvent", uri=uri) == (400, "EventNotFound")


async def test_somebody_who_never_signed_in_here_is_a_stranger(site, client, people, page):
    """A shadow account has no role. The data stored about a DID passes to its owner when they claim it."""
    ana, uri = page
    async with site.db.transaction() as tx:
        did = await people.connect(tx, ana)
        await tx.execute("update identities set kind = 'shadow' where did = :did", did=did)
    assert await error_of(client, "getEvent", uri=uri, token=people.token(did, "getEvent")) == (400, "EventNotFound")

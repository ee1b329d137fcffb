"""The site as a confidential client: its published metadata, and key rotation while sessions are open."""

from collections.abc import AsyncIterator

import pytest

from at_protocol.oauth.client_id import parse_client_id
from at_protocol.oauth.client_metadata import parse_client_metadata
from groundwork.clock import DAY, HOUR, MINUTE
from groundwork.errors import NotSignedIn
from groundwork.http.server import serve
from groundwork.sealing import Sealer
from openmeet.network.repositories import agents, oauth_client_keys
from openmeet.network.repositories.clients import OAuthApp, app_of
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment
from tests.openmeet.sign_in.sign_in_site import SignInSite, site_for
from tests.simulation.processes import free_port


@pytest.fixture
async def served(deployment: Deployment, make_database: MakeDatabase) -> AsyncIterator[SignInSite]:
    """A site whose client metadata the PDS can fetch, as it could over https."""
    port = free_port()
    app = OAuthApp(f"http://127.0.0.1:{port}", "Meet", is_confidential=True)
    site = site_for(deployment, await make_database("openmeet", clock=deployment.clock), app=app)
    serving = await serve(site.app, "127.0.0.1", port)
    yield site
    await site.network.wait_for_refreshes()
    await serving.stop()


async def key_ids(site: SignInSite) -> list[str]:
    async with site.browser() as browser:
        keys = (await browser.get("/jwks.json")).json()["keys"]
    assert all(set(key) == {"crv", "kty", "x", "y", "kid", "use", "alg"} for key in keys), "a secret is served"
    return [key["kid"] for key in keys]


async def act(site: SignInSite) -> None:
    agent = await agents.agent_for(site.db, site.network, await site.identity("ana"))
    await agent.query("com.atproto.server.getSession")


def test_the_client_metadata_meets_the_profile():
    """The metadata is read with the parser of this project's server. All URLs in it belong to the one origin."""
    app = app_of("https://meet.example", "Meet")
    assert app is not None
    client_id = parse_client_id("https://meet.example/client-metadata.json")
    read = parse_client_metadata(app.document(), client_id)
    assert read.is_confidential
    assert read.redirect_uris == ("https://meet.example/sign-in/callback",)
    assert read.jwks_uri == "https://meet.example/jwks.json"
    assert app_of("http://meet.example", "Meet") is None
    laptop = app_of("http://127.0.0.1:8080", "Meet")
    assert laptop is not None
    assert parse_client_id(laptop.client_id).startswith("http://localhost?")


async def test_a_laptop_serves_no_client_metadata(site: SignInSite):
    async with site.browser() as browser:
        assert (await browser.get("/client-metadata.json")).status_code == 404
        assert (await browser.get("/jwks.json")).status_code == 404


async def test_asking_for_the_keys_creates_none(served: SignInSite):
    """Until there is a key, the site answers that it is unavailable, because servers would cache an empty set."""
    async with served.browser() as browser:
        answer = await browser.get("/jwks.json")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    async with served.db.reader() as reader:
        assert await reader.fetch(oauth_client_keys.LIST) == []


async def test_keys_are_rotated_while_sessions_are_open(served: SignInSite):
    """A new key is published before it is used, a session keeps its original key, and a key that no session needs is
    removed.
    """
    await served.deployment.account("ana")
    assert await oauth_client_keys.rotate_when_due(served.db, served.network)
    async with served.browser() as browser:
        assert (await browser.get("/client-metadata.json")).json()["client_id"].endswith("/client-metadata.json")
        (first,) = await key_ids(served)
        await served.sign_in_at_pds(browser, "ana")
        assert (await served.stored("ana")).client_key_id == first
        served.deployment.clock.turn(91 * DAY)
        assert await oauth_client_keys.rotate_when_due(served.db, served.network)
        assert not await oauth_client_keys.rotate_when_due(served.db, served.network)
        second = (await key_ids(served))[0]
        assert await key_ids(served) == [second, first]
        # The access token is valid for one day, and the session would be refreshed in normal use. In this test it has
        # been idle for too long.
        await served.sign_in_at_pds(browser, "ana")
        assert (await served.stored("ana")).client_key_id == first
        served.deployment.clock.turn(20 * MINUTE)
        await act(served)
        served.deployment.clock.turn(HOUR)
        await served.sign_in_at_pds(browser, "ana")
        await served.network.wait_for_refreshes()
        assert (await served.stored("ana")).client_key_id == second
        served.deployment.clock.turn(20 * MINUTE)
        await act(served)
        assert await key_ids(served) == [second, first]
        served.deployment.clock.turn(2 * DAY)
        await oauth_client_keys.rotate_when_due(served.db, served.network)
        assert await key_ids(served) == [second]
    # Keys that can no longer be unsealed are treated as lost: new ones are created, and old sessions end.
    async with served.db.transaction() as tx:
        await tx.execute(
            "update oauth_client_keys set sealed = :lost", lost=Sealer([b"l" * 32]).seal(b"k" * 32, "lost")
        )
    assert await oauth_client_keys.rotate_when_due(served.db, served.network)
    assert second not in await key_ids(served)
    served.deployment.clock.turn(20 * MINUTE)
    with pytest.raises(NotSignedIn):
        await act(served)

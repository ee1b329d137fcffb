"""Signing in as in production, over real https: the site is a confidential client, and the PDS fetches its keys.

Site and PDS have https origins, each with a certificate from a test authority. Every HTTP client must find this
authority by itself, as it finds the authorities of the machine. Only the ports differ from production, where both use
443.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from groundwork.clock import DAY, HOUR, MINUTE, HandClock
from groundwork.http.server import serve
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from openmeet.network.repositories import agents, oauth_client_keys
from openmeet.network.repositories.clients import app_of
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.databases import MakeDatabase
from tests.interop.consent import allow
from tests.openmeet.deployment import open_deployment
from tests.openmeet.sign_in.sign_in_site import PASSWORD, SignInSite, site_for
from tests.simulation.processes import free_port
from tests.tls import Certificate, make_certificate, tls_before


@dataclass
class TlsSites:
    """A PDS behind TLS, and a way to open sites behind TLS that use it."""

    site: SignInSite
    stack: AsyncExitStack

    async def open(self, certificate: Certificate) -> SignInSite:
        """Open the site on its own https origin with this certificate."""
        port, inner = free_port(), free_port()
        app = app_of(f"https://127.0.0.1:{port}", "Meet")
        assert app is not None
        assert app.is_confidential
        made = site_for(self.site.deployment, self.site.db, app=app)
        serving = await serve(made.app, "127.0.0.1", inner)
        self.stack.push_async_callback(serving.stop)
        self.stack.push_async_callback(made.network.wait_for_refreshes)
        await self.stack.enter_async_context(tls_before(inner, certificate, on=port))
        return made


@pytest.fixture
async def trusted_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    """The certificate authority that programs on this machine trust."""
    made = make_certificate(tmp_path / "believed", "localhost", "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(made.chain))
    return made


@pytest.fixture
async def tls_sites(
    make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path, trusted_certificate: Certificate
) -> AsyncIterator[TlsSites]:
    async with AsyncExitStack() as stack:
        port, inner = free_port(), free_port()
        await stack.enter_async_context(tls_before(inner, trusted_certificate, on=port))
        db = await make_sqlite("openmeet", clock=clock)
        deployment = await stack.enter_async_context(
            open_deployment(db, make_sqlite, clock, tmp_path, pds_port=inner, public_url=f"https://localhost:{port}")
        )
        await deployment.account("ana")
        yield TlsSites(site_for(deployment, db), stack)


@asynccontextmanager
async def browser_at(site: SignInSite, certificate: Certificate) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that connects over TLS, too."""
    async with httpx.AsyncClient(
        base_url=site.origin,
        verify=certificate.trusting(),
        headers={"origin": site.origin},
        trust_env=False,
    ) as browser:
        yield browser


async def agreed_at_the_pds(where: str, certificate: Certificate) -> str:
    return await allow(where, "ana.town.test", PASSWORD, trust=certificate.trusting())


async def test_signing_in_publishing_and_key_rotation_over_https(tls_sites: TlsSites, trusted_certificate: Certificate):
    """A key that becomes the signing key during a sign-in does not break anything: each session keeps its original key."""
    site = await tls_sites.open(trusted_certificate)
    clock = site.deployment.clock
    async with browser_at(site, trusted_certificate) as browser:
        document = (await browser.get("/client-metadata.json")).json()
        assert document["client_id"] == f"{site.origin}/client-metadata.json"
        assert document["token_endpoint_auth_method"] == "private_key_jwt"
        await oauth_client_keys.rotate_when_due(site.db, site.network)
        (first,) = (await browser.get("/jwks.json")).json()["keys"]
        assert "d" not in first
        # The second key becomes active after Ana's browser has sent its request and before it returns with the code.
        clock.turn(HOUR)
        await oauth_client_keys.add(site.db, site.network)
        clock.turn(HOUR - MINUTE)
        where = await site.start_sign_in(browser, "ana.town.test")
        clock.turn(2 * MINUTE)
        back = await agreed_at_the_pds(where, trusted_certificate)
        assert back.startswith(f"{site.origin}/sign-in/callback?")
        assert (await browser.get(back)).status_code == 303
        assert (await site.stored("ana")).client_key_id == first["kid"]
        # The session is refreshed and used to publish over https with that key, although new sessions already use a
        # newer one.
        clock.turn(20 * MINUTE)
        ana = await site.identity("ana")
        async with site.db.transaction() as tx:
            await identities.grant_consent(tx, ana.user_id, handle=ana.handle)
        event = await site.deployment.event(Caller(ana.user_id, "Ana"))
        await site.deployment.deliver_publications()
        published = await site.deployment.status_of(PublicationKind.EVENT, event.id)
        assert published.state is PublicationState.PUBLISHED
        await site.deployment.listen(ana.user_id)
        assert await site.deployment.status_of(PublicationKind.EVENT, event.id) == published
        back = await agreed_at_the_pds(await site.start_sign_in(browser, "ana.town.test"), trusted_certificate)
        assert (await browser.get(back)).status_code == 303
        second = (await site.stored("ana")).client_key_id
        assert second != first["kid"]
        # No session needs the first key any more, so it is removed, and Ana's session continues with the second.
        clock.turn(2 * DAY)
        await oauth_client_keys.rotate_when_due(site.db, site.network)
        assert [key["kid"] for key in (await browser.get("/jwks.json")).json()["keys"]] == [second]
        agent = await agents.agent_for(site.db, site.network, await site.identity("ana"))
        assert (await agent.query("com.atproto.server.getSession"))["did"] == ana.did


async def test_a_site_with_an_untrusted_certificate_cannot_sign_in_anybody(tls_sites: TlsSites, tmp_path: Path):
    """The PDS cannot read the site's client metadata, so nobody can sign in. The person reads this, and nothing is
    stored.
    """
    strange = make_certificate(tmp_path / "strange", "127.0.0.1")
    site = await tls_sites.open(strange)
    async with browser_at(site, strange) as browser:
        asked = await browser.post("/sign-in/network", data={"identifier": "ana.town.test", "next": "/"})
    assert asked.status_code in {422, 502}
    assert "http-equiv" not in asked.text
    async with site.db.reader() as reader:
        for table in ("repository_sessions", "identities"):
            assert await reader.fetch(f"select 1 as one from {table}") == []

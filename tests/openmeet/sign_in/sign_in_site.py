"""A site in front of a real PDS with people's accounts, and the steps of signing in through its pages."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

import httpx

from groundwork.cache.in_process import InProcessCache
from groundwork.database.transaction import Database
from groundwork.http.application import Application
from groundwork.telemetry.metrics import Metrics
from openmeet.app import create_app
from openmeet.domain.identities import queries, session_queries
from openmeet.domain.identities.model import Identity, SealedSession
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.repositories.clients import NetworkClients, OAuthApp, app_of
from openmeet.settings import Settings
from openmeet.tenants.configured import Tenant
from openmeet.web.site.services import Services
from tests.interop.consent import allow
from tests.openmeet.deployment import Deployment
from tests.openmeet.site_under_test import CODE_KEY
from tests.plain_http import NO_TLS
from tests.worker_pool import POOL

# The loopback client of the atproto OAuth profile: servers compare the whole redirect URI except the port.
ORIGIN = "http://127.0.0.1:8080"
PASSWORD = "a long password"


@dataclass
class SignInSite:
    """The site with its database, and the deployment behind it."""

    deployment: Deployment
    db: Database
    network: NetworkClients
    app: Application

    @property
    def origin(self) -> str:
        assert self.network.app is not None
        return self.network.app.origin

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[httpx.AsyncClient]:
        """A browser with its own cookies. Redirects are not followed automatically."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=True, client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(
            verify=NO_TLS, transport=transport, base_url=self.origin, headers={"origin": self.origin}
        ) as client:
            yield client

    async def start_sign_in(self, browser: httpx.AsyncClient, identifier: str, *, next_path: str = "/") -> str:
        """Enter a handle, DID or server on the sign-in page. Return the URL that the site redirects to."""
        answer = await browser.post("/sign-in/network", data={"identifier": identifier, "next": next_path})
        assert answer.status_code == 200, answer.text
        return where_of(answer)

    async def sign_in_at_pds(
        self,
        browser: httpx.AsyncClient,
        name: str,
        *,
        typed: str = "",
        next_path: str = "/",
        without: str = "",
    ) -> httpx.Response:
        """Sign in on the PDS and return to the site. Return the site's response."""
        where = await self.start_sign_in(browser, typed or f"{name}.town.test", next_path=next_path)
        back = await allow(where, f"{name}.town.test", PASSWORD, without=without)
        return await browser.get(back)

    async def identity(self, name: str) -> Identity:
        async with self.db.reader() as reader:
            (found,) = await queries.by_handle(reader, f"{name}.town.test")
        return found

    async def session(self, name: str) -> SealedSession | None:
        identity = await self.identity(name)
        async with self.db.reader() as reader:
            return await session_queries.find(reader, identity.did)

    async def stored(self, name: str) -> SealedSession:
        found = await self.session(name)
        assert found is not None
        return found


def where_of(answer: httpx.Response) -> str:
    """The URL of the link on the intermediate page."""
    (found,) = re.findall(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)
    return found.replace("&amp;", "&")


def state_of(back: str) -> str:
    (state,) = parse_qs(urlsplit(back).query)["state"]
    return state


def site_for(deployment: Deployment, db: Database, *, app: OAuthApp | None = None, **changes: object) -> SignInSite:
    """A site on this database that uses the deployment's PDS for sign-in, as the loopback client or as ``app``."""
    client = app or app_of(ORIGIN, "Meet")
    assert client is not None
    network = replace(deployment.network, app=client, cache=InProcessCache(deployment.clock), **changes)
    settings = replace(Settings(), public_url=client.origin, dev_mode=True)
    application = create_app(
        Services(settings, Tenant("default", db), CODE_KEY, clock=deployment.clock, network=network, workers=POOL),
        Metrics("openmeet"),
    )
    return SignInSite(deployment, db, network, application)


IDENTITY_PAGE = "/settings/identity"


async def link_account(site: SignInSite, browser: httpx.AsyncClient, name: str) -> httpx.Response:
    asked = await browser.post(f"{IDENTITY_PAGE}/link", data={"identifier": f"{name}.town.test"})
    assert asked.status_code == 200, asked.text
    return await browser.get(await allow(where_of(asked), f"{name}.town.test", PASSWORD))


def publisher_of(site: SignInSite) -> PublishingDependencies:
    return replace(site.deployment.publisher, db=site.db, network=site.network)

"""The site on a small real network: people's own server passes their calls on to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import httpx

from groundwork.clock import Clock
from groundwork.database.transaction import Database
from groundwork.http.server import serve
from groundwork.telemetry.metrics import Metrics
from openmeet.app import create_app
from openmeet.network.repositories.clients import NetworkClients
from openmeet.settings import Settings
from openmeet.tenants.configured import Tenant
from openmeet.web.site.services import Services
from openmeet.web.xrpc.call import service_callers
from openmeet.web.xrpc.service import did_of
from tests.openmeet.site_under_test import CODE_KEY
from tests.worker_pool import POOL
from tests.world.processes import free_port


class Around(Protocol):
    """What a site is opened in: its database and network, and the server of the people who ask."""

    db: Database
    network: NetworkClients
    clock: Clock
    pds_url: str


@dataclass(frozen=True)
class Open:
    """A site that answers at an address of its own."""

    town: Around
    url: str

    @property
    def service(self) -> str:
        """Whom ``atproto-proxy`` names."""
        return f"{did_of(self.url)}#openmeet"

    async def sign_in(self, name: str) -> str:
        """A session of this person of a small town at their own server."""
        async with httpx.AsyncClient(trust_env=False) as http:
            body = {"identifier": f"{name}.town.test", "password": "a long password"}
            answer = await http.post(f"{self.town.pds_url}/xrpc/com.atproto.server.createSession", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["accessJwt"])

    async def ask_through(self, session: str, nsid: str, parameters: dict[str, Any]) -> httpx.Response:
        """Ask the person's own server, which asks the site."""
        headers = {"authorization": f"Bearer {session}", "atproto-proxy": self.service}
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            return await http.get(f"{self.town.pds_url}/xrpc/{nsid}", params=parameters, headers=headers)


@asynccontextmanager
async def opened(town: Around) -> AsyncIterator[Open]:
    """The site of this town, served at ``localhost``."""
    url = f"http://localhost:{free_port()}"
    settings = replace(Settings(), public_url=url, dev_mode=True)
    app = create_app(
        Services(
            settings,
            Tenant("default", town.db),
            CODE_KEY,
            clock=town.clock,
            network=town.network,
            service_callers=service_callers(settings, town.network),
            workers=POOL,
        ),
        Metrics("openmeet"),
    )
    serving = await serve(app, "127.0.0.1", int(url.rpartition(":")[2]))
    try:
        yield Open(town, url)
    finally:
        await serving.stop()

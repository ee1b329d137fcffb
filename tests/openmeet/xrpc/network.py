"""The site in a small real network, where people's own PDS proxies their calls to it."""

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
from tests.simulation.processes import free_port
from tests.worker_pool import POOL


class Around(Protocol):
    """The parts that a site needs: its database, its network clients and the callers' PDS."""

    db: Database
    network: NetworkClients
    clock: Clock
    pds_url: str


@dataclass(frozen=True)
class Open:
    """A site that listens on its own port."""

    deployment: Around
    url: str

    @property
    def service(self) -> str:
        """Value of the ``atproto-proxy`` header that names this site."""
        return f"{did_of(self.url)}#openmeet"

    async def sign_in(self, name: str) -> str:
        """Sign a person in on their own PDS. Returns the access token."""
        async with httpx.AsyncClient(trust_env=False) as http:
            body = {"identifier": f"{name}.town.test", "password": "a long password"}
            answer = await http.post(f"{self.deployment.pds_url}/xrpc/com.atproto.server.createSession", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["accessJwt"])

    async def ask_through(self, session: str, nsid: str, parameters: dict[str, Any]) -> httpx.Response:
        """Call a query through the person's own PDS, which proxies it to the site."""
        headers = {"authorization": f"Bearer {session}", "atproto-proxy": self.service}
        async with httpx.AsyncClient(trust_env=False) as http:
            return await http.get(f"{self.deployment.pds_url}/xrpc/{nsid}", params=parameters, headers=headers)


@asynccontextmanager
async def opened(deployment: Around) -> AsyncIterator[Open]:
    """Serve the site on ``localhost``."""
    url = f"http://localhost:{free_port()}"
    settings = replace(Settings(), public_url=url, dev_mode=True)
    app = create_app(
        Services(
            settings,
            Tenant("default", deployment.db),
            CODE_KEY,
            clock=deployment.clock,
            network=deployment.network,
            service_callers=service_callers(settings, deployment.network),
            workers=POOL,
        ),
        Metrics("openmeet"),
    )
    serving = await serve(app, "127.0.0.1", int(url.rpartition(":")[2]))
    try:
        yield Open(deployment, url)
    finally:
        await serving.stop()

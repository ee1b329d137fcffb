"""Network clients for tests without network calls: any call fails."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.oauth_servers import OAuthServers
from groundwork.cache.contract import Cache
from groundwork.cache.in_process import InProcessCache
from groundwork.clock import Clock
from groundwork.http.client import HttpClient
from groundwork.http.reach import PUBLIC
from groundwork.sealing import Sealer
from openmeet.network.publishing.consent import ConsentDependencies
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.custodial import CustodialPds
from openmeet.tenants.names import DEFAULT_TENANT
from tests.worker_pool import POOL


@asynccontextmanager
async def offline_network(
    clock: Clock, cache: Cache, *, tenant: str = DEFAULT_TENANT, sealer: Sealer | None = None
) -> AsyncIterator[NetworkClients]:
    """The network clients that domain code needs, without a reachable server."""
    http = HttpClient(PUBLIC)
    dids = DidResolver(http, clock, DidSettings("http://127.0.0.1:1"))
    handles = HandleResolver(http, dids, clock, HandleSettings())
    servers = OAuthServers(http, clock)
    yield NetworkClients(http, clock, dids, handles, sealer or Sealer([bytes(32)]), servers, cache, POOL, tenant=tenant)
    for part in (servers, handles, dids, http):
        await part.close()


@asynccontextmanager
async def offline_publishing(clock: Clock) -> AsyncIterator[ConsentDependencies]:
    """The dependencies of consent by API: the preview of published records works, but no PDS exists on which an account
    could be created.
    """

    async with offline_network(clock, InProcessCache(clock)) as network:
        yield ConsentDependencies(network, CustodialPds("http://127.0.0.1:1", "", ".town.test", "no-mail.test"))

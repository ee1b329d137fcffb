"""A way to the network for tests in which nobody is asked: any call fails."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.oauth_servers import OAuthServers
from groundwork.cache.contract import Cache
from groundwork.clock import Clock
from groundwork.http.client import HttpClient
from groundwork.http.reach import PUBLIC
from groundwork.sealing import Sealer
from openmeet.identities.network import Network
from openmeet.tenants.model import DEFAULT_TENANT


@asynccontextmanager
async def network_of_nobody(
    clock: Clock, cache: Cache, *, tenant: str = DEFAULT_TENANT, sealer: Sealer | None = None
) -> AsyncIterator[Network]:
    """What rooms need to reach others, with nobody there."""
    http = HttpClient(PUBLIC)
    dids = DidResolver(http, clock, DidSettings("http://127.0.0.1:1"))
    handles = HandleResolver(http, dids, clock, HandleSettings())
    servers = OAuthServers(http, clock)
    yield Network(http, clock, dids, handles, sealer or Sealer([bytes(32)]), servers, cache, tenant=tenant)
    for part in (servers, handles, dids, http):
        await part.close()

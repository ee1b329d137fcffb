"""What this room needs to reach other servers, opened once by ``programs/`` and handed down."""

import asyncio
from dataclasses import dataclass, field

from at_network.circuits import Circuits
from at_network.did_resolver import DidResolver
from at_network.handle_resolver import HandleResolver
from at_network.oauth_client import Nonces, OAuthCalls
from at_network.oauth_servers import OAuthServers
from at_network.pacing import Paces
from groundwork.cache.contract import Cache
from groundwork.clock import Clock
from groundwork.http.client import HttpClient
from groundwork.sealing import Sealer
from openmeet.identities.oauth_app import OAuthApp
from openmeet.tenants.model import DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class Network:
    """Client, resolvers, and the sealer of tokens and passwords.

    ``app`` is who we are to authorization servers; None where nobody can be let in by OAuth. ``cache`` is opened for the
    tenant, and what is sealed opens for it alone. ``refreshing`` holds what must end before the program does: a token that
    was spent and is not stored yet. ``large_reads``: who reads a repository that needs much memory holds it; one for all
    tenants.
    """

    http: HttpClient
    clock: Clock
    dids: DidResolver
    handles: HandleResolver
    sealer: Sealer
    servers: OAuthServers
    cache: Cache
    app: OAuthApp | None = None
    tenant: str = DEFAULT_TENANT
    nonces: Nonces = field(default_factory=Nonces)
    paces: Paces = field(default_factory=Paces)
    circuits: Circuits = field(init=False)
    refreshing: set[asyncio.Task[object]] = field(default_factory=set)
    large_reads: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        object.__setattr__(self, "circuits", Circuits(self.clock))

    @property
    def oauth(self) -> OAuthCalls:
        return OAuthCalls(self.http, self.clock, self.nonces, self.circuits)

    async def settle(self) -> None:
        """Wait until every refresh that is under way has been stored."""
        await asyncio.gather(*self.refreshing, return_exceptions=True)

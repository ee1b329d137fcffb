"""What this room needs to reach other servers, opened once by ``programs/`` and handed down."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from at_network.circuits import Circuits
from at_network.did_resolver import DidResolver
from at_network.handle_resolver import HandleResolver
from at_network.oauth_client import OAuthCalls, ServerNonces
from at_network.oauth_servers import OAuthServers
from at_network.pacing import Paces
from at_protocol.oauth.client_metadata import AUTHORIZATION_CODE, PRIVATE_KEY_JWT, REFRESH_TOKEN
from groundwork.cache.contract import Cache
from groundwork.clock import Clock
from groundwork.http.client import HttpClient
from groundwork.http.client_addresses import FOR_SOMEBODY, vouch
from groundwork.sealing import Sealer
from groundwork.settings import Secret
from openmeet.domain.identities.permissions import EVERY_SCOPE
from openmeet.tenants.configured import DEFAULT_TENANT

DOCUMENT_PATH = "/client-metadata.json"
KEYS_PATH = "/jwks.json"
CALLBACK_PATH = "/sign-in/callback"

_LOOPBACK = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """The client of one origin."""

    origin: str
    name: str
    is_confidential: bool

    @property
    def redirect_uri(self) -> str:
        return self.origin + CALLBACK_PATH

    @property
    def client_id(self) -> str:
        if self.is_confidential:
            return self.origin + DOCUMENT_PATH
        return "http://localhost?" + urlencode({"redirect_uri": self.redirect_uri, "scope": EVERY_SCOPE})

    def document(self) -> dict[str, object]:
        """What is served at ``DOCUMENT_PATH``. The scope is the most that may ever be asked for."""
        return {
            "client_id": self.client_id,
            "client_name": self.name,
            "client_uri": self.origin,
            "application_type": "web",
            "grant_types": [AUTHORIZATION_CODE, REFRESH_TOKEN],
            "response_types": ["code"],
            "redirect_uris": [self.redirect_uri],
            "scope": EVERY_SCOPE,
            "dpop_bound_access_tokens": True,
            "token_endpoint_auth_method": PRIVATE_KEY_JWT,
            "token_endpoint_auth_signing_alg": "ES256",
            "jwks_uri": self.origin + KEYS_PATH,
        }


def app_of(public_url: str, name: str) -> OAuthApp | None:
    """The client of a site; None where the network knows no client of that kind (plain http that is not the loopback)."""
    parts = urlsplit(public_url)
    if parts.scheme == "https":
        return OAuthApp(public_url, name, is_confidential=True)
    return OAuthApp(public_url, name, is_confidential=False) if parts.hostname in _LOOPBACK else None


_OURSELVES = "openmeet"


@dataclass(frozen=True, slots=True)
class NetworkClients:
    """Client, resolvers, and the sealer of tokens and passwords.

    ``app`` is who we are to authorization servers; None where nobody can be let in by OAuth. ``cache`` is opened for the
    tenant, and what is sealed opens for it alone. ``refreshing`` holds what must end before the program does: a token that
    was spent and is not stored yet. ``large_reads``: who reads a repository that needs much memory holds it; one for all
    tenants. ``pds_keys``: the secrets that we share with PDSes of our own, by their address.
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
    nonces: ServerNonces = field(default_factory=ServerNonces)
    paces: Paces = field(default_factory=Paces)
    circuits: Circuits = field(init=False)
    refreshing: set[asyncio.Task[object]] = field(default_factory=set)
    large_reads: asyncio.Lock = field(default_factory=asyncio.Lock)
    pds_keys: Mapping[str, Secret] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "circuits", Circuits(self.clock))

    @property
    def oauth(self) -> OAuthCalls:
        return OAuthCalls(self.http, self.clock, self.nonces, self.circuits)

    def sent_for(self, pds: str, address: str) -> Mapping[str, str]:
        """The headers of a sign-in for a visitor: a PDS of our own learns their address, others that we ask for somebody."""
        key = self.pds_keys.get(pds.rstrip("/"))
        return FOR_SOMEBODY if key is None or not address else vouch(key, address)

    def sent_for_ourselves(self, pds: str) -> Mapping[str, str]:
        """The same for an account that we keep: a PDS of our own counts us apart from our visitors."""
        key = self.pds_keys.get(pds.rstrip("/"))
        return {} if key is None else vouch(key, _OURSELVES)

    async def settle(self) -> None:
        """Wait until every refresh that is under way has been stored."""
        await asyncio.gather(*self.refreshing, return_exceptions=True)

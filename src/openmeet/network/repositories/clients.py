"""Clients that call other servers, opened once by ``programs/`` and passed down."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from at_network import service_callers
from at_network.circuits import Circuits
from at_network.did_resolver import DidResolver
from at_network.handle_resolver import HandleResolver
from at_network.oauth_client import OAuthCalls, ServerNonces
from at_network.oauth_servers import OAuthServers
from at_network.pacing import WriteBudgets
from at_protocol.oauth.client_metadata import AUTHORIZATION_CODE, PRIVATE_KEY_JWT, REFRESH_TOKEN
from groundwork.cache.contract import Cache
from groundwork.clock import Clock
from groundwork.http.client import HttpClient
from groundwork.http.client_addresses import FOR_SOMEBODY, signed_address_header
from groundwork.sealing import Sealer
from groundwork.settings import Secret
from groundwork.workers.pool import WorkerPool
from openmeet.domain.identities.permissions import EVERY_SCOPE
from openmeet.tenants.names import DEFAULT_TENANT

# For the pages, which do not import ``at_network``.
ServiceCallers = service_callers.ServiceCallers

DOCUMENT_PATH = "/client-metadata.json"
KEYS_PATH = "/jwks.json"
CALLBACK_PATH = "/sign-in/callback"

_LOOPBACK = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """The OAuth client of one origin."""

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
        """The client metadata served at ``DOCUMENT_PATH``. Its scope is the maximum that may ever be requested."""
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
    """Return the OAuth client of a site; None if the site cannot have one (plain http that is not loopback)."""
    parts = urlsplit(public_url)
    if parts.scheme == "https":
        return OAuthApp(public_url, name, is_confidential=True)
    return OAuthApp(public_url, name, is_confidential=False) if parts.hostname in _LOOPBACK else None


_OURSELVES = "openmeet"


@dataclass(frozen=True, slots=True)
class NetworkClients:
    """HTTP client, resolvers, and the sealer of tokens and passwords.

    ``app``: our identity at authorization servers; None if OAuth sign-in is not possible. ``cache`` is opened for the
    tenant, and sealed values can be opened only for that tenant. ``refreshing``: tasks that must finish before the
    program ends, because a token has been used and its successor is not stored yet. ``renewals``: those that renew a
    session, by DID. ``workers`` parse the responses of other servers. ``pds_keys``: shared secrets with our own PDSes,
    by address.
    """

    http: HttpClient
    clock: Clock
    dids: DidResolver
    handles: HandleResolver
    sealer: Sealer
    servers: OAuthServers
    cache: Cache
    workers: WorkerPool
    app: OAuthApp | None = None
    tenant: str = DEFAULT_TENANT
    nonces: ServerNonces = field(default_factory=ServerNonces)
    paces: WriteBudgets = field(default_factory=WriteBudgets)
    circuits: Circuits = field(init=False)
    refreshing: set[asyncio.Task[object]] = field(default_factory=set)
    renewals: dict[str, asyncio.Task[object]] = field(default_factory=dict)
    pds_keys: Mapping[str, Secret] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "circuits", Circuits(self.clock))

    @property
    def oauth(self) -> OAuthCalls:
        return OAuthCalls(self.http, self.clock, self.nonces, self.circuits)

    def callers_of(self, audiences: Collection[str]) -> ServiceCallers:
        """The verifier of service tokens for these names of the site. Used tokens are stored where all processes can
        see them.
        """
        return ServiceCallers(
            audiences=audiences,
            resolve=self.dids.resolve,
            refresh=self.dids.refresh,
            resolve_current=self.dids.resolve_current,
            seen=self.cache,
            clock=self.clock,
        )

    def visitor_headers(self, pds: str, address: str) -> Mapping[str, str]:
        """Headers of a sign-in for a visitor. They give the visitor's address to our own PDS, and tell other servers
        that we act for somebody.
        """
        key = self.pds_keys.get(pds.rstrip("/"))
        return FOR_SOMEBODY if key is None or not address else signed_address_header(key, address)

    def custodial_headers(self, pds: str) -> Mapping[str, str]:
        """Headers of a sign-in for a custodial account, so that our own PDS counts us separately from our visitors."""
        key = self.pds_keys.get(pds.rstrip("/"))
        return {} if key is None else signed_address_header(key, _OURSELVES)

    async def wait_for_refreshes(self) -> None:
        """Wait until every running refresh has been stored."""
        await asyncio.gather(*self.refreshing, return_exceptions=True)

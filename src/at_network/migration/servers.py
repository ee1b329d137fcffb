"""The two servers of a migration, each with a session of the account."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from at_network.bearer_session import BearerSession, BearerTokens, create_session
from at_network.xrpc_client import XrpcClient
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import DidDocument
from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import Clock
from groundwork.errors import NotFound, Refused, RemoteFailed, RemoteSlow
from groundwork.http.client import HttpClient

# Allows for a repository of a hundred megabytes over a slow connection, which the server imports before it responds.
PATIENCE_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class MigrationServer:
    """One server (``origin``, such as ``https://pds.example.com``), called on behalf of the account."""

    origin: str
    did: Did
    client: XrpcClient


@dataclass(frozen=True, slots=True)
class ServerDescription:
    """A server's response to ``describeServer``."""

    origin: str
    did: Did
    handle_domains: tuple[str, ...]
    needs_invite: bool


async def sign_in(
    http: HttpClient,
    clock: Clock,
    origin: str,
    identifier: str,
    password: str,
    *,
    factor_token: str | None = None,
) -> MigrationServer:
    """Open a session with the account's main password. An app password session cannot migrate.

    Raises NotSignedIn (``AuthenticationRequired``, or ``AuthFactorTokenRequired``: retry with the e-mailed token).
    """
    tokens = await create_session(http, clock, origin, identifier, password, factor_token=factor_token)
    return with_session(http, clock, origin, tokens)


def with_session(http: HttpClient, clock: Clock, origin: str, tokens: BearerTokens) -> MigrationServer:
    """Return the server with an existing session."""
    session = BearerSession(http, clock, origin, tokens)
    client = XrpcClient(http, clock, origin, credentials=session, timeout_seconds=PATIENCE_SECONDS)
    return MigrationServer(origin.rstrip("/"), tokens.did, client)


Resolve = Callable[[Did], Awaitable[DidDocument]]


async def describe(http: HttpClient, clock: Clock, origin: str, resolve: Resolve | None = None) -> ServerDescription:
    """Return the server's description if its DID belongs to it. A server that stated another server's DID would get a
    token for that server, and could act there as the migrating account.

    Raises RemoteFailed if no PDS answers or if it states the DID of another server.
    """
    description = await XrpcClient(http, clock, origin).query("com.atproto.server.describeServer")
    domains = description.get("availableUserDomains")
    try:
        did = parse_did(str(description.get("did")))
    except Malformed:
        raise RemoteFailed(f"{origin} does not state its DID. Is it a PDS?") from None
    if not (names_host(did, origin) or (resolve is not None and await names_endpoint(resolve, did, origin))):
        raise RemoteFailed(f"{origin} claims to be {did}, which is another server.")
    return ServerDescription(
        origin.rstrip("/"),
        did,
        tuple(str(domain) for domain in domains) if isinstance(domains, list) else (),
        description.get("inviteCodeRequired") is True,
    )


def names_host(did: Did, origin: str) -> bool:
    """Whether this is the did:web of the server's host. In development, without TLS, every DID is accepted."""
    parts = urlsplit(origin)
    return parts.scheme == "http" or did == f"did:web:{parts.netloc.lower().replace(':', '%3A')}"


async def names_endpoint(resolve: Resolve, did: Did, origin: str) -> bool:
    """Whether the document of this DID names the server as its endpoint."""
    try:
        document = await resolve(did)
    except (NotFound, RemoteFailed, RemoteSlow):
        return False
    return document.pds == origin.rstrip("/").lower()


async def status(side: MigrationServer) -> Mapping[str, object]:
    """Call ``checkAccountStatus``: counts of the account's data, and whether the identity names that server."""
    return await side.client.query("com.atproto.server.checkAccountStatus")


def require_same(old: MigrationServer, new: MigrationServer) -> None:
    """Raise Refused unless both are sessions of the same account on two different servers."""
    if old.did != new.did:
        raise Refused(f"The sessions belong to two different accounts: {old.did} and {new.did}.")
    if old.origin == new.origin:
        raise Refused(f"Both servers are {old.origin}; there is nothing to move.")

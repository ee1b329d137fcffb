"""Definition of a query, a call of it, and the caller."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from at_protocol.syntax.did import Did
from at_protocol.xrpc.parameters import Parameter
from groundwork.database.transaction import Database, Reader
from groundwork.errors import NotSignedIn
from groundwork.http.application import add_header, client_network
from groundwork.rate_limit.contract import Limit, LimitState, headers_of, spend
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.users.model import UserId
from openmeet.network.repositories.clients import NetworkClients, ServiceCallers
from openmeet.settings import Settings
from openmeet.web.api.authentication import ADDRESS_FACTOR, WINDOW_SECONDS
from openmeet.web.site.services import services
from openmeet.web.xrpc.reasons import XrpcReason
from openmeet.web.xrpc.schemas import LexiconStruct
from openmeet.web.xrpc.service import names_of


@dataclass(frozen=True, slots=True)
class LexiconCall:
    """A call of a Lexicon query. ``parameters`` have been validated against the Lexicon and include its defaults.
    ``viewer`` is the user whose view is returned; None means the public view.
    """

    db: Database
    reader: Reader
    parameters: Mapping[str, Parameter]
    viewer: UserId | None
    public_url: str

    def text(self, name: str) -> str:
        """A string parameter. Empty if absent."""
        value = self.parameters.get(name, "")
        assert isinstance(value, str)  # noqa: S101  # the Lexicon says so
        return value

    def number(self, name: str) -> int:
        """An integer parameter. The Lexicon must define a default."""
        value = self.parameters[name]
        assert isinstance(value, int)  # noqa: S101  # the Lexicon says so
        return value

    def is_set(self, name: str) -> bool:
        """The value of a boolean parameter."""
        return self.parameters.get(name) is True


@dataclass(frozen=True, slots=True)
class Query:
    """A query. ``name`` is the last segment of its NSID. The operator chooses the authority
    (``OPENMEET_LEXICON_AUTHORITY``).
    """

    name: str
    answer: Callable[[LexiconCall], Awaitable[LexiconStruct]]


# A PDS that proxies the calls of its users uses one address for all of them.
_SERVER_FACTOR: Final = 20


@dataclass(frozen=True, slots=True)
class XrpcCaller:
    """The caller; ``did`` is None if anonymous."""

    did: Did | None = None


def service_callers(settings: Settings, network: NetworkClients) -> ServiceCallers:
    """The verifier of service tokens for this site."""
    return network.callers_of(names_of(settings.public_url, bare=settings.accept_bare_audience))


async def authenticate_caller(request: Request, method: str) -> XrpcCaller:
    """The caller of an XRPC request. Counts the request against the rate limit, then verifies the token, if there is
    one.

    Raises TooMany, NotSignedIn. Raises RemoteFailed and RemoteSlow if the caller's key cannot be fetched.
    """
    header = request.headers.get("authorization")
    network = client_network(request)
    if header is None:
        _add_limit_headers(
            request,
            await _spend(request, Limit("api_address", _points(request, ADDRESS_FACTOR), WINDOW_SECONDS), network),
        )
        return XrpcCaller()
    # Counted before any key is fetched, so guessing tokens is rate-limited like everything else.
    await _spend(request, Limit("xrpc_server", _points(request, _SERVER_FACTOR), WINDOW_SECONDS), network)
    scheme, _, token = header.partition(" ")
    callers = services(request).service_callers
    if scheme.lower() != "bearer" or not token or callers is None:
        raise NotSignedIn(XrpcReason.TOKEN_NOT_TAKEN, name="AuthenticationRequired")
    did = await callers.read(token.strip(), method)
    _add_limit_headers(request, await _spend(request, Limit("xrpc_caller", _points(request, 1), WINDOW_SECONDS), did))
    return XrpcCaller(did)


async def viewer_of(reader: Reader, caller: XrpcCaller) -> UserId | None:
    """The local user with the caller's DID. None if nobody has signed in on this site with that DID."""
    if caller.did is None:
        return None
    identity = await identity_queries.find(reader, caller.did)
    return None if identity is None or identity.kind is IdentityKind.SHADOW else identity.user_id


def _points(request: Request, factor: int) -> int:
    return services(request).settings.api_requests_per_minute * factor


async def _spend(request: Request, limit: Limit, key: str) -> LimitState | None:
    """Count the request. None if nothing is counted: in development all clients share one address, as in the JSON API."""
    site = services(request)
    if site.settings.is_unlimited or not limit.points:
        return None
    return await spend(site.counters, [(limit, key)], now=site.clock.now())


def _add_limit_headers(request: Request, limit_state: LimitState | None) -> None:
    for name, value in headers_of(limit_state).items() if limit_state else ():
        add_header(request, name, value)

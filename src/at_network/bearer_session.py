"""Password sessions: a short-lived access token and a refresh token that rotates on every use.

Source: ``com.atproto.server.createSession``, ``refreshSession``. The server accepts a used refresh token for a short
time only. A new pair is therefore stored (``keep``) before it is used, and one task refreshes while the others wait.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from at_network.circuits import Circuits
from at_network.xrpc_client import XrpcClient
from at_protocol.crypto import jwt
from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from at_protocol.xrpc.errors import ErrorBody
from groundwork.clock import Clock
from groundwork.errors import NotSignedIn, RemoteFailed
from groundwork.http.client import HttpClient

_FULL_ACCESS = "com.atproto.access"
# Error names for an expired access token. Current servers answer 400 ExpiredToken; others answer 401.
_WORTH_REFRESHING = frozenset({"ExpiredToken", "InvalidToken"})


@dataclass(frozen=True, slots=True)
class BearerTokens:
    """The access and refresh tokens of an account's session. Both are secret and left out of the repr."""

    did: Did
    access: str = field(repr=False)
    refresh: str = field(repr=False)

    @property
    def may_be_of_app_password(self) -> bool:
        """Whether the session might have been opened with an app password.

        Deployed servers put the full-access scope into tokens created with the account's main password. No
        specification defines another way to tell the two apart.
        """
        try:
            return jwt.read(self.access).claims.get("scope") != _FULL_ACCESS
        except Malformed:
            return True


async def _keep_nothing(_tokens: BearerTokens) -> None:
    return


class BearerSession:
    """Credentials of one session. ``keep`` is called with every new pair of tokens and returns once they are stored."""

    def __init__(
        self,
        http: HttpClient,
        clock: Clock,
        service: str,
        tokens: BearerTokens,
        *,
        keep: Callable[[BearerTokens], Awaitable[None]] = _keep_nothing,
    ) -> None:
        self.tokens = tokens
        self._http = http
        self._clock = clock
        self._service = service
        self._keep = keep
        self._lock = asyncio.Lock()

    async def headers(self, _method: str, _url: str) -> Mapping[str, str]:
        return _bearer(self.tokens.access)

    async def store_nonce(self, _url: str, _headers: Mapping[str, str]) -> None:
        return

    async def renew(self, refused: Mapping[str, str], status: int, error: ErrorBody) -> bool:
        """Refresh the tokens unless another task has already done so. Raises NotSignedIn if the session has ended."""
        if status != 401 and error.name not in _WORTH_REFRESHING:
            return False
        async with self._lock:
            if refused.get("authorization") != _bearer(self.tokens.access)["authorization"]:
                return True
            tokens = await refresh_session(self._http, self._clock, self._service, self.tokens)
            await self._keep(tokens)
            self.tokens = tokens
            return True


class FixedToken:
    """Credentials that consist of one bearer token, which cannot be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def headers(self, _method: str, _url: str) -> Mapping[str, str]:
        return _bearer(self._token)

    async def store_nonce(self, _url: str, _headers: Mapping[str, str]) -> None:
        return

    async def renew(self, _refused: Mapping[str, str], _status: int, _error: ErrorBody) -> bool:
        return False


class FixedHeaders:
    """Credentials that send the same headers with every request and cannot be renewed, such as HTTP Basic."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    async def headers(self, _method: str, _url: str) -> Mapping[str, str]:
        return self._headers

    async def store_nonce(self, _url: str, _headers: Mapping[str, str]) -> None:
        return

    async def renew(self, _refused: Mapping[str, str], _status: int, _error: ErrorBody) -> bool:
        return False


async def create_session(
    http: HttpClient,
    clock: Clock,
    service: str,
    identifier: str,
    password: str,
    *,
    factor_token: str | None = None,
    circuits: Circuits | None = None,
    headers: Mapping[str, str] | None = None,
) -> BearerTokens:
    """Sign in and return the session's tokens. ``headers`` identify the client.

    Raises NotSignedIn (``AuthenticationRequired``, ``AuthFactorTokenRequired``), Refused and TooMany.
    """
    body = {"identifier": identifier, "password": password}
    if factor_token is not None:
        body["authFactorToken"] = factor_token
    client = XrpcClient(http, clock, service, credentials=FixedHeaders(headers) if headers else None, circuits=circuits)
    return _tokens(await client.procedure("com.atproto.server.createSession", body))


async def refresh_session(
    http: HttpClient, clock: Clock, service: str, tokens: BearerTokens, *, circuits: Circuits | None = None
) -> BearerTokens:
    """Exchange the refresh token for a new pair of tokens. Raises NotSignedIn if it is no longer valid."""
    client = XrpcClient(http, clock, service, credentials=FixedToken(tokens.refresh), circuits=circuits)
    new_tokens = _tokens(await client.procedure("com.atproto.server.refreshSession"))
    if new_tokens.did != tokens.did:
        raise NotSignedIn("The server answered with another account's session.", name="InvalidToken")
    return new_tokens


async def delete_session(http: HttpClient, clock: Clock, service: str, tokens: BearerTokens) -> None:
    """Sign out. The tokens are invalid afterwards."""
    client = XrpcClient(http, clock, service, credentials=FixedToken(tokens.refresh))
    await client.procedure("com.atproto.server.deleteSession")


def _tokens(response: Mapping[str, object]) -> BearerTokens:
    access, refresh, did = response.get("accessJwt"), response.get("refreshJwt"), response.get("did")
    if not isinstance(access, str) or not isinstance(refresh, str) or not isinstance(did, str):
        raise RemoteFailed("The server did not answer with a session.")
    try:
        return BearerTokens(parse_did(did), access, refresh)
    except Malformed:
        raise RemoteFailed("The server did not answer with a session.") from None


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}

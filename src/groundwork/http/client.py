"""HTTP client, the only way to call another server. Every URL from outside is treated as hostile (invariant 7).

- Only https to public unicast addresses on the default port, by name. Each address of a name is checked when it is
  resolved and again when the socket is opened, so a second DNS answer or an unusual spelling of an address cannot bypass
  the check.
- No cookies, no proxies from the environment, no credentials across origins; at most three redirects, each checked.
- A total timeout and a limit on the decoded body, enforced while reading.
- Never inside a database transaction, because the response time of the other server would then determine how long locks
  are held.

Responses of any status are returned. ``RemoteFailed`` and ``RemoteSlow`` mean that there was no response. Certificates
are checked against the system's list, or ``SSL_CERT_FILE``.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from groundwork.database.open_transactions import transaction_is_open
from groundwork.errors import FailureReason, InvalidInput, RemoteFailed, RemoteSlow, with_stored_reason
from groundwork.http.connection_shares import SharedConnector, timeout_while_called
from groundwork.http.json_bodies import MAX_CONTAINERS, parse_json
from groundwork.http.name_servers import NameServers
from groundwork.http.reach import (
    PUBLIC,
    SOCKETS,
    WEB,
    AddressRefused,
    AllowedTargets,
    PublicNames,
    check_target,
    leads_inside,
    public_socket,
)
from groundwork.tls import trusted_authorities

# The reference PDS's limits for fetching an untrusted document: 512 KiB and 10 s in total.
MAX_RESPONSE_BYTES = 512 * 1024
TOTAL_SECONDS = 10.0
MAX_REDIRECTS = 3

# Shorter than servers keep idle connections, so that no request uses a connection that is being closed.
_KEEP_ALIVE_SECONDS = 15.0

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE_METHODS = frozenset({"GET", "HEAD"})
# Headers for one origin only. They are removed on a redirect to another.
_PRIVATE_HEADERS = ("authorization", "cookie", "dpop", "proxy-authorization")


class NetworkInsideTransaction(RuntimeError):
    """A bug in our code: it called another server while this task had a database transaction open."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete response. ``url`` is its URL after redirects."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    url: str

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self, *, max_containers: int = MAX_CONTAINERS) -> Any:
        """Parse the body as strict JSON. Raises ``RemoteFailed`` if it is invalid or has too many lists and objects."""
        try:
            return parse_json(self.body, max_containers=max_containers)
        except InvalidInput as bad:
            host = _host(self.url)
            failed = RemoteFailed(f"{host} did not answer with JSON: {bad.why}", status=self.status)
            raise with_stored_reason(failed, FailureReason.UNREADABLE_ANSWER(host=host)) from None

    def expect_ok(self) -> "HttpResponse":
        """Return the response itself, or raise ``RemoteFailed`` with its status if that is not a success."""
        if not self.is_ok:
            host = _host(self.url)
            failed = RemoteFailed(f"{host} answered with status {self.status}.", status=self.status)
            raise with_stored_reason(failed, FailureReason.ANSWERED_WITH_STATUS(host=host, status=str(self.status)))
        return self


@dataclass(frozen=True, slots=True)
class StreamedResponse:
    """A response whose body is read chunk by chunk. It can be used only inside its block."""

    status: int
    headers: CIMultiDictProxy[str]
    url: str
    pieces: Callable[[], AsyncIterator[bytes]]


class HttpClient:
    """A connection pool with one set of allowed targets.

    Create one per program, inside its event loop, and ``close`` it at the end.
    """

    def __init__(
        self,
        reach: AllowedTargets = PUBLIC,
        *,
        user_agent: str = "openmeet",
        connections: int = 100,
        connections_per_host: int = 20,
        resolver: AbstractResolver | None = None,
        decompress: bool = True,
        shares_connections: bool | None = None,
        origin_headers: Mapping[str, Mapping[str, str]] | None = None,
        omits_origin_headers: Callable[[URL, Mapping[str, str]], bool] = lambda _target, _headers: False,
    ) -> None:
        """``origin_headers`` are headers for every request to one server, by ``scheme://host[:port]``.

        ``omits_origin_headers`` is called with URL and headers, and returns True for requests that are sent without them.

        Names from outside are resolved by ``NameServers``. A client that may call private addresses calls servers that
        the operator configured, so it resolves names like the operating system, with search domains.

        ``shares_connections``: whether a server gets only a share of the connections (``connection_shares``). By default
        it does if strangers name the servers, which is so if private addresses are refused.
        """
        self._omits_origin_headers = omits_origin_headers
        self._reach = reach
        self._origin_headers = {
            URL(origin).origin(): dict(headers) for origin, headers in (origin_headers or {}).items()
        }
        names = resolver or (aiohttp.ThreadedResolver() if reach.private_addresses else NameServers())
        options: dict[str, Any] = {
            "ssl": trusted_authorities(),
            "resolver": names if reach.private_addresses else PublicNames(names),
            "socket_factory": None if reach.private_addresses else public_socket,
            "keepalive_timeout": _KEEP_ALIVE_SECONDS,
        }
        if shares_connections is None:
            shares_connections = not reach.private_addresses
        connector = (
            SharedConnector(connections=connections, per_host=connections_per_host, **options)
            if shares_connections
            else aiohttp.TCPConnector(limit=connections, limit_per_host=connections_per_host, **options)
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"user-agent": user_agent},
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=decompress,
            trust_env=False,
            # A body without a media type is sent without one: the library would call it application/octet-stream.
            skip_auto_headers=("content-type",),
            # Signed or hashed URLs must be sent exactly as they are written.
            requote_redirect_url=False,
        )

    async def close(self) -> None:
        await self._session.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterator[bytes] | None = None,
        timeout_seconds: float = TOTAL_SECONDS,
        max_bytes: int = MAX_RESPONSE_BYTES,
        redirects: int = 0,
    ) -> HttpResponse:
        """Send a request and read the whole response. ``redirects`` (at most 3) are followed for GET and HEAD only.

        ``timeout_seconds`` does not include the wait for a connection (``connection_shares``), which raises
        ``NoConnectionFree`` when it is too long.

        Raises ``AddressRefused``, ``RemoteFailed`` (no connection, invalid response, too large) and ``RemoteSlow``.
        """
        with _as_failures(url):
            async with timeout_while_called(timeout_seconds):
                response, at = await self._send(method, url, headers, body, redirects)
                async with response:
                    pieces = [piece async for piece in _pieces(response, at, max_bytes)]
                    return HttpResponse(response.status, response.headers, b"".join(pieces), str(at))

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = TOTAL_SECONDS,
        max_bytes: int = MAX_RESPONSE_BYTES,
        redirects: int = 0,
    ) -> HttpResponse:
        """Do the same as ``request`` with GET."""
        return await self.request(
            "GET", url, headers=headers, timeout_seconds=timeout_seconds, max_bytes=max_bytes, redirects=redirects
        )

    async def post_json(
        self,
        url: str,
        value: object,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = TOTAL_SECONDS,
        max_bytes: int = MAX_RESPONSE_BYTES,
    ) -> HttpResponse:
        """Do the same as ``request`` with POST and a JSON body."""
        return await self.request(
            "POST",
            url,
            headers={"content-type": "application/json", **(headers or {})},
            body=msgspec.json.encode(value),
            timeout_seconds=timeout_seconds,
            max_bytes=max_bytes,
        )

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterator[bytes] | None = None,
        header_seconds: float = TOTAL_SECONDS,
        silence_seconds: float = 30.0,
        max_bytes: int,
        redirects: int = 0,
    ) -> AsyncIterator[StreamedResponse]:
        """Send a request and read the body chunk by chunk, for large repositories and proxied responses.

        ``header_seconds`` is the timeout for the response headers, ``silence_seconds`` the timeout between two chunks.
        """
        with _as_failures(url):
            async with timeout_while_called(header_seconds):
                response, at = await self._send(method, url, headers, body, redirects)

        async def pieces() -> AsyncIterator[bytes]:
            with _as_failures(url):
                reading = _pieces(response, at, max_bytes)
                while True:
                    async with asyncio.timeout(silence_seconds):
                        piece = await anext(reading, None)
                    if piece is None:
                        return
                    yield piece

        async with response:
            yield StreamedResponse(response.status, response.headers, str(at), pieces)

    @asynccontextmanager
    async def websocket(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        connect_seconds: float = TOTAL_SECONDS,
        max_message_bytes: int = 5 * 1024 * 1024,
        heartbeat_seconds: float | None = 30.0,
        is_deflated: bool = False,
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a WebSocket with the same checks. Iterate over it to read messages; leaving the block closes it.

        ``is_deflated`` offers permessage-deflate. ``max_message_bytes`` limits decompressed messages. ``RemoteFailed``
        carries the HTTP status if the server answered without upgrading.
        """
        target = check_target(url, SOCKETS, self._reach)
        _refuse_inside_transaction()
        with _as_failures(url):
            async with timeout_while_called(connect_seconds):
                connection = await self._session.ws_connect(
                    target,
                    headers=headers,
                    max_msg_size=max_message_bytes,
                    heartbeat=heartbeat_seconds,
                    compress=15 if is_deflated else 0,
                    # The close handshake waits for the peer, which might never answer.
                    timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
                )
        try:
            yield connection
        finally:
            await connection.close()

    async def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        body: bytes | AsyncIterator[bytes] | None,
        redirects: int,
    ) -> tuple[aiohttp.ClientResponse, URL]:
        """Send the request, follow redirects, and return the response after reading its headers."""
        _refuse_inside_transaction()
        target = check_target(url, WEB, self._reach)
        sent = CIMultiDict(headers or {})
        left = min(redirects, MAX_REDIRECTS) if method in _SAFE_METHODS else 0
        while True:
            origin_headers = self._origin_headers.get(target.origin()) if self._origin_headers else None
            if origin_headers is not None and self._omits_origin_headers(target, sent):
                origin_headers = None
            all_headers = sent if origin_headers is None else CIMultiDict([*sent.items(), *origin_headers.items()])
            response = await self._session.request(
                method, target, headers=all_headers, data=body, allow_redirects=False
            )
            location = response.headers.get("location")
            if response.status not in _REDIRECTS or location is None or redirects == 0 or method not in _SAFE_METHODS:
                return response, target
            response.close()
            if left == 0:
                raise RemoteFailed(f"{target.host} redirects too often.", status=response.status)
            left -= 1
            try:
                following = target.join(URL(location, encoded=True))
            except ValueError:
                raise RemoteFailed(f"{target.host} redirects without an address.", status=response.status) from None
            following = check_target(str(following), WEB, self._reach)
            if following.origin() != target.origin():
                for name in _PRIVATE_HEADERS:
                    sent.popall(name, None)
            target = following


def _refuse_inside_transaction() -> None:
    if transaction_is_open():
        raise NetworkInsideTransaction("no call to another server while a database transaction is open")


class ResponseTooLarge(RemoteFailed):
    """The response exceeds the caller's limit."""


async def _pieces(response: aiohttp.ClientResponse, at: URL, max_bytes: int) -> AsyncIterator[bytes]:
    left = max_bytes
    async for piece in response.content.iter_any():
        left -= len(piece)
        if left < 0:
            response.close()
            why = f"{at.host} sent more than the limit of {max_bytes} bytes."
            too_large = ResponseTooLarge(why, status=response.status)
            raise with_stored_reason(too_large, FailureReason.ANSWER_TOO_LONG(host=at.host or "", most=max_bytes))
        yield piece


def _host(url: str) -> str:
    return URL(url, encoded=True).host or "the other server"


class _as_failures:  # noqa: N801  # reads as a phrase: `with _as_failures(url):`
    """Translate errors of aiohttp and the operating system into failures without URLs or internal text."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case TimeoutError() | aiohttp.ClientConnectorDNSError(os_error=TimeoutError()):
                host = _host(self._url)
                slow = RemoteSlow(f"{host} did not answer in time.")
                raise with_stored_reason(slow, FailureReason.NO_ANSWER_IN_TIME(host=host)) from error
            case aiohttp.WSServerHandshakeError():
                host = _host(self._url)
                why = f"{host} answered with status {error.status} instead of a WebSocket."
                reason = FailureReason.ANSWERED_WITH_STATUS(host=host, status=str(error.status))
                raise with_stored_reason(RemoteFailed(why, status=error.status), reason) from error
            case aiohttp.ClientError() | OSError():
                host = _host(self._url)
                if leads_inside(error):
                    refused = AddressRefused(f"{host} does not lead to a public address.")
                    raise with_stored_reason(refused, FailureReason.NOT_PUBLIC(host=host)) from error
                if _was_connected(error):
                    broken = RemoteFailed(f"{host} closed the connection.")
                    raise with_stored_reason(broken, FailureReason.CONNECTION_BROKEN(host=host)) from error
                unreachable = RemoteFailed(f"{host} cannot be reached.")
                raise with_stored_reason(unreachable, FailureReason.UNREACHABLE(host=host)) from error


def _was_connected(error: BaseException) -> bool:
    return isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | aiohttp.ClientResponseError)

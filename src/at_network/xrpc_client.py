"""XRPC client.

Failures are the types in ``groundwork.errors`` with the protocol's error name, which takes precedence over the status.
``Credentials`` decide which secrets are sent. A call is repeated only if the server rejected the credentials and they
have changed since, because then the server did nothing. Values are plain JSON. Decode records one by one with
``at_protocol.data.json_form``, so that one malformed record does not make the whole page unreadable.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol
from urllib.parse import urlencode, urlsplit

import msgspec

from at_network.circuits import Circuits
from at_network.pacing import RateLimitState, WriteBudgets, pause_seconds, read_pace, retry_after_seconds
from at_protocol.xrpc.errors import ErrorBody, read_error
from at_protocol.xrpc.parameters import Parameter, encode_parameters
from groundwork.clock import SECOND, Clock, Instant
from groundwork.errors import (
    Conflict,
    Failure,
    FailureReason,
    Forbidden,
    InvalidInput,
    NotFound,
    NotSignedIn,
    Refused,
    RemoteFailed,
    RemoteSlow,
    TooLarge,
    TooMany,
    with_stored_reason,
)
from groundwork.http.client import (
    MAX_RESPONSE_BYTES,
    TOTAL_SECONDS,
    HttpClient,
    HttpResponse,
    ResponseTooLarge,
    StreamedResponse,
)
from groundwork.http.json_bodies import MAX_CONTAINERS_OF_MANY
from groundwork.telemetry import tracing
from groundwork.threads import compute

# Enough for a page of a hundred records of moderate size.
MAX_JSON_BYTES = 10 * 1024 * 1024
# Enough for both a new DPoP nonce and a refreshed token in one call.
_ATTEMPTS = 3
# Cost of a write against an account's hourly budget (Bluesky's servers and the reference PDS, "Rate Limits").
_COSTS = {
    "com.atproto.repo.createRecord": 3,
    "com.atproto.repo.putRecord": 2,
    "com.atproto.repo.applyWrites": 3,
}
# Error responses must fit into the response limit, however small the caller set it.
_MIN_BYTES = 64 * 1024

Parameters = Mapping[str, "Parameter | None"]

# XRPC servers answer 400 for these (HTTP API specification, "Error Responses"), so the status does not tell these cases
# apart.
_TOKEN_NAMES = frozenset(
    {
        "AuthMissing",
        "AuthenticationRequired",
        "AuthFactorTokenRequired",
        "ExpiredToken",
        "InvalidToken",
        "invalid_token",
    }
)
_ABSENT_NAMES = frozenset(
    {
        "AccountNotFound",
        "BlobNotFound",
        "BlockNotFound",
        "DidNotFound",
        "HandleNotFound",
        "HeadNotFound",
        "HostNotFound",
        "LexiconNotFound",
        "NotFound",
        "RecordNotFound",
        "RepoNotFound",
    }
)


class Credentials(Protocol):
    """The identity behind a call: nobody, a bearer session or an OAuth session."""

    async def headers(self, method: str, url: str) -> Mapping[str, str]:
        """Return the headers that authenticate this request. DPoP proofs are bound to the method and URL."""
        ...

    async def store_nonce(self, url: str, headers: Mapping[str, str]) -> None:
        """Read the DPoP nonce, if any, from the headers of a response."""
        ...

    async def renew(self, refused: Mapping[str, str], status: int, error: ErrorBody) -> bool:
        """Called when the server rejected the headers ``refused``. Returns True if different headers would be sent now."""
        ...


class XrpcClient:
    """Client of one server, on behalf of one account or nobody. Cheap to create; holds no connection."""

    def __init__(
        self,
        http: HttpClient,
        clock: Clock,
        service: str,
        *,
        credentials: Credentials | None = None,
        proxy_to: str | None = None,
        timeout_seconds: float = TOTAL_SECONDS,
        paces: WriteBudgets | None = None,
        circuits: Circuits | None = None,
        account: str = "",
    ) -> None:
        """``service`` is an origin (``https://pds.example.com``). ``proxy_to`` is a ``did#service`` to which it should
        proxy the calls.

        ``paces`` holds the known write budgets. A procedure that would exceed the budget of ``account`` is not sent; it
        raises TooMany with the time to wait, as the server would. ``circuits`` are circuit breakers: on an open circuit
        every call raises ``CircuitOpen`` at once.
        """
        self.service = service.rstrip("/")
        self._paces = WriteBudgets() if paces is None else paces
        self._circuits = Circuits(clock) if circuits is None else circuits
        self._account = account
        self._http = http
        self._clock = clock
        self._credentials = credentials
        self._proxy_to = proxy_to
        self._timeout_seconds = timeout_seconds

    @property
    def credentials(self) -> Credentials | None:
        return self._credentials

    @property
    def pace(self) -> RateLimitState | None:
        """The rate limit stated by the last response to a procedure. See ``pacing.pause_seconds``."""
        return self._paces.of(self.service, self._account)

    async def query(self, nsid: str, parameters: Parameters | None = None) -> dict[str, object]:
        """Call a query and return its JSON object."""
        return await _json_object(await self._call("GET", nsid, parameters, None, {}, MAX_JSON_BYTES))

    async def procedure(
        self,
        nsid: str,
        body: Mapping[str, object] | None = None,
        *,
        parameters: Parameters | None = None,
    ) -> dict[str, object]:
        """Call a procedure and return its JSON object, which is empty if the response has no body.

        After RemoteSlow or RemoteFailed, it is unknown whether the procedure ran.
        """
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"content-type": "application/json"}
        return await _json_object(await self._call("POST", nsid, parameters, content, headers, MAX_JSON_BYTES))

    async def upload(self, nsid: str, content: bytes, content_type: str) -> dict[str, object]:
        """Send raw bytes (``uploadBlob``, ``importRepo``)."""
        headers = {"content-type": content_type}
        return await _json_object(await self._call("POST", nsid, None, content, headers, MAX_RESPONSE_BYTES))

    async def send(
        self, nsid: str, pieces: Callable[[], AsyncIterator[bytes]], content_type: str, content_length: int
    ) -> dict[str, object]:
        """Stream content that is too large for memory, such as a repository. ``pieces`` is called again if the request
        is repeated.
        """
        headers = {"content-type": content_type, "content-length": str(content_length)}
        return await _json_object(await self._call("POST", nsid, None, pieces, headers, MAX_RESPONSE_BYTES))

    async def download(self, nsid: str, parameters: Parameters | None, *, max_bytes: int) -> HttpResponse:
        """Download a whole binary response (``getRecord`` of sync, small blobs). Reads at least 64 KiB, whatever the
        limit.
        """
        return await self._call("GET", nsid, parameters, None, {}, max_bytes)

    @asynccontextmanager
    async def stream(
        self, nsid: str, parameters: Parameters | None, *, max_bytes: int
    ) -> AsyncIterator[StreamedResponse]:
        """Read a response piece by piece (``getRepo``, large blobs). Credentials are sent but not renewed.

        Success is recorded for the circuit as with every other call. Otherwise a probe of this kind would block others
        and report nothing.
        """
        url = self._url(nsid, parameters)
        headers = await self._headers("GET", url)
        self._circuits.check(self.service)
        async with AsyncExitStack() as open_until_read:
            try:
                response = await open_until_read.enter_async_context(
                    self._http.stream("GET", url, headers=headers, max_bytes=max(max_bytes, _MIN_BYTES))
                )
            except Failure as unanswered:
                self._circuits.note(self.service, unanswered)
                raise
            if not 200 <= response.status < 300:
                body = b""
                async for piece in response.pieces():
                    body += piece
                    if len(body) >= _MIN_BYTES:
                        break
                failure = _failure_of(
                    self._host, response.status, read_error(response.status, body), response.headers, self._clock.now()
                )
                self._circuits.note(self.service, failure, account=self._account)
                raise failure
            self._circuits.note(self.service, None)
            yield response

    async def _call(
        self,
        method: str,
        nsid: str,
        parameters: Parameters | None,
        content: bytes | Callable[[], AsyncIterator[bytes]] | None,
        headers: Mapping[str, str],
        max_bytes: int,
    ) -> HttpResponse:
        url = self._url(nsid, parameters)
        is_write = method == "POST"
        pause = pause_seconds(self.pace, self._clock.now(), cost=_COSTS.get(nsid, 1)) if is_write else 0.0
        if pause > 0:
            raise TooMany(f"{self._host} does not accept more writes from this account for now.", after_seconds=pause)
        attempt = 1
        while True:
            proof = await self._headers(method, url)  # if this refreshes a token, that call probes the circuit
            self._circuits.check(self.service)
            body = content() if callable(content) else content
            try:
                response = await self._http.request(
                    method,
                    url,
                    headers={**headers, **tracing.request_headers(), **proof},
                    body=body,
                    timeout_seconds=self._timeout_seconds,
                    max_bytes=max(max_bytes, _MIN_BYTES),
                )
            except ResponseTooLarge:
                raise
            except Failure as unanswered:
                self._circuits.note(self.service, unanswered)
                raise
            pace = read_pace(response.headers) if is_write else None
            if pace is not None:
                self._paces.note(self.service, self._account, pace)
            if self._credentials is not None:
                await self._credentials.store_nonce(url, response.headers)
            if response.is_ok:
                self._circuits.note(self.service, None)
                return response
            error = read_error(response.status, response.body)
            failure = _failure_of(self._host, response.status, error, response.headers, self._clock.now())
            self._circuits.note(self.service, failure, account=self._account)
            if isinstance(failure, TooMany):
                self._wait(failure)
            if (
                self._credentials is None
                or attempt == _ATTEMPTS
                or response.status not in {400, 401}
                or not await self._credentials.renew(proof, response.status, error)
            ):
                raise failure
            attempt += 1

    def _wait(self, failure: TooMany) -> None:
        """Record that this account must not make calls until this instant, even if no header stated a limit."""
        now = self._clock.now()
        resets_at = Instant(now + int(failure.after_seconds * SECOND))
        limit = 0 if self.pace is None else self.pace.limit
        self._paces.note(self.service, self._account, RateLimitState(limit, 0, resets_at))

    async def _headers(self, method: str, url: str) -> dict[str, str]:
        headers = {} if self._credentials is None else dict(await self._credentials.headers(method, url))
        if self._proxy_to is not None:
            headers["atproto-proxy"] = self._proxy_to
        return headers

    def _url(self, nsid: str, parameters: Parameters | None) -> str:
        query = urlencode(encode_parameters(parameters or {}))
        return f"{self.service}/xrpc/{nsid}" + (f"?{query}" if query else "")

    @property
    def _host(self) -> str:
        return self.service.partition("://")[2]


async def _json_object(response: HttpResponse) -> dict[str, object]:
    if not response.body:
        return {}
    # A page of a list contains many records.
    value = await compute(len(response.body), response.json, max_containers=MAX_CONTAINERS_OF_MANY)
    if not isinstance(value, dict):
        failed = RemoteFailed("The answer is not a JSON object.", status=response.status)
        raise with_stored_reason(failed, FailureReason.UNREADABLE_ANSWER(host=urlsplit(response.url).hostname or ""))
    return value


def _failure_of(host: str, status: int, error: ErrorBody, headers: Mapping[str, str], now: Instant) -> Failure:
    """Return the failure for an error response. It keeps the protocol's error name and the server's message."""
    words = error.message or error.name
    failure = _failure_by_status(f"{host} says: {words}", status, error.name, headers, now)
    return with_stored_reason(failure, FailureReason.SERVER_SAID(host=host, words=words))


def _failure_by_status(why: str, status: int, name: str, headers: Mapping[str, str], now: Instant) -> Failure:
    if status == 401 or (status < 500 and name in _TOKEN_NAMES):
        return NotSignedIn(why, name=name)
    if status in {400, 404} and name in _ABSENT_NAMES:
        return NotFound(why, name=name)
    match status:
        case 400 | 422:
            if name == "InvalidSwap":
                return Conflict(why, name=name)
            return InvalidInput("", why, name=name) if name == "InvalidRequest" else Refused(why, name=name)
        case 403:
            return Forbidden(why, name=name)
        case 404:
            return NotFound(why, name=name)
        case 409:
            return Conflict(why, name=name)
        case 413:
            return TooLarge(why, name=name)
        case 429:
            return TooMany(why, after_seconds=retry_after_seconds(headers, now), name=name)
        case 501:
            return Refused(why, name=name)  # the specification forbids repeating such a call
        case 504:
            return RemoteSlow(why, name=name)
        case _ if 400 <= status < 500:
            return Refused(why, name=name)
        case _:
            return RemoteFailed(why, name=name, status=status)

"""One proxied call: allowed request headers, streamed response, error mapping.

Only the headers listed in this module are forwarded: no cookies, no session credentials, no client address. A response
that a browser would execute (a page, a script, an SVG with scripts) is not a method response and is refused.
"""

import zlib
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Self

from at_protocol.xrpc.errors import encode_error, read_error
from groundwork.errors import NAMES_ANSWERED_WITH_400, RemoteFailed, RemoteSlow
from groundwork.http.client import HttpClient, StreamedResponse

MAX_ANSWER_BYTES: Final = 10 * 1024 * 1024
HEADER_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 30.0

_ERROR_BYTES: Final = 64 * 1024

SENT: Final = ("accept-encoding", "accept-language", "atproto-accept-labelers", "content-type", "x-bsky-topics")
# Headers of the protocol that this server need not know, such as ``x-atproto-bsky-topics``.
_SENT_PREFIX: Final = b"x-atproto-"
RETURNED: Final = (
    "atproto-content-labelers",
    "atproto-repo-rev",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "retry-after",
)
# Headers that describe the encoded body. A response that is encoded again gets its own.
OF_THE_BODY: Final = frozenset({"content-encoding", "content-length", "content-type"})

_RUN_BY_BROWSERS: Final = ("html", "xml", "javascript", "ecmascript", "multipart/")


@dataclass(frozen=True, slots=True)
class Request:
    """A proxied request. ``path`` is everything after the service's address; ``headers`` are sent as they are."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


class UpstreamBody:
    """The chunks of a response. The call ends when the body is closed, whether or not it was read, or has been read to
    its end.
    """

    def __init__(self, chunks: AsyncGenerator[bytes, None], call: AsyncExitStack) -> None:
        self._chunks = chunks
        self._call = call

    def on_close(self, callback: Callable[[], object]) -> None:
        """Register a callback that is called once, when the call ends."""
        self._call.callback(callback)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._chunks)
        except BaseException:  # the end of the body, or a failure
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """End the call. A body can be closed more than once."""
        await self._chunks.aclose()
        await self._call.aclose()


@dataclass(frozen=True, slots=True)
class UpstreamResponse:
    """A response for the caller, who must read its body to the end or close it."""

    status: int
    headers: Mapping[str, str]
    body: UpstreamBody


def sent_headers(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return the caller's headers that are forwarded, by lower-case name."""
    sent = {
        name: value.decode("latin-1") for name in SENT if (value := headers.get(name.encode("latin-1"))) is not None
    }
    for name, value in headers.items():
        if name.startswith(_SENT_PREFIX):
            sent[name.decode("latin-1")] = value.decode("latin-1")
    # Without this header, the client library would offer its own encodings, which the caller may not support.
    sent["accept-encoding"] = sent.get("accept-encoding") or "identity"
    return sent


async def ask(
    http: HttpClient, url: str, request: Request, *, is_client_gone: Callable[[], bool] = lambda: False
) -> UpstreamResponse:
    """Make the call and return as soon as the headers have arrived. ``is_client_gone`` is called between chunks and
    returns whether the client has hung up.

    Raises RemoteFailed (no connection, a redirect, a page, a body that is too large, any server error of the service),
    RemoteSlow, AddressRefused.
    """
    stack = AsyncExitStack()
    try:
        response = await stack.enter_async_context(
            http.stream(
                request.method,
                url + request.path,
                headers=request.headers,
                body=request.body,
                header_seconds=HEADER_SECONDS,
                silence_seconds=SILENCE_SECONDS,
                max_bytes=MAX_ANSWER_BYTES,
            )
        )
        if response.status >= HTTPStatus.MULTIPLE_CHOICES:
            reply = await _refusal(response, request.method)
            await stack.aclose()
            return reply
        _check(response)
    except BaseException:
        await stack.aclose()
        raise
    body = UpstreamBody(_pieces(response, is_client_gone), stack)
    return UpstreamResponse(response.status, _returned_headers(response), body)


def whole_body(body: bytes) -> UpstreamBody:
    """Return a body that is in memory already."""
    return UpstreamBody(_one_chunk(body), AsyncExitStack())


async def read_whole(reply: UpstreamResponse) -> bytes:
    """Read the whole body and decode it. Raises RemoteFailed and RemoteSlow."""
    body = b"".join([piece async for piece in reply.body])
    encoding = reply.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise RemoteFailed("The other service responded with an encoding that was not requested.")
    unfold = zlib.decompressobj(zlib.MAX_WBITS if encoding == "deflate" else 16 + zlib.MAX_WBITS)
    try:
        plain = unfold.decompress(body, MAX_ANSWER_BYTES)
    except zlib.error:
        raise RemoteFailed("The other service answered with a broken encoding.") from None
    if not unfold.eof:
        raise RemoteFailed(
            f"The other service sent more than the limit of {MAX_ANSWER_BYTES} bytes, or an incomplete response."
        )
    return plain


async def _pieces(response: StreamedResponse, is_client_gone: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
    async for piece in response.pieces():
        if is_client_gone():
            return
        yield piece


def _check(response: StreamedResponse) -> None:
    kind = response.headers.get("content-type", "").lower()
    if any(word in kind for word in _RUN_BY_BROWSERS):
        raise RemoteFailed("The other service answered with a page instead of data.", status=response.status)
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) > MAX_ANSWER_BYTES:
        raise RemoteFailed(
            f"The other service answers with more than {MAX_ANSWER_BYTES} bytes.", status=response.status
        )


def _returned_headers(response: StreamedResponse) -> dict[str, str]:
    return {name: response.headers[name] for name in RETURNED if name in response.headers}


async def _refusal(response: StreamedResponse, method: str) -> UpstreamResponse:
    """Convert an upstream error to XRPC form. A 4xx status is passed on as the caller's error; everything else is an
    error of the upstream.
    """
    if response.status < HTTPStatus.BAD_REQUEST:
        raise RemoteFailed("The other service sent a redirect, which is not followed.", status=response.status)
    body = b""
    if method != "HEAD":
        async for piece in response.pieces():
            body += piece
            if len(body) >= _ERROR_BYTES:
                break
    body = _unfolded(body, response.headers.get("content-encoding", ""))
    error = read_error(response.status, body)
    why = error.message or "The other service failed."
    match response.status:
        case HTTPStatus.GATEWAY_TIMEOUT:
            raise RemoteSlow(why)
        case HTTPStatus.NOT_IMPLEMENTED:
            pass  # according to the specification such a call must not be repeated, which 502 would invite
        case HTTPStatus.SERVICE_UNAVAILABLE if error.name not in NAMES_ANSWERED_WITH_400:
            pass  # the caller learns when to repeat the call (Retry-After)
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            # Pass on the upstream's error name, as the reference server does, but never one that makes clients refresh
            # their session.
            is_named = body.lstrip().startswith(b"{") and error.name not in NAMES_ANSWERED_WITH_400
            raise RemoteFailed(why, name=error.name if is_named else None, status=status)
    headers = {name: value for name, value in _returned_headers(response).items() if name not in OF_THE_BODY}
    encoded = encode_error(error)
    return UpstreamResponse(
        response.status,
        {**headers, "content-type": "application/json", "content-length": str(len(encoded))},
        whole_body(encoded),
    )


def _unfolded(body: bytes, encoding: str) -> bytes:
    if encoding.strip().lower() in ("gzip", "x-gzip"):
        try:
            return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(body, _ERROR_BYTES)
        except zlib.error:
            return b""
    return body


async def _one_chunk(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body

"""Dispatch of requests to methods: ``/xrpc/<nsid>``, by one table.

Parameters and JSON bodies are decoded and validated once, with the Lexicon of the method, so methods receive values.
Failures are raised, and the surrounding application turns them into responses. Every write passes through this hot
path, so it has no layers.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from at_protocol.data import json_form
from at_protocol.failures import Malformed
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import ObjectType, ProcedureType
from at_protocol.lexicon.validate import validate_input
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.xrpc.parameters import decode_parameters
from aurora_locus.accounts.sign_in_source import SignInSource
from aurora_locus.oauth.callers import is_app
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.gate import SIGNS_IN, Allowance
from aurora_locus.xrpc.host import XrpcHost
from aurora_locus.xrpc.method import (
    JSON_BODY_BYTES,
    WRITE_BODY_BYTES,
    Method,
    Outcome,
    XrpcCall,
    XrpcResponse,
    client_of,
    read_whole,
    stream,
)
from aurora_locus.xrpc.permissions import require
from aurora_locus.xrpc.proxied_calls import ProxiedCalls
from groundwork.errors import InvalidInput
from groundwork.http.application import add_header, add_headers_late, name_route
from groundwork.http.client_addresses import CLIENT_ADDRESS
from groundwork.http.compression import MIN_BYTES, accepts_gzip, compress_gzip

PREFIX = "/xrpc/"

# Route label of proxied calls in metrics and logs, because method names of other services are not a closed set.
_ELSEWHERE = "elsewhere"

_JSON_TYPE = "application/json"
_JSON = _JSON_TYPE.encode()
_ENCODER = msgspec.json.Encoder()
_TAKES_APPS = frozenset({AccessLevel.OPTIONAL, AccessLevel.ACCESS, AccessLevel.FULL_ACCESS, AccessLevel.SERVICE})
_PRIVATE: Mapping[str, str] = {"cache-control": "private", "vary": "authorization"}
_NO_PARAMETERS: Mapping[str, Any] = {}


Subscription = Callable[[XrpcHost, Scope, Receive, Send], Awaitable[None]]


class MethodTable:
    """Every method and subscription by its NSID. Raises ValueError if a name appears twice."""

    def __init__(self, methods: Iterable[Method], subscriptions: Mapping[str, Subscription]) -> None:
        self.subscriptions = subscriptions
        self.methods: dict[str, Method] = {}
        for method in methods:
            if method.nsid in self.methods:
                raise ValueError(f"{method.nsid} appears twice in the table of methods")
            self.methods[method.nsid] = method

    def body_limit(self, scope: Scope) -> int:
        """Return the maximum size of a request body. Used by the application around the dispatcher."""
        method = self.methods.get(scope["path"].removeprefix(PREFIX).rstrip("/"))
        # A query has no body, but the dispatcher checks that and responds with 400, not 413.
        return WRITE_BODY_BYTES if method is None else max(method.max_body_bytes, JSON_BODY_BYTES)


def dispatcher(host: XrpcHost, table: MethodTable) -> ASGIApp:
    """Return the ASGI application for everything below ``/xrpc/`` except ``_health``."""
    # Without service proxying, a method that is not in the table is not implemented.
    proxied_calls = None if host.proxying is None else ProxiedCalls.of(host, host.proxying)
    gate = host.gate
    methods = table.methods
    catalog = host.catalog

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        nsid = scope["path"].removeprefix(PREFIX).rstrip("/")
        if scope["type"] == "websocket":
            await _subscribe(host, table.subscriptions.get(nsid), scope, receive, send)
            return
        method = methods.get(nsid)
        if method is None and nsid in table.subscriptions:
            raise HTTPException(426 if scope["method"] == "GET" else 405, headers={"upgrade": "websocket"})
        connection = HTTPConnection(scope)
        headers: dict[bytes, bytes] = dict(scope["headers"])
        _add_caller_headers(host, connection, method, headers)
        client = scope.get("client")
        peer = client[0] if client else ""
        # Proxy headers are parsed only where they matter; nearly every request has none.
        is_plain = CLIENT_ADDRESS not in headers and nsid not in SIGNS_IN
        source = SignInSource(peer) if gate is None or is_plain else gate.source_of(connection)
        allowance = Allowance() if gate is None else await gate.enter(nsid, headers, peer, source.address)
        add_headers_late(connection, lambda: allowance.headers)
        is_head = scope["method"] == "HEAD"
        if method is None or (proxied_calls is not None and proxied_calls.precedes(nsid, headers)):
            name_route(connection, _ELSEWHERE)
            proxied = (
                None if proxied_calls is None else await proxied_calls.answer(nsid, scope, headers, receive, allowance)
            )
            if proxied is not None or method is None:
                await _send(send, proxied or _not_implemented(nsid), is_head=is_head)
                return
        name_route(connection, nsid)
        _check_verb(method, scope["method"])
        # The same order as in the reference server: method, caller, input.
        parameters = _parameters(catalog, method, scope["query_string"])
        caller = await host.authenticate(method.need, nsid, headers, scope)
        require(method.need, nsid, caller)
        body_stream = stream(receive)
        body, body_bytes = await _read_body(host, client_of(caller, source), method, headers, receive)
        call = XrpcCall(host, parameters, body, caller, headers, body_stream, source, allowance, body_bytes)
        await _send(send, await method.run(call), is_head=is_head, accepted=headers.get(b"accept-encoding"))

    return dispatch


def _add_caller_headers(
    host: XrpcHost, connection: HTTPConnection, method: Method | None, headers: Mapping[bytes, bytes]
) -> None:
    """Add the response headers that depend on the caller: caching, and the nonce for an app's next proof (RFC 9449 section
    8.2).
    """
    if b"authorization" in headers:  # the response is only for this caller
        add_header(connection, "cache-control", "private")
        add_header(connection, "vary", "authorization")
    elif method is None or method.need is not AccessLevel.OPTIONAL_LENIENT:
        # Private by default, unless the method decides otherwise.
        add_headers_late(connection, lambda: _PRIVATE)
    takes_apps = method is None or method.need in _TAKES_APPS
    if takes_apps and host.authorization is not None and is_app(headers.get(b"authorization", b"")):
        add_header(connection, "dpop-nonce", host.authorization.nonces.newest())


async def _read_body(
    host: XrpcHost, client: str, method: Method, headers: Mapping[bytes, bytes], receive: Receive
) -> tuple[Any, int]:
    """Return the decoded JSON of a procedure and its size; None if it has none, or if the method reads the body
    itself.
    """
    try:
        if method.kind == "procedure" and not method.raw_body:
            body = await read_whole(receive)
            decode = partial(_json_input, host.catalog, method.nsid, headers, body)
            return await host.computations.compute(client, len(body), decode), len(body)
        if method.kind == "query" and _has_body(headers) and await read_whole(receive):
            raise InvalidInput("", "A query has no body.")
    except Malformed as error:
        raise InvalidInput("", _sentence(error)) from None
    return None, 0


async def _subscribe(
    host: XrpcHost, subscription: Subscription | None, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve a subscription. Raises TooMany."""
    if subscription is None or not host.settings.serves_firehose:
        body = _ENCODER.encode({"error": "MethodNotImplemented", "message": "This server has no such stream."})
        headers = [(b"content-type", _JSON)]
        await send({"type": "websocket.http.response.start", "status": 501, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": body})
        return
    client = scope.get("client")
    peer = client[0] if client else ""
    await host.count_stream(scope["headers"], peer)
    with host.streams.held(peer):
        await subscription(host, scope, receive, send)


def _not_implemented(nsid: str) -> XrpcResponse:
    try:
        parse_nsid(nsid)
    except Malformed:
        raise InvalidInput("", "The path after /xrpc/ must be the NSID of a method.") from None
    # Status 501, which no failure class has, because a client must not retry this.
    body = {"error": "MethodNotImplemented", "message": f"This server has no method {nsid}."}
    return XrpcResponse(body, status=501)


def _check_verb(method: Method, verb: str) -> None:
    # Status 400 instead of 405, as in the reference server.
    if method.kind == "query" and verb not in ("GET", "HEAD"):
        raise InvalidInput("", f"{method.nsid} is a query: call it with GET.")
    if method.kind == "procedure" and verb != "POST":
        raise InvalidInput("", f"{method.nsid} is a procedure: call it with POST.")


def _has_body(headers: Mapping[bytes, bytes]) -> bool:
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


def _parameters(catalog: Catalog, method: Method, query_string: bytes) -> Mapping[str, Any]:
    if not query_string and method.kind == "procedure":
        return _NO_PARAMETERS
    try:
        return decode_parameters(catalog, method.nsid, query_string.decode("latin-1"))
    except Malformed as error:
        raise InvalidInput("", _sentence(error)) from None


def _json_input(catalog: Catalog, nsid: str, headers: Mapping[bytes, bytes], body: bytes) -> Any:
    definition = catalog.find_method(nsid)
    if not isinstance(definition, ProcedureType) or definition.input is None:
        if body:
            raise InvalidInput("", f"{nsid} takes no body.")
        return None
    declared = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if declared != _JSON:
        raise InvalidInput("", f"Wrong request encoding (Content-Type): {nsid} takes {_JSON.decode()}.")
    # A missing body counts as an empty object, as in the reference server. Methods without required fields accept it.
    value = json_form.decode(body) if body else {}
    if isinstance(value, dict):
        value = {**_defaults(definition.input.schema), **value}
    validate_input(catalog, nsid, value)
    return value


def _defaults(schema: object) -> dict[str, Any]:
    """Return the Lexicon's defaults for required fields, which the reference server fills in too."""
    if not isinstance(schema, ObjectType):
        return {}
    fields = ((name, getattr(schema.properties[name], "default", None)) for name in schema.required)
    return {name: default for name, default in fields if default is not None}


def _sentence(error: Malformed) -> str:
    return f"{error.why[:1].upper()}{error.why[1:]}."


async def _send(send: Send, outcome: Outcome, *, is_head: bool, accepted: bytes | None = None) -> None:
    response = outcome if isinstance(outcome, XrpcResponse) else XrpcResponse(outcome)
    body = response.body
    content_type = response.content_type
    if isinstance(body, AsyncIterator):
        await _send_stream(send, response, body, is_head=is_head)
        return
    if body is None:
        encoded = b""
    elif isinstance(body, bytes):
        encoded = body
    else:
        encoded = _ENCODER.encode(body)
        content_type = content_type or _JSON_TYPE
    headers = _headers(response, content_type)
    if len(encoded) >= MIN_BYTES and content_type == _JSON_TYPE:
        headers.append((b"vary", b"accept-encoding"))
        if accepts_gzip(accepted):
            encoded = await compress_gzip(encoded)
            headers.append((b"content-encoding", b"gzip"))
    if response.status != HTTPStatus.NOT_MODIFIED:  # it would be the length of the whole response (RFC 9110, 8.6)
        headers.append((b"content-length", str(len(encoded)).encode("latin-1")))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else encoded})


async def _send_stream(send: Send, response: XrpcResponse, body: AsyncIterator[bytes], *, is_head: bool) -> None:
    # The first chunk is produced before the status is sent, so that a failure until then gets an error response. A
    # later failure breaks the connection.
    first = await anext(body, b"")
    headers = _headers(response, response.content_type)
    try:
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        if not is_head:
            await send({"type": "http.response.body", "body": first, "more_body": True})
            async for chunk in body:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()
    await send({"type": "http.response.body", "body": b""})


def _headers(response: XrpcResponse, content_type: str | None) -> list[tuple[bytes, bytes]]:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    if content_type is not None:
        headers.append((b"content-type", content_type.encode("latin-1")))
    return headers

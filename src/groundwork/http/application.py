"""A server program as one ASGI application: its routes, and the handling that every request needs.

All of the following is in one layer, because every layer costs time on every request: request id, client address behind
trusted proxies, CORS, body limit, error responses, security headers, metrics by route template, one access log line.
Routes raise failures (``groundwork.errors``) and never build error responses. There is no ASGI lifespan: ``programs/``
opens and closes the resources of an application.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import Token
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from prometheus_client import Histogram
from starlette.datastructures import MutableHeaders, State
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundwork.errors import Unavailable
from groundwork.http.addresses import network_of
from groundwork.http.bodies import limit_body
from groundwork.http.client_addresses import (
    MAX_ADDRESS_LENGTH,
    behind_private_proxies,
    is_from_this_machine,
    is_personal,
    is_private,
    without_port,
)
from groundwork.http.compression import compressed
from groundwork.http.cors import Cors, rule_for
from groundwork.http.faults import Explain, Fault, Renderer, Translations, fault_of, render_problem
from groundwork.http.route_index import RouteIndex
from groundwork.http.security_headers import API_HEADERS
from groundwork.telemetry.health import cause_of
from groundwork.telemetry.logs import log, request_id
from groundwork.telemetry.metrics import Metrics

# The reference PDS's limit for a JSON body. Routes that accept more declare it with `body_limit`.
JSON_BODY_BYTES = 150 * 1024

# For path and query together. Longer ones are answered with 414.
MAX_TARGET_BYTES = 8 * 1024

# Metric labels come from closed sets, so an unknown method is counted as OTHER.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_EXTRA_HEADERS = "groundwork.headers"
_LATE_HEADERS = "groundwork.late_headers"
_LEFT_OUT = "groundwork.left_out_headers"
_ROUTE_NAME = "groundwork.route"
_PROXIES_PASSED = "groundwork.proxies_passed"


# The route template that matches every path without a route.
ANYWHERE = "/{path:path}"


def add_header(connection: HTTPConnection, name: str, value: str) -> None:
    """Add a header to the response of this request, success or failure (``DPoP-Nonce``)."""
    connection.scope.setdefault(_EXTRA_HEADERS, []).append((name.lower().encode("latin-1"), value.encode("latin-1")))


def add_headers_late(connection: HTTPConnection, make: Callable[[], Mapping[str, str]]) -> None:
    """Add headers that are not known until the response begins. A header of the response itself takes precedence."""
    connection.scope.setdefault(_LATE_HEADERS, []).append(make)


def omit_header(connection: HTTPConnection, name: str) -> None:
    """Send the response of this request without one of the application's default headers."""
    connection.scope.setdefault(_LEFT_OUT, set()).add(name.lower().encode("latin-1"))


def name_route(connection: HTTPConnection, name: str) -> None:
    """Count this request under ``name`` instead of its route's template. Names must come from a closed set (NSIDs)."""
    connection.scope[_ROUTE_NAME] = name


def client_address(connection: HTTPConnection) -> str:
    """Return the client's address, taking the configured number of proxies into account. Empty if there is none."""
    return connection.client.host if connection.client else ""


def client_network(connection: HTTPConnection) -> str:
    """Return the key that rate limits count by: the IPv4 address, or the /64 network of an IPv6 address.

    One client usually controls a whole /64.
    """
    return network_of(client_address(connection))


def has_personal_address(connection: HTTPConnection) -> bool:
    """Whether ``client_address`` belongs to one person, because the configured proxies or this server saw it directly."""
    application: Application = connection.scope["app"]
    forwarded_for = len(_forwarded_for(connection.scope))
    headers, address = dict(connection.scope["headers"]), client_address(connection)
    if connection.scope.get(_PROXIES_PASSED):
        # The number of proxies is not configured, so the address is known to be the visitor's only without proxy
        # headers.
        return not is_private(address) and is_personal(headers, forwarded_for, address, hops=1)
    return is_personal(headers, forwarded_for, address, hops=application.hops)


def is_local(connection: HTTPConnection) -> bool:
    """Whether the request comes from a program on this machine and not through a proxy."""
    headers = dict(connection.scope["headers"])
    return is_from_this_machine(headers, len(_forwarded_for(connection.scope)), client_address(connection))


def allowed_methods(routes: Iterable[BaseRoute], scope: Scope) -> list[str]:
    """Return every method that a route answers at this path, for ``Allow`` (RFC 9110, section 15.5.6).

    If each method has its own route, Starlette's router lists only the methods of the first matching route.
    """
    allowed: set[str] = set()
    for route in routes:
        methods = getattr(route, "methods", None)
        # A route that matches every path does not show that this path exists.
        if methods and getattr(route, "path", "") != ANYWHERE and route.matches(scope)[0] is not Match.NONE:
            allowed |= methods
    return sorted(allowed)


class Application:
    """An ASGI application. ``state`` (``request.app.state``) holds dependencies of routes; set it before serving."""

    def __init__(
        self,
        routes: Sequence[BaseRoute],
        metrics: Metrics,
        *,
        render: Renderer = render_problem,
        translations: Translations | None = None,
        headers: Mapping[str, str] = API_HEADERS,
        cors: Sequence[Cors] = (),
        body_limit: int | Callable[[Scope], int] = JSON_BODY_BYTES,
        trusted_proxy_hops: int = 0,
        trusted_private_proxies: bool = False,
        access_log: bool = True,
        compresses: bool = False,
        explain: Explain = str,
        around: Callable[[Scope], AbstractContextManager[None]] | None = None,
    ) -> None:
        """``explain`` returns the sentence for a reason. Each request is handled inside the context manager that
        ``around`` returns.
        """
        self.state = State()
        self.routes = list(routes)
        self._router = RouteIndex(routes)
        self._compressed = compressed if compresses else _uncompressed
        self._answering = self._compressed(self._router)
        self._render = render
        self._translations = translations or {}
        self._explain = explain
        self._around = around
        self._headers = [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()]
        self._cors = cors
        self._body_limit = body_limit
        self.hops = trusted_proxy_hops
        self._trusted_private_proxies = trusted_private_proxies
        self._access_log = access_log
        # The ids cannot be predicted across process starts and are ordered within one. This is enough to find a log
        # line, and cheap.
        self._id_start = secrets.token_hex(6)
        self._id_count = itertools.count(1)
        self._seconds = _Seconds(
            metrics.histogram("http_request_seconds", "Requests by route and outcome", ("method", "route", "status"))
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise RuntimeError("applications have no lifespan here; programs/ opens and closes what they need")
        scope["app"] = self
        token = request_id.set(f"{self._id_start}-{next(self._id_count)}")
        try:
            if self.hops:
                see_through_proxies(scope, self.hops)
            elif self._trusted_private_proxies:
                see_through_private_proxies(scope)
            respond = self._answer if scope["type"] == "http" else self._converse
            if self._around is None:
                await respond(scope, receive, send)
            else:
                with self._around(scope):
                    await respond(scope, receive, send)
        finally:
            _leave(token)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        exchange = _Exchange(scope, send, self._headers)
        fault: Fault | None = None
        rule = rule_for(self._cors, scope["path"]) if self._cors else None
        try:
            if rule is not None:
                preflight = rule.preflight_headers(scope)
                if preflight is not None:
                    await exchange.send({"type": "http.response.start", "status": 204, "headers": preflight})
                    await exchange.send({"type": "http.response.body"})
                    return
                exchange.more = rule.response_headers()
            if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET_BYTES:
                raise HTTPException(414)  # noqa: TRY301  # one place turns exceptions into responses
            limit = self._body_limit if isinstance(self._body_limit, int) else self._body_limit(scope)
            inner, bounded = limit_body(scope, receive, limit)
            exchange.scope = inner
            await self._answering(inner, bounded, exchange.send)
        except ClientDisconnect:
            pass  # the client has disconnected
        except Exception as error:  # noqa: BLE001  # an edge: the exception becomes an error response
            fault = self._note(error)
            # After the first byte, the connection must break instead of ending cleanly. Returning without finishing
            # does that.
            if not exchange.status:
                if fault.kind == "HTTP" and fault.http_status == HTTPStatus.METHOD_NOT_ALLOWED:
                    fault = replace(fault, headers={"allow": ", ".join(allowed_methods(self.routes, exchange.scope))})
                response = self._render(HTTPConnection(exchange.scope), fault)
                await self._compressed(response)(exchange.scope, receive, exchange.send)
        finally:
            self._account(exchange, fault, time.perf_counter() - started)

    async def _converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        accepted = closed = False

        async def watched(message: Message) -> None:
            nonlocal accepted, closed
            accepted = accepted or message["type"] == "websocket.accept"
            closed = closed or message["type"] in ("websocket.close", "websocket.http.response.start")
            await send(message)

        try:
            await self._router(scope, receive, watched)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  # an edge: the exception becomes an error response
            fault = self._note(error)
            if closed:
                return
            if accepted:
                await send({"type": "websocket.close", "code": 1011, "reason": fault.name})
                return
            response = self._render(HTTPConnection(scope), fault)
            headers = [*response.raw_headers, *scope.get(_EXTRA_HEADERS, ())]
            await send({"type": "websocket.http.response.start", "status": response.status_code, "headers": headers})
            await send({"type": "websocket.http.response.body", "body": bytes(response.body)})

    def _note(self, error: Exception) -> Fault:
        """Return the fault for an error. Bugs and status 500 or above are logged for the operator."""
        fault = fault_of(error, request_id.get(), self._translations, self._explain)
        if fault.kind == "Bug":
            log.error("request.failed", kind=fault.kind, exc_info=error)
        elif fault.http_status >= 500:
            # Only of the server's own parts: an error of a remote server may quote what a person sent.
            causes = {"cause": cause} if isinstance(error, Unavailable) and (cause := cause_of(error)) else {}
            log.warning("request.failed", kind=fault.kind, name=fault.name, why=fault.cause, **causes)
        return fault

    def _account(self, exchange: "_Exchange", fault: Fault | None, seconds: float) -> None:
        scope = exchange.scope
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        # The log has the route template instead of the path, because paths contain identifiers and single-purpose
        # tokens (invariant 8).
        route = scope.get(_ROUTE_NAME) or getattr(scope.get("route"), "path", None) or "unmatched"
        status = exchange.status or 499  # the client disconnected; nginx also uses this number
        self._seconds.observe(method, route, status, seconds)
        if self._access_log:
            line: dict[str, Any] = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 2)}
            if fault is not None:
                line["kind"] = fault.kind
                line["name"] = fault.name
            log.info("request.answered", **line)


def _uncompressed(app: ASGIApp) -> ASGIApp:
    return app


class _Exchange:
    """One outgoing response: records the status and adds headers."""

    __slots__ = ("_defaults", "_send", "more", "scope", "status")

    def __init__(self, scope: Scope, send: Send, defaults: list[tuple[bytes, bytes]]) -> None:
        self.scope = scope
        self.status = 0
        self.more: list[tuple[bytes, bytes]] = []
        self._send = send
        self._defaults = defaults

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            present = {name for name, _ in headers} | self.scope.get(_LEFT_OUT, frozenset())
            headers += [pair for pair in self._defaults if pair[0] not in present]
            headers += self.more
            headers += self.scope.get(_EXTRA_HEADERS, ())
            for make in self.scope.get(_LATE_HEADERS, ()):
                late_headers = [
                    (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in make().items()
                ]
                headers += [pair for pair in late_headers if pair[0] not in present]
            headers.append((b"x-request-id", request_id.get().encode("latin-1")))
            message["headers"] = headers
        await self._send(message)


class _Seconds:
    """The request histogram with cached children, because looking up the labels costs more than an observation."""

    __slots__ = ("_children", "_histogram")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._children: dict[tuple[str, str, int], Any] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._histogram.labels(method, route, str(status))
        child.observe(seconds)


def see_through_proxies(scope: Scope, hops: int) -> None:
    """Replace the peer's address with the client address that the outermost *trusted* proxy saw.

    Each proxy appends the address that it saw to ``X-Forwarded-For``, so the last ``hops`` entries are from our
    proxies. Earlier entries were written by the client and are ignored.
    """
    addresses = _forwarded_for(scope)
    if len(addresses) >= hops:
        scope["client"] = (addresses[-hops], 0)


def see_through_private_proxies(scope: Scope) -> None:
    """Replace the peer's address with the visitor's, as reported by proxies in private networks."""
    client = scope.get("client")
    address, passed = behind_private_proxies(client[0] if client else "", _forwarded_for(scope))
    if passed:
        scope["client"] = (address, 0)
        scope[_PROXIES_PASSED] = passed


def _forwarded_for(scope: Scope) -> list[str]:
    seen = MutableHeaders(scope=scope).getlist("x-forwarded-for")
    pieces = [piece.strip() for line in seen for piece in line.split(",")]
    # Addresses are keys of caches and counters, and are stored. If no proxy adds its own, a client chooses them.
    return [without_port(piece[:MAX_ADDRESS_LENGTH]) for piece in pieces if piece]


def _leave(token: Token[str]) -> None:
    # A cancelled request might end in another context, where there is nothing to restore.
    try:
        request_id.reset(token)
    except ValueError:
        if asyncio.current_task() is not None:
            request_id.set("")

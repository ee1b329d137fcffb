"""The web application over real sockets: the common behavior of all routes."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from groundwork.errors import (
    Conflict,
    Forbidden,
    InvalidForm,
    InvalidInput,
    NotFound,
    NotSignedIn,
    PreconditionFailed,
    Refused,
    RemoteFailed,
    RemoteSlow,
    TooLarge,
    TooMany,
    Unavailable,
)
from groundwork.http.application import Application, add_header, client_address, name_route
from groundwork.http.cors import XRPC_EXPOSED, Cors
from groundwork.http.faults import by_path, render_problem, render_xrpc
from groundwork.http.operations import operations_routes
from groundwork.http.server import HttpServer, serve, serving
from groundwork.telemetry.metrics import Metrics

FAILURES = {
    "invalid": InvalidInput("name", "A name is needed."),
    "form": InvalidForm({"name": "A name is needed.", "home_town": "There is no such town."}),
    "signed-out": NotSignedIn("Sign in first."),
    "expired": NotSignedIn("The session has ended.", name="ExpiredToken"),
    "forbidden": Forbidden("Only hosts can do this."),
    "absent": NotFound("There is no such event."),
    "record-absent": NotFound("There is no such record.", name="RecordNotFound"),
    "conflict": Conflict("It has changed since."),
    "stale": PreconditionFailed("It has changed since."),
    "refused": Refused("The event is over.", name="EventOver"),
    "large": TooLarge("At most 200 writes."),
    "many": TooMany("Slow down.", after_seconds=1.2, headers={"RateLimit-Remaining": "0"}),
    "remote": RemoteFailed("The other server failed."),
    "slow": RemoteSlow("The other server is slow."),
    "away": Unavailable("The store is away."),
    "busy": Unavailable("Too many at once.", after_seconds=9.5),
}


class Foreign(ValueError):
    """An exception of a layer without our error kinds."""


async def fail(request: Request) -> Response:
    raise FAILURES[request.path_params["which"]]


async def bug(_request: Request) -> Response:
    raise RuntimeError("the password is hunter2")


async def foreign(_request: Request) -> Response:
    raise Foreign("not a tid")


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def who(request: Request) -> Response:
    return PlainTextResponse(client_address(request))


async def break_off(_request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        raise RuntimeError("in the middle")

    return StreamingResponse(pieces())


async def nonce(request: Request) -> Response:
    add_header(request, "DPoP-Nonce", "n1")
    name_route(request, "com.example.method")
    raise NotSignedIn("Use the nonce.", name="use_dpop_nonce")


async def framed(_request: Request) -> Response:
    return PlainTextResponse("x", headers={"content-security-policy": "default-src 'self'"})


async def talk(socket: WebSocket) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        if text == "fail":
            raise RuntimeError("secret")
        await socket.send_text(text.upper())


async def refuse_talk(_socket: WebSocket) -> None:
    raise Forbidden("Not you.")


ROUTES = [
    Route("/fail/{which}", fail),
    Route("/xrpc/fail/{which}", fail),
    Route("/bug", bug),
    Route("/foreign", foreign),
    Route("/echo", echo, methods=["POST"]),
    Route("/who", who),
    Route("/break-off", break_off),
    Route("/nonce", nonce),
    Route("/framed", framed),
    WebSocketRoute("/talk", talk),
    WebSocketRoute("/refuse-talk", refuse_talk),
]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("test")


@pytest.fixture
async def server(metrics):
    app = Application(
        [*ROUTES, *operations_routes(metrics, {})],
        metrics,
        render=by_path({"/xrpc/": render_xrpc}, render_problem),
        translations={ValueError: lambda error: InvalidInput("", str(error))},
        cors=[Cors(("/xrpc/", "/nonce"), exposed=XRPC_EXPOSED)],
        body_limit=100_000,
    )
    async with serving(app) as running:
        yield running


@pytest.fixture
async def session():
    async with aiohttp.ClientSession(auto_decompress=False) as opened:
        yield opened


@pytest.mark.parametrize(
    ("which", "status", "title"),
    [
        ("invalid", 400, "InvalidRequest"),
        ("signed-out", 401, "AuthenticationRequired"),
        ("forbidden", 403, "Forbidden"),
        ("absent", 404, "NotFound"),
        ("conflict", 409, "InvalidSwap"),
        ("stale", 412, "InvalidSwap"),
        ("refused", 422, "EventOver"),
        ("large", 413, "PayloadTooLarge"),
        ("many", 429, "RateLimitExceeded"),
        ("remote", 502, "UpstreamFailure"),
        ("slow", 504, "UpstreamTimeout"),
        ("away", 503, "NotEnoughResources"),
    ],
)
async def test_error_kind_determines_the_status(server: HttpServer, session, which, status, title):
    """Each kind of error is answered with the status in its row and a sentence, as problem+json."""
    async with session.get(f"{server.url}/fail/{which}") as response:
        body = json.loads(await response.read())
        assert response.status == body["status"] == status
        assert response.headers["content-type"] == "application/problem+json"
        assert body["title"] == title
        assert body["detail"] == FAILURES[which].why
        assert body["requestId"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("which", "status", "error"),
    [
        ("record-absent", 400, "RecordNotFound"),
        ("signed-out", 401, "AuthenticationRequired"),
        ("expired", 400, "ExpiredToken"),
        ("conflict", 400, "InvalidSwap"),
        ("refused", 400, "EventOver"),
        ("large", 413, "PayloadTooLarge"),
    ],
)
async def test_xrpc_errors_have_their_own_format_and_statuses(server: HttpServer, session, which, status, error):
    async with session.get(f"{server.url}/xrpc/fail/{which}") as response:
        assert response.status == status
        assert json.loads(await response.read()) == {"error": error, "message": FAILURES[which].why}


async def test_form_problems_are_listed_by_field(server: HttpServer, session):
    """Form problems are listed by field, under the names that clients of a JSON API use."""
    async with session.get(f"{server.url}/fail/form") as response:
        assert json.loads(await response.read())["fields"] == {
            "name": "A name is needed.",
            "homeTown": "There is no such town.",
        }


async def test_too_many_requests_has_retry_after(server: HttpServer, session):
    """Retry-After of TooMany is in whole seconds, rounded up, because an earlier retry would fail again."""
    async with session.get(f"{server.url}/fail/many") as response:
        assert response.headers["retry-after"] == "2"
        assert response.headers["ratelimit-remaining"] == "0"


async def test_busy_server_sends_retry_after(server: HttpServer, session):
    """A busy server sends Retry-After if it knows the time, so that clients do not have to guess."""
    async with session.get(f"{server.url}/fail/busy") as response:
        assert (response.status, response.headers["retry-after"]) == (503, "10")
    async with session.get(f"{server.url}/fail/away") as response:
        assert (response.status, "retry-after" in response.headers) == (503, False)


async def test_unexpected_error_shows_only_the_request_id(server: HttpServer, session):
    async with session.get(f"{server.url}/bug") as response:
        body = await response.text()
        assert response.status == 500
        assert "hunter2" not in body
        assert response.headers["x-request-id"] in body


async def test_a_foreign_exception_is_translated_by_its_class(server: HttpServer, session):
    """A foreign exception is translated by its class or a parent class, so that one row covers a family."""
    async with session.get(f"{server.url}/foreign") as response:
        assert response.status == 400
        assert json.loads(await response.read())["detail"] == "not a tid"


async def test_unknown_path_and_wrong_method_get_json(server: HttpServer, session):
    async with session.get(f"{server.url}/nowhere") as response:
        assert (response.status, response.content_type) == (404, "application/problem+json")
    async with session.get(f"{server.url}/echo") as response:
        assert response.status == 405
        assert response.headers["allow"] == "POST"


async def test_overlong_address_is_refused(server: HttpServer, session):
    async with session.get(f"{server.url}/who?x={'y' * 9000}") as response:
        assert response.status == 414


async def test_failure_after_the_first_byte_breaks_the_connection(server: HttpServer, session):
    """A failure after the first byte closes the connection, so that a truncated body does not look complete."""
    with pytest.raises(aiohttp.ClientPayloadError):
        async with session.get(f"{server.url}/break-off") as response:
            await response.read()


async def test_added_headers_are_on_failures_as_well(server: HttpServer, session):
    async with session.get(f"{server.url}/nonce") as response:
        assert response.status == 401
        assert response.headers["dpop-nonce"] == "n1"


async def test_every_response_has_security_headers_that_a_route_can_override(server: HttpServer, session):
    async with session.get(f"{server.url}/nowhere") as response:
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in response.headers["content-security-policy"]
    async with session.get(f"{server.url}/framed") as response:
        assert response.headers.getall("content-security-policy") == ["default-src 'self'"]


# --- Cross-origin requests


async def test_preflight_is_answered_for_covered_paths_only(server: HttpServer, session):
    asking = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "dpop, authorization",
    }
    async with session.options(f"{server.url}/xrpc/any.thing.here", headers=asking) as response:
        assert response.status == 204
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["access-control-allow-headers"] == "dpop, authorization"
        assert response.headers["access-control-max-age"] == "86400"
    async with session.options(f"{server.url}/echo", headers=asking) as response:
        assert "access-control-allow-origin" not in response.headers


async def test_a_script_may_read_failures_and_the_nonce(server: HttpServer, session):
    async with session.get(f"{server.url}/nonce", headers={"origin": "https://app.example"}) as response:
        assert response.headers["access-control-allow-origin"] == "*"
        assert "DPoP-Nonce" in response.headers["access-control-expose-headers"]


# --- Client addresses


async def test_forwarded_addresses_are_ignored_without_trusted_proxies(server: HttpServer, session):
    async with session.get(f"{server.url}/who", headers={"x-forwarded-for": "8.8.8.8"}) as response:
        assert await response.text() == "127.0.0.1"


async def test_the_trusted_hop_counts_from_the_right():
    """The trusted hop counts from the right; what a client writes before the proxy's own entry is ignored."""
    app = Application(ROUTES, Metrics("test"), trusted_proxy_hops=1)
    forwarded = {"x-forwarded-for": "6.6.6.6, 8.8.8.8"}
    async with (
        serving(app) as server,
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/who", headers=forwarded) as response,
    ):
        assert await response.text() == "8.8.8.8"


async def test_long_forwarded_address_is_cut():
    """Addresses are kept in caches and counters, so none takes more memory than a real one."""
    app = Application(ROUTES, Metrics("test"), trusted_proxy_hops=1)
    async with (
        serving(app) as server,
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/who", headers={"x-forwarded-for": "x" * 5000}) as response,
    ):
        assert await response.text() == "x" * 64


# --- Metrics and health


async def test_requests_are_counted_by_template_and_given_name(server: HttpServer, session, metrics: Metrics):
    """Requests are counted by route template and client name. Paths are never labels, because they contain identifiers
    and single-use tokens.
    """
    for path in ("/fail/absent", "/fail/refused", "/nowhere/secret", "/nonce"):
        async with session.get(server.url + path):
            pass
    async with session.request("PROPFIND", f"{server.url}/who"):
        pass
    async with session.get(f"{server.url}/metrics") as response:
        text = await response.text()
    line = "test_http_request_seconds_count"
    assert f'{line}{{method="GET",route="/fail/{{which}}",status="404"}} 1.0' in text
    assert f'{line}{{method="GET",route="/fail/{{which}}",status="422"}} 1.0' in text
    assert f'{line}{{method="GET",route="unmatched",status="404"}} 1.0' in text
    assert f'{line}{{method="GET",route="com.example.method",status="401"}} 1.0' in text
    assert f'{line}{{method="OTHER",route="/who",status="405"}} 1.0' in text
    assert "secret" not in text


async def test_ready_names_the_failed_part():
    async def fine() -> None: ...

    async def away() -> None:
        raise Unavailable("the database is away")

    async def broken() -> None:
        raise RuntimeError("internal text")

    metrics = Metrics("test")
    checks = {"queue": fine, "database": away, "cache": broken}
    app = Application(operations_routes(metrics, checks), metrics)
    async with serving(app) as server, aiohttp.ClientSession() as session:
        async with session.get(f"{server.url}/health/live") as response:
            assert response.status == 200
        async with session.get(f"{server.url}/health/ready") as response:
            assert response.status == 503
            assert (await response.json())["checks"] == {
                "queue": "ok",
                "database": "the database is away",
                "cache": "failed; see the log",
            }


async def test_metrics_require_the_token():
    metrics = Metrics("test")
    app = Application(operations_routes(metrics, {}, metrics_token="letmein"), metrics, trusted_proxy_hops=1)
    async with serving(app) as server, aiohttp.ClientSession(headers={"x-forwarded-for": "8.8.8.8"}) as session:
        async with session.get(f"{server.url}/metrics") as response:
            assert response.status == 404
        async with session.get(f"{server.url}/metrics", headers={"authorization": "Bearer letmein"}) as response:
            assert response.status == 200


# --- Sockets and serving


async def test_websockets_use_the_same_errors(server: HttpServer, session):
    async with session.ws_connect(f"{server.url}/talk") as talking:
        await talking.send_str("hello")
        assert await talking.receive_str() == "HELLO"
        await talking.send_str("fail")
        message = await talking.receive()
        assert (message.type, talking.close_code) == (aiohttp.WSMsgType.CLOSE, 1011)
        assert "secret" not in str(message.extra)


async def test_a_failure_before_the_handshake_is_an_http_answer(server: HttpServer, session):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await session.ws_connect(f"{server.url}/refuse-talk")
    assert refused.value.status == 403


async def test_used_port_is_reported_with_a_message():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=f"port {port}"):
            await serve(Application([], Metrics("test")), "127.0.0.1", port)


async def test_stopping_lets_a_running_request_finish():
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request: Request) -> Response:
        entered.set()
        await go_on.wait()
        return PlainTextResponse("done")

    server = await serve(Application([Route("/slow", slow)], Metrics("test")), "127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:

        async def ask() -> str:
            async with session.get(f"{server.url}/slow") as response:
                return await response.text()

        asking = asyncio.create_task(ask())
        await entered.wait()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        go_on.set()
        assert await asking == "done"
        await stopping
    await server.stop()  # a second time does nothing

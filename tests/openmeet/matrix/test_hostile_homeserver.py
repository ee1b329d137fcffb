"""A homeserver with arbitrary responses: every call fails with a typed error, within its limits."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from groundwork.clock import SECOND, HandClock, Instant
from groundwork.errors import Failure, RemoteFailed, TooMany, Unavailable
from groundwork.http.client import HttpClient
from groundwork.settings import Secret
from openmeet.matrix.calls import Homeserver, MatrixUser

pytestmark = pytest.mark.anyio

ROOM = "!room"
Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HostileServer:
    """Answers every request with ``respond`` and counts the requests."""

    def __init__(self) -> None:
        self.respond: Respond = self.nothing
        self.asked: list[web.Request] = []

    async def nothing(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({})

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        return await self.respond(request)


@pytest.fixture
def clock() -> HandClock:
    return HandClock(Instant(1_000_000 * SECOND))


@pytest.fixture
async def hostile(http: HttpClient, clock: HandClock) -> AsyncIterator[tuple[HostileServer, MatrixUser]]:
    server = HostileServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.serve)
    async with TestServer(app) as running:
        homeserver = Homeserver(http, clock, str(running.make_url("/")), "evil.test", Secret("token"))
        yield server, homeserver.user("_om_default_keeper")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"event_id": 7}',
        b'{"event_id": ""}',
        b"\xff",
        b"[" * 100_000,
        b'{"event_id": "' + b"x" * 400_000,
    ],
)
async def test_an_invalid_response_is_a_failure(hostile: tuple[HostileServer, MatrixUser], body: bytes) -> None:
    server, user = hostile

    async def respond(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    server.respond = respond
    with pytest.raises(RemoteFailed):
        await user.send(ROOM, "m.room.message", "om-1", {"body": "x"})


async def test_an_endless_response_is_cut_off(hostile: tuple[HostileServer, MatrixUser]) -> None:
    server, user = hostile

    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" " * 65_536)
        except ConnectionError:
            return response

    server.respond = respond
    with pytest.raises(RemoteFailed, match="more than"):
        await user.send(ROOM, "m.room.message", "om-1", {"body": "x"})


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"errcode": ["M"]}', RemoteFailed),
        (403, b'{"errcode": "' + b"M" * 5000 + b'"}', RemoteFailed),
        (500, b"<html>", Unavailable),
        (502, b"", Unavailable),
        (429, b"{}", TooMany),
        (429, b'{"retry_after_ms": "soon"}', TooMany),
        (429, b'{"retry_after_ms": 1e400}', TooMany),
        (429, b'{"retry_after_ms": 99999999999999999999}', TooMany),
    ],
)
async def test_each_error_response_has_an_error_type(
    hostile: tuple[HostileServer, MatrixUser], status: int, body: bytes, kind: type[Failure]
) -> None:
    server, user = hostile

    async def respond(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body)

    server.respond = respond
    with pytest.raises(kind) as raised:
        await user.send(ROOM, "m.room.message", "om-1", {"body": "x"})
    if isinstance(raised.value, TooMany):
        assert 0.1 <= raised.value.after_seconds <= 3600
    assert len(raised.value.name or "") <= 100


async def test_a_rate_limit_on_files_affects_only_files(hostile: tuple[HostileServer, MatrixUser]) -> None:
    server, user = hostile

    async def respond(request: web.Request) -> web.StreamResponse:
        if "/media/" in request.path:
            return web.json_response({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 9000}, status=429)
        return web.json_response({"event_id": "$said"})

    server.respond = respond
    for _ in range(2):
        with pytest.raises(TooMany):
            await user.download("mxc://evil.test/file", 1_000)
    assert len(server.asked) == 1
    assert await user.send(ROOM, "m.room.message", "om-1", {"body": "x"}) == "$said"


async def test_a_rate_limit_is_obeyed_before_the_next_request(
    hostile: tuple[HostileServer, MatrixUser], clock: HandClock
) -> None:
    server, user = hostile

    async def respond(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 9000}, status=429)

    server.respond = respond
    for _ in range(3):
        with pytest.raises(TooMany):
            await user.send(ROOM, "m.room.message", "om-1", {"body": "x"})
    assert len(server.asked) == 1
    other = user.homeserver.user("_om_default_ghost")
    with pytest.raises(TooMany):
        await other.send(ROOM, "m.room.message", "om-1", {"body": "x"})
    assert len(server.asked) == 2

    async def accept(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"event_id": "$1"})

    server.respond = accept
    clock.turn(10 * SECOND)
    assert await user.send(ROOM, "m.room.message", "om-1", {"body": "x"}) == "$1"


async def test_values_in_urls_cannot_reach_another_endpoint(hostile: tuple[HostileServer, MatrixUser]) -> None:
    server, user = hostile
    await user.leave("!a/../../v3/logout?x=#y%2f")
    (asked,) = server.asked
    assert asked.rel_url.raw_path == "/_matrix/client/v3/rooms/%21a%2F..%2F..%2Fv3%2Flogout%3Fx%3D%23y%252f/leave"

"""A server whose connections are all in use, over real sockets."""

import asyncio
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Receive, Scope, Send
from tests.timeouts import TIMEOUT_SECONDS

from groundwork.http import bounded_heads, connection_limit
from groundwork.http.connection_limit import affordable, per_address
from groundwork.http.server import HttpServer, serve, serving

LIMIT = 8
MANY = 3 * LIMIT
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
UPGRADE = (
    b"GET /stream HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
# Ways to hold a connection while the server has nothing to do for it.
HOLDING = {
    "nothing": b"",
    "half a head": b"GET / HTTP/1.1\r\nho",
    "half a body": b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf",
    "an answered request": GET,
    "an answer nobody reads": b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n",
    "a body behind its answer": b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody",
    "half a second request": GET + b"GET / HTTP/1.1\r\nho",
    "half a second body": GET + b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n",
}


# On Linux all of 127/8 is this machine; on other systems only 127.0.0.1 is.
of_addresses = pytest.mark.skipif(sys.platform != "linux", reason="needs further addresses of this machine")


class Application:
    """Answers requests; ``/slow`` waits until it is released, and the answer of ``/123`` has 123 bytes."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.slow = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        while scope["path"] != "/early" and (await receive()).get("more_body"):
            pass
        if scope["path"] == "/slow":
            self.slow += 1
            await self.may_answer.wait()
        name = scope["path"].removeprefix("/")
        size = 12_000_000 if name == "large" else int(name) if name.isdigit() else 2
        headers = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * size})


class Client:
    """One connection that is read only on request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def status(self) -> int:
        """The status of the next response. Raises IncompleteReadError or ConnectionError if the connection was cut."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        await self.reader.readexactly(2)
        return int(head.split()[1])


@asynccontextmanager
async def clients(
    server: HttpServer, number: int, sent: bytes, address: str = "127.0.0.1"
) -> AsyncIterator[list[Client]]:
    found = []
    try:
        for _ in range(number):
            opened = await asyncio.open_connection("127.0.0.1", server.port, limit=1024, local_addr=(address, 0))
            found.append(Client(*opened))
            found[-1].writer.write(sent)
        yield found
    finally:
        for one in found:
            one.writer.transport.abort()


@asynccontextmanager
async def limited(limit: int = LIMIT, of_address: int = 0) -> AsyncIterator[tuple[HttpServer, Application]]:
    app = Application()
    # One address may have all connections unless the test is about addresses.
    async with (
        serving(app, connections=limit, connections_of_address=of_address or limit) as server,
        asyncio.timeout(TIMEOUT_SECONDS),
    ):
        yield server, app
        app.may_answer.set()


async def until_done(server: HttpServer, expected: int) -> None:
    while server.connections != expected:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("sent", HOLDING.values(), ids=HOLDING)
async def test_idle_connections_are_closed_for_new_ones(sent: bytes) -> None:
    """Connections that keep the server waiting are closed for new ones. The newest clients are served, and no more
    connections than allowed stay open.
    """
    async with limited() as (server, _), clients(server, MANY, sent):
        await until_done(server, LIMIT)
        for _ in range(LIMIT):
            async with clients(server, 1, GET) as (one,):
                assert await one.status() == 200
        assert server.connections <= LIMIT


async def test_connection_idle_for_longest_is_closed_first() -> None:
    async with limited() as (server, _), clients(server, LIMIT, GET) as early:
        for one in early:
            assert await one.status() == 200
        early[0].writer.write(GET)
        assert await early[0].status() == 200
        async with clients(server, 1, GET) as (late,):
            assert await late.status() == 200
            assert await early[1].reader.read() == b""
            for one in (early[0], *early[2:]):
                one.writer.write(GET)
                assert await one.status() == 200


async def test_requests_in_progress_are_never_cut_off() -> None:
    """Requests in progress are never cut off. If all connections are busy, new ones get a time to retry."""
    asking = b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n"
    async with limited() as (server, app):
        async with clients(server, LIMIT, asking) as asked:
            while app.slow < LIMIT:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
            async with clients(server, MANY, b"") as others:
                for one in others:
                    answer = await one.reader.read()
                    assert answer.startswith(b"HTTP/1.1 503 ")
                    assert b"retry-after: 5" in answer
            app.may_answer.set()
            assert [await one.status() for one in asked] == [200] * LIMIT
        async with clients(server, 1, GET) as (one,):
            assert await one.status() == 200


async def test_streams_use_at_most_half_of_the_connections() -> None:
    """Streams use at most half of the connections. They may be silent for hours, so it is unknown which of them are
    idle.
    """
    async with limited() as (server, _), clients(server, LIMIT // 2, UPGRADE) as streams:
        for one in streams:
            assert b" 101 " in await one.reader.readuntil(b"\r\n\r\n")
        async with clients(server, 1, UPGRADE) as (one,):
            assert (await one.reader.read()).startswith(b"HTTP/1.1 503 ")
        async with clients(server, MANY, GET) as others:
            assert await others[-1].status() == 200
        streams[0].writer.transport.abort()
        await until_done(server, LIMIT // 2 - 1)
        async with clients(server, 1, UPGRADE) as (one,):
            assert b" 101 " in await one.reader.readuntil(b"\r\n\r\n")


@of_addresses
@pytest.mark.parametrize("sent", HOLDING.values(), ids=HOLDING)
async def test_address_replaces_only_its_own_connections(sent: bytes) -> None:
    """Beyond its share, each new connection of an address replaces one of its own, so others do not have to come first."""
    async with limited(of_address=4) as (server, _), clients(server, 2, GET) as others:
        for one in others:
            assert await one.status() == 200
        async with clients(server, MANY, sent, "127.0.0.2"):
            await until_done(server, 4 + len(others))
            for one in others:
                one.writer.write(GET)
                assert await one.status() == 200
            async with clients(server, 1, GET, "127.0.0.2") as (again,):
                assert await again.status() == 200


@of_addresses
async def test_busy_address_gets_retry_after() -> None:
    asking = b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n"
    async with limited(of_address=4) as (server, app), clients(server, 4, asking, "127.0.0.2") as asked:
        while app.slow < 4:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        async with clients(server, 1, GET, "127.0.0.2") as (one,), clients(server, 1, GET) as (other,):
            assert (await one.reader.read()).startswith(b"HTTP/1.1 503 ")
            assert await other.status() == 200
        app.may_answer.set()
        assert [await one.status() for one in asked] == [200] * 4


@of_addresses
async def test_address_with_most_waiting_connections_loses_one_first() -> None:
    """The address with the most waiting connections loses one first, although another client's connection is older and
    idle.
    """
    async with limited() as (server, _), clients(server, 1, b"") as (first,):
        for address in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            async with clients(server, MANY, GET, address) as others:
                assert await others[-1].status() == 200
                assert server.connections <= LIMIT
        first.writer.write(GET)
        assert await first.status() == 200


@of_addresses
async def test_streams_of_one_address_are_limited() -> None:
    async with limited(of_address=4) as (server, _), clients(server, 2, UPGRADE, "127.0.0.2") as streams:
        for one in streams:
            assert b" 101 " in await one.reader.readuntil(b"\r\n\r\n")
        async with clients(server, 1, UPGRADE, "127.0.0.2") as (one,), clients(server, 1, UPGRADE) as (other,):
            assert (await one.reader.read()).startswith(b"HTTP/1.1 503 ")
            assert b" 101 " in await other.reader.readuntil(b"\r\n\r\n")
        streams[0].writer.transport.abort()
        await until_done(server, 1)
        async with clients(server, 1, UPGRADE, "127.0.0.2") as (one,):
            assert b" 101 " in await one.reader.readuntil(b"\r\n\r\n")


@of_addresses
async def test_connections_behind_a_proxy_are_not_counted_by_address() -> None:
    """Behind a proxy nothing is counted by the proxy's address, not even streams. Clients that bypass the proxy are
    counted.
    """
    server = await serve(
        Application(), "127.0.0.1", 0, connections=MANY, connections_of_address=2, is_proxy="127.0.0.1".__eq__
    )
    try:
        async with clients(server, LIMIT, GET) as others, clients(server, LIMIT // 2, UPGRADE) as streams:
            for one in streams:
                assert b" 101 " in await one.reader.readuntil(b"\r\n\r\n")
            for _ in range(2):
                for one in others:
                    assert await one.status() == 200
                    one.writer.write(GET)
            async with clients(server, LIMIT, HOLDING["nothing"], "127.0.0.2"):
                await until_done(server, LIMIT + LIMIT // 2 + 2)
            async with clients(server, 2, UPGRADE, "127.0.0.2") as (first, second):
                assert b" 101 " in await first.reader.readuntil(b"\r\n\r\n")
                assert (await second.reader.read()).startswith(b"HTTP/1.1 503 ")
    finally:
        await server.stop()


async def test_counts_return_to_zero() -> None:
    """All counts return to zero after any kind of connection; otherwise capacity would be lost permanently."""
    async with limited(MANY) as (server, _):
        for sent in (*HOLDING.values(), UPGRADE):
            async with clients(server, LIMIT, sent):
                await until_done(server, LIMIT)
            await until_done(server, 0)
        async with clients(server, LIMIT, b"nonsense\r\n\r\n") as several:
            for one in several:
                assert (await one.reader.read()).startswith(b"HTTP/1.1 400 ")
            await until_done(server, 0)
        async with clients(server, MANY // 2, UPGRADE) as streams:
            for one in streams:
                assert b" 101 " in await one.reader.readuntil(b"\r\n\r\n")


@pytest.mark.parametrize("rest", [b"", b"connection: close\r\n"], ids=["kept open", "to be closed"])
async def test_unread_response_is_dropped(rest: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A response that the client does not read is dropped instead of being kept in memory until the client leaves."""
    for name in ("READING_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(bounded_heads, name, 0.05)
    asking = b"GET /large HTTP/1.1\r\nhost: x\r\n" + rest + b"\r\n"
    async with limited() as (server, _), clients(server, 1, asking) as (one,):
        await one.reader.readuntil(b"\r\n\r\n")
        await until_done(server, 0)


@of_addresses
async def test_unread_responses_are_limited_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that leaves most unread loses its oldest connections. Another client's response arrives in full."""
    # Enough for two responses, of which the system buffers up to 10 MB each, but not for three.
    size, limit = 40_000_000, 85_000_000
    monkeypatch.setattr(connection_limit, "MAX_UNREAD_BYTES", limit)
    asking = f"GET /{size} HTTP/1.1\r\nhost: x\r\n\r\n".encode()
    async with limited() as (server, _), clients(server, 1, asking) as (other,):
        await other.reader.readuntil(b"\r\n\r\n")
        async with clients(server, 1, asking, "127.0.0.2") as (first,):
            await first.reader.readuntil(b"\r\n\r\n")
            async with clients(server, 3, asking, "127.0.0.2"):
                await until_done(server, 2)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await first.reader.readexactly(size)
            assert len(await other.reader.readexactly(size)) == size


async def test_slowly_read_response_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_heads, "LOOK_SECONDS", 0.05)
    asking = b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n"
    async with limited() as (server, _), clients(server, 1, asking) as (one,):
        await one.reader.readuntil(b"\r\n\r\n")
        left = 12_000_000
        while left:
            piece = await one.reader.read(1_000_000)
            assert piece
            left -= len(piece)


def test_connection_limit_leaves_file_descriptors_for_other_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 4096))
    assert [affordable(wanted) for wanted in (10, 4_000, 0)] == [10, 768, 2]
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert affordable(4_000) == 4_000


def test_connections_per_address_are_limited() -> None:
    assert [per_address(4_000), per_address(4_000, 50), per_address(60, 100), per_address(4)] == [1_000, 50, 60, 2]

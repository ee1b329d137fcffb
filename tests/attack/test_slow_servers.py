"""Servers of strangers accept requests and never answer. Others are called meanwhile."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from at_network.circuits import OPENS_AFTER, Circuits, CircuitState
from groundwork.clock import HandClock
from groundwork.errors import NoConnectionFree, RemoteSlow
from groundwork.http import connection_shares
from groundwork.http.client import HttpClient
from groundwork.http.connection_shares import SharedConnector
from groundwork.http.reach import DEVELOPMENT
from tests.timeouts import TIMEOUT_SECONDS

CONNECTIONS = 100
REQUESTS = 400
_HOSTILE = "127.0.1."
_GOOD = "127.0.2.1"
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

Address = Callable[[str], str]


class Listener:
    """A server at all addresses of the loopback network. It never answers requests of ``/slow``."""

    def __init__(self) -> None:
        self.port = 0
        self.held = 0
        self.has_changed = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closed(writer):
            while not (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET /slow "):
                writer.write(_ANSWER)
            self._count(1)
            await reader.read()  # until the client gives up
            self._count(-1)

    async def holds(self, number: int) -> None:
        """Wait until this many requests wait for an answer."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while self.held < number:
                self.has_changed.clear()
                await self.has_changed.wait()

    def _count(self, change: int) -> None:
        self.held += change
        self.has_changed.set()


@contextmanager
def closed(writer: asyncio.StreamWriter) -> Iterator[None]:
    try:
        yield
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


class Addresses(AbstractResolver):
    """A resolver with a function instead of a table."""

    def __init__(self, address: Address) -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        address = self._address(host)
        return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        pass


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    server = await asyncio.start_server(listener.answer, "0.0.0.0", 0)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def calling(listener: Listener, address: Address, *hosts: str) -> AsyncIterator[HttpClient]:
    """A client that waits for answers of these hosts."""
    client = HttpClient(DEVELOPMENT, connections=CONNECTIONS, resolver=Addresses(address), shares_connections=True)
    calls = [
        asyncio.create_task(client.get(f"http://{host}:{listener.port}/slow", timeout_seconds=TIMEOUT_SECONDS))
        for host in hosts
    ]
    try:
        yield client
    finally:
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await client.close()


def _number(host: str) -> int:
    return int(host.partition(".")[0][1:])


def _anywhere(host: str) -> str:
    return _GOOD if host.startswith("good") else f"{_HOSTILE}{_number(host) % 250 + 1}"


def _at_one_address(host: str) -> str:
    return _GOOD if host.startswith("good") else f"{_HOSTILE}1"


def _at_four_addresses(host: str) -> str:
    return _GOOD if host.startswith("good") else f"{_HOSTILE}{_number(host) % 4 + 1}"


@pytest.mark.parametrize(
    ("domain", "address", "least", "most"),
    [
        pytest.param("n{}.evil.example", _anywhere, 25, 25, id="one domain, any number of addresses"),
        pytest.param("n{}.example", _at_one_address, 25, 25, id="any number of domains, one address"),
        pytest.param("n{}.example", _at_four_addresses, 50, 70, id="any number of domains, four addresses"),
    ],
)
async def test_slow_servers_leave_connections_for_others(
    listener: Listener, domain: str, address: Address, least: int, most: int
):
    async with calling(listener, address, *(domain.format(number) for number in range(REQUESTS))) as client:
        await listener.holds(least)
        for number in range(50):
            response = await client.get(f"http://good{number}.example.org:{listener.port}/", timeout_seconds=1.0)
            assert response.is_ok
        assert listener.held <= most


async def test_connections_that_were_kept_open_count_too(listener: Listener):
    """The servers answer first, and only then become slow."""
    async with calling(listener, _at_one_address) as client:
        urls = [f"http://n{number}.example:{listener.port}" for number in range(60)]
        for url in urls:
            await client.get(url)
        slow = [asyncio.create_task(client.get(f"{url}/slow", timeout_seconds=TIMEOUT_SECONDS)) for url in urls]
        await listener.holds(25)
        assert (await client.get(f"http://good.example.org:{listener.port}/", timeout_seconds=1.0)).is_ok
        assert listener.held == 25
        for one in slow:
            one.cancel()
        await asyncio.gather(*slow, return_exceptions=True)


async def test_waiting_for_slow_servers_ends_and_nobody_is_blamed(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, clock: HandClock
):
    """A good server below the same domain is not called while the others use up its share."""
    monkeypatch.setattr(connection_shares, "MAX_WAIT_SECONDS", 0.2)
    circuits = Circuits(clock)
    async with calling(listener, _anywhere, *(f"n{number}.evil.example" for number in range(25))) as client:
        await listener.holds(25)
        for _ in range(OPENS_AFTER):
            with pytest.raises(NoConnectionFree) as raised:
                await client.get(f"http://good.evil.example:{listener.port}/")
            assert isinstance(raised.value, RemoteSlow)
            circuits.note("https://good.evil.example", raised.value)
        assert circuits.state_of("https://good.evil.example") is CircuitState.CLOSED


async def test_the_timeout_of_a_request_does_not_include_the_wait(listener: Listener, monkeypatch: pytest.MonkeyPatch):
    """A resolver waits less for an answer than for a connection. Its servers are not blamed, and have all of its time."""
    monkeypatch.setattr(connection_shares, "MAX_WAIT_SECONDS", 0.2)
    async with calling(listener, _anywhere, *(f"n{number}.evil.example" for number in range(25))) as client:
        await listener.holds(25)
        url = f"http://n1000.evil.example:{listener.port}"
        with pytest.raises(NoConnectionFree):
            await client.get(url, timeout_seconds=0.1)
        with pytest.raises(NoConnectionFree):
            async with client.stream("GET", url, header_seconds=0.1, max_bytes=100):
                pass
        with pytest.raises(NoConnectionFree):
            async with client.websocket(url.replace("http", "ws"), connect_seconds=0.1):
                pass


async def test_the_timeout_of_a_request_goes_on_after_the_wait(listener: Listener):
    async with calling(listener, _anywhere) as client:
        slow = [
            asyncio.create_task(client.get(f"http://n{number}.evil.example:{listener.port}/slow"))
            for number in range(25)
        ]
        await listener.holds(25)
        waiting = asyncio.create_task(
            client.get(f"http://n1000.evil.example:{listener.port}/slow", timeout_seconds=0.1)
        )
        slow.pop().cancel()
        with pytest.raises(RemoteSlow) as raised:
            await waiting
        assert not isinstance(raised.value, NoConnectionFree)
        for one in slow:
            one.cancel()
        await asyncio.gather(*slow, return_exceptions=True)


async def test_a_connection_without_a_known_address_is_used(listener: Listener):
    """A server that closes the connection at once leaves a socket without the address of a peer."""
    connector = SharedConnector(
        connections=4, per_host=4, socket_factory=_closed_by_peer, resolver=Addresses(_anywhere)
    )
    url = f"http://good.example.org:{listener.port}/"
    async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as response:
        assert await response.text() == "ok"


class ClosedByPeer(socket.socket):
    def getpeername(self) -> Any:
        raise OSError(errno.ENOTCONN, "not connected")


def _closed_by_peer(address_info: tuple[Any, ...]) -> socket.socket:
    return ClosedByPeer(*address_info[:3])


async def test_a_share_is_free_again_when_a_slow_request_ends(listener: Listener):
    async with calling(listener, _anywhere) as client:
        slow = [
            asyncio.create_task(client.get(f"http://n{number}.evil.example:{listener.port}/slow"))
            for number in range(25)
        ]
        await listener.holds(25)
        good = asyncio.create_task(client.get(f"http://good.evil.example:{listener.port}/"))
        slow.pop().cancel()
        assert (await good).is_ok
        for one in slow:
            one.cancel()
        await asyncio.gather(*slow, return_exceptions=True)

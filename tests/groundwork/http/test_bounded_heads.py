"""Requests whose head never ends, over real sockets."""

import asyncio

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from tests.timeouts import TIMEOUT_SECONDS

from groundwork.http import bounded_heads
from groundwork.http.bounded_heads import MAX_HEAD_BYTES
from groundwork.http.server import serving


async def _echo_length(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


async def _send_without_end(port: int, start: bytes, more: bytes) -> tuple[bytes, int]:
    """The response, and how many bytes could be sent before the connection was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(start)
    sent = 0
    answer = b""
    try:
        while sent < 20_000_000:
            writer.write(more)
            await writer.drain()
            sent += len(more)
        answer = await reader.read()
    except ConnectionError:
        pass
    writer.close()
    return answer, sent


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: ", b"a" * 50_000),
        (b"GET / HTTP/1.1\r\nhost: x\r\n", b"x: y\r\n" * 10_000),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n" * 10_000),
    ],
    ids=["a header without end", "headers without end", "trailers without end"],
)
async def test_endless_request_head_is_refused(start: bytes, more: bytes) -> None:
    async with serving(_echo_length) as server:
        _, sent = await _send_without_end(server.port, start, more)
    assert sent < 20_000_000


async def test_too_long_head_is_refused() -> None:
    async with serving(_echo_length) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * MAX_HEAD_BYTES)
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    ("hosts", "version", "status"),
    [((), "1.1", 400), (("a", "b"), "1.1", 400), (("a",), "1.1", 200), ((), "1.0", 200), (("a", "b"), "1.0", 400)],
)
async def test_request_names_exactly_one_host(hosts: tuple[str, ...], version: str, status: int) -> None:
    """A cache or proxy in front could otherwise store the page of one site under the name of another. Clients of HTTP/1.0
    need not name one.
    """
    lines = [f"GET / HTTP/{version}", "connection: close", *(f"host: {host}" for host in hosts), "", ""]
    async with serving(_echo_length) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write("\r\n".join(lines).encode())
        answer = await reader.read()
        writer.close()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


async def test_large_bodies_and_many_requests_on_one_connection_are_fine() -> None:
    async with serving(_echo_length) as server, httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        for _ in range(3):
            answer = await http.post("/", content=b"x" * 3_000_000, headers={"x": "y" * (MAX_HEAD_BYTES // 4)})
            assert answer.text == "3000000"

        async def pieces():
            for _ in range(100):
                yield b"z" * 70_000

        assert (await http.post("/", content=pieces())).text == "7000000"


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("Too much", 413)(scope, receive, send)


async def test_endless_body_is_not_read_after_its_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless body is not read after its response, however fast it arrives; it would use a connection and a
    processor forever.
    """
    monkeypatch.setattr(bounded_heads, "LEFTOVER_BYTES", 1_000_000)
    start = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    async with serving(_refuse) as server:
        _, sent = await _send_without_end(server.port, start, b"c350\r\n" + b"a" * 50_000 + b"\r\n")
    assert sent < 20_000_000


async def test_slow_body_is_not_waited_for_after_the_response(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEFTOVER_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(bounded_heads, name, 0.05)
    async with serving(_refuse) as server, asyncio.timeout(TIMEOUT_SECONDS):
        loop = asyncio.get_running_loop()
        transport, collecting = await loop.create_connection(Collecting, "127.0.0.1", server.port)
        transport.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
        while not collecting.is_over:
            await asyncio.sleep(0.02)
            transport.write(b"a")
    assert bytes(collecting.received).startswith(b"HTTP/1.1 413 ")


async def test_client_that_sends_all_before_reading_gets_the_response() -> None:
    async with serving(_refuse) as server, httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        for _ in range(2):
            assert (await http.post("/", content=b"x" * 10_000_000)).status_code == 413


class Collecting(asyncio.Protocol):
    """Keeps the data that arrived, even before a reset."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.is_over = False

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_over = True


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: ", b"HTTP/1.1 408 "),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc", b"HTTP/1.1 408 "),
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nho", b"HTTP/1.1 200 "),
    ],
    ids=["nothing", "half a head", "half a body", "half a second request"],
)
async def test_endless_requests_are_dropped(sent: bytes, answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that never ends is dropped, even if it sends a byte now and then."""
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(bounded_heads, name, 0.05)
    async with serving(_echo_length) as server, asyncio.timeout(TIMEOUT_SECONDS):
        loop = asyncio.get_running_loop()
        transport, collecting = await loop.create_connection(Collecting, "127.0.0.1", server.port)
        transport.write(sent)
        while not collecting.is_over:
            await asyncio.sleep(0.02)
            if sent:
                transport.write(b"a")
    received = bytes(collecting.received)
    assert received.startswith(answer)
    assert bool(received) is bool(answer)


async def test_client_that_waits_for_100_continue_is_not_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that arrives late is not slow if the program reads it late and the sender waits for ``Expect:
    100-continue``.
    """
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(bounded_heads, name, 0.05)
    looks = 0
    look = bounded_heads.BoundedHeads._look

    def counted(protocol: bounded_heads.BoundedHeads) -> None:
        nonlocal looks
        looks += 1
        look(protocol)

    monkeypatch.setattr(bounded_heads.BoundedHeads, "_look", counted)

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        while looks < 5:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        await _echo_length(scope, receive, send)

    async with serving(late) as server, asyncio.timeout(TIMEOUT_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 100 ")
        writer.write(b"abc")
        answer = await reader.readuntil(b"\r\n\r\n3")
        writer.close()
    assert b"HTTP/1.1 200 " in answer

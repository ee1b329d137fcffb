"""Requests whose head never ends, over real sockets."""

import asyncio

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from groundwork.http.bounded_heads import MAX_HEAD_BYTES
from groundwork.http.server import serving


async def _echo_length(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


async def _send_without_end(port: int, start: bytes, more: bytes) -> tuple[bytes, int]:
    """What came back, and how many bytes could be sent before the connection was closed."""
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
async def test_a_head_without_end_is_not_taken(start: bytes, more: bytes) -> None:
    async with serving(_echo_length) as server:
        _, sent = await _send_without_end(server.port, start, more)
    assert sent < 20_000_000


async def test_a_head_that_is_too_long_is_told_so() -> None:
    async with serving(_echo_length) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * MAX_HEAD_BYTES)
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_large_bodies_and_many_requests_on_one_connection_are_fine() -> None:
    async with serving(_echo_length) as server, httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        for _ in range(3):
            answer = await http.post("/", content=b"x" * 3_000_000, headers={"x": "y" * (MAX_HEAD_BYTES // 4)})
            assert answer.text == "3000000"

        async def pieces():
            for _ in range(100):
                yield b"z" * 70_000

        assert (await http.post("/", content=pieces())).text == "7000000"

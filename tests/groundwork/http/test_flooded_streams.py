"""Clients of WebSockets that send more than the server wants, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Receive, Scope, Send
from tests.timeouts import TIMEOUT_SECONDS
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from groundwork.http.connection_limit import STREAM_BURST_BYTES, STREAM_FRAME_BYTES
from groundwork.http.server import serving

LARGEST_MESSAGE = 1024 * 1024
MANY = 3 * STREAM_BURST_BYTES // STREAM_FRAME_BYTES

UPGRADE = (
    b"GET /stream HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def frame(opcode: int, payload: bytes, *, is_last: bool = True) -> bytes:
    """A short frame of a client, masked with zeros (RFC 6455, section 5.2)."""
    return bytes([(0x80 if is_last else 0) | opcode, 0x80 | len(payload)]) + bytes(4) + payload


FLOODS = {
    "empty fragments of one message": frame(1, b"x", is_last=False) + frame(0, b"", is_last=False) * MANY,
    "empty messages": frame(2, b"") * MANY,
    "pings": frame(9, b"ping") * MANY,
    "pongs": frame(10, b"") * MANY,
    "large messages": frame(2, b"x" * 125) * (3 * STREAM_BURST_BYTES // 125),
}


class Counting:
    """Accepts WebSockets and counts their messages."""

    def __init__(self) -> None:
        self.messages = 0
        self.is_over = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            self.messages += 1
        self.is_over.set()


@asynccontextmanager
async def counting() -> AsyncIterator[tuple[int, Counting]]:
    app = Counting()
    async with serving(app) as server, asyncio.timeout(TIMEOUT_SECONDS):
        yield server.port, app


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
async def test_client_that_floods_the_server_is_disconnected(flood: bytes) -> None:
    async with counting() as (port, app):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE)
        # Whatever is sent before the server has agreed is no part of the stream.
        await reader.readuntil(b"\r\n\r\n")
        writer.write(flood)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(2 * len(flood))
        await app.is_over.wait()
        assert app.messages * STREAM_FRAME_BYTES <= 2 * STREAM_BURST_BYTES
        writer.transport.abort()


async def test_client_may_send_its_largest_message_and_answers_to_pings() -> None:
    async with counting() as (port, app), connect(f"ws://127.0.0.1:{port}/stream", proxy=None) as stream:
        await stream.send("x" * LARGEST_MESSAGE)
        for _ in range(100):
            await stream.send("x")
            await (await stream.ping())
        await stream.close()
        await app.is_over.wait()
        assert app.messages == 101
        with pytest.raises(ConnectionClosed):
            await stream.recv()


@pytest.mark.parametrize(
    "message",
    [frame(1, b"\xff\xfe"), frame(1, b"\xc3", is_last=False) + frame(0, b"(")],
    ids=["one frame", "fragments"],
)
async def test_text_that_is_not_utf8_ends_the_stream(message: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """With code 1007 (RFC 6455, section 8.1), and without a traceback for each such message of a stranger."""
    async with counting() as (port, app):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(message)
        assert await reader.read() == bytes([0x88, 2]) + (1007).to_bytes(2)
        await app.is_over.wait()
        assert app.messages == 0
        writer.close()
    assert [one for one in caplog.records if one.exc_info] == []


async def test_a_character_may_be_split_between_frames() -> None:
    async with counting() as (port, app):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(frame(1, b"\xc3", is_last=False) + frame(0, b"\xa9") + frame(8, b""))
        await app.is_over.wait()
        assert app.messages == 1
        writer.close()

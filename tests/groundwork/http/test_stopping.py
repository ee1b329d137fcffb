"""Stopping a server takes bounded time: clients that hold a connection open are cut off after the grace time."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from starlette.types import Receive, Scope, Send
from tests.timeouts import TIMEOUT_SECONDS

from groundwork.http.server import HttpServer, serve

PIECE = b"x" * 65536

UPGRADE = (
    b"GET /stream HTTP/1.1\r\nhost: pds.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
HOLDING_REQUESTS = {
    "half an upload": b"POST /upload HTTP/1.1\r\nhost: pds.test\r\ncontent-length: 1000\r\n\r\nhalf",
    "half a head": b"POST /upload HTTP/1.1\r\nhost: pds",
    "a download nobody reads": b"GET /download HTTP/1.1\r\nhost: pds.test\r\n\r\n",
    "a stream nobody reads": UPGRADE,
}


class Held:
    """An application that sends and receives without end, and lists the clients that it serves."""

    def __init__(self) -> None:
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.running += 1
        try:
            await self._serve(scope, receive, send)
        finally:
            self.running -= 1

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["path"]:
            case "/upload":
                while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                    continue
            case "/download":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                while True:
                    await send({"type": "http.response.body", "body": PIECE, "more_body": True})
            case _:
                await receive()
                await send({"type": "websocket.accept"})
                while True:
                    await send({"type": "websocket.send", "bytes": PIECE})


@asynccontextmanager
async def connected(serving: HttpServer, request: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """A client that sends this and then neither reads nor writes until the test reads it."""
    # A small limit, so that the reader stops taking from the socket almost at once.
    reader, writer = await asyncio.open_connection(serving.host, serving.port, limit=1024)
    try:
        writer.write(request)
        await writer.drain()
        yield reader
    finally:
        writer.transport.abort()


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - the state of a server has no event to wait for
        await asyncio.sleep(0.01)


async def within(what: Awaitable[object]) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await what


@pytest.mark.parametrize("request_", HOLDING_REQUESTS.values(), ids=HOLDING_REQUESTS)
async def test_held_connections_do_not_delay_the_stop(request_: bytes) -> None:
    app = Held()
    serving = await serve(app, "127.0.0.1", 0, grace_seconds=0.01)
    async with connected(serving, request_) as reader:
        if b"host: pds.test" in request_:
            await within(until(lambda: app.running == 1))
        await within(serving.stop())
        assert app.running == 0, "work for the disconnected client is still running"
        # Checked before anybody reads the pending data; reading would let a connection end by itself.
        await within(until(lambda: serving.connections == 0))
        await within(_read_to_the_end(reader))


async def _read_to_the_end(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(len(PIECE)):
            continue
    except ConnectionResetError:
        return


async def test_stop_does_not_wait_for_idle_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop closes idle connections at once, without uvicorn's pause of a tenth of a second."""
    slept: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        slept.append(seconds)
        await sleep(seconds)

    serving = await serve(Held(), "127.0.0.1", 0)
    async with connected(serving, b"") as reader:
        await within(until(lambda: serving.connections == 1))
        monkeypatch.setattr(asyncio, "sleep", noted)
        await within(serving.stop())
        monkeypatch.undo()
        assert await reader.read() == b""
    assert max(slept, default=0) < 0.1, slept


async def test_connections_made_during_the_stop_are_closed() -> None:
    """A connection that the system accepted during the stop, but the server has not seen, is closed with the others."""
    serving = await serve(Held(), "127.0.0.1", 0)
    with socket.create_connection((serving.host, serving.port)) as late:
        late.settimeout(10)
        await within(serving.stop())
        assert serving.connections == 0
        try:
            assert late.recv(1) == b""
        except ConnectionResetError:
            return

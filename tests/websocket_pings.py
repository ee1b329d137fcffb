"""A subscriber that sees the pings of a stream and answers them or not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import WSMsgType

from tests.timeouts import TIMEOUT_SECONDS


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Open a connection that does not answer pings by itself."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url, autoping=False) as socket:
        yield socket


async def next_ping(socket: aiohttp.ClientWebSocketResponse) -> bytes:
    """Return the next ping and skip everything before it."""
    while True:
        message = await socket.receive(TIMEOUT_SECONDS)
        if message.type is WSMsgType.PING:
            return bytes(message.data)
        assert message.type in {WSMsgType.BINARY, WSMsgType.TEXT}, message


async def assert_open_while_pings_are_answered(url: str) -> None:
    """Check that several pings arrive on a silent stream and that answering them keeps it open."""
    async with listening(url) as socket:
        for _ in range(3):
            await socket.pong(await next_ping(socket))
        assert not socket.closed


async def assert_closed_without_pongs(url: str) -> None:
    """Check that the server closes the connection if its ping is not answered."""
    async with listening(url) as socket:
        await next_ping(socket)
        while (message := await socket.receive(TIMEOUT_SECONDS)).type not in {WSMsgType.CLOSE, WSMsgType.CLOSED}:
            assert message.type in {WSMsgType.PING, WSMsgType.BINARY, WSMsgType.TEXT}

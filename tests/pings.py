"""A subscriber that looks at the pings of a stream, and answers them or does not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import WSMsgType

from tests.patience import PATIENCE_SECONDS


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A connection that answers no ping by itself."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url, autoping=False) as socket:
        yield socket


async def next_ping(socket: aiohttp.ClientWebSocketResponse) -> bytes:
    """The next ping, whatever comes before it."""
    while True:
        message = await socket.receive(PATIENCE_SECONDS)
        if message.type is WSMsgType.PING:
            return bytes(message.data)
        assert message.type in {WSMsgType.BINARY, WSMsgType.TEXT}, message


async def is_kept_while_it_answers(url: str) -> None:
    """Several pings come on a silent stream, and each answer keeps it open."""
    async with listening(url) as socket:
        for _ in range(3):
            await socket.pong(await next_ping(socket))
        assert not socket.closed


async def is_dropped_when_it_is_silent(url: str) -> None:
    """A ping comes, nobody answers, and the server lets go."""
    async with listening(url) as socket:
        await next_ping(socket)
        while (message := await socket.receive(PATIENCE_SECONDS)).type not in {WSMsgType.CLOSE, WSMsgType.CLOSED}:
            assert message.type in {WSMsgType.PING, WSMsgType.BINARY, WSMsgType.TEXT}

"""Lines of a Jetstream server. A connection ends when its server is gone, even if TCP still reports it as open."""

import pytest
from aiohttp import web
from tests.at_network.peers import serve

from at_network import jetstream_stream
from at_network.jetstream_stream import read_lines, subscribe_url
from groundwork.errors import RemoteFailed, RemoteSlow


async def test_server_that_answers_no_ping_is_disconnected(http, monkeypatch):
    """A server that sends no lines is pinged. The connection is dropped if there is no answer, and kept otherwise."""
    monkeypatch.setattr(jetstream_stream, "HEARTBEAT_SECONDS", 0.1)
    pinged = []

    async def silent(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        for answers in (True, True, False):
            message = await socket.receive()
            pinged.append(message.type)
            if answers:
                await socket.pong(message.data)
        await socket.receive()
        return socket

    async with serve({"GET /subscribe": silent}) as url:
        with pytest.raises((RemoteSlow, RemoteFailed)):
            _ = [line async for line in read_lines(http, subscribe_url(url, ""))]
    assert pinged == [web.WSMsgType.PING] * 3

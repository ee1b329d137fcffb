"""Writes of one turn of the event loop are sent together, in order, and before the connection closes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import cast

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from groundwork.http.joined_writes import MAX_JOINED_BYTES, JoinedWrites
from groundwork.http.server import serving


class Watched:
    """A transport that records what is written and forwards it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.writes: list[bytes] = []

    def write(self, content: bytes) -> None:
        self.writes.append(content)
        self.transport.write(content)

    def __getattr__(self, name: str) -> object:
        return getattr(self.transport, name)


@pytest.fixture
async def watched() -> AsyncIterator[tuple[Watched, asyncio.StreamReader]]:
    """One end of a connection, and a reader at the other."""
    here, there = socket.socketpair()
    reader, closing = await asyncio.open_connection(sock=there)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=here)
    yield Watched(transport), reader
    transport.close()
    closing.close()
    await closing.wait_closed()


def joined(watched: Watched) -> JoinedWrites:
    return JoinedWrites(cast("asyncio.Transport", watched))


async def test_writes_of_one_loop_turn_are_joined(watched: tuple[Watched, asyncio.StreamReader]):
    below, reader = watched
    transport = joined(below)
    for part in (b"head", b" and ", b"body"):
        transport.write(part)
    assert below.writes == []
    assert await reader.readexactly(13) == b"head and body"
    transport.write(b"next")
    assert await reader.readexactly(4) == b"next"
    assert below.writes == [b"head and body", b"next"]


async def test_closing_sends_what_was_written(watched: tuple[Watched, asyncio.StreamReader]):
    below, reader = watched
    transport = joined(below)
    transport.write(b"last ")
    transport.write(b"words")
    transport.close()
    assert await reader.read() == b"last words"
    assert transport.is_closing()


async def test_flow_control_counts_buffered_writes(watched: tuple[Watched, asyncio.StreamReader]):
    """Flow control counts buffered writes, so that a sender that never yields to the loop is still paused."""
    below, _ = watched
    transport = joined(below)
    transport.write(bytes(MAX_JOINED_BYTES - 1))
    assert below.writes == []
    transport.write(b"x")
    assert len(below.writes[0]) == MAX_JOINED_BYTES


async def test_nothing_is_written_to_a_connection_that_is_gone(watched: tuple[Watched, asyncio.StreamReader]):
    below, _ = watched
    transport = joined(below)
    transport.write(b"too late")
    below.transport.abort()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert below.writes == []


async def test_pipelined_responses_arrive_complete():
    """Pipelined requests get whole responses in order and of any size, through the server's own transport."""
    sizes = [0, 1, MAX_JOINED_BYTES - 1, MAX_JOINED_BYTES, 3 * MAX_JOINED_BYTES, 10]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(bytes([65]) * int(scope["path"].strip("/")))(scope, receive, send)

    async with serving(app) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"".join(b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n" % size for size in sizes))
        for size in sizes:
            head = await reader.readuntil(b"\r\n\r\n")
            assert f"content-length: {size}".encode() in head.lower()
            assert await reader.readexactly(size) == b"A" * size
        writer.close()
        await writer.wait_closed()

"""A minimal HTTP client. It shares the cores with the servers, and a client library would take a third of one.

There is one request at a time per connection. Responses are kept and checked after the measurement.
"""

import asyncio
import re
from collections.abc import Sequence
from time import monotonic, perf_counter
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode

import msgspec

from tests.bench.figure import check

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"


class Answer(NamedTuple):
    """A response. ``seconds``: from the request to the last byte. ``at``: a time on the clock that all processes of a
    machine share.
    """

    status: int
    body: bytes
    seconds: float
    at: float

    def json(self) -> Any:
        check(self.status == 200, f"the answer is {self.status}: {self.body[:300]!r}")
        return msgspec.json.decode(self.body)


class Connection(asyncio.Protocol):
    """A kept-alive connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: bytes | None = None
        self._needed: int | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's class is not a subclass of it

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"the server hung up: {exc}"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head = bytes(self._buffer[: end + 2])
            del self._buffer[: end + 4]
            length = _LENGTH.search(self._head)
            self._needed = None if _CHUNKED.search(self._head) else int(length[1]) if length else 0
        if self._needed is None:
            if self._buffer.endswith(_LAST_CHUNK) or self._buffer == _LAST_CHUNK[2:]:
                self._finish(bytes(self._buffer), is_chunked=True)
        elif len(self._buffer) >= self._needed:
            self._finish(bytes(self._buffer), is_chunked=False)

    def _finish(self, body: bytes, *, is_chunked: bool) -> None:
        assert self._head is not None
        assert self._answer is not None
        status = int(self._head[9:12])
        self._head = None
        self._buffer.clear()
        self._answer.set_result((status, _joined(body) if is_chunked else body))

    async def ask(self, request: bytes) -> Answer:
        """Send one request and wait for its response."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        begun = perf_counter()
        self._transport.write(request)
        status, body = await self._answer
        return Answer(status, body, perf_counter() - begun, monotonic())

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def connect(port: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


def get(nsid: str, **parameters: object) -> bytes:
    """The bytes of a query."""
    return f"GET /xrpc/{nsid}?{urlencode(parameters)} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()


def post(nsid: str, body: object, token: str | None = None) -> bytes:
    """The bytes of a procedure call."""
    content = msgspec.json.encode(body)
    head = f"POST /xrpc/{nsid} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    if token is not None:
        head += f"authorization: Bearer {token}\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content


async def in_turn(port: int, *queues: Sequence[bytes]) -> tuple[float, list[list[Answer]]]:
    """Send several queues of requests at once, each on its own connection and each request after the response to the
    one before. Returns the seconds that this took in total.
    """
    connections = [await connect(port) for _ in queues]

    async def work(connection: Connection, queue: Sequence[bytes]) -> list[Answer]:
        return [await connection.ask(request) for request in queue]

    begun = perf_counter()
    answers = await asyncio.gather(*map(work, connections, queues))
    taken = perf_counter() - begun
    for connection in connections:
        connection.close()
    return taken, answers


def _joined(body: bytes) -> bytes:
    parts, position = [], 0
    while True:
        end = body.index(b"\r\n", position)
        size = int(body[position:end].partition(b";")[0], 16)
        if not size:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        position = end + 2 + size + 2

"""Joined writes: everything written to a connection in one iteration of the event loop is sent in one system call.

uvicorn writes the head and the body of a response separately and each WebSocket message on its own, and uvloop sends
each write at once. A system call costs more than creating a small response, so a firehose that sends sixteen frames of
one commit to a hundred subscribers would spend most of its time in system calls.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Data above this size is passed on at once, so that flow control works.
MAX_JOINED_BYTES = 64 * 1024


class JoinedWrites:
    """A transport for uvicorn's protocols that wraps the real one and changes only writing."""

    __slots__ = ("_loop", "_pending", "_pending_bytes", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    def write(self, content: bytes) -> None:
        """Buffer data and send it together with everything else written in this iteration."""
        if not self._pending:
            self._loop.call_soon(self._flush)
        self._pending.append(content)
        self._pending_bytes += len(content)
        if self._pending_bytes >= MAX_JOINED_BYTES:
            self._flush()

    def close(self) -> None:
        """Close after sending the buffered data."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        if pending and not self._transport.is_closing():
            self._transport.write(pending[0] if len(pending) == 1 else b"".join(pending))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class JoiningProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol on such a transport. A WebSocket takes over the transport with the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", JoinedWrites(cast("asyncio.Transport", transport))))

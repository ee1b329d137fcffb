"""Serve applications inside the running event loop: uvicorn with uvloop, httptools and websockets.

``serve`` returns when the socket is listening, with the bound port (port 0 picks a free one). This module handles no
signals: ``programs/`` decides when to stop. Stopping is graceful: new connections are rejected, WebSockets get 1012
(service restart), and running requests may finish within the grace time. Anything that a client keeps open longer (an
incomplete upload, an unread download or stream) is cut off, so that no client determines how long a stop takes.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from groundwork.errors import Refused
from groundwork.http.connection_limit import (
    MAX_CONNECTIONS,
    ConnectionLimit,
    IsProxy,
    affordable,
    is_no_proxy,
    per_address,
)

# Interval of WebSocket pings, and time limit for their reply. Streams can be silent for hours; meanwhile a middlebox might
# drop the idle connection, or the peer might disappear without closing it.
PING_SECONDS = 20.0
PONG_SECONDS = 20.0

# uvicorn updates the Date header once per second.
_TICK_SECONDS = 1.0

# Longer than our clients keep an idle connection, so that the client closes it. Otherwise a request could arrive on a
# connection that is being closed.
KEEP_ALIVE_SECONDS = 75

# Container runtimes kill the process after ten seconds. Before that, acknowledged work must be answered and files
# closed.
GRACE_SECONDS = 5.0
# Time for cancelled tasks to release their resources.
_LETTING_GO_SECONDS = 2.0
# Open connections are checked soon and then less and less often, because idle ones close at once.
_FIRST_LOOK_SECONDS = 0.002
_LATER_LOOK_SECONDS = 0.1


class HttpServer:
    """A listening server."""

    def __init__(self, server: uvicorn.Server, listener: socket.socket, host: str, grace_seconds: float) -> None:
        self.host = host
        self._grace_seconds = grace_seconds
        self.port: int = listener.getsockname()[1]
        self._server = server
        self._listener = listener
        self._stopping = asyncio.Event()
        self._done = asyncio.create_task(self._run(), name=f"serve {self.url}")

    @property
    def url(self) -> str:
        """``http://host:port`` without a trailing slash."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{shown}:{self.port}"

    @property
    def connections(self) -> int:
        """The number of connected clients."""
        return len(self._server.server_state.connections)

    async def stop(self) -> None:
        """Stop gracefully. Returns when all connections are closed. Can be called twice."""
        self._stopping.set()
        await asyncio.shield(self._done)

    async def _run(self) -> None:
        # uvicorn's main loop wakes ten times a second to check for a signal. This server waits for an event instead.
        while not self._stopping.is_set():
            await self._server.on_tick(0)
            try:
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._stopping.wait()
            except TimeoutError:
                continue
        await self._let_finish()
        # Tasks that run beyond the grace time are cancelled; otherwise their sockets would stay open until the peer
        # closes them.
        state = self._server.server_state
        running = set(state.tasks)
        for task in running:
            task.cancel()
        for connection in list(state.connections):
            connection.transport.abort()
        if running:
            await asyncio.wait(running, timeout=_LETTING_GO_SECONDS)

    async def _let_finish(self) -> None:
        """Reject new connections and announce the stop on each open one. Returns when all have ended, or after the
        grace time.

        Replaces uvicorn's own shutdown, which sleeps for a tenth of a second before its first check.
        """
        state = self._server.server_state
        for accepting in self._server.servers:
            accepting.close()
        self._listener.close()
        notified: set[object] = set()
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._grace_seconds
        pause = _FIRST_LOOK_SECONDS
        while True:
            # A connection that was being accepted when the listener closed appears only now.
            for connection in state.connections - notified:
                connection.shutdown()
                notified.add(connection)
            await asyncio.sleep(min(pause, max(0.0, ends_at - loop.time())))
            if not (state.connections or state.tasks) or loop.time() >= ends_at:
                return
            pause = min(2 * pause, _LATER_LOOK_SECONDS)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        advice = " Stop the program that uses it, or choose another port." if error.errno == errno.EADDRINUSE else ""
        raise Refused(f"Cannot listen on {host} port {port}: {error.strerror or error}.{advice}") from error
    return listener


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    grace_seconds: float = GRACE_SECONDS,
    websocket_message_bytes: int = 1024 * 1024,
    connections: int = MAX_CONNECTIONS,
    connections_of_address: int = 0,
    is_proxy: IsProxy = is_no_proxy,
) -> HttpServer:
    """Listen and serve in the background. Raises ``Refused`` with a sentence if the port is not available.

    ``connections`` is the maximum number of open connections, which is reduced if the system allows fewer open files.
    ``connections_of_address`` is the maximum from one address; 0 means a quarter of all. Addresses for which
    ``is_proxy`` returns True are exempt.
    """
    listener = _listen(host, port)
    max_connections = affordable(connections)
    limit = ConnectionLimit(max_connections, per_address(max_connections, connections_of_address), is_proxy)
    config = uvicorn.Config(
        app,
        loop="none",
        # uvicorn calls this argument like a class.
        http=cast("type[asyncio.Protocol]", limit.protocol),
        ws=cast("type[asyncio.Protocol]", limit.stream),
        ws_max_size=websocket_message_bytes,
        # Frames of signed blocks do not compress, and trying to would cost CPU for every subscriber.
        ws_per_message_deflate=False,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PONG_SECONDS,
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        # Connections are accepted in bursts before any of them is read. A burst must not evict its own first
        # connections.
        backlog=min(2048, max(1, max_connections // 2)),
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    return HttpServer(server, listener, host, grace_seconds)


@asynccontextmanager
async def serving(
    app: ASGIApp,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    connections: int = MAX_CONNECTIONS,
    connections_of_address: int = 0,
    grace_seconds: float = 1.0,
) -> AsyncIterator[HttpServer]:
    """Run a server for the duration of a block, on a free loopback port by default."""
    server = await serve(
        app,
        host,
        port,
        grace_seconds=grace_seconds,
        connections=connections,
        connections_of_address=connections_of_address,
    )
    try:
        yield server
    finally:
        await server.stop()

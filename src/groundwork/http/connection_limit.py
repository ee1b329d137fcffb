"""Connection limit of a server, so that no client can use up all connections.

If all connections are in use, a new one replaces a connection that is waiting for its client: idle between two
requests, slow to send one, or slow to read a response. The replaced connection is the longest waiting one of the
address with most such connections. One address may hold only a share of all connections; its further connections
replace its own. A request in progress is never cut off. If no connection can be replaced, a new one gets 503.
All connections together hold a limited amount of responses that their clients do not read; beyond it, clients of the
address that holds most are disconnected. WebSockets may use half of all connections, and half of an address's share.
What their clients send is limited.
"""

import asyncio
import resource
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

from groundwork.http.addresses import network_of
from groundwork.http.bounded_heads import BoundedHeads
from groundwork.telemetry.logs import log

# Each takes a few kilobytes while idle, and at most a few hundred while a request arrives.
MAX_CONNECTIONS: Final = 4_000

# What all clients together may leave unread. The largest responses that are sent at once have a few megabytes, and the
# system buffers as much as fast clients need.
MAX_UNREAD_BYTES: Final = 128 * 1024 * 1024

# The lowest value that an operator may set. A single browser opens six connections.
LEAST_CONNECTIONS: Final = 16

# One address may hold a quarter of the connections unless the operator configures a number. Even an office behind one
# address needs far fewer.
_SHARE_OF_ADDRESS: Final = 4

# The remaining file descriptors are for databases, other servers and files.
_SHARE_OF_OPEN_FILES: Final = 0.75
_SECONDS_BETWEEN_WARNINGS: Final = 60.0

# What the client of a WebSocket may send: a message of the largest size at once, then a steady trickle. Our streams only
# send, so their clients send little more than answers to pings. A frame costs as much as the processor time that it takes,
# which for an empty one is that of a kilobyte: a megabyte of empty frames would occupy the server for seconds.
STREAM_BURST_BYTES: Final = 2 * 1024 * 1024
STREAM_BYTES_PER_SECOND: Final = 64 * 1024
STREAM_FRAME_BYTES: Final = 1024
# Frames are counted after they were parsed, so only so much is parsed at a time.
_PIECE_BYTES: Final = 4096

_NO_ROOM: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"content-type: text/plain; charset=utf-8\r\nretry-after: 5\r\nconnection: close\r\n\r\n"
    b"Too many connections. Try again in a few seconds."
)


def affordable(desired: int) -> int:
    """Return how many connections a server can have: ``desired``, or fewer if the system's limit on open files requires
    it. At least two.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    maximum = desired if soft == resource.RLIM_INFINITY else min(desired, int(soft * _SHARE_OF_OPEN_FILES))
    return max(maximum, 2)


def per_address(limit: int, configured: int = 0) -> int:
    """Return how many of ``limit`` connections one address may hold. ``configured`` is the operator's setting; 0
    means a quarter.
    """
    return max(min(configured or limit // _SHARE_OF_ADDRESS, limit), 2)


# Whether a connecting address belongs to a proxy and thus to all clients behind it.
IsProxy = Callable[[str], bool]


def is_no_proxy(_address: str) -> bool:
    """Always False, for a server that clients reach directly."""
    return False


class ConnectionLimit:
    """State shared by all connections of one server.

    ``limit`` is the maximum number of connections, including WebSockets. ``of_address`` is the maximum for one address
    (IPv6: one /64), except for proxies.
    """

    def __init__(self, limit: int, of_address: int, is_proxy: IsProxy = is_no_proxy) -> None:
        self.limit = limit
        self.of_address = of_address
        self.is_proxy = is_proxy
        self.open: Counter[str] = Counter()
        self.streams: Counter[str] = Counter()
        self.all_streams = 0
        self.waiting = _WaitingConnections()
        self.unread = _UnreadResponses()
        self._warned_at: dict[str, float] = {}

    def protocol(self, **arguments: Any) -> "LimitedConnection":
        """Create the protocol of a new connection. Takes uvicorn's arguments."""
        return LimitedConnection(self, **arguments)

    def stream(self, **arguments: Any) -> "CountedStream":
        """Create the protocol of a WebSocket. Takes uvicorn's arguments."""
        return CountedStream(self, **arguments)

    def has_room_for_stream(self, address: str, *, is_proxy: bool) -> bool:
        """Whether one more connection may become a WebSocket."""
        if self.all_streams >= self.limit // 2:
            return False
        return is_proxy or self.streams[address] < self.of_address // 2

    def drop_unread(self, now: float) -> None:
        """Disconnect clients that do not read, until the others leave no more unread than is allowed."""
        while self.unread.bytes > MAX_UNREAD_BYTES:
            self.warn("responses.unread", now, MAX_UNREAD_BYTES)
            connection = self.unread.longest()
            self.unread.discard(connection)
            connection.transport.abort()

    def warn(self, event: str, now: float, limit: int) -> None:
        """Log a warning at most once a minute, so that an operator notices."""
        if now - self._warned_at.get(event, -_SECONDS_BETWEEN_WARNINGS) >= _SECONDS_BETWEEN_WARNINGS:
            self._warned_at[event] = now
            log.warning(event, limit=limit)


class _WaitingConnections:
    """Connections that wait for their clients, by address, longest first. Each operation takes constant time."""

    def __init__(self) -> None:
        self._of: dict[str, dict[LimitedConnection, None]] = {}
        # Addresses by how many such connections they have.
        self._addresses: dict[int, dict[str, None]] = {}
        self._most = 0

    def add(self, connection: "LimitedConnection") -> None:
        """Add a connection as the newest of its address, even if it was already there."""
        of_address = self._of.setdefault(connection.address, {})
        if connection in of_address:
            del of_address[connection]
            of_address[connection] = None
            return
        of_address[connection] = None
        self._count(connection.address, len(of_address) - 1, len(of_address))
        self._most = max(self._most, len(of_address))

    def discard(self, connection: "LimitedConnection") -> None:
        of_address = self._of.get(connection.address, {})
        if connection not in of_address:
            return
        del of_address[connection]
        self._count(connection.address, len(of_address) + 1, len(of_address))
        if not of_address:
            del self._of[connection.address]
        if self._most not in self._addresses:
            self._most -= 1

    def longest_of(self, address: str) -> "LimitedConnection | None":
        return next(iter(self._of.get(address, ())), None)

    def longest(self) -> "LimitedConnection | None":
        """Return the longest waiting connection of the address that has most of them."""
        address = next(iter(self._addresses.get(self._most, ())), None)
        return None if address is None else self.longest_of(address)

    def _count(self, address: str, before: int, now: int) -> None:
        if before:
            addresses = self._addresses[before]
            del addresses[address]
            if not addresses:
                del self._addresses[before]
        if now:
            self._addresses.setdefault(now, {})[address] = None


class _UnreadResponses:
    """Connections whose clients do not read, by address, longest first, and how many bytes wait in each."""

    def __init__(self) -> None:
        self._of: dict[str, dict[LimitedConnection, int]] = {}
        self._bytes_of: Counter[str] = Counter()
        self.bytes = 0

    def add(self, connection: "LimitedConnection", size: int) -> None:
        """Add a connection that is not among them, with the number of bytes that its client has not read."""
        self._of.setdefault(connection.address, {})[connection] = size
        self._bytes_of[connection.address] += size
        self.bytes += size

    def discard(self, connection: "LimitedConnection") -> None:
        of_address = self._of.get(connection.address, {})
        size = of_address.pop(connection, 0)
        if not size:
            return
        self.bytes -= size
        self._bytes_of[connection.address] -= size
        if not of_address:
            del self._of[connection.address], self._bytes_of[connection.address]

    def longest(self) -> "LimitedConnection":
        """Return the longest unread connection of the address that has most bytes. There must be one."""
        return next(iter(self._of[max(self._bytes_of, key=self._bytes_of.__getitem__)]))


class LimitedConnection(BoundedHeads):
    """The protocol of one connection."""

    address = ""

    def __init__(self, limit: ConnectionLimit, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._among = limit
        self._is_counted = False
        self._is_proxy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        limit = self._among
        self.address = _address(self.client)
        self._is_proxy = self.client is not None and limit.is_proxy(self.client[0])
        limit.open[self.address] += 1
        self._is_counted = True
        if not self._is_proxy and limit.open[self.address] > limit.of_address:
            limit.warn("connections.used_up_by_address", self.loop.time(), limit.of_address)
            has_room = self._take_place_of(limit.waiting.longest_of(self.address))
        elif len(self.connections) > limit.limit:
            limit.warn("connections.used_up", self.loop.time(), limit.limit)
            has_room = self._take_place_of(limit.waiting.longest())
        else:
            has_room = True
        if has_room:
            self._wait()
        else:
            self._refuse()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        if not self._among.has_room_for_stream(self.address, is_proxy=self._is_proxy):
            self._among.warn("streams.used_up", self.loop.time(), self._among.limit // 2)
            self._refuse()
            return
        self._leave()
        super().handle_websocket_upgrade()

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._wait()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        # None, despite its type, if the first request is an upgrade.
        if self.cycle is not None and not self.cycle.response_complete:  # type: ignore[redundant-expr]
            self._among.waiting.discard(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete or self._is_arriving:
            self._wait()

    def pause_writing(self) -> None:
        super().pause_writing()
        if not self._is_counted:
            return
        limit = self._among
        limit.unread.add(self, self.transport.get_write_buffer_size())
        # Later, because the transport that is being written to may be the one to be closed.
        self.loop.call_soon(limit.drop_unread, self.loop.time())
        self._wait()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._among.unread.discard(self)
        if not self._is_arriving and not self.cycle.response_complete:
            self._among.waiting.discard(self)

    def _wait(self) -> None:
        """Mark the connection as waiting for its client."""
        if self._is_counted and not self.transport.is_closing():
            self._among.waiting.add(self)

    def _take_place_of(self, other: "LimitedConnection | None") -> bool:
        if other is None:
            return False
        self._among.waiting.discard(other)
        other.transport.abort()
        return True

    def _leave(self) -> None:
        """Stop counting this connection. If it became a WebSocket, it is counted there."""
        self._among.waiting.discard(self)
        self._among.unread.discard(self)
        if self._is_counted:
            self._is_counted = False
            _less(self._among.open, self.address)

    def _refuse(self) -> None:
        self.transport.write(_NO_ROOM)
        self.transport.close()


class CountedStream(WebSocketsSansIOProtocol):
    """The protocol of a WebSocket. A client that sends too much is disconnected, and so is one whose text is not UTF-8
    (RFC 6455, section 8.1).
    """

    def __init__(self, limit: ConnectionLimit, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._among = limit
        self._address = ""
        self._allowance: float = STREAM_BURST_BYTES
        self._counted_at = self.loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._address = _address(self.client)
        self._among.open[self._address] += 1
        self._among.streams[self._address] += 1
        self._among.all_streams += 1

    def connection_lost(self, exc: Exception | None) -> None:
        _less(self._among.open, self._address)
        _less(self._among.streams, self._address)
        self._among.all_streams -= 1
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        now = self.loop.time()
        self._allowance += (now - self._counted_at) * STREAM_BYTES_PER_SECOND
        self._allowance = min(self._allowance, STREAM_BURST_BYTES)
        self._counted_at = now
        for start in range(0, len(data), _PIECE_BYTES):
            piece = data[start : start + _PIECE_BYTES]
            self._allowance -= len(piece)
            super().data_received(piece)
            if self.transport.is_closing():
                return

    def handle_events(self) -> None:
        self._allowance -= len(self.conn.events) * STREAM_FRAME_BYTES
        if self._allowance < 0:
            self._among.warn("streams.flooded", self.loop.time(), STREAM_BYTES_PER_SECOND)
            self.transport.abort()
            return
        super().handle_events()

    def send_receive_event_to_app(self) -> None:
        # Uvicorn does the same, but also logs a traceback for each such message of a stranger.
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf8(b"".join(self.frames)):
            self.frames = []
            self.conn.send_close(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _address(client: tuple[str, int] | None) -> str:
    return network_of(client[0]) if client else ""


def _less(counter: Counter[str], address: str) -> None:
    counter[address] -= 1
    if not counter[address]:
        del counter[address]

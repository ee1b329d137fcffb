"""Shares of an HTTP client's connections, so that slow servers of strangers do not keep it from calling others.

A request counts for the site of its host (``site_of``), because names below a domain cost nothing, and for the networks
to which it connects, because other domains can lead there. Each site and each network may have a third as many connections
as are free. So a single one has at most a quarter of all, each further one at most a quarter of the rest, and even ten of
them leave some. Source: Choudhury and Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches" (1998).
"""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.connector import Connection

from groundwork.errors import FailureReason, NoConnectionFree, with_stored_reason
from groundwork.http.addresses import network_of

# A share is what is free, divided by this number.
_DIVISOR: Final = 3

# The longest wait for a connection. It is added to the timeout of a request (``timeout_while_called``).
MAX_WAIT_SECONDS: Final = 2.0

# Labels below a country's domain under which anybody can register names, such as co.uk and com.au.
_REGISTRY_LABELS: Final = frozenset(
    {"ac", "co", "com", "edu", "gob", "gouv", "gov", "go", "mil", "ne", "net", "or", "org"}
)

# A customer of a provider often gets so large a network. IPv4 addresses count singly.
_IPV6_PREFIX: Final = 48


class _ShareUsed(OSError):
    """The network has no connection left. Raised inside aiohttp, which may try another address of the server."""


def site_of(host: str) -> str:
    """Return the part of a host name that somebody registered, in lower case: ``example.org`` of ``a.b.example.org``,
    ``example.co.uk`` of ``a.example.co.uk``.

    This is a guess from a few labels, not the Public Suffix List: sites below other suffixes (``github.io``, ``me.uk``)
    count as one, and so do all hosts of a large operator (``host.bsky.network``).
    """
    labels = host.lower().rstrip(".").split(".")
    has_second_level = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _REGISTRY_LABELS
    return ".".join(labels[-3:] if has_second_level else labels[-2:])


class ConnectionSlot:
    """The place of one request among the connections. ``host`` includes the port."""

    def __init__(self, host: str, shares: Iterable[str]) -> None:
        self.host = host
        self.shares = set(shares)
        self.is_taken = False
        # Networks without a connection left, to which this request would have connected.
        self.refused: set[str] = set()


class ConnectionShares:
    """Counts the connections in use. ``per_host``: the maximum for one host and port."""

    def __init__(self, connections: int, per_host: int) -> None:
        self._connections = connections
        self._per_host = per_host
        self._all = 0
        self._of: Counter[str] = Counter()
        self._of_host: Counter[str] = Counter()
        self._waiting: dict[asyncio.Future[None], ConnectionSlot] = {}

    async def take(self, slot: ConnectionSlot, deadline: float) -> None:
        """Take the slot, in order of arrival among those that wait for the same share. Raises NoConnectionFree at the
        deadline (loop time).
        """
        if self._has_room(slot):
            self._count(slot)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[turn] = slot
        try:
            with _timeout_stopped():
                async with asyncio.timeout_at(deadline):
                    await turn
        except TimeoutError:
            if not slot.is_taken:
                raise _none_free(slot.host) from None
        except BaseException:
            self.give_back(slot)
            raise
        finally:
            self._waiting.pop(turn, None)

    def may_add(self, slot: ConnectionSlot, share: str) -> bool:
        """Count a taken slot for one more share; False if that share is used up."""
        if share not in slot.shares:
            # What is free without this slot.
            if not self._has_left(share, self._connections - self._all + 1):
                return False
            slot.shares.add(share)
            self._of[share] += 1
        return True

    def give_back(self, slot: ConnectionSlot) -> None:
        """Give back a slot, if it is taken. Those who wait for it take it at once."""
        if not slot.is_taken:
            return
        slot.is_taken = False
        self._all -= 1
        _subtract(self._of, slot.shares)
        _subtract(self._of_host, [slot.host])
        for turn, other in [*self._waiting.items()]:
            if self._all >= self._connections:
                return
            if not turn.done() and self._has_room(other):
                self._count(other)
                turn.set_result(None)

    def _has_room(self, slot: ConnectionSlot) -> bool:
        free = self._connections - self._all
        return (
            free > 0
            and self._of_host[slot.host] < self._per_host
            and all(self._has_left(share, free) for share in slot.shares)
        )

    def _has_left(self, share: str, free: int) -> bool:
        return self._of[share] * _DIVISOR < free

    def _count(self, slot: ConnectionSlot) -> None:
        slot.is_taken = True
        self._all += 1
        self._of.update(slot.shares)
        self._of_host[slot.host] += 1


_slot: ContextVar[ConnectionSlot | None] = ContextVar("connection_slot", default=None)
_timeout: ContextVar[asyncio.Timeout | None] = ContextVar("request_timeout", default=None)


@asynccontextmanager
async def timeout_while_called(seconds: float) -> AsyncIterator[None]:
    """Like ``asyncio.timeout``, for requests through a ``SharedConnector``. It stands still while a request waits for a
    connection, so that the server is not blamed for the wait.
    """
    async with asyncio.timeout(seconds) as timeout:
        outer = _timeout.set(timeout)
        try:
            yield
        finally:
            _timeout.reset(outer)


@contextmanager
def _timeout_stopped() -> Iterator[None]:
    timeout, now = _timeout.get(), asyncio.get_running_loop().time
    ends_at = None if timeout is None else timeout.when()
    if timeout is None or ends_at is None:
        yield
        return
    left = ends_at - now()
    timeout.reschedule(None)
    try:
        yield
    finally:
        timeout.reschedule(now() + left)


class SharedConnector(aiohttp.TCPConnector):
    """A connection pool with shares. ``socket_factory``: creates the socket for an address."""

    def __init__(
        self,
        *,
        connections: int,
        per_host: int,
        socket_factory: Callable[[tuple[Any, ...]], socket.socket] | None,
        **options: Any,
    ) -> None:
        # If the library limited the connections, requests that wait for their host would take the places of others.
        super().__init__(limit=0, limit_per_host=0, socket_factory=self._open_socket, **options)
        self._shares = ConnectionShares(connections, per_host)
        self._new_socket = socket_factory or _new_socket

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - as in the class that is extended
    ) -> Connection:
        """Connect as soon as the site and the network of the server have a connection left. It is theirs until the
        response has been read.
        """
        deadline = asyncio.get_running_loop().time() + MAX_WAIT_SECONDS
        host = req.url.raw_host or ""
        shares = {site_of(host)}
        while True:
            slot = ConnectionSlot(f"{host}:{req.url.port}", shares)
            await self._shares.take(slot, deadline)
            try:
                connection = await self._connect_in(slot, req, traces, timeout)
            except BaseException:
                self._shares.give_back(slot)
                raise
            if connection is not None:
                connection.add_callback(partial(self._shares.give_back, slot))
                return connection
            self._shares.give_back(slot)
            shares |= slot.refused

    async def _connect_in(
        self,
        slot: ConnectionSlot,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - as above
    ) -> Connection | None:
        """Connect in this slot; return None if a network has no connection left, which is then noted in the slot."""
        outer = _slot.set(slot)
        try:
            connection = await super().connect(req, traces, timeout)
        except aiohttp.ClientConnectorError:
            if not slot.refused:
                raise
            return None
        finally:
            _slot.reset(outer)
        # One that was open already is counted only now.
        address = None if connection.transport is None else connection.transport.get_extra_info("peername")
        # The server may have closed it meanwhile; then it has no address.
        if address is not None and not self._admits(slot, address):
            connection.release()
            return None
        return connection

    def _open_socket(self, address_info: tuple[Any, ...]) -> socket.socket:
        slot = _slot.get()
        if slot is not None and not self._admits(slot, address_info[4]):
            raise _ShareUsed
        return self._new_socket(address_info)

    def _admits(self, slot: ConnectionSlot, address: tuple[Any, ...]) -> bool:
        network = network_of(address[0], ipv6_prefix=_IPV6_PREFIX)
        if self._shares.may_add(slot, network):
            return True
        slot.refused.add(network)
        return False


def _new_socket(address_info: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, _, _ = address_info
    return socket.socket(family, kind, protocol)


def _subtract(counter: Counter[str], names: Iterable[str]) -> None:
    for name in names:
        counter[name] -= 1
        if not counter[name]:
            del counter[name]


def _none_free(host: str) -> NoConnectionFree:
    name = host.rpartition(":")[0]
    failure = NoConnectionFree(f"Too many requests to {name} and its neighbours are unanswered.")
    return with_stored_reason(failure, FailureReason.NO_ANSWER_IN_TIME(host=name))

"""Frames of an event stream as they come: ``com.atproto.sync.subscribeRepos`` of a PDS or a relay, over WebSocket.

What a frame says is ``at_protocol.sync``'s business; here it is bytes. One connection is ``read_frames``; ``follow``
opens the next one when it ends, from the position that the caller has safely behind it, later and later while it fails.
Leave either early only through ``contextlib.aclosing``, so that the socket closes.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from aiohttp import ClientWebSocketResponse, WSCloseCode, WSMsgType

from at_protocol.xrpc.parameters import Parameter, encode_parameters
from groundwork.clock import SECOND, Clock
from groundwork.errors import Failure, RemoteFailed, RemoteSlow
from groundwork.http.client import HttpClient

T = TypeVar("T")

SUBSCRIBE_REPOS = "com.atproto.sync.subscribeRepos"
# A frame has at most 5 MB, and who reads it says so of a larger one; but a connection that broke off at it would meet the
# same frame again after every start. So the socket takes more than a frame may have.
MAX_MESSAGE_BYTES = 16_000_000
HEARTBEAT_SECONDS = 30.0
CONNECT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds. ``steady_seconds`` is how long a connection must have held for the next wait to start over."""

    first_seconds: float = 1.0
    longest_seconds: float = 120.0
    steady_seconds: float = 30.0


def reconnect_delay(failures: int, chance: float, backoff: Backoff) -> float:
    """Seconds to wait after so many connections in a row that did not hold (1 or more).

    Doubles up to the longest; ``chance`` from 0 to 1 spreads it over its upper half, because a server that restarts loses
    all its readers at the same instant.
    """
    longest = min(backoff.first_seconds * 2.0 ** min(failures - 1, 30), backoff.longest_seconds)
    return longest * (0.5 + chance / 2)


def failures_after(failures: int, lasted_seconds: float, backoff: Backoff) -> int:
    """The count for ``reconnect_delay`` when a connection ends: one that held long enough was a good one."""
    return 1 if lasted_seconds >= backoff.steady_seconds else failures + 1


def stream_url(service: str, nsid: str, parameters: Mapping[str, Parameter | None]) -> str:
    """``wss://host/xrpc/<nsid>?…`` of a server given by origin, ``http`` or ``ws`` spelling."""
    scheme, _, rest = service.rstrip("/").partition("://")
    query = urlencode(encode_parameters(parameters))
    socket = {"https": "wss", "http": "ws"}.get(scheme, scheme)
    return f"{socket}://{rest}/xrpc/{nsid}" + (f"?{query}" if query else "")


async def _nothing() -> None:
    return


async def read_frames(
    http: HttpClient, url: str, *, on_open: Callable[[], Awaitable[None]] = _nothing
) -> AsyncGenerator[bytes, None]:
    """The frames of one connection until the server closes it. ``on_open``: when it stands, before the first frame.

    Raises RemoteFailed (no connection, a status instead of a socket, text, a message over 16 MB, a connection that broke) and
    RemoteSlow (no answer, or a peer that no longer answers pings).
    """
    async with http.websocket(
        url,
        connect_seconds=CONNECT_SECONDS,
        max_message_bytes=MAX_MESSAGE_BYTES + 1,  # aiohttp refuses at its limit, not above it
        heartbeat_seconds=HEARTBEAT_SECONDS,
    ) as socket:
        await on_open()
        receive = socket.receive
        while True:
            message = await receive()
            if message.type is WSMsgType.BINARY:
                yield message.data
                continue
            if message.type is WSMsgType.TEXT:
                raise RemoteFailed("The stream sent text; its frames are binary.")
            raise_unless_ended(socket)
            return


def raise_unless_ended(socket: ClientWebSocketResponse) -> None:
    """Nothing where the server closed the connection in order. Raises RemoteFailed and RemoteSlow where it did not."""
    error = socket.exception()
    if isinstance(error, TimeoutError):
        raise RemoteSlow("The stream's server no longer answers.") from error
    match socket.close_code:
        case WSCloseCode.MESSAGE_TOO_BIG:
            raise RemoteFailed(f"The stream sent a frame of more than {MAX_MESSAGE_BYTES} bytes.")
        case WSCloseCode.ABNORMAL_CLOSURE | None:
            raise RemoteFailed("The stream broke off.") from error
        case _:
            return


async def follow(
    http: HttpClient,
    clock: Clock,
    service: str,
    *,
    position: Callable[[], int | None],
    nsid: str = SUBSCRIBE_REPOS,
    backoff: Backoff | None = None,
    on_lost: Callable[[Failure | None, float], None] = lambda _failure, _seconds: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    chance: Callable[[], float] = random.random,
) -> AsyncGenerator[bytes, None]:
    """Frames without end, over as many connections as it takes.

    ``position`` is asked at every connection for the cursor to continue after (None: from now on), so frames that the
    caller had not finished come again: skip by ``seq``. ``on_lost`` hears of every connection that ended, with the failure
    (None: closed in order) and the wait that follows. A caller that reads an error frame which waiting cannot mend
    (``FutureCursor``) stops iterating.
    """

    def connect() -> AsyncGenerator[bytes, None]:
        return read_frames(http, stream_url(service, nsid, {"cursor": position()}))

    again = reconnecting(clock, connect, backoff=backoff, on_lost=on_lost, sleep=sleep, chance=chance)
    async with aclosing(again) as frames:
        async for frame in frames:
            yield frame


async def reconnecting(
    clock: Clock,
    connect: Callable[[], AsyncGenerator[T, None]],
    *,
    backoff: Backoff | None = None,
    on_lost: Callable[[Failure | None, float], None] = lambda _failure, _seconds: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    chance: Callable[[], float] = random.random,
) -> AsyncGenerator[T, None]:
    """What one connection after the other yields, without end; ``connect`` is asked for each. See ``follow``."""
    policy = backoff or Backoff()
    failures = 0
    while True:
        opened_at = clock.now()
        failure: Failure | None = None
        try:
            async with aclosing(connect()) as messages:
                async for message in messages:
                    yield message
        except (RemoteFailed, RemoteSlow) as lost:
            failure = lost
        failures = failures_after(failures, (clock.now() - opened_at) / SECOND, policy)
        seconds = reconnect_delay(failures, chance(), policy)
        on_lost(failure, seconds)
        await sleep(seconds)

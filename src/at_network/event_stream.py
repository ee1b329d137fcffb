"""Event stream client: raw ``com.atproto.sync.subscribeRepos`` frames from a PDS or relay, over WebSocket.

``at_protocol.sync`` decodes the frames. ``read_frames`` reads one connection. ``follow`` reconnects from the caller's
last committed position, with growing delays while connections fail. To stop either of them early, use
``contextlib.aclosing``, so that the socket is closed.
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
from groundwork.errors import Failure, FailureReason, RemoteFailed, RemoteSlow, with_stored_reason
from groundwork.http.client import HttpClient

T = TypeVar("T")

SUBSCRIBE_REPOS = "com.atproto.sync.subscribeRepos"
# A frame has at most 5 MB, and the decoder rejects larger ones. The socket accepts more: if it disconnected on a large
# frame, it would receive the same frame again after every reconnect.
MAX_MESSAGE_BYTES = 16_000_000
HEARTBEAT_SECONDS = 30.0
CONNECT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Reconnect delays in seconds. A connection that lasted at least ``steady_seconds`` resets the delay."""

    first_seconds: float = 1.0
    longest_seconds: float = 120.0
    steady_seconds: float = 30.0


def reconnect_delay(failures: int, chance: float, backoff: Backoff) -> float:
    """Return the seconds to wait after this many consecutive short-lived connections (at least 1).

    The delay doubles up to the maximum. ``chance`` (0 to 1) places it within its upper half, because a server that
    restarts loses all its readers at the same instant.
    """
    longest = min(backoff.first_seconds * 2.0 ** min(failures - 1, 30), backoff.longest_seconds)
    return longest * (0.5 + chance / 2)


def failures_after(failures: int, lasted_seconds: float, backoff: Backoff) -> int:
    """Return the new count for ``reconnect_delay`` when a connection ends. A connection that lasted long enough resets
    it.
    """
    return 1 if lasted_seconds >= backoff.steady_seconds else failures + 1


def stream_url(service: str, nsid: str, parameters: Mapping[str, Parameter | None]) -> str:
    """Return the URL of a server's event stream, ``wss://host/xrpc/<nsid>?…``. The server's origin can use ``http`` or
    ``ws`` schemes.
    """
    scheme, _, rest = service.rstrip("/").partition("://")
    query = urlencode(encode_parameters(parameters))
    socket = {"https": "wss", "http": "ws"}.get(scheme, scheme)
    return f"{socket}://{rest}/xrpc/{nsid}" + (f"?{query}" if query else "")


async def ignore_opening() -> None:
    """Do nothing when a connection is open."""


async def read_frames(
    http: HttpClient, url: str, *, on_open: Callable[[], Awaitable[None]] = ignore_opening
) -> AsyncGenerator[bytes, None]:
    """Yield the frames of one connection until the server closes it.

    ``on_open`` is called when the connection is open, before the first frame.

    Raises RemoteFailed (no connection, an HTTP status instead of an upgrade, a text message, a message over 16 MB, a
    broken connection) and RemoteSlow (no answer, or no pong).
    """
    async with http.websocket(
        url,
        connect_seconds=CONNECT_SECONDS,
        max_message_bytes=MAX_MESSAGE_BYTES + 1,  # aiohttp rejects a message at its limit, not above it
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
                failed = RemoteFailed("The stream sent text; its frames are binary.")
                raise with_stored_reason(failed, FailureReason.STREAM_UNREADABLE())
            raise_unless_ended(socket)
            return


def raise_unless_ended(socket: ClientWebSocketResponse) -> None:
    """Return if the server closed the connection normally; otherwise raise RemoteFailed or RemoteSlow."""
    error = socket.exception()
    if isinstance(error, TimeoutError):
        raise RemoteSlow("The stream's server no longer answers.") from error
    match socket.close_code:
        case WSCloseCode.MESSAGE_TOO_BIG:
            too_long = RemoteFailed(f"The stream sent a frame of more than {MAX_MESSAGE_BYTES} bytes.")
            raise with_stored_reason(too_long, FailureReason.STREAM_MESSAGE_TOO_LONG(most=MAX_MESSAGE_BYTES))
        case WSCloseCode.ABNORMAL_CLOSURE | None:
            raise with_stored_reason(
                RemoteFailed("The stream was interrupted."), FailureReason.STREAM_BROKEN()
            ) from error
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
    on_open: Callable[[], Awaitable[None]] = ignore_opening,
    on_lost: Callable[[Failure | None, float], None] = lambda _failure, _seconds: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    chance: Callable[[], float] = random.random,
) -> AsyncGenerator[bytes, None]:
    """Yield frames endlessly, reconnecting as needed.

    ``position`` is called for every connection and returns the cursor to resume after (None: start with live events).
    Frames that the caller had not finished are sent again, so skip by ``seq``. ``on_open`` is called for every
    connection as soon as it is open, which may be long before its first frame. ``on_lost`` is called for every
    connection that ended, with the failure (None: closed normally) and the delay that follows. A caller that reads an
    error frame that waiting cannot fix (``FutureCursor``) stops iterating.
    """

    def connect() -> AsyncGenerator[bytes, None]:
        return read_frames(http, stream_url(service, nsid, {"cursor": position()}), on_open=on_open)

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
    """Yield the items of one connection after another, endlessly. ``connect`` is called for each connection. See
    ``follow``.
    """
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

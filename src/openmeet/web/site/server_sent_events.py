"""Building blocks of live streams: a limited number of slots, a queue of frames, and the HTTP response.

A stream is ``text/event-stream`` (HTML Living Standard, section 9.2).
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from groundwork.errors import Unavailable
from openmeet.web.site.reasons import SiteReason

# After this long without an event, a comment is sent, so that proxies do not close the connection.
_QUIET_SECONDS: Final = 25.0
# How often to check whether the client is still connected.
_POLL_SECONDS: Final = 5.0
# A client that accepts no data for this long is treated as disconnected.
_WRITE_SECONDS: Final = 30.0
_RECONNECT_MS: Final = 3_000
MAX_WAITING: Final = 64
PER_READER: Final = 10
_RETRY_SECONDS: Final = 30.0
_HEADERS: Final = {
    "cache-control": "no-store",
    "content-type": "text/event-stream; charset=utf-8",
    # Tells proxies such as nginx not to buffer the response.
    "x-accel-buffering": "no",
}

Write = Callable[[bytes], Awaitable[None]]
IsGone = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class StreamCredential:
    """The session or API token with which a stream was opened. The stream ends when the session or token does."""

    token_hash: bytes
    is_api_token: bool = False


class ReaderSlot:
    """A slot for one stream, until it is released. ``end_if_gone`` is set once the response that uses the slot starts."""

    __slots__ = ("_held", "_holder", "end_if_gone")

    def __init__(self, held: dict[str, set["ReaderSlot"]], holder: str) -> None:
        self._held = held
        self._holder = holder
        self.end_if_gone: Callable[[], Awaitable[None]] | None = None
        held.setdefault(holder, set()).add(self)

    def give_back(self) -> None:
        """Free the slot. Calling it again has no effect."""
        own_slots = self._held.get(self._holder, set())
        own_slots.discard(self)
        if not own_slots:
            self._held.pop(self._holder, None)


class ReaderSlots:
    """The slots for one kind of stream in this process."""

    def __init__(self) -> None:
        self._held: dict[str, set[ReaderSlot]] = {}
        self._is_closed = False

    @property
    def count(self) -> int:
        """The number of occupied slots."""
        return sum(map(len, self._held.values()))

    async def make_room(self, holder: str) -> None:
        """If this reader has no slot left, end their streams whose clients have disconnected.

        Otherwise a disconnect is noticed only after seconds, and somebody who quickly goes from page to page would get
        no stream.
        """
        own_slots = self._held.get(holder, set())
        if len(own_slots) >= PER_READER:
            for slot in list(own_slots):
                if slot.end_if_gone is not None:
                    await slot.end_if_gone()

    def take(self, holder: str, most: int) -> ReaderSlot:
        """Take a slot for a stream of this reader.

        Raises Unavailable if the reader has too many streams, or if all readers together have ``most``.
        """
        if self._is_closed or self.count >= most or len(self._held.get(holder, ())) >= PER_READER:
            raise Unavailable(SiteReason.TOO_MANY_STREAMS, after_seconds=_RETRY_SECONDS)
        return ReaderSlot(self._held, holder)

    @property
    def is_closed(self) -> bool:
        """Whether the program is shutting down. In that case no stream may start."""
        return self._is_closed

    def close(self) -> None:
        """Assign no more slots, because the program is shutting down."""
        self._is_closed = True


@dataclass(eq=False, slots=True)
class FrameQueue:
    """Frames that wait to be sent to the reader of one stream."""

    waiting: deque[bytes] = field(default_factory=deque)
    has_ended: bool = False
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    # None until the first poll.
    _polled_at: float | None = None
    _is_poll_due: bool = False

    @property
    def is_full(self) -> bool:
        """Whether the reader has fallen too far behind to take another frame."""
        return len(self.waiting) >= MAX_WAITING

    def push(self, frame: bytes) -> None:
        """Add a frame, unless the stream has ended. The caller checks ``is_full`` first."""
        if not self.has_ended:
            self.waiting.append(frame)
            self._wake.set()

    def end(self, last: bytes = b"") -> None:
        """Send this last frame and end the stream."""
        if not self.has_ended:
            self.waiting.append(last)
            self.has_ended = True
            self._wake.set()

    def poll(self, now: float) -> None:
        """Check from time to time whether the reader is still connected. Called every few seconds with the event loop's
        time.

        One timer serves all streams, instead of one per stream and frame. The first interval is a random part of the
        usual one, so that streams that were opened together are not polled together.
        """
        if self._polled_at is None:
            self._polled_at = now - random.uniform(0, _POLL_SECONDS)  # noqa: S311 - spreads load
        if now - self._polled_at >= _POLL_SECONDS:
            self._polled_at = now
            self._is_poll_due = True
            self._wake.set()

    async def run(self, write: Write, is_gone: IsGone, was_written: Callable[[], None] = lambda: None) -> None:
        """Write frames until the stream ends or the reader is gone. Calls ``was_written`` after each write.

        Raises TimeoutError if the reader accepts no data.
        """
        loop = asyncio.get_running_loop()
        written_at = loop.time()
        async with asyncio.timeout(None) as limit:
            while True:
                if self.waiting:
                    frames = b"".join(self.waiting)
                    self.waiting.clear()
                    written_at = loop.time()
                    limit.reschedule(written_at + _WRITE_SECONDS)
                    await write(frames)
                    limit.reschedule(None)
                    was_written()
                    continue
                if self.has_ended:
                    return
                if self._is_poll_due:
                    self._is_poll_due = False
                    if await is_gone():
                        return
                    if loop.time() - written_at >= _QUIET_SECONDS:
                        self.push(b":\n\n")
                        continue
                self._wake.clear()
                await self._wake.wait()


def retry_frame() -> bytes:
    """The frame sent before the site stops. It tells clients to reconnect after a random delay, so that they do not all
    come back at once.
    """
    return f"retry: {_RECONNECT_MS + random.randrange(_RECONNECT_MS)}\n\n".encode()  # noqa: S311 - spreads load


def out_frame() -> bytes:
    """The last frame for a reader who has lost access to the subject of the stream."""
    return b"event: out\ndata: {}\n\n"


class EventStreamResponse(Response):
    """A streaming response. ``follow`` writes the events and checks from time to time whether the reader is still
    connected.
    """

    def __init__(self, slot: ReaderSlot, follow: Callable[[Write, IsGone], Awaitable[None]]) -> None:
        super().__init__(headers=_HEADERS)
        self._slot = slot
        self._follow = follow

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._send(receive, send)
        finally:
            self._slot.give_back()

    async def _send(self, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        # A first chunk that proxies forward at once. It tells the reader that the stream is open.
        await send({"type": "http.response.body", "body": b":\n\n", "more_body": True})

        async def write(frames: bytes) -> None:
            await send({"type": "http.response.body", "body": frames, "more_body": True})

        async def is_gone() -> bool:
            while True:
                try:
                    async with asyncio.timeout(0):
                        message = await receive()
                except TimeoutError:
                    return False
                if message["type"] == "http.disconnect":
                    return True

        task = asyncio.current_task()

        async def end_if_gone() -> None:
            if await is_gone() and task is not None:
                task.cancel()
                self._slot.give_back()

        self._slot.end_if_gone = end_if_gone
        # A server that stops waiting for long responses cancels this task. The response must be completed in this case
        # too.
        with contextlib.suppress(asyncio.CancelledError):
            await self._follow(write, is_gone)
        await send({"type": "http.response.body", "body": b""})

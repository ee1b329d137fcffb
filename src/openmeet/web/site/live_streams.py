"""One open stream of a chat: what waits for its reader, and how it is written."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from groundwork.clock import Instant
from openmeet.domain.chat.model import Access, ChatLogEntry, Room, RoomId
from openmeet.domain.chat.queries import ShownMessage
from openmeet.domain.chat.readers import UnreadCounts
from openmeet.domain.users.model import UserId

# A comment keeps proxies from closing a silent connection.
_QUIET_SECONDS: Final = 25.0
# How soon the end of a connection is noticed.
_POLL_SECONDS: Final = 5.0
# A reader that takes nothing for so long is gone.
_WRITE_SECONDS: Final = 30.0
MOST_WAITING: Final = 64
_RECONNECT_MS: Final = 3_000

Write = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class RowView:
    """What two people must have in common to be sent the same bytes of a message."""

    language: str
    is_author: bool
    is_folded: bool
    hides_quote: bool
    may_write: bool


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """An entry of a room's log with the message that it is about, as it is now; None for the room itself."""

    room: Room
    entry: ChatLogEntry
    message: ShownMessage | None
    hosts: Collection[UserId]
    now: Instant


# From what happened, and who looks, to the event in the form of ``text/event-stream``.
Encode = Callable[[RoomEvent, RowView], bytes]


class LivePlace:
    """One of the places for streams: taken by ``LiveRooms.take_place``, until it is given back."""

    __slots__ = ("_held", "_holder", "_is_taken")

    def __init__(self, held: Counter[str], holder: str) -> None:
        self._held = held
        self._holder = holder
        self._is_taken = True
        held[holder] += 1

    def give_back(self) -> None:
        """Free the place; a second time changes nothing."""
        if self._is_taken:
            self._is_taken = False
            self._held[self._holder] -= 1
            if not self._held[self._holder]:
                del self._held[self._holder]


@dataclass(frozen=True, slots=True)
class StreamCredential:
    """What opened a stream: a session, or an API token. The stream ends with it."""

    token_hash: bytes
    is_api_token: bool = False


@dataclass(eq=False, slots=True)
class LiveStream:
    """One open stream. ``entered``: the number of the room when they came, where the history begins there. ``number``: of the last
    entry that was handed out. ``credential`` None: nobody is signed in. ``is_catching_up``: what it missed is still being handed
    out, as fast as the reader takes it. ``found`` and ``hidden``: their access and the people they blocked or muted when it was
    last looked; where that changes, they reload the page. ``unread``: what they were last told of their other rooms.
    """

    room: RoomId
    person: UserId | None
    place: LivePlace
    language: str
    entered: int
    number: int
    credential: StreamCredential | None
    encode: Encode
    waiting: deque[bytes] = field(default_factory=deque)
    has_ended: bool = False
    is_catching_up: bool = True
    found: Access | None = None
    hidden: Collection[UserId] | None = None
    unread: UnreadCounts | None = None
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    # None until the first poll.
    _polled_at: float | None = None
    _is_poll_due: bool = False

    def push(self, frame: bytes) -> None:
        """Hand out a frame; a reader who is too slow for it is told to reload the page."""
        if self.has_ended:
            return
        if len(self.waiting) >= MOST_WAITING:
            self.end(reload_frame(self.room, self.number))
            return
        self.waiting.append(frame)
        self._wake.set()

    def end(self, last: bytes = b"") -> None:
        """Send this last frame and close."""
        if not self.has_ended:
            self.waiting.append(last)
            self.has_ended = True
            self._wake.set()

    def poll(self, now: float) -> None:
        """Called every few seconds, with the time of the event loop: now and then, look whether the reader is still there.

        One timer for all streams instead of one for each and frame. The first interval is a random part of the usual one, so that
        streams that were opened together are not polled together.
        """
        if self._polled_at is None:
            self._polled_at = now - random.uniform(0, _POLL_SECONDS)  # noqa: S311 - spreads load
        if now - self._polled_at >= _POLL_SECONDS:
            self._polled_at = now
            self._is_poll_due = True
            self._wake.set()

    async def run(self, write: Write, is_gone: Callable[[], Awaitable[bool]], more: Callable[[], None]) -> None:
        """Write what comes until the stream ends or the reader is gone. ``more`` asks for what it missed.

        Raises TimeoutError if the reader takes nothing.
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
                    if self.is_catching_up:
                        more()
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


def reload_frame(room: RoomId, number: int) -> bytes:
    """The frame that tells a reader to reload the page: what happened since is too much to be sent."""
    return f"id: {room}:{number}\nevent: again\ndata: {{}}\n\n".encode()


def retry_frame() -> bytes:
    """The frame before the site stops: come back a little later, not all at once."""
    return f"retry: {_RECONNECT_MS + random.randrange(_RECONNECT_MS)}\n\n".encode()  # noqa: S311 - spreads load


def out_frame() -> bytes:
    """The last frame for a reader who may no longer read the room."""
    return b"event: out\ndata: {}\n\n"

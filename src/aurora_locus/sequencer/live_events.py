"""The newest events in memory, the subscribers that wait for more, and the pages of the log for those further behind.

Commits announce their frames to this module once they are durable. Frames enter the ring strictly in order. If a frame
does not follow the head (callbacks of two PostgreSQL connections may overtake each other; a restore leaves a gap), the
ring reads from the database instead. Everything with a lower number is already visible there, because numbers are
assigned in commit order. All code of this module runs on the event loop, as callbacks after a commit do.

The ring is bounded by count and by bytes. Its numbers increase strictly but may have gaps (a purge, a restore), so
positions are found by search, not by subtraction.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from contextvars import Context
from itertools import accumulate
from typing import Protocol, TypeVar

from at_protocol.sync import events
from at_protocol.syntax.did import Did
from aurora_locus.sequencer import queries
from aurora_locus.sequencer.retry import read_with_retry
from groundwork.database.notifications import listen
from groundwork.database.open_ import POSTGRES
from groundwork.database.transaction import Database
from groundwork.errors import Unavailable
from groundwork.memory_budget import MemoryBudget

# Removing the head of a list moves everything after it. Doing so in batches makes the cost per frame constant.
_TRIM_STRIDE = 512

# Pages of ordinary frames, which have one to three kilobytes, are limited by number, which costs less.
MAX_FRAMES = 500
MAX_PAGE_BYTES = 2 * 1024 * 1024
_MIN_PAGE_BYTES = 64 * 1024
_BUDGET_BYTES = 64 * 1024 * 1024
_READS_AT_ONCE = 2

# How often the log is checked for events of other processes.
LOOK_SECONDS = 2.0
# Our own commits send notifications, too. The in-process announcement is cheaper, so it gets a head start.
_HEAD_START_SECONDS = 0.003

Page = Sequence[tuple[int, bytes]]
T = TypeVar("T")


class RingBuffer:
    """The newest frames. ``head`` is the number of the last frame that was appended, even if none is kept."""

    def __init__(self, head: int, *, max_frames: int, max_bytes: int) -> None:
        self.head = head
        self._floor = head
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._numbers: list[int] = []
        self._frames: list[bytes] = []
        self._dropped = 0
        self._bytes = 0

    @property
    def floor(self) -> int:
        """The number above which the ring has every event. A subscriber that has seen ``floor`` can continue from the
        ring.
        """
        return self._floor

    def append(self, seq: int, frame: bytes) -> None:
        """Append the next frame. ``seq`` must be above ``head``. Drops the oldest frames that exceed the bounds."""
        self._numbers.append(seq)
        self._frames.append(frame)
        self._bytes += len(frame)
        self.head = seq
        frame_count = len(self._numbers) - self._dropped
        while frame_count > 1 and (frame_count > self._max_frames or self._bytes > self._max_bytes):
            self._floor = self._numbers[self._dropped]
            self._bytes -= len(self._frames[self._dropped])
            self._frames[self._dropped] = b""
            self._dropped += 1
            frame_count -= 1
        if self._dropped >= _TRIM_STRIDE:
            del self._numbers[: self._dropped]
            del self._frames[: self._dropped]
            self._dropped = 0

    def after(self, position: int, limit: int, max_bytes: int) -> list[tuple[int, bytes]] | None:
        """Return the frames above ``position``: as many as the limits allow, but at least one if there is one. None if
        ``position`` is below the floor.
        """
        if position < self._floor:
            return None
        if position >= self.head:
            return []
        start = max(bisect_right(self._numbers, position), self._dropped)
        frames = self._frames[start : start + limit]
        count = max(1, bisect_right(list(accumulate(map(len, frames))), max_bytes))
        return list(zip(self._numbers[start : start + count], frames[:count], strict=True))

    def numbers(self) -> list[int]:
        """The numbers of all frames in the ring."""
        return self._numbers[self._dropped :]

    def forget(self, numbers: AbstractSet[int]) -> None:
        """Remove frames that were purged from the log (an account was deleted)."""
        kept_indexes = [
            index for index in range(self._dropped, len(self._numbers)) if self._numbers[index] not in numbers
        ]
        self._frames = [self._frames[index] for index in kept_indexes]
        self._numbers = [self._numbers[index] for index in kept_indexes]
        self._dropped = 0
        self._bytes = sum(map(len, self._frames))


class PageBudget:
    """Pages of the log for subscribers below the ring: how large they are, and how many are read at once.

    Anybody can open hundreds of streams at any position and read slowly. So the pages that are in memory share one
    budget: the more of it is in use, the smaller is the next page. The smallest still contains one frame, however
    large. Only a few pages are read at a time, so that other requests find a free connection to the database.
    """

    def __init__(self, max_bytes: int = _BUDGET_BYTES) -> None:
        self.memory = MemoryBudget(max_bytes)
        self._turns = asyncio.Semaphore(_READS_AT_ONCE)

    async def read(self, db: Database, position: int) -> Page:
        """Read the next events above ``position``, in order. Raises what the database raises."""
        async with self._turns:
            max_bytes = max(_MIN_PAGE_BYTES, self.memory.share(MAX_PAGE_BYTES))
            return await queries.page(db, position, MAX_FRAMES, max_bytes=max_bytes)

    @contextmanager
    def held(self, page: Page) -> Iterator[None]:
        """Count a page as in memory for the duration of the block."""
        with self.memory.held(sum(len(frame) for _, frame in page)):
            yield


class Listener(Protocol):
    """The part of a subscriber that the ring uses."""

    @property
    def position(self) -> int: ...

    @property
    def is_live(self) -> bool: ...

    @property
    def peer(self) -> str: ...

    def expel(self) -> None: ...

    def expel_while_unavailable(self) -> None: ...


class LiveEvents:
    """The live events of one process and log. Created by ``open_live``."""

    def __init__(self, db: Database, buffer: RingBuffer) -> None:
        self.buffer = buffer
        self.pages = PageBudget()
        self.listeners: set[Listener] = set()
        self._db = db
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._wake_is_due = False
        self._reads_again = False
        self._foreign: list[Callable[[Did], None]] = []
        self._catching_up: asyncio.Task[None] | None = None
        self._is_closed = False

    async def close(self) -> None:
        """Stop reading the log. Call this before closing the database; later announcements cause no reads."""
        self._is_closed = True
        if self._catching_up is not None:
            self._catching_up.cancel()
            await asyncio.gather(self._catching_up, return_exceptions=True)
            self._catching_up = None  # it may have been cancelled before it began

    def announce(self, seq: int, frame: bytes) -> None:
        """Add a frame that has become durable."""
        if seq == self.buffer.head + 1:
            self.buffer.append(seq, frame)
            self._wake_soon()
        elif seq > self.buffer.head:
            self.start_catch_up()

    def start_catch_up(self) -> None:
        """Start reading new events of other processes in the background, unless this is closed."""
        if self._is_closed:
            return
        if self._catching_up is None:
            # It gets its own context, because it outlives the transaction and the request that caused it.
            self._catching_up = self._loop.create_task(self._catch_up(), context=Context())
        else:
            # The current read may have started too early to see the new events.
            self._reads_again = True

    def call_on_foreign_event(self, call: Callable[[Did], None]) -> None:
        """Register a callback that is called for each event of another process, with the event's account."""
        self._foreign.append(call)

    def forget(self, numbers: frozenset[int]) -> None:
        """Drop frames that were purged from the log."""
        self.buffer.forget(numbers)

    async def wait(self, position: int) -> None:
        """Wait until the log has an event above ``position``."""
        while self.buffer.head <= position:
            await self._news.wait()

    async def _catch_up(self) -> None:
        try:
            while (page := await self._next_page()) or self._reads_again:
                self._reads_again = False
                # Events that were announced while this page was being read are already in the ring.
                new = [event for event in page if event[0] > self.buffer.head]
                for seq, did, frame in new:
                    self.buffer.append(seq, frame)
                    for call in self._foreign:
                        call(did)
                if any(_is_deletion(frame) for _, _, frame in new):
                    await self._forget_purged()
                self._wake_soon()
        finally:
            self._catching_up = None

    async def _forget_purged(self) -> None:
        """Drop earlier events of an account that another process has deleted: they must not be sent any more."""
        first, last = self.buffer.floor, self.buffer.head
        stored_numbers = await self._read(lambda: queries.numbers(self._db, first, last))
        self.buffer.forget({number for number in self.buffer.numbers() if first < number <= last} - stored_numbers)

    async def _next_page(self) -> list[tuple[int, Did, bytes]]:
        return await self._read(lambda: queries.page_with_accounts(self._db, self.buffer.head, limit=1000))

    async def _read(self, read: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await read_with_retry(read)
            except Unavailable:
                # Live subscribers have waited long enough for the missing events and are disconnected. The ring keeps
                # trying.
                for listener in tuple(self.listeners):
                    if listener.is_live:
                        listener.expel_while_unavailable()

    def _wake_soon(self) -> None:
        # A group commit announces many frames in one turn of the loop, so that listeners wake only once.
        if not self._wake_is_due:
            self._wake_is_due = True
            self._loop.call_soon(self._wake)

    def _wake(self) -> None:
        self._wake_is_due = False
        self._news.set()
        self._news = asyncio.Event()
        floor = self.buffer.floor
        for listener in tuple(self.listeners):
            if listener.is_live and listener.position < floor:
                listener.expel()


def _is_deletion(frame: bytes) -> bool:
    if b"#account" not in frame:  # decoding every frame of a busy process would be wasted work
        return False
    message = events.read(frame)
    return isinstance(message, events.AccountMessage) and message.status == "deleted"


async def open_live(db: Database, *, max_frames: int = 10_000, max_bytes: int = 64 << 20) -> LiveEvents:
    """Open the live events at the current end of the log."""
    return LiveEvents(db, RingBuffer(await queries.last_number(db), max_frames=max_frames, max_bytes=max_bytes))


async def run_wakeup(live: LiveEvents, database_url: str, schema: str) -> None:
    """Wake subscribers for events of other processes, until cancelled.

    On PostgreSQL every commit sends a notification. Readers page by number; the number in the notification only saves a
    read for those who already have that event. Polling every two seconds covers notifications that were lost with a
    connection. On SQLite there is only polling, because a second process is just an operator's command.
    """
    polling = asyncio.create_task(_poll(live.start_catch_up), name="pds log looking")
    try:
        if database_url.startswith(POSTGRES):
            # The channel that the trigger in the migrations notifies.
            await listen(database_url, f"{schema}_events", lambda payload: _listen(live, payload))
        else:
            await polling
    finally:
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)


def _listen(live: LiveEvents, payload: str) -> None:
    """Handle a notification. Without a number, events may have been announced that we missed."""
    if not payload:
        live.start_catch_up()
        return
    asyncio.get_running_loop().call_later(_HEAD_START_SECONDS, _catch_up_to, live, int(payload))


def _catch_up_to(live: LiveEvents, number: int) -> None:
    if live.buffer.head < number:
        live.start_catch_up()


async def _poll(start_catch_up: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        start_catch_up()

"""A subscriber of the event log in the same process."""

import asyncio

from at_protocol.sync import events
from aurora_locus.repository.repositories import Repositories
from aurora_locus.sequencer.subscription import follow
from groundwork.clock import Instant
from groundwork.database.transaction import Database
from tests.timeouts import TIMEOUT_SECONDS


class Subscriber:
    """Receives and counts frames; can stop after some, or stop reading."""

    def __init__(
        self,
        repositories: Repositories,
        cursor: int | None = None,
        *,
        stop_after: int | None = None,
        db: Database | None = None,
        window_starts_at: int = 0,
    ) -> None:
        self.frames: list[bytes] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self._news = asyncio.Event()
        self._stop_after = stop_after
        live = repositories.live
        self.task = asyncio.create_task(
            follow(
                db or repositories.db, live, cursor, "127.0.0.1", self._take, window_starts_at=Instant(window_starts_at)
            )
        )

    async def _take(self, frame: bytes) -> None:
        await self.reads.wait()
        if self._stop_after is not None and len(self.frames) >= self._stop_after:
            raise ConnectionResetError
        self.frames.append(frame)
        self._news.set()
        await asyncio.sleep(0)

    @property
    def numbers(self) -> list[int]:
        found = [events.read(frame) for frame in self.frames]
        return [message.seq for message in found if isinstance(message, events.Sequenced)]

    async def until(self, number: int) -> None:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not self.numbers or self.numbers[-1] < number:
                self._news.clear()
                await self._news.wait()

    async def has_begun(self) -> None:
        """Wait for the first frame; the start of the window is decided by then."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not self.frames:
                self._news.clear()
                await self._news.wait()

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

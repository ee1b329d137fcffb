"""Simulated pages that follow a chat room without a browser and keep the frames that they receive."""

import asyncio
import json
from collections.abc import Callable

from openmeet.web.site.chat_stream_feed import ChatSource, ChatStreamFeed
from openmeet.web.site.chat_streams import ChatStream, RoomEvent, RowView
from tests.timeouts import TIMEOUT_SECONDS


def encode(event: RoomEvent, view: RowView) -> bytes:
    """Encode a frame as text that names its content."""
    shown = event.message
    text, quote = (shown.message.body, shown.reply) if shown else ("", None)
    quoted = quote and ("" if view.hides_quote else quote.text)
    about = shown.number if shown else None
    data = json.dumps([event.entry.number, event.entry.kind, text, view.is_author, view.is_folded, quoted, about])
    return f"data: {data}\n\n".encode()


class OpenPage:
    """A page that follows a chat room, as a browser does, and stores the frames that it receives."""

    def __init__(self, live: ChatStreamFeed, source: ChatSource, stream: ChatStream) -> None:
        self.stream = stream
        self.sent: list[bytes] = []
        self.has_more = asyncio.Event()
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._task = asyncio.create_task(live.run(stream, source, self._write, self._is_gone))

    async def _write(self, frames: bytes) -> None:
        await self.may_read.wait()
        self.sent += [frame for frame in frames.split(b"\n\n") if frame]
        self.has_more.set()

    async def _is_gone(self) -> bool:
        return False

    @property
    def entries(self) -> list[list[object]]:
        return [json.loads(frame.removeprefix(b"data: ")) for frame in self.sent if frame.startswith(b"data: [")]

    @property
    def numbers(self) -> list[int]:
        return [int(str(entry[0])) for entry in self.entries]

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for frames until the condition holds."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not is_so():
                self.has_more.clear()
                await self.has_more.wait()

    async def until_number(self, last: int) -> None:
        """Wait until every entry up to this number has arrived."""
        await self.until(lambda: self.stream.number >= last and not self.stream.frames.waiting)

    async def drained(self) -> None:
        """Wait until every frame given to the page has been written."""
        await self.until(lambda: not self.stream.frames.waiting or self._task.done())

    async def ended(self) -> None:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await self._task

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        # The task might have been cancelled before it started.
        self.stream.slot.give_back()

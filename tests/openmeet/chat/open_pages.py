"""Simulated pages that follow a chat room without a browser and keep the frames that they receive."""

import asyncio
import json
from collections.abc import Callable

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.chat import messages, rooms
from openmeet.domain.chat.model import ChatMessage, NewMessage, RoomId, RoomKind, RoomSubject, SubjectKind
from openmeet.domain.events.model import EventSlug
from openmeet.domain.users.model import Caller
from openmeet.web.site.chat_stream_feed import ChatSource, ChatStreamFeed
from openmeet.web.site.chat_streams import ChatStream, RoomEvent, RowView
from openmeet.web.site.server_sent_events import StreamCredential
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, person
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


class ChatScene:
    """An event with a host and two guests, and its chat room."""

    def __init__(self, db: Database, clock: HandClock, people: list[Caller], slug: EventSlug, room: RoomId) -> None:
        self.db, self.clock, self.people, self.slug, self.room = db, clock, people, slug, room
        self.live = ChatStreamFeed()
        self.source = ChatSource(db, "", "")
        self.pages: list[OpenPage] = []

    async def say(self, who: Caller, text: str) -> ChatMessage:
        async with self.db.transaction() as tx:
            one, _ = await messages.send(tx, who, self.room, NewMessage(text))
        return one

    def open(
        self, who: Caller, after: int, credential: StreamCredential | None = None, live: ChatStreamFeed | None = None
    ) -> OpenPage:
        stream = ChatStream(
            room=self.room,
            person=who.user_id,
            slot=(live or self.live).slots.take(who.user_id, 1_000),
            language="en",
            entered=0,
            number=after,
            credential=credential,
            encode=encode,
        )
        opened = OpenPage(live or self.live, self.source, stream)
        self.pages.append(opened)
        return opened


@pytest.fixture
async def scene(make_database: MakeDatabase, clock: HandClock):
    db = await make_database("openmeet", clock=clock)
    async with db.transaction() as tx:
        people = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, people[0], title="Games")
        for guest in people[1:]:
            await attendance.answer(tx, guest, event.slug, RsvpReply.GOING, ReplyDetails())
        target = await rooms.target_of(tx, RoomKind.EVENT, RoomSubject(SubjectKind.EVENT, event.id))
        room, _ = await rooms.open_room(tx, people[0], target)
    opened = ChatScene(db, clock, people, event.slug, room.id)
    yield opened
    for one in opened.pages:
        await one.close()

"""The one task of a site that feeds the streams of open pages: what is unread, and whether answers to an event changed.

It looks every two seconds whether anything was committed, and reads nothing if not. Conversations have their own (``live_rooms``).
"""

import asyncio
import base64
from collections.abc import Callable, Collection, Mapping
from dataclasses import astuple, dataclass, field
from typing import Final

from groundwork.database.transaction import Database, Reader
from groundwork.errors import Unavailable
from groundwork.signing_key import SigningKey
from groundwork.telemetry.logs import log
from openmeet.domain.attendance.lists import counts_shown
from openmeet.domain.chat.readers import UnreadCounts, unread_counts
from openmeet.domain.events.model import EventId
from openmeet.domain.events.queries import several
from openmeet.domain.notifications.queries import count_unread_of_each
from openmeet.domain.sign_in.queries import still_open
from openmeet.domain.users.model import UserId
from openmeet.web.site.event_streams import (
    FrameQueue,
    IsGone,
    LivePlace,
    LivePlaces,
    Write,
    out_frame,
    retry_frame,
)

LOOK_SECONDS: Final = 2.0
# Sessions also expire without a commit.
_LOOKS_PER_SESSION_CHECK: Final = 30
# A page that is told fetches itself, so a crowd is told little by little.
MOST_TOLD_AT_ONCE: Final = 20
# Counting the chats of one person takes a few statements.
_MOST_COUNTED_AT_ONCE: Final = 50


async def fingerprint_of(reader: Reader, key: SigningKey, event_id: EventId) -> str:
    """What the answers to this event are now, as the ``after`` of its page."""
    return (await _fingerprints(reader, key, [event_id]))[event_id]


async def _fingerprints(reader: Reader, key: SigningKey, events: Collection[EventId]) -> Mapping[EventId, str]:
    """By event; empty for an event that is gone. With a key, because the numbers of requests are for hosts."""
    ids = sorted(events)
    counts = await counts_shown(reader, ids)
    made = dict.fromkeys(ids, "")
    for one in await several(reader, ids):
        text = f"live {one.id} {one.revision} {one.is_hidden} {astuple(counts[one.id])}"
        made[one.id] = base64.urlsafe_b64encode(key.digest(text.encode())[:12]).decode()
    return made


@dataclass(eq=False, slots=True)
class PageStream:
    """The stream of one open page. ``session``: the hash of its token. ``fingerprint``: what its page shows of the event; None: the
    page is about no event. ``marks``: what it was last told of notifications and chats.
    """

    person: UserId
    session: bytes
    language: str
    place: LivePlace
    event: EventId | None = None
    fingerprint: str = ""
    marks: tuple[int, UnreadCounts] | None = None
    frames: FrameQueue = field(default_factory=FrameQueue)


@dataclass(frozen=True, slots=True)
class PageSource:
    """What the pages of one site are about. ``key``: of fingerprints. ``top_frame``: the event ``top`` in a language, from the
    numbers of unread notifications and of chats.
    """

    database: Database
    key: SigningKey
    top_frame: Callable[[str, int, UnreadCounts], bytes]


class LivePages:
    """The streams of one site's pages. Its task runs while there are any."""

    def __init__(self) -> None:
        self.places = LivePlaces()
        self._streams: dict[PageStream, None] = {}
        self._joined: set[PageStream] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False
        self._state = ""
        self._looks = 0
        # Whose chats are to be counted, and whether pages are still to be told: others were before them.
        self._uncounted: dict[UserId, None] = {}
        self._is_behind = False

    async def run(self, stream: PageStream, source: PageSource, write: Write, is_gone: IsGone) -> None:
        """Feed the stream and write it until it ends or its reader is gone."""
        self._streams[stream] = None
        if self._is_closing:
            stream.frames.end(retry_frame())
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._feed(source), name="live pages")
        self._joined.add(stream)
        self._wake.set()
        try:
            await stream.frames.run(write, is_gone)
        finally:
            stream.frames.has_ended = True
            del self._streams[stream]
            self._joined.discard(stream)
            if not self._streams and self._task is not None:
                self._uncounted.clear()
                # At once: a site that stops closes its database next.
                self._task.cancel()
                self._task = None

    def close(self) -> None:
        """End all streams, and let no other begin: the program stops."""
        self._is_closing = True
        self.places.close()
        for one in list(self._streams):
            one.frames.end(retry_frame())

    async def _feed(self, source: PageSource) -> None:
        """Until the last stream has left, which cancels it."""
        loop = asyncio.get_running_loop()
        looks_at = loop.time() + LOOK_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(looks_at):
                    await self._wake.wait()
            except TimeoutError:
                looks_at = loop.time() + LOOK_SECONDS
                for one in self._streams:
                    one.frames.poll(loop.time())
            self._wake.clear()
            try:
                joined, self._joined = self._joined, set()
                if joined:
                    self._uncounted |= dict.fromkeys(one.person for one in joined)
                    await self._tell(source, joined)
                else:
                    await self.look(source)
            except (Unavailable, TimeoutError) as failure:
                # The next look tells everybody.
                self._state = ""
                log.warning("live_pages.not_fed", kind=type(failure).__name__)

    async def look(self, source: PageSource) -> None:
        """Tell all open pages what changed, if anything was committed since the last look."""
        self._looks += 1
        state = await source.database.state()
        is_quiet = state == self._state and not self._is_behind and not self._uncounted
        if is_quiet and self._looks % _LOOKS_PER_SESSION_CHECK:
            return
        self._is_behind = False
        if state != self._state:
            self._uncounted |= dict.fromkeys(one.person for one in self._streams)
            self._state = state
        await self._tell(source, list(self._streams))

    async def _tell(self, source: PageSource, streams: Collection[PageStream]) -> None:
        streams = [one for one in streams if not one.frames.has_ended]
        if not streams:
            return
        async with source.database.reader() as reader:
            valid = await still_open(reader, {one.session for one in streams})
            for one in streams:
                if one.session not in valid:
                    one.frames.end(out_frame())
            streams = [one for one in streams if not one.frames.has_ended]
            unread = await count_unread_of_each(reader, {one.person for one in streams})
            chats = await self._count_chats(reader, streams)
            fingerprints = await _fingerprints(
                reader, source.key, {one.event for one in streams if one.event is not None}
            )
        for one in streams:
            marks = unread[one.person], chats.get(one.person) or (one.marks[1] if one.marks else _NOTHING)
            if marks != one.marks:
                one.marks = marks
                self._push(one, source.top_frame(one.language, *marks))
        changed = [one for one in streams if one.event is not None and one.fingerprint != fingerprints[one.event]]
        for one in changed[:MOST_TOLD_AT_ONCE]:
            one.fingerprint = fingerprints[one.event]  # type: ignore[index]  # looked at above
            self._push(one, f"id: {one.fingerprint}\nevent: event\ndata: {{}}\n\n".encode())
            # Behind all others the next time.
            if one in self._streams:
                del self._streams[one]
                self._streams[one] = None
        self._is_behind |= len(changed) > MOST_TOLD_AT_ONCE

    async def _count_chats(self, reader: Reader, streams: Collection[PageStream]) -> dict[UserId, UnreadCounts]:
        """Of those who wait for it, as many as may be counted at once; the others are counted at the next look."""
        here = {one.person for one in streams}
        turn = [person for person in self._uncounted if person in here][:_MOST_COUNTED_AT_ONCE]
        for person in turn:
            del self._uncounted[person]
        return {person: await unread_counts(reader, person) for person in turn}

    @staticmethod
    def _push(stream: PageStream, frame: bytes) -> None:
        """A page that takes nothing connects anew when it can, and is told then."""
        if stream.frames.is_full:
            stream.frames.end()
        else:
            stream.frames.push(frame)


_NOTHING: Final = UnreadCounts(0, 0, 0)

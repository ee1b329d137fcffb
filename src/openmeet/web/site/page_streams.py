"""Live streams of a site's open pages: unread counts, and whether the RSVPs to an event changed.

One task feeds all of them. Every two seconds it checks whether anything was committed. If not, it runs no further
queries. Chats have separate streams (``chat_streams``).
"""

import asyncio
import base64
import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import astuple, dataclass, field
from typing import Final

from groundwork.database.transaction import Database, Reader
from groundwork.errors import Unavailable
from groundwork.signing_key import SigningKey
from groundwork.telemetry.logs import log
from openmeet.domain.attendance.attendee_summary import counts_shown
from openmeet.domain.attendance.model import RsvpCounts
from openmeet.domain.attendance.visibility import seen_by
from openmeet.domain.chat.readers import UnreadCounts, unread_counts
from openmeet.domain.events import rules
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import several
from openmeet.domain.notifications.queries import count_unread_of_each
from openmeet.domain.sign_in.queries import still_open
from openmeet.domain.users.model import UserId
from openmeet.web.site.server_sent_events import (
    FrameQueue,
    IsGone,
    ReaderSlot,
    ReaderSlots,
    Write,
    out_frame,
    retry_frame,
)

LOOK_SECONDS: Final = 2.0
# Sessions can expire without a commit.
_LOOKS_PER_SESSION_CHECK: Final = 30
# A page reloads itself when its event has changed, so pages are notified in batches.
MAX_NOTIFIED_AT_ONCE: Final = 20
# Counting the unread messages of one person takes several queries.
_MAX_COUNTED_AT_ONCE: Final = 50


def fingerprint_of(key: SigningKey, event: Event, counts: RsvpCounts) -> str:
    """A token that changes with the event and its counts. Pages about the event send it as ``after``.

    It is keyed because the counts include requests to join, which only hosts may know.
    """
    text = f"live {event.id} {event.revision} {event.is_hidden} {astuple(counts)}"
    return base64.urlsafe_b64encode(key.digest(text.encode())[:12]).decode()


async def _fingerprints(reader: Reader, key: SigningKey, events: Collection[Event]) -> Mapping[EventId, str]:
    """The fingerprints of these events."""
    counts = await counts_shown(reader, [one.id for one in events])
    return {one.id: fingerprint_of(key, one, counts[one.id]) for one in events}


async def _shut_out(
    reader: Reader, events: Mapping[EventId, Event], streams: Collection["PageStream"]
) -> set["PageStream"]:
    """The streams whose reader may no longer see the event of their page. A deleted event counts as visible."""
    hidden: dict[UserId, set[EventId]] = {}
    for one in streams:
        event = None if one.event is None else events.get(one.event)
        if event is not None and not rules.may_see(event, one.person, has_rsvp_access=False):
            hidden.setdefault(one.person, set()).add(event.id)
    for person, authors in hidden.items():
        authors.difference_update(await seen_by(reader, [events[event_id] for event_id in sorted(authors)], person))
    return {one for one in streams if one.event in hidden.get(one.person, ())}


@dataclass(eq=False, slots=True)
class PageStream:
    """The stream of one open page. ``session`` is the hash of its session token. ``event`` is None if the page is not
    about an event. ``fingerprint`` is that of the event as the page shows it. ``marks`` are the unread counts of
    notifications and chats that were sent last.
    """

    person: UserId
    session: bytes
    language: str
    slot: ReaderSlot
    event: EventId | None = None
    fingerprint: str = ""
    marks: tuple[int, UnreadCounts] | None = None
    frames: FrameQueue = field(default_factory=FrameQueue)


@dataclass(frozen=True, slots=True)
class PageSource:
    """The data sources of the live streams of one site. ``key`` is used for fingerprints. ``top_frame`` encodes the
    event ``top``, given a language and the unread counts of notifications and chats.
    """

    database: Database
    key: SigningKey
    top_frame: Callable[[str, int, UnreadCounts], bytes]


class PageStreams:
    """The open page streams of one site. A task feeds them while at least one is open."""

    def __init__(self) -> None:
        self.slots = ReaderSlots()
        self._streams: dict[PageStream, None] = {}
        self._joined: set[PageStream] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._state = ""
        self._looks = 0
        # People whose chats still have to be counted, and whether some pages still have to be notified.
        self._uncounted: dict[UserId, None] = {}
        self._is_behind = False

    async def run(self, stream: PageStream, source: PageSource, write: Write, is_gone: IsGone) -> None:
        """Feed and write the stream until it ends or its reader is gone."""
        self._streams[stream] = None
        if self.slots.is_closed:
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
                # Do not wait: a site that is stopping closes its database next.
                self._task.cancel()
                self._task = None

    def close(self) -> None:
        """End all streams and start no others, because the program is shutting down."""
        self.slots.close()
        for one in list(self._streams):
            one.frames.end(retry_frame())

    async def _feed(self, source: PageSource) -> None:
        """Feed the streams. Runs until the last stream has ended. Then this task is cancelled."""
        loop = asyncio.get_running_loop()
        looks_at = loop.time() + LOOK_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(looks_at):
                    await self._wake.wait()
            self._wake.clear()
            joined, self._joined = self._joined, set()
            try:
                if joined:
                    self._uncounted |= dict.fromkeys(one.person for one in joined)
                    await self._tell(source, joined)
                # Check at fixed times. On a busy site, new pages open all the time, and the others must not have to
                # wait for a pause.
                if loop.time() >= looks_at:
                    looks_at = loop.time() + LOOK_SECONDS
                    for one in self._streams:
                        one.frames.poll(loop.time())
                    await self.look(source)
            except (Unavailable, TimeoutError) as failure:
                # The next check reads everything again.
                self._state = ""
                log.warning("live_pages.not_fed", kind=type(failure).__name__)
            except Exception:  # noqa: BLE001 - the pages connect again, and the task goes on
                log.exception("live_pages.failed")
                for stream in list(self._streams):
                    stream.frames.end(retry_frame())

    async def look(self, source: PageSource) -> None:
        """Send changes to all open pages, if anything was committed since the last check."""
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
            events = {
                one.id: one
                for one in await several(reader, sorted({one.event for one in streams if one.event is not None}))
            }
            fingerprints = await _fingerprints(reader, source.key, list(events.values()))
            changed = [
                one for one in streams if one.event is not None and one.fingerprint != fingerprints.get(one.event, "")
            ]
            notified = changed[:MAX_NOTIFIED_AT_ONCE]
            # People who left, or who were removed or blocked, must not even learn that something changed.
            out = await _shut_out(reader, events, notified)
        for one in streams:
            marks = unread[one.person], chats.get(one.person) or (one.marks[1] if one.marks else _NOTHING)
            if marks != one.marks:
                one.marks = marks
                self._push(one, source.top_frame(one.language, *marks))
        for one in notified:
            if one in out:
                one.frames.end(out_frame())
                continue
            one.fingerprint = now = fingerprints.get(one.event, "") if one.event is not None else ""
            self._push(one, f"id: {now}\nevent: event\ndata: {{}}\n\n".encode())
            # Move this stream to the end, so that the next check begins with the others.
            if one in self._streams:
                del self._streams[one]
                self._streams[one] = None
        self._is_behind |= len(changed) > MAX_NOTIFIED_AT_ONCE

    async def _count_chats(self, reader: Reader, streams: Collection[PageStream]) -> dict[UserId, UnreadCounts]:
        """Count the chats of the people next in line. Later checks count the chats of the others."""
        watching = {one.person for one in streams}
        turn = [person for person in self._uncounted if person in watching][:_MAX_COUNTED_AT_ONCE]
        for person in turn:
            del self._uncounted[person]
        return {person: await unread_counts(reader, person) for person in turn}

    @staticmethod
    def _push(stream: PageStream, frame: bytes) -> None:
        """Add a frame. If a page has fallen too far behind, end its stream; the browser reconnects and gets the current
        state.
        """
        if stream.frames.is_full:
            stream.frames.end()
        else:
            stream.frames.push(frame)


_NOTHING: Final = UnreadCounts(0, 0, 0)

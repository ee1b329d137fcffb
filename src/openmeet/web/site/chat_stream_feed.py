"""The task of a site that feeds the open chat streams.

Each stream has a position, which is a number in the log of its room. To feed a room, the task reads the log after the
lowest position. It checks the credential, the access and the blocks of every reader, and sends each stream the entries
after its own position. Resuming works like catching up, so nothing is lost and nothing is sent twice. Each event is
encoded once for all readers who see the same (``Encode``). In addition, all rooms and credentials are checked every two
seconds.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.database.notifications import listen
from groundwork.database.open_ import POSTGRES
from groundwork.database.transaction import Database, Reader
from groundwork.errors import Unavailable
from groundwork.telemetry.logs import log as logged
from openmeet.domain.api_tokens.tokens import still_valid
from openmeet.domain.chat import log, message_queries, queries, room_queries
from openmeet.domain.chat.access import access_in, access_of_each, entered_numbers_of_people
from openmeet.domain.chat.model import Access, ChatLogEntry, HistoryMode, LogKind, Room, RoomId
from openmeet.domain.moderation.blocks import hidden_from
from openmeet.domain.sign_in.queries import still_open
from openmeet.domain.users.erasure_requests import leaving_people
from openmeet.domain.users.model import UserId
from openmeet.web.site.chat_streams import ChatStream, Encode, RoomEvent, RowView, UnreadWatch, reload_frame
from openmeet.web.site.server_sent_events import IsGone, ReaderSlots, Write, out_frame, retry_frame

# Changes of access (an RSVP, a role, a setting, the end of a session) send no notification, so they are polled for.
LOOK_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class ChatSource:
    """The database of the rooms. ``url`` and ``schema`` are used to listen for commits of other processes."""

    database: Database
    url: str
    schema: str


class ChatStreamFeed:
    """The chat streams of one site. A task feeds them while at least one is open."""

    def __init__(self) -> None:
        self._rooms: dict[RoomId, set[ChatStream]] = {}
        self.slots = ReaderSlots()
        self._rung: set[RoomId] = set()
        self._wake = asyncio.Event()
        # Rounds do not overlap: one that read the room earlier would set back the positions of the streams.
        self._one_round = asyncio.Lock()
        self._listener: log.LogListener | None = None
        self._task: asyncio.Task[None] | None = None
        self._unread = UnreadWatch()
        # The people who were deleting their account at the last check.
        self._leaving: set[UserId] | None = None

    @property
    def count(self) -> int:
        """The number of open streams."""
        return self.slots.count

    async def run(self, stream: ChatStream, source: ChatSource, write: Write, is_gone: IsGone) -> None:
        """Feed and write the stream until it ends or its reader is gone, then free its slot."""
        self._join(stream, source)
        try:
            await stream.run(write, is_gone, lambda: self._ring(stream.room))
        finally:
            self._leave(stream)

    def _join(self, stream: ChatStream, source: ChatSource) -> None:
        self._rooms.setdefault(stream.room, set()).add(stream)
        if self.slots.is_closed:
            stream.frames.end(retry_frame())
        if self._task is None or self._task.done():
            self._listener = log.LogListener(self._heard)
            self._task = asyncio.create_task(self._feed(source), name="live rooms")
        self._ring(stream.room)

    def close(self) -> None:
        """End all streams and start no others, because the program is shutting down."""
        self.slots.close()
        for streams in list(self._rooms.values()):
            for one in list(streams):
                one.frames.end(retry_frame())

    def _leave(self, stream: ChatStream) -> None:
        stream.frames.has_ended = True
        streams = self._rooms.get(stream.room, set())
        streams.discard(stream)
        if not streams:
            self._rooms.pop(stream.room, None)
        stream.slot.give_back()
        if not self._rooms:
            self._unread.clear()
            self._leaving = None
            self._listener = None
            # Do not wait: a site that is stopping closes its database next.
            if self._task is not None:
                self._task.cancel()
                self._task = None

    def _heard(self, room: RoomId, number: int) -> None:
        self._unread.note_changed(room)
        self._ring(room, number)

    def _ring(self, room: RoomId, _number: int = 0) -> None:
        if room in self._rooms:
            self._rung.add(room)
            self._wake.set()

    def _notified(self, payload: str) -> None:
        position = log.parse_notification(payload)
        if position is None:
            self._unread.note_changed(None)
            self._rung.update(self._rooms)
            self._wake.set()
        else:
            self._heard(*position)

    async def _feed(self, source: ChatSource) -> None:
        """Feed the streams. Runs until the last stream has ended. Then this task is cancelled."""
        listening = None
        if source.url.startswith(POSTGRES):
            notifications = listen(source.url, log.channel(source.schema), self._notified)
            listening = asyncio.create_task(notifications, name="live rooms listening")
        loop = asyncio.get_running_loop()
        looks_at = loop.time() + LOOK_SECONDS
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(looks_at):
                        await self._wake.wait()
                self._wake.clear()
                try:
                    if loop.time() >= looks_at:
                        looks_at = loop.time() + LOOK_SECONDS
                        self._poll_readers(loop.time())
                        await self.look(source.database)
                    else:
                        await self.feed_rung(source.database)
                except (Unavailable, TimeoutError) as failure:
                    logged.warning("chat.not_fed", kind=type(failure).__name__)
                except Exception:  # noqa: BLE001 - the pages connect again, and the task goes on
                    logged.exception("chat.feed_failed")
                    for one in [one for each in self._rooms.values() for one in each]:
                        one.frames.end(retry_frame())
        finally:
            if listening is not None:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    def _poll_readers(self, now: float) -> None:
        for streams in self._rooms.values():
            for one in streams:
                one.frames.poll(now)

    async def feed_rung(self, database: Database) -> None:
        """Feed the rooms that have new log entries."""
        async with self._one_round:
            while self._rung:
                await self._feed_or_end(database, self._rung.pop())

    async def look(self, database: Database) -> None:
        """Check every room and every session, whether or not there was a notification."""
        async with self._one_round:
            await self._look(database)

    async def _look(self, database: Database) -> None:
        self._rung.clear()
        streams = [one for each in self._rooms.values() for one in each]
        async with database.reader() as reader:
            await _end_signed_out(reader, streams)
            hidden = await hidden_from(reader, {one.person for one in streams if one.person is not None})
            changed_rooms = await self._rooms_of_leaving(reader)
        for one in streams:
            hidden_before, one.hidden = one.hidden, hidden.get(one.person, set()) if one.person is not None else set()
            if (hidden_before is not None and hidden_before != one.hidden) or one.room in changed_rooms:
                one.push(reload_frame(one.room, one.number))
        for room in list(self._rooms):
            await self._feed_or_end(database, room)
        async with database.reader() as reader:
            await self._unread.push_changed(reader, [one for each in self._rooms.values() for one in each])

    async def _rooms_of_leaving(self, reader: Reader) -> set[RoomId]:
        """The rooms in which somebody wrote who, since the last check, asked for the deletion of their account or
        changed their mind.
        """
        leaving_before, self._leaving = self._leaving, await leaving_people(reader)
        if leaving_before is None:
            return set()
        return await message_queries.rooms_written_in(reader, self._rooms.keys(), leaving_before ^ self._leaving)

    async def _feed_or_end(self, database: Database, room: RoomId) -> None:
        """Feed a room. If this fails, end the streams of this room, so that its pages reload, and continue with the
        other rooms.

        Raises Unavailable if the database cannot keep up, because a thousand reloading pages would increase its load.
        """
        try:
            await self._feed_room(database, room)
        except (Unavailable, TimeoutError):
            raise
        except Exception:  # noqa: BLE001 - one room must not stop the others
            logged.exception("chat.room_not_fed", room=room)
            for one in list(self._rooms.get(room, ())):
                one.frames.end(reload_frame(room, one.number))

    async def _feed_room(self, database: Database, room_id: RoomId) -> None:
        streams = [one for one in self._rooms.get(room_id, ()) if not one.frames.has_ended]
        if not streams:
            return
        async with database.reader() as reader:
            room = await room_queries.by_id(reader, room_id)
            levels = await _levels(reader, room, streams)
            inside = [one for one in streams if _needs_entries(one, room, levels.get(one.person, Access.NONE))]
            # Checked in the same transaction that reads the entries, so no entry written after a sign-out or a block is
            # sent.
            await _end_signed_out(reader, inside)
            inside = [one for one in inside if not one.frames.has_ended]
            if room is None or not inside:
                return
            readers = {one.person for one in inside if one.person is not None}
            hidden = await hidden_from(reader, readers)
            entered = await entered_numbers_of_people(reader, room, readers)
            entries = await log.entries_after(reader, room_id, min(one.number for one in inside))
            room_events = await _room_events(reader, room, entries, levels)
        # Entries are deleted with their messages, so the last numbers may be missing. In that case all existing entries
        # have been sent.
        reached = entries[-1].number if len(entries) > log.MAX_REPLAYED else room.last_number
        written: dict[tuple[int, Encode, RowView], bytes] = {}
        sights = _sights(room, inside, levels, entered, hidden)
        for event in room_events:
            for sight, alike in sights:
                for one in alike:
                    # A stream that catches up gets as many entries as fit, and requests more later.
                    if not (one.is_catching_up and one.frames.is_full):
                        _hand_out(one, event, sight, written)
            # Encoding many rows for many readers must not block the event loop.
            await asyncio.sleep(0)
        for one in inside:
            # Entries that are not shown to the reader count as sent.
            if not one.frames.has_ended and not (one.is_catching_up and one.frames.is_full):
                one.number = max(one.number, reached)
            if one.number == room.last_number:
                one.is_catching_up = False


def _needs_entries(stream: ChatStream, room: Room | None, access: Access) -> bool:
    """Apply the reader's present access to a stream, and return whether it needs entries of the log now."""
    level_before, stream.level = stream.level, access
    if room is None or access is Access.NONE:
        stream.frames.end(out_frame())
        return False
    if level_before is not None and level_before is not access:
        # The reader may have gained or lost the right to write, or can now see held messages.
        stream.push(reload_frame(room.id, stream.number))
    if room.last_number - stream.number > log.MAX_REPLAYED or stream.number > room.last_number:
        stream.number = room.last_number
        stream.push(reload_frame(room.id, room.last_number))
        return False
    if stream.number == room.last_number:
        stream.is_catching_up = False
        return False
    return not (stream.is_catching_up and stream.frames.waiting)


async def _levels(reader: Reader, room: Room | None, streams: Collection[ChatStream]) -> dict[UserId | None, Access]:
    """The access of everyone with one of these streams. The key None is used for readers who are not signed in."""
    if room is None:
        return {}
    people = {one.person for one in streams}
    access_by_person = await access_of_each(reader, room, {one for one in people if one is not None})
    level_by_person: dict[UserId | None, Access] = dict(access_by_person.items())
    if None in people:
        level_by_person[None] = await access_in(reader, room, None)
    return level_by_person


async def _end_signed_out(reader: Reader, streams: Collection[ChatStream]) -> None:
    """End the streams whose session or token is no longer valid."""
    used = {one.credential for one in streams if one.credential is not None}
    valid = await still_open(reader, {one.token_hash for one in used if not one.is_api_token})
    valid |= await still_valid(reader, {one.token_hash for one in used if one.is_api_token})
    for one in streams:
        if one.credential is not None and one.credential.token_hash not in valid:
            one.frames.end(out_frame())


@dataclass(frozen=True, slots=True)
class _Sight:
    """What a reader can currently see of the room: messages with numbers above ``floor``, and not those of the people
    in ``hidden``, whom they have blocked or muted.
    """

    person: UserId | None
    language: str
    level: Access
    floor: int
    hidden: Collection[UserId]


def _sights(
    room: Room,
    streams: Collection[ChatStream],
    levels: Mapping[UserId | None, Access],
    entered: Mapping[UserId, int],
    hidden: Mapping[UserId, Collection[UserId]],
) -> Sequence[tuple[_Sight, Sequence[ChatStream]]]:
    """The streams grouped by what their readers can see. Usually one group per person, however many pages they have
    open.
    """
    groups = defaultdict(list)
    for one in streams:
        level = levels.get(one.person, Access.NONE)
        floor = 0
        if level is not Access.MODERATE and room.history is not HistoryMode.ALL:
            floor = one.entered if one.person is None else entered.get(one.person, one.entered)
        groups[one.person, one.language, level, floor].append(one)
    return [
        (_Sight(person, language, level, floor, hidden.get(person, ()) if person is not None else ()), alike)
        for (person, language, level, floor), alike in groups.items()
    ]


async def _room_events(
    reader: Reader, room: Room, entries: Collection[ChatLogEntry], levels: Mapping[UserId | None, Access]
) -> list[RoomEvent]:
    """The log entries with their messages. ``levels`` is the access that is already known."""
    ids = {entry.message_id for entry in entries if entry.message_id is not None}
    stored = await message_queries.by_ids(reader, ids)
    shown = {one.id: one for one in await queries.shown(reader, list(stored.values()), None, quotes_all=True)}
    authors = {one.message.user_id for one in shown.values() if one.message.user_id is not None}
    access_by_author = await access_of_each(reader, room, authors - levels.keys())
    hosts = {one for one in authors if (levels.get(one) or access_by_author.get(one)) is Access.MODERATE}
    return [
        RoomEvent(room, entry, shown.get(entry.message_id) if entry.message_id else None, hosts, reader.now)
        for entry in entries
        if entry.message_id is None or entry.message_id in shown
    ]


def _hand_out(
    stream: ChatStream, event: RoomEvent, sight: _Sight, written: dict[tuple[int, Encode, RowView], bytes]
) -> None:
    number, shown = event.entry.number, event.message
    if number <= stream.number or stream.frames.has_ended:
        return
    stream.number = number
    is_author = is_folded = hides_quote = False
    if shown is not None:
        message, quoted = shown.message, shown.reply
        is_author = sight.person is not None and message.user_id == sight.person
        is_folded = message.user_id in sight.hidden
        hides_quote = quoted is not None and (quoted.user_id in sight.hidden or quoted.number <= sight.floor)
        if message.number <= sight.floor:
            return
        if message.is_held and not is_author and sight.level is not Access.MODERATE:
            if event.entry.kind is LogKind.REMOVED:
                # The message was shown before, so its text must disappear from the page.
                stream.push(reload_frame(event.room.id, number))
            return
    view = RowView(
        sight.language,
        is_author=is_author,
        is_folded=is_folded,
        hides_quote=hides_quote,
        may_write=sight.level >= Access.WRITE and not event.room.is_closed,
    )
    key = (number, stream.encode, view)
    if key not in written:
        written[key] = stream.encode(event, view)
    stream.push(written[key])

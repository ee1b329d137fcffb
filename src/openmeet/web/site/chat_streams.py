"""Open chat streams: the position of each reader, what they can see, and their unread counts in rooms other than the open
one.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Reader
from openmeet.domain.chat.model import Access, ChatLogEntry, Room, RoomId
from openmeet.domain.chat.queries import ShownMessage
from openmeet.domain.chat.readers import UnreadCounts, in_rooms_or_moved, unread_counts
from openmeet.domain.users.model import UserId
from openmeet.web.site.server_sent_events import FrameQueue, IsGone, ReaderSlot, StreamCredential, Write

# Maximum number of changed rooms to remember. Beyond that, the counts of everyone with a stream are computed again.
MAX_CHANGED_ROOMS: Final = 1_000
# Counting takes several queries per person, so the rest wait for the next call.
_COUNTED_AT_ONCE: Final = 50
# Read marks carry the time at which their transaction began, so one with an earlier time can be committed after a
# check. A transaction lasts at most two seconds, and the clocks of two computers may differ a little.
_COMMITTED_WITHIN: Final = 5 * SECOND


@dataclass(frozen=True, slots=True)
class RowView:
    """Everything that determines the bytes of a message. Readers with equal values get the same bytes."""

    language: str
    is_author: bool
    is_folded: bool
    hides_quote: bool
    may_write: bool


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """An entry of a room's log, with the current state of its message. ``message`` is None if the entry is about the
    room itself.
    """

    room: Room
    entry: ChatLogEntry
    message: ShownMessage | None
    hosts: Collection[UserId]
    now: Instant


# Encodes an event for one kind of reader, in the format of ``text/event-stream``.
Encode = Callable[[RoomEvent, RowView], bytes]


@dataclass(eq=False, slots=True)
class ChatStream:
    """One open stream. ``entered`` is the room's last number when the reader joined; their history begins at that
    number if the room limits history. ``number`` is the last entry that was sent. ``credential`` is None if the reader
    is not signed in. ``is_catching_up``: missed entries are still being sent, as fast as the reader accepts them.
    ``level`` and ``hidden`` are their access, and the people they blocked or muted, at the last check; if these change,
    the page reloads. ``unread`` are the counts of their other rooms that were sent last.
    """

    room: RoomId
    person: UserId | None
    slot: ReaderSlot
    language: str
    entered: int
    number: int
    credential: StreamCredential | None
    encode: Encode
    frames: FrameQueue = field(default_factory=FrameQueue)
    is_catching_up: bool = True
    level: Access | None = None
    hidden: Collection[UserId] | None = None
    unread: UnreadCounts | None = None

    def push(self, frame: bytes) -> None:
        """Send a frame. If the reader has fallen too far behind, send an event that makes them reload the page."""
        if self.frames.is_full:
            self.frames.end(reload_frame(self.room, self.number))
        else:
            self.frames.push(frame)

    async def run(self, write: Write, is_gone: IsGone, more: Callable[[], None]) -> None:
        """Write frames until the stream ends or the reader is gone. ``more`` requests further missed entries.

        Raises TimeoutError if the reader accepts no data.
        """
        await self.frames.run(write, is_gone, lambda: more() if self.is_catching_up else None)


def reload_frame(room: RoomId, number: int) -> bytes:
    """The frame that makes a reader reload the page, because there are too many changes to send."""
    return f"id: {room}:{number}\nevent: again\ndata: {{}}\n\n".encode()


class UnreadWatch:
    """Remembers the changed rooms, and pushes new unread counts to the people in them."""

    def __init__(self) -> None:
        self._changed_rooms: set[RoomId] = set()
        self._may_be_any = False
        self._waiting: dict[UserId, None] = {}
        self._looked_at: Instant | None = None

    def note_changed(self, room: RoomId | None) -> None:
        """Remember that this room changed. None means that any room may have changed."""
        if room is None or len(self._changed_rooms) >= MAX_CHANGED_ROOMS:
            self._may_be_any = True
        else:
            self._changed_rooms.add(room)

    def clear(self) -> None:
        """Forget all changed rooms, because no stream is open any more."""
        self._changed_rooms.clear()
        self._waiting.clear()
        self._may_be_any = False
        self._looked_at = None

    async def push_changed(self, reader: Reader, streams: Collection[ChatStream]) -> None:
        """Push new counts to the streams whose counts changed."""
        open_: defaultdict[UserId, list[ChatStream]] = defaultdict(list)
        for one in streams:
            if one.person is not None and not one.frames.has_ended:
                open_[one.person].append(one)
        changed_rooms, self._changed_rooms = self._changed_rooms, set()
        may_be_any, self._may_be_any = self._may_be_any, False
        since, self._looked_at = self._looked_at, reader.now
        affected = open_.keys() if may_be_any else await _affected_people(reader, open_, changed_rooms, since)
        self._waiting.update(dict.fromkeys(affected))
        for person in list(self._waiting)[:_COUNTED_AT_ONCE]:
            del self._waiting[person]
            counted: dict[RoomId, UnreadCounts] = {}
            for one in open_.get(person, ()):
                if one.room not in counted:
                    counted[one.room] = await unread_counts(reader, person, except_room=one.room)
                counts = counted[one.room]
                if counts != one.unread:
                    one.unread = counts
                    one.push(unread_frame(counts))


async def _affected_people(
    reader: Reader,
    open_: Mapping[UserId, Collection[ChatStream]],
    changed_rooms: Collection[RoomId],
    since: Instant | None,
) -> set[UserId]:
    """People in a changed room that they do not have open, and people who have joined or read such a room since."""
    elsewhere = sorted(
        room for room in changed_rooms if any(one.room != room for each in open_.values() for one in each)
    )
    if not open_:
        return set()
    earliest = Instant((reader.now if since is None else since) - _COMMITTED_WITHIN)
    found = await in_rooms_or_moved(reader, sorted(open_), elsewhere, since=earliest)
    return {person for person, room in found if any(one.room != room for one in open_[person])}


def unread_frame(counts: UnreadCounts) -> bytes:
    """The frame with the unread counts of the other rooms. It has no id, because a stream cannot resume from it."""
    return (
        f'event: rooms\ndata: {{"messages":{counts.messages},"mentions":{counts.mentions},"rooms":{counts.rooms}}}\n\n'
    ).encode()

"""One open chat stream: the position of its reader, and what they can see."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from groundwork.clock import Instant
from openmeet.domain.chat.model import Access, ChatLogEntry, Room, RoomId
from openmeet.domain.chat.queries import ShownMessage
from openmeet.domain.chat.readers import UnreadCounts
from openmeet.domain.users.model import UserId
from openmeet.web.site.event_streams import FrameQueue, IsGone, LiveSlot, StreamCredential, Write


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
class LiveStream:
    """One open stream. ``entered`` is the room's last number when the reader joined; their history begins at that
    number if the room limits history. ``number`` is the last entry that was sent. ``credential`` is None if the reader
    is not signed in. ``is_catching_up``: missed entries are still being sent, as fast as the reader accepts them.
    ``level`` and ``hidden`` are their access, and the people they blocked or muted, at the last check; if these change,
    the page reloads. ``unread`` are the counts of their other rooms that were sent last.
    """

    room: RoomId
    person: UserId | None
    slot: LiveSlot
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

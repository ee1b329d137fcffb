"""One open stream of a chat: how far its reader is, and what they see."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from groundwork.clock import Instant
from openmeet.domain.chat.model import Access, ChatLogEntry, Room, RoomId
from openmeet.domain.chat.queries import ShownMessage
from openmeet.domain.chat.readers import UnreadCounts
from openmeet.domain.users.model import UserId
from openmeet.web.site.event_streams import FrameQueue, IsGone, LivePlace, StreamCredential, Write


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


@dataclass(eq=False, slots=True)
class LiveStream:
    """One open stream. ``entered``: the number of the room when they came, where the history begins there. ``number``: of the last
    entry that was handed out. ``credential`` None: nobody is signed in. ``is_catching_up``: what it missed is still being handed
    out, as fast as the reader takes it. ``level`` and ``hidden``: their access and the people they blocked or muted when it was
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
    frames: FrameQueue = field(default_factory=FrameQueue)
    is_catching_up: bool = True
    level: Access | None = None
    hidden: Collection[UserId] | None = None
    unread: UnreadCounts | None = None

    def push(self, frame: bytes) -> None:
        """Hand out a frame; a reader who is too slow for it is told to reload the page."""
        if self.frames.is_full:
            self.frames.end(reload_frame(self.room, self.number))
        else:
            self.frames.push(frame)

    async def run(self, write: Write, is_gone: IsGone, more: Callable[[], None]) -> None:
        """Write what comes until the stream ends or the reader is gone. ``more`` asks for what it missed.

        Raises TimeoutError if the reader takes nothing.
        """
        await self.frames.run(write, is_gone, lambda: more() if self.is_catching_up else None)


def reload_frame(room: RoomId, number: int) -> bytes:
    """The frame that tells a reader to reload the page: what happened since is too much to be sent."""
    return f"id: {room}:{number}\nevent: again\ndata: {{}}\n\n".encode()

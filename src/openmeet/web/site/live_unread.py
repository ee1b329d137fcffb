"""What is unread in the other rooms of people who have a stream open: who is to be told, and how much it is."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.chat.model import RoomId
from openmeet.domain.chat.readers import UnreadCounts, unread_counts
from openmeet.domain.users.model import UserId
from openmeet.web.site.live_streams import LiveStream

# Rooms where something happened that are looked at together; after more, everybody is told.
MOST_STIRRED: Final = 1_000
# Counting costs a few statements for each person: of a large number the others wait for the next look.
_COUNTED_AT_ONCE: Final = 50


class UnreadWatch:
    """Notes where something happens, and tells those whom it concerns about rooms other than the one they look at."""

    def __init__(self) -> None:
        self._stirred: set[RoomId] = set()
        self._concerns_all = False
        self._waiting: dict[UserId, None] = {}
        self._looked_at: Instant | None = None

    def stir(self, room: RoomId | None) -> None:
        """Something happened in this room; None: anywhere."""
        if room is None or len(self._stirred) >= MOST_STIRRED:
            self._concerns_all = True
        else:
            self._stirred.add(room)

    def clear(self) -> None:
        """Nobody listens any more."""
        self._stirred.clear()
        self._waiting.clear()
        self._concerns_all = False
        self._looked_at = None

    async def tell(self, reader: Reader, streams: Collection[LiveStream]) -> None:
        """Push the counts to the streams for which they have changed."""
        open_: defaultdict[UserId, list[LiveStream]] = defaultdict(list)
        for one in streams:
            if one.person is not None and not one.has_ended:
                open_[one.person].append(one)
        stirred, self._stirred = self._stirred, set()
        concerns_all, self._concerns_all = self._concerns_all, False
        since, self._looked_at = self._looked_at, reader.now
        concerned = open_.keys() if concerns_all else await _concerned(reader, open_, stirred, since)
        self._waiting.update(dict.fromkeys(concerned))
        for person in list(self._waiting)[:_COUNTED_AT_ONCE]:
            del self._waiting[person]
            counted: dict[RoomId, UnreadCounts] = {}
            for one in open_.get(person, ()):
                if one.room not in counted:
                    counted[one.room] = await unread_counts(reader, person, beside=one.room)
                found = counted[one.room]
                if found != one.unread:
                    one.unread = found
                    one.push(unread_frame(found))


async def _concerned(
    reader: Reader, open_: Mapping[UserId, Collection[LiveStream]], stirred: Collection[RoomId], since: Instant | None
) -> set[UserId]:
    """Who is in a room where something happened that they do not look at, or has come to a room."""
    elsewhere = sorted(room for room in stirred if any(one.room != room for each in open_.values() for one in each))
    if not open_:
        return set()
    rows = await reader.fetch(
        "select c.user_id, c.room_id from chat_readers c where c.user_id in :people"
        " and (c.room_id in :rooms or c.entered_at >= :since) order by c.user_id, c.room_id",
        people=sorted(open_),
        rooms=elsewhere or [""],
        since=reader.now if since is None else since,
    )
    return {
        UserId(row["user_id"])
        for row in rows
        if any(one.room != row["room_id"] for one in open_[UserId(row["user_id"])])
    }


def unread_frame(found: UnreadCounts) -> bytes:
    """The frame with what is unread in the other rooms; it has no id, so that nothing resumes behind it."""
    return (
        f'event: rooms\ndata: {{"messages":{found.messages},"mentions":{found.mentions},"rooms":{found.rooms}}}\n\n'
    ).encode()

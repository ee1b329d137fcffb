"""Rooms in which something waits for a moderator: reports to the hosts, held messages, and objections to removals by hosts."""

from dataclasses import dataclass
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.chat import room_queries
from openmeet.domain.chat.access import access_to_each
from openmeet.domain.chat.addresses import RoomAddress, addresses_of
from openmeet.domain.chat.message_queries import is_by_leaving
from openmeet.domain.chat.model import Access, RoomId
from openmeet.domain.chat.objections import OPEN_OBJECTION
from openmeet.domain.users.model import UserId

# Rooms of the whole community that are looked at, those waiting longest first.
_MOST: Final = 200
_WAITING: Final = f"""
    select m.room_id, p.message_id, p.at as since from chat_reports p join chat_messages m on m.id = p.message_id
     where p.to_tenant = 0 and p.closed_at is null and not {is_by_leaving()}
    union all
    select h.room_id, h.id, h.held_at from chat_messages h where h.held_at is not null and not {is_by_leaving("h")}
    union all
    select a.room_id, a.message_id, a.at from chat_acts a where {OPEN_OBJECTION}
"""


@dataclass(frozen=True, slots=True)
class UndecidedRoom:
    """A room with messages that wait for a moderator. ``since`` is the time of the oldest report, hold or objection."""

    address: RoomAddress
    path: str
    messages: int
    since: Instant


async def undecided_rooms(reader: Reader, person: UserId) -> list[UndecidedRoom]:
    """Return the rooms that this person moderates and in which something waits for a moderator, those waiting longest
    first.
    """
    rows = await reader.fetch(
        f"select w.room_id, count(distinct w.message_id) as number, min(w.since) as since from ({_WAITING}) w"
        f" group by w.room_id order by since, w.room_id limit {_MOST}",
        of_site=0,
    )
    if not rows:
        return []
    levels = await access_to_each(reader, [RoomId(row["room_id"]) for row in rows], person)
    moderated_rooms = [room for room, level in levels.items() if level is Access.MODERATE]
    rooms = await room_queries.by_ids(reader, moderated_rooms)
    addresses = await addresses_of(reader, list(rooms.values()), person)
    return [
        UndecidedRoom(addresses[room], moderation_path(addresses[room].path), int(row["number"]), Instant(row["since"]))
        for row in rows
        if (room := RoomId(row["room_id"])) in addresses
    ]


def moderation_path(path: str) -> str:
    """Return the path of a room’s moderation page. ``path`` is the path of the room and can have a query string."""
    page, separator, query = path.partition("?")
    return f"{page}/moderation{separator}{query}"

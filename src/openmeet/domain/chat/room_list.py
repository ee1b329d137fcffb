"""A person's list of rooms: which ones they may read, with the number of their unread messages and mentions."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from groundwork.database.expressions import escape_like, without_joiners, without_joiners_sql
from groundwork.database.transaction import Reader
from openmeet.domain.chat import message_queries, room_queries
from openmeet.domain.chat.access import access_to_own, reading_floor_sql
from openmeet.domain.chat.model import Access, Room, RoomKind, RoomSubject
from openmeet.domain.chat.room_queries import COLUMNS, room_of
from openmeet.domain.users.model import UserId


@dataclass(frozen=True, slots=True)
class MyRoom:
    """A room of a person. ``unread`` and ``mentioned`` stop counting at 100. ``last_message_id`` is the latest message
    they may read. ``is_muted`` is True if they get no notifications of it now.
    """

    room: Room
    access: Access
    unread: int
    mentioned: int
    last_message_id: str | None
    is_muted: bool


@dataclass(frozen=True, slots=True)
class RoomFilter:
    """Conditions for a list of rooms. ``words`` are searched in the title of the subject and the name of the channel."""

    kinds: Collection[RoomKind] = ()
    subject: RoomSubject | None = None
    unread_only: bool = False
    archived: bool = False
    words: str = ""


_COUNT_MOST: Final = 100
# Unread messages of ``:person``: written by other people, after their mark, in the part of the history they may read.
_FRESH = f"""
    m.room_id = r.id and m.number > coalesce(c.read_number, 0) and coalesce(m.user_id, '') <> :person
    and {message_queries.is_there()}
    and m.number > {reading_floor_sql()} and {message_queries.is_written()}
    and not exists (select 1 from user_blocks kb where kb.user_id = :person and kb.blocked_id = m.user_id)
    and not exists (select 1 from user_mutes km where km.user_id = :person and km.subject = m.user_id)
"""
_TITLE = """coalesce(case when r.kind = 'channel' then r.name || ' ' end, '')
    || coalesce((select e.title from events e where e.id = r.event_id),
                (select s.name from event_series s where s.id = r.series_id),
                (select g.name from groups g where g.id = r.group_id), '')"""


async def my_rooms(
    reader: Reader, person: UserId, room_filter: RoomFilter, *, limit: int, after: tuple[int, int, str] | None = None
) -> list[MyRoom]:
    """The rooms of a person: first those with unread messages, then by the latest message; at most one more than the
    limit. ``after`` is the ``sort_key`` of the last room of the previous page.
    """
    conditions = ["r.closed_at is not null" if room_filter.archived else "r.closed_at is null"]
    values: dict[str, object] = {}
    if room_filter.kinds:
        conditions.append("r.kind in :kinds")
        values["kinds"] = sorted(one.value for one in room_filter.kinds)
    if room_filter.subject is not None:
        conditions.append(f"r.{room_queries.OWNER_COLUMN[room_filter.subject.kind]} = :subject")
        values["subject"] = room_filter.subject.id
    if room_filter.words:
        conditions.append(f"{without_joiners_sql(f'lower({_TITLE})')} like :words escape '!'")
        values["words"] = f"%{escape_like(without_joiners(room_filter.words.lower()))}%"
    levels = await access_to_own(reader, person, " and ".join(conditions), **values)
    if not levels:
        return []
    values = {"rooms": sorted(levels)}
    outer = ["1 = 1"]
    if room_filter.unread_only:
        outer.append("k.is_new = 1")
    if after is not None:
        outer.append("(k.is_new, k.said, k.id) < (:after_new, :after_said, :after_id)")
        values |= {"after_new": after[0], "after_said": after[1], "after_id": after[2]}
    # Count unread messages only for the rooms of this page, because a person can have hundreds.
    rows = await reader.fetch(
        f"""
        with k as materialized (select r.id, coalesce(r.last_said_at, r.created_at) as said,
                 case when exists (select 1 from chat_messages m where {_FRESH}) then 1 else 0 end as is_new
            from chat_rooms r left join chat_readers c on c.room_id = r.id and c.user_id = :person
           where r.id in :rooms),
        f as materialized (select * from k where {" and ".join(outer)} order by is_new desc, said desc, id desc
            limit :limit)
        select {COLUMNS},
               (select count(*) from (select 1 as one from chat_messages m where {_FRESH}
                   limit {_COUNT_MOST}) u) as unread,
               (select count(*) from (select 1 as one from chat_messages m
                  join chat_mentions q on q.message_id = m.id and q.user_id = :person where {_FRESH}
                      limit {_COUNT_MOST}) q) as mentioned,
               (select m.id from chat_messages m where m.room_id = r.id and {message_queries.is_there()}
                   and m.number > {reading_floor_sql()} order by m.number desc limit 1) as last_message,
               case when c.level = 'none' or coalesce(c.muted_until, 0) > :now then 1 else 0 end as is_muted
          from f join chat_rooms r on r.id = f.id left join chat_readers c on c.room_id = r.id and c.user_id = :person
         order by f.is_new desc, f.said desc, f.id desc
        """,
        person=person,
        now=reader.now,
        limit=limit + 1,
        **values,
    )
    return [
        MyRoom(room, levels[room.id], row["unread"], row["mentioned"], row["last_message"], bool(row["is_muted"]))
        for room, row in ((room_of(row), row) for row in rows)
    ]


def sort_key(my_room: MyRoom) -> tuple[int, int, str]:
    """Sort key of a room in ``my_rooms``: unread ones first, then by the latest message."""
    return int(my_room.unread > 0), my_room.room.last_said_at or my_room.room.created_at, my_room.room.id

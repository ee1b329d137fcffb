"""State per person and room: how far they have read, which notifications they want, and since when they have been in
the room.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Reader, Row, Transaction
from openmeet.domain.chat import mirroring
from openmeet.domain.chat.access import (
    access_to_each,
    candidate_rooms_sql,
    reading_floor_sql,
    related_people_sql,
    require_access,
)
from openmeet.domain.chat.message_queries import is_there, is_written
from openmeet.domain.chat.model import Access, EnteredBy, NotificationLevel, Reading, RoomId
from openmeet.domain.moderation.visibility import is_person_suspended
from openmeet.domain.notifications import notify
from openmeet.domain.users import erasure_requests
from openmeet.domain.users.model import Caller, UserId

_COLUMNS = "room_id, user_id, read_number, level, muted_until, entered_at, entered_number, entered_by, seen_at"
_CHANGES_AT_A_TIME = 200


def _reading(row: Row) -> Reading:
    return Reading(
        RoomId(row["room_id"]),
        UserId(row["user_id"]),
        row["read_number"],
        NotificationLevel(row["level"]),
        row["muted_until"],
        row["entered_at"],
        row["entered_number"],
        EnteredBy(row["entered_by"]),
        row["seen_at"],
    )


async def reading_of(reader: Reader, room: RoomId, person: UserId) -> Reading | None:
    """The person's row for the room. None if they never joined."""
    row = await reader.fetch_one(
        f"select {_COLUMNS} from chat_readers where room_id = :room and user_id = :person", room=room, person=person
    )
    return _reading(row) if row else None


async def mark_read(tx: Transaction, caller: Caller, room: RoomId, number: int, *, about: str | None = None) -> int:
    """Move the read mark forward, at most to the room's number, and record when the person saw the room. Return the
    mark.

    With ``about``, they saw only the messages about this date, so the mark stops before the first unread message about
    anything else. Raises NotFound.
    """
    await require_access(tx, room, caller.user_id, Access.READ)
    return await move_mark(tx, room, caller.user_id, number, about=about)


async def move_mark(tx: Transaction, room: RoomId, person: UserId, number: int, *, about: str | None = None) -> int:
    """``mark_read`` for a person whose access this transaction has already checked."""
    await _enter(tx, room, person)
    if about is not None:
        number = await _last_number_before_others(tx, room, person, number, about)
    await tx.execute(
        """
        update chat_readers
           set read_number = (select case when w.wanted > chat_readers.read_number then w.wanted
               else chat_readers.read_number end
                                from (select case when r.last_number < cast(:number as bigint) then r.last_number
                                                  else cast(:number as bigint) end as wanted
                                        from chat_rooms r where r.id = :room) w),
               seen_at = :now
         where room_id = :room and user_id = :person
        """,
        number=number,
        room=room,
        person=person,
        now=tx.now,
    )
    reading = await reading_of(tx, room, person)
    read_number = reading.read_number if reading else 0
    await notify.mark_read_in(tx, person, room, read_number)
    return read_number


async def _last_number_before_others(reader: Reader, room: RoomId, person: UserId, number: int, about: str) -> int:
    """The last number before the first unread message about something else, or ``number`` if there is none. Only what
    people wrote counts as unread.
    """
    row = await reader.fetch_one(
        f"""
        select min(m.number) as number from chat_rooms r
          join chat_readers c on c.room_id = r.id and c.user_id = :person
          join chat_messages m on m.room_id = r.id and m.number > c.read_number and m.number <= cast(:number as bigint)
         where r.id = :room and coalesce(m.about, '') <> :about and {is_written()}
             and coalesce(m.user_id, '') <> :person
           and {is_there()} and m.number > {reading_floor_sql()}
        """,
        room=room,
        person=person,
        number=number,
        about=about,
    )
    return number if row is None or row["number"] is None else int(row["number"]) - 1


async def choose_notifications(
    tx: Transaction, caller: Caller, room: RoomId, notification_level: NotificationLevel, muted_until: Instant | None
) -> Reading | None:
    """Set which notifications the person wants from this room, and until when it is muted. Raises NotFound."""
    await require_access(tx, room, caller.user_id, Access.READ)
    await _enter(tx, room, caller.user_id)
    await tx.execute(
        "update chat_readers set level = :level, muted_until = :until where room_id = :room and user_id = :person",
        level=notification_level.value,
        until=muted_until,
        room=room,
        person=caller.user_id,
    )
    return await reading_of(tx, room, caller.user_id)


async def silence(tx: Transaction, room: RoomId, person: UserId) -> None:
    """Turn off the person’s notifications about this room, even if they have lost access."""
    await _enter(tx, room, person)
    await tx.execute(
        "update chat_readers set level = 'none' where room_id = :room and user_id = :person", room=room, person=person
    )


async def _enter(tx: Transaction, room: RoomId, person: UserId) -> None:
    """Create the row of a person who has access, unless it exists."""
    if await reading_of(tx, room, person) is not None:
        return
    because = await tx.fetch_one(
        f"select min(p.because) as because from {related_people_sql('= :person')} p", room=room, person=person
    )
    source = because["because"] if because and because["because"] else EnteredBy.OPENED.value
    await tx.execute(
        """
        insert into chat_readers (room_id, user_id, read_number, entered_at, entered_number, entered_by)
        select r.id, :person, 0, cast(:now as bigint),
               case when r.history = 'all' then r.history_floor else r.last_number end, :source
          from chat_rooms r where r.id = :room
            on conflict (room_id, user_id) do nothing
        """,
        room=room,
        person=person,
        now=tx.now,
        source=source,
    )


@dataclass(frozen=True, slots=True)
class UnreadCounts:
    """Unread messages and mentions in all rooms of a person; counting stops at 1,000."""

    messages: int
    mentions: int
    rooms: int


_MAX_COUNTED = 1_000
_MAX_ROOMS_COUNTED = 200


# Rooms of a person that can be found by indexes alone. ``candidate_rooms_sql`` also follows series that were split,
# which is too slow to do for every page.
_NEAR = """
    select c.room_id from chat_readers c where c.user_id = :person
    union select r.id from attendances a join chat_rooms r on r.event_id = a.event_id
     where a.user_id = :person and a.status not in ('declined', 'rejected')
    union select r.id from attendances a join events e on e.id = a.event_id
        join chat_rooms r on r.series_id = e.series_id
     where a.user_id = :person and a.status not in ('declined', 'rejected')
    union select r.id from group_members m join chat_rooms r on r.group_id = m.group_id where m.user_id = :person"""


async def unread_counts(reader: Reader, person: UserId, *, except_room: RoomId | None = None) -> UnreadCounts:
    """Count unread messages in the rooms that the person may read and has not muted, except ``except_room``. Messages
    by people whom they blocked or muted do not count.

    Rooms that they never entered count if they answered the event or joined the group. Every page calls this function,
    and there are usually no new messages, so the first query checks for new messages before access is computed.
    """
    moved = await reader.fetch(
        f"""
        select r.id from ({_NEAR}) near join chat_rooms r on r.id = near.room_id
          left join chat_readers c on c.room_id = r.id and c.user_id = :person
         where r.closed_at is null and r.last_number > coalesce(c.read_number, 0) and r.id <> :except_room
           and (c.muted_until is null or c.muted_until <= :now) and coalesce(c.level, 'usual') <> 'none'
         order by coalesce(r.last_said_at, r.created_at) desc, r.id limit {_MAX_ROOMS_COUNTED}
        """,
        person=person,
        except_room=except_room or "",
        now=reader.now,
    )
    levels = await access_to_each(reader, [RoomId(row["id"]) for row in moved], person)
    readable = [room for room, one in levels.items() if one is not Access.NONE]
    if not readable:
        return UnreadCounts(0, 0, 0)
    row = await reader.fetch_one(
        f"""
        select count(*) as messages, cast(coalesce(sum(u.mentioned), 0) as bigint) as mentions,
            count(distinct u.room_id) as rooms from (
          select m.room_id, case when q.user_id is null then 0 else 1 end as mentioned
            from chat_rooms r
            left join chat_readers c on c.room_id = r.id and c.user_id = :person
            join chat_messages m on m.room_id = r.id and m.number > coalesce(c.read_number, 0)
            left join chat_mentions q on q.message_id = m.id and q.user_id = :person
           where r.id in :rooms and coalesce(m.user_id, '') <> :person and {is_there()}
             and m.number > {reading_floor_sql()} and {is_written()}
             and not exists (select 1 from user_blocks kb where kb.user_id = :person and kb.blocked_id = m.user_id)
             and not exists (select 1 from user_mutes km where km.user_id = :person and km.subject = m.user_id)
           limit {_MAX_COUNTED}) u
        """,
        rooms=sorted(readable),
        person=person,
    )
    return UnreadCounts(row["messages"], row["mentions"], row["rooms"]) if row else UnreadCounts(0, 0, 0)


async def in_rooms_or_moved(
    reader: Reader, people: Sequence[UserId], rooms: Sequence[RoomId], *, since: Instant
) -> list[tuple[UserId, RoomId]]:
    """Those of these people who are in one of these rooms, and who entered or read any room since an instant, with the
    room.
    """
    rows = await reader.fetch(
        "select c.user_id, c.room_id from chat_readers c where c.user_id in :people"
        " and (c.room_id in :rooms or c.entered_at >= :since or c.seen_at >= :since) order by c.user_id, c.room_id",
        people=people,
        rooms=rooms or [""],
        since=since,
    )
    return [(UserId(row["user_id"]), RoomId(row["room_id"])) for row in rows]


async def apply_access_changes(db: Database) -> int:
    """Process changes that may affect access: people who joined get their row, people who left lose it. Return how many
    changes were processed, at most 200.
    """
    async with db.reader() as reader:
        changes = await reader.fetch(
            "select id, user_id from chat_access_changes order by id limit :limit", limit=_CHANGES_AT_A_TIME
        )
    if changes:
        # Do this before the rows are deleted: the bridge also reads the rows every two seconds, but may have been down.
        async with db.transaction() as tx:
            await mirroring.wake_changed(tx, changes[0]["id"] - 1)
    for person in dict.fromkeys(UserId(row["user_id"]) for row in changes if row["user_id"] is not None):
        async with db.transaction() as tx:
            await _follow(tx, person)
    if changes:
        async with db.transaction() as tx:
            await tx.execute("delete from chat_access_changes where id in :ids", ids=[row["id"] for row in changes])
    return len(changes)


async def _follow(tx: Transaction, person: UserId) -> None:
    if await is_person_suspended(tx, person) or await erasure_requests.find(tx, person) is not None:
        # They keep their marks and settings, because a moderator may lift the suspension, and people who are deleting
        # their account may change their mind.
        return
    rows = await tx.fetch(
        f"select r.id from chat_rooms r where r.id in {candidate_rooms_sql('cast(:person as text)')} order by r.id",
        person=person,
    )
    levels = await access_to_each(tx, [RoomId(row["id"]) for row in rows], person)
    for room, level in levels.items():
        if level is Access.NONE:
            # The settings of people who left are deleted, but the messages they wrote remain theirs.
            await tx.execute(
                "delete from chat_readers where room_id = :room and user_id = :person", room=room, person=person
            )
        elif await reading_of(tx, room, person) is None:
            await _enter(tx, room, person)
            await tx.execute(
                "update chat_readers set read_number = (select last_number from chat_rooms where id = :room)"
                " where room_id = :room and user_id = :person",
                room=room,
                person=person,
            )

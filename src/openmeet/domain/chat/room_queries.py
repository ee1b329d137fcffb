"""SQL for rooms and for the events and series that they belong to."""

import json
from collections.abc import Collection, Mapping
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.isolation import Position
from openmeet.domain.chat.model import (
    AudienceSwitch,
    HistoryMode,
    Room,
    RoomId,
    RoomKind,
    RoomRetention,
    RoomSubject,
    SubjectKind,
)
from openmeet.domain.events.model import EventId
from openmeet.domain.groups.model import GroupId, GroupRole
from openmeet.domain.series.model import SeriesId
from openmeet.domain.series.split_queries import chain_sql
from openmeet.domain.users.model import UserId

_NAMES: Final = (
    "id",
    "kind",
    "event_id",
    "series_id",
    "group_id",
    "with_user_id",
    "name",
    "about",
    "position",
    "audience",
    "history",
    "history_floor",
    "slow_seconds",
    "holds_messages",
    "retention",
    "last_number",
    "last_said_at",
    "matrix_room_id",
    "matrix_state",
    "matrix_guests",
    "matrix_since",
    "revision",
    "opened_at",
    "closed_at",
    "closed_by",
    "created_at",
    "updated_at",
)
COLUMNS: Final = ", ".join(f"r.{name}" for name in _NAMES)
OWNER_COLUMN: Final[Mapping[SubjectKind, str]] = {
    SubjectKind.EVENT: "event_id",
    SubjectKind.SERIES: "series_id",
    SubjectKind.GROUP: "group_id",
}

# Common table expression that hides the table ``chat_rooms`` on purpose, so that the same queries work for a room that
# nobody has opened yet. Its only row is this room, without messages and with the default settings. Its parameters:
# ``rooms.values_as_if_opened``.
CHAT_ROOMS_AS_IF_OPENED: Final = """chat_rooms as (
    select cast('' as text) as id, cast(:kind as text) as kind, cast(:event as text) as event_id,
           cast(:series as text) as series_id, cast(:group as text) as group_id,
           cast(:with as text) as with_user_id, '{}' as audience, cast(null as bigint) as closed_at)"""


def room_of(row: Row) -> Room:
    """Parse a row with ``COLUMNS``."""
    return Room(
        id=RoomId(row["id"]),
        kind=RoomKind(row["kind"]),
        event_id=None if row["event_id"] is None else EventId(row["event_id"]),
        series_id=None if row["series_id"] is None else SeriesId(row["series_id"]),
        group_id=None if row["group_id"] is None else GroupId(row["group_id"]),
        with_user_id=None if row["with_user_id"] is None else UserId(row["with_user_id"]),
        name=row["name"],
        about=row["about"],
        position=row["position"],
        audience={AudienceSwitch(name): value for name, value in json.loads(row["audience"]).items()},
        history=HistoryMode(row["history"]),
        history_floor=row["history_floor"],
        slow_seconds=row["slow_seconds"],
        holds_messages=bool(row["holds_messages"]),
        retention=RoomRetention(row["retention"]),
        last_number=row["last_number"],
        last_said_at=row["last_said_at"],
        matrix_room_id=row["matrix_room_id"],
        matrix_state=row["matrix_state"],
        matrix_guests=bool(row["matrix_guests"]),
        matrix_since=row["matrix_since"],
        revision=row["revision"],
        closed_at=row["closed_at"],
        closed_by=row["closed_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def audience_text(audience: Mapping[AudienceSwitch, str]) -> str:
    """The audience as it is stored. Conditions in ``access`` search in this text."""
    return json.dumps({name.value: value for name, value in sorted(audience.items())}, separators=(",", ":"))


async def by_id(reader: Reader, room: RoomId) -> Room | None:
    row = await reader.fetch_one(f"select {COLUMNS} from chat_rooms r where r.id = :room", room=room)
    return room_of(row) if row else None


async def by_ids(reader: Reader, rooms: Collection[RoomId]) -> dict[RoomId, Room]:
    if not rooms:
        return {}
    rows = await reader.fetch(
        f"select {COLUMNS} from chat_rooms r where r.id in :rooms order by r.id", rooms=sorted(set(rooms))
    )
    return {one.id: one for one in map(room_of, rows)}


async def find(
    reader: Reader, kind: RoomKind, subject: RoomSubject, *, with_user_id: UserId | None = None, name: str = ""
) -> Room | None:
    """The room of a kind about a subject. ``name`` is the name of a channel, ``with_user_id`` the person of a direct
    room.
    """
    row = await reader.fetch_one(
        f"select {COLUMNS} from chat_rooms r where r.{OWNER_COLUMN[subject.kind]} = :subject and r.kind = :kind"
        f" and r.name = :name and {'r.with_user_id = :person' if with_user_id else 'r.with_user_id is null'}",
        subject=subject.id,
        kind=kind.value,
        name=name,
        **({"person": with_user_id} if with_user_id else {}),
    )
    return room_of(row) if row else None


async def of_subject(reader: Reader, subject: RoomSubject, kinds: Collection[RoomKind]) -> list[Room]:
    """All rooms of these kinds about a subject, ordered by position."""
    rows = await reader.fetch(
        f"select {COLUMNS} from chat_rooms r where r.{OWNER_COLUMN[subject.kind]} = :subject and r.kind in :kinds"
        " order by r.position, r.created_at, r.id",
        subject=subject.id,
        kinds=sorted(one.value for one in kinds),
    )
    return [room_of(row) for row in rows]


async def insert(
    tx: Transaction,
    room: RoomId,
    kind: RoomKind,
    subject: RoomSubject,
    *,
    with_user_id: UserId | None,
    name: str,
    position: int,
) -> bool:
    """Insert a room. Return False if it already exists."""
    owner = {one.value: None for one in SubjectKind} | {subject.kind.value: subject.id}
    made = await tx.execute(
        """
        insert into chat_rooms (id, kind, event_id, series_id, group_id, with_user_id, name, position, opened_at,
            created_at, updated_at)
        values (:id, :kind, :event, :series, :group, :person, :name, :position, :now, :now, :now)
            on conflict do nothing
        """,
        id=room,
        kind=kind.value,
        person=with_user_id,
        name=name,
        position=position,
        now=tx.now,
        **owner,
    )
    return made == 1


async def lock(tx: Transaction, room: RoomId) -> Room | None:
    """Return the room, locked until the transaction ends."""
    row = await tx.fetch_one(f"update chat_rooms set id = id where id = :room returning {', '.join(_NAMES)}", room=room)
    return room_of(row) if row else None


async def save(tx: Transaction, room: Room) -> None:
    """Write the settings of a room that hosts can change."""
    await tx.execute(
        """
        update chat_rooms set name = :name, about = :about, position = :position, audience = :audience, history = :history,
               history_floor = :history_floor, slow_seconds = :slow, holds_messages = :holds, retention = :retention,
                   revision = :revision,
               closed_at = :closed_at, closed_by = :closed_by, updated_at = :now
         where id = :id
        """,
        id=room.id,
        name=room.name,
        about=room.about,
        position=room.position,
        audience=audience_text(room.audience),
        history=room.history.value,
        history_floor=room.history_floor,
        slow=room.slow_seconds,
        holds=int(room.holds_messages),
        retention=room.retention.value,
        revision=room.revision,
        closed_at=room.closed_at,
        closed_by=room.closed_by,
        now=tx.now,
    )


async def series_of_event(reader: Reader, event_id: EventId) -> tuple[SeriesId, str] | None:
    """The series and original date of an occurrence. None for a single event."""
    row = await reader.fetch_one("select series_id, original_date from events where id = :id", id=event_id)
    if row is None or row["series_id"] is None:
        return None
    return SeriesId(row["series_id"]), row["original_date"]


# Dates of a series and of those that were split off from it, unless they ended before ``:before``.
_HAS_DATES: Final = f"""
    with recursive {chain_sql("r.series_id")}
    select 1 from chain join event_series s on s.id = chain.id
      join events e on e.series_id = s.id
     where s.deleted_at is null and e.deleted_at is null and coalesce(e.over_at, e.starts_at) >= :before"""


async def to_archive(reader: Reader, ended_before: Instant, after: Position, limit: int) -> list[tuple[int, RoomId]]:
    """Open rooms whose last date ended before this time. A series that continues always has an upcoming date among its
    events.
    """
    rows = await reader.fetch(
        f"""
        select r.opened_at, r.id from chat_rooms r
         where r.closed_at is null and r.opened_at < :before
           and (r.opened_at, r.id) > (cast(:after_at as bigint), :after_id) and (
               r.event_id is not null and exists (
                 select 1 from events e where e.id = r.event_id and e.over_at is not null and e.over_at < :before)
            or r.series_id is not null and not exists ({_HAS_DATES}))
         order by r.opened_at, r.id limit :limit
        """,
        before=ended_before,
        after_at=after[0],
        after_id=after[1],
        limit=limit,
    )
    return [(int(row["opened_at"]), RoomId(row["id"])) for row in rows]


async def to_reopen(reader: Reader, ended_before: Instant, after: Position, limit: int) -> list[tuple[int, RoomId]]:
    """Rooms that were closed after their last date, but have a date that ended after this time or is upcoming, by id."""
    rows = await reader.fetch(
        f"""
        select r.id from chat_rooms r
         where r.closed_by = 'clock' and r.id > :after_id and (
               r.event_id is not null and exists (
                 select 1 from events e where e.id = r.event_id and e.deleted_at is null and e.over_at >= :before)
            or r.series_id is not null and exists ({_HAS_DATES}))
         order by r.id limit :limit
        """,
        before=ended_before,
        after_id=after[1],
        limit=limit,
    )
    return [(0, RoomId(row["id"])) for row in rows]


async def is_banned_from_group(reader: Reader, of: RoomSubject, person: UserId) -> bool:
    """Whether the person is banned from this group, or from the group that this event or series belongs to."""
    row = await reader.fetch_one(
        f"""
        select 1 as found from group_members where user_id = :person and role = '{GroupRole.BANNED}' and group_id in (
          select id from groups where id = :id union all select group_id from events where id = :id
          union all select group_id from event_series where id = :id)
        """,
        person=person,
        id=of.id,
    )
    return row is not None

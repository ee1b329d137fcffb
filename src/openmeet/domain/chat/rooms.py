"""Open, change and archive rooms.

Rooms are created on first use; opening one twice creates it once. When a series is split, its conversation stays with
the first part, so that there is only one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Conflict, Forbidden, InvalidForm, NotFound, Refused, Why
from groundwork.isolation import Position, each_due
from groundwork.telemetry.logs import log as logged
from groundwork.uuid7 import new_id
from openmeet.domain.chat import log, message_queries, room_queries
from openmeet.domain.chat.access import (
    access,
    access_sql,
    access_to_each,
    people_in_room_sql,
    reading_floor,
    require_access,
)
from openmeet.domain.chat.audit_log import ChatModerationAction, note_action
from openmeet.domain.chat.model import (
    ARCHIVED_AFTER,
    MAX_ABOUT,
    MAX_CHANNELS,
    MAX_NAME,
    MAX_SLOW_SECONDS,
    SWITCHES,
    SWITCHES_OF,
    Access,
    HistoryMode,
    LogKind,
    Room,
    RoomId,
    RoomKind,
    RoomNotice,
    RoomRetention,
    RoomSubject,
    SubjectKind,
)
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.room_queries import CHAT_ROOMS_AS_IF_OPENED, by_id, find, series_of_event
from openmeet.domain.chat.texts import checked_line, checked_reason
from openmeet.domain.events.model import EventId, EventSlug
from openmeet.domain.groups.model import INSIDE, GroupRole, roles_sql
from openmeet.domain.series.model import SeriesId
from openmeet.domain.series.split_queries import chain_sql, head_of
from openmeet.domain.users.model import Caller, UserId

# The first channel of a group.
GENERAL: Final = "general"
_MAX_POSITION: Final = 1_000
_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class RoomTarget:
    """A room that exists or could be opened: its kind and subject, the person of a direct room, the name of a channel."""

    kind: RoomKind
    subject: RoomSubject
    with_user_id: UserId | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """Settings to change. None leaves a setting unchanged. ``audience`` maps switches to values."""

    name: str | None = None
    about: str | None = None
    audience: Mapping[str, str] | None = None
    history: HistoryMode | None = None
    slow_seconds: int | None = None
    holds_messages: bool | None = None
    retention: RoomRetention | None = None
    position: int | None = None


async def target_of(
    reader: Reader,
    kind: RoomKind,
    subject: RoomSubject,
    *,
    with_user_id: UserId | None = None,
    name: str = "",
) -> RoomTarget:
    """Return the room that has the conversation. For an occurrence, that is the room of its series, and for a series
    that was split, the room of its first part. Raises NotFound if a room of this kind cannot be about this subject.
    """
    owner = subject
    if kind in {RoomKind.EVENT, RoomKind.HOSTS, RoomKind.DIRECT} and subject.kind is SubjectKind.EVENT:
        of_series = await series_of_event(reader, EventId(subject.id))
        if of_series is not None:
            owner = RoomSubject(SubjectKind.SERIES, of_series[0])
            kind = RoomKind.SERIES if kind is RoomKind.EVENT else kind
    if owner.kind is SubjectKind.SERIES:
        owner = RoomSubject(SubjectKind.SERIES, await head_of(reader, SeriesId(owner.id)))
    fits = {
        RoomKind.EVENT: owner.kind is SubjectKind.EVENT,
        RoomKind.DATE: owner.kind is SubjectKind.EVENT and await series_of_event(reader, EventId(owner.id)) is not None,
        RoomKind.SERIES: owner.kind is SubjectKind.SERIES,
        RoomKind.CHANNEL: owner.kind is SubjectKind.GROUP,
        RoomKind.HOSTS: True,
        RoomKind.DIRECT: with_user_id is not None,
    }
    if not fits[kind]:
        raise NotFound(
            ChatReason.ONE_OCCURRENCE_ONLY if kind is RoomKind.DATE else ChatReason.NO_SUCH_SUBJECT,
        )
    is_direct, is_channel = kind is RoomKind.DIRECT, kind is RoomKind.CHANNEL
    return RoomTarget(kind, owner, with_user_id if is_direct else None, (name or GENERAL) if is_channel else "")


async def room_at(reader: Reader, target: RoomTarget) -> Room | None:
    """The room of the target. None if nobody has opened it yet."""
    return await find(reader, target.kind, target.subject, with_user_id=target.with_user_id, name=target.name)


async def rooms_of_dates(
    reader: Reader, room: Room, dates: Collection[str], person: UserId | None
) -> dict[str, EventSlug]:
    """Return which of these original dates have their own room that the person may read, with the event of each."""
    if room.kind is not RoomKind.SERIES or not dates:
        return {}
    rows = await reader.fetch(
        f"""
        select d.id, e.slug, e.original_date from chat_rooms r, events e join chat_rooms d on d.event_id = e.id
            and d.kind = 'date'
         where r.id = :room and e.original_date in :dates and e.deleted_at is null
             and e.series_id in (with recursive {chain_sql("r.series_id")} select id from chain)
         order by d.id
        """,
        room=room.id,
        dates=sorted(set(dates)),
    )
    levels = await access_to_each(reader, [RoomId(row["id"]) for row in rows], person)
    return {row["original_date"]: EventSlug(row["slug"]) for row in rows if levels.get(RoomId(row["id"]), Access.NONE)}


def values_as_if_opened(target: RoomTarget) -> dict[str, str | None]:
    """The parameters of ``room_queries.CHAT_ROOMS_AS_IF_OPENED``."""
    owner = {one.value: None for one in SubjectKind} | {target.subject.kind.value: target.subject.id}
    return {"kind": target.kind.value, "with": target.with_user_id, **owner}


async def access_before_opening(reader: Reader, target: RoomTarget, person: UserId | None) -> Access:
    """What the person could do in a room that nobody has opened yet. Its page shows an empty room."""
    row = await reader.fetch_one(
        f"with {CHAT_ROOMS_AS_IF_OPENED} select {access_sql('r', 'cast(:person as text)', target.subject.kind)} "
        "as level from chat_rooms r",
        person=person,
        now=reader.now,
        **values_as_if_opened(target),
    )
    return Access(int(row["level"])) if row else Access.NONE


async def open_room(tx: Transaction, caller: Caller, target: RoomTarget) -> tuple[Room, bool]:
    """Return the room of the target, and whether it is new. ``target`` comes from ``target_of``.

    Anyone who may write in a room can open it. Rooms of a date, rooms of hosts and further channels can be opened by
    hosts only. A direct room can be opened by the person, or by a host for somebody who answered. Raises NotFound,
    Forbidden, InvalidForm (``name``), Refused (``TooManyChannels``).
    """
    existing = await room_at(tx, target)
    if existing is not None:
        await require_access(tx, existing.id, caller.user_id, Access.READ)
        return existing, False
    level = await access_before_opening(tx, target, caller.user_id)
    if level is Access.NONE:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    for_hosts = target.kind in {RoomKind.DATE, RoomKind.HOSTS} or (
        target.kind is RoomKind.CHANNEL and target.name != GENERAL
    )
    if level < (Access.MODERATE if for_hosts else Access.WRITE):
        raise Forbidden(
            ChatReason.KIND_NEEDS_HOST if for_hosts else ChatReason.READ_ONLY,
            name="NotAModerator" if for_hosts else "ReadOnly",
        )
    if target.kind is RoomKind.DIRECT and target.with_user_id != caller.user_id:
        await require_answered(tx, target)
    position = 0
    if target.kind is RoomKind.CHANNEL:
        target = replace(target, name=_channel_name(target.name))
        position = await _next_position(tx, target)
    made = await room_queries.insert(
        tx,
        RoomId(new_id(tx.now)),
        target.kind,
        target.subject,
        with_user_id=target.with_user_id,
        name=target.name,
        position=position,
    )
    room = await room_at(tx, target)
    if room is None:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    if made:
        await log.append(tx, room.id, LogKind.ROOM)
        logged.info("chat.room_opened", room=room.id, room_kind=room.kind.value)
    return await by_id(tx, room.id) or room, made


async def require_answered(reader: Reader, target: RoomTarget) -> None:
    """Raise NotFound unless the person answered or is a member. Hosts can only write to such people."""
    person = target.with_user_id
    as_them = replace(target, kind=RoomKind.DIRECT)
    statements = {
        SubjectKind.EVENT: "select 1 as found from attendances where event_id = :id and user_id = :person"
        " and status not in ('declined', 'rejected')",
        SubjectKind.SERIES: f"with {_CHAIN} select 1 as found from attendances a join events e on e.id = a.event_id"
        " where e.series_id in (select id from chain) and a.user_id = :person "
        "and a.status not in ('declined', 'rejected')",
        SubjectKind.GROUP: "select 1 as found from group_members where group_id = :id and user_id = :person"
        f" and role in ({roles_sql((*INSIDE, GroupRole.PENDING))})",
    }
    has_answered = await reader.fetch_one(statements[target.subject.kind], id=target.subject.id, person=person)
    if has_answered is None or await access_before_opening(reader, as_them, person) is Access.NONE:
        raise NotFound(ChatReason.NO_SUCH_PERSON)


_CHAIN: Final = """recursive chain (id, steps) as (
      select cast(:id as text), 0 union all
      select s.id, chain.steps + 1 from event_series s join chain on s.split_from = chain.id where chain.steps < 50)"""


async def _next_position(tx: Transaction, target: RoomTarget) -> int:
    row = await tx.fetch_one(
        "select count(*) as number, coalesce(max(position), -1) + 1 as next from chat_rooms"
        " where group_id = :id and kind = 'channel'",
        id=target.subject.id,
    )
    if row is not None and row["number"] >= MAX_CHANNELS:
        raise Refused(ChatReason.TOO_MANY_CHANNELS, name="TooManyChannels", most=MAX_CHANNELS)
    return int(row["next"]) if row else 0


def _channel_name(text: str) -> str:
    problems: dict[str, Why] = {}
    name = checked_line(text, "name", MAX_NAME, problems)
    if not name:
        problems.setdefault("name", ChatReason.NAME_NEEDED)
    if problems:
        raise InvalidForm(problems)
    return name


async def change_settings(
    tx: Transaction, caller: Caller, room_id: RoomId, settings: RoomSettings, *, if_revision: int | None = None
) -> Room:
    """Change the settings that are given. A new history setting applies to newcomers and is announced in the room.

    Raises NotFound, Forbidden (``NotAModerator``), InvalidForm, Conflict (``RevisionChanged``), Refused
    (``NameTaken``).
    """
    room = await room_queries.lock(tx, room_id)
    await require_access(tx, room_id, caller.user_id, Access.MODERATE)
    if room is None:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    if if_revision is not None and if_revision != room.revision:
        raise Conflict(ChatReason.ROOM_CHANGED, name="RevisionChanged")
    changed = _with(room, settings)
    if changed == room:
        return room
    if changed.name != room.name and await find(tx, room.kind, room.subject, name=changed.name) is not None:
        raise Refused(ChatReason.NAME_TAKEN, name="NameTaken")
    if changed.history is not room.history:
        if changed.history is HistoryMode.ALL:
            changed = replace(changed, history_floor=room.last_number)
        else:
            await _keep_history(tx, room)
        await message_queries.insert_notice(tx, room_id, RoomNotice.HISTORY_CHANGED, history=changed.history.value)
    await room_queries.save(tx, replace(changed, revision=room.revision + 1))
    await note_action(tx, room_id, ChatModerationAction.SETTINGS, by=caller.user_id)
    await log.append(tx, room_id, LogKind.ROOM)
    return await by_id(tx, room_id) or changed


def _with(room: Room, settings: RoomSettings) -> Room:
    """The room with these settings. Raises InvalidForm."""
    problems: dict[str, Why] = {}
    name, about = room.name, room.about
    if settings.name is not None:
        name = checked_line(settings.name, "name", MAX_NAME, problems)
        if room.kind is RoomKind.CHANNEL and not name:
            problems.setdefault("name", ChatReason.NAME_NEEDED)
        if room.kind is not RoomKind.CHANNEL:
            name = room.name
    if settings.about is not None:
        about = checked_line(settings.about, "about", MAX_ABOUT, problems)
    slow = room.slow_seconds if settings.slow_seconds is None else settings.slow_seconds
    if not 0 <= slow <= MAX_SLOW_SECONDS:
        problems["slowSeconds"] = ChatReason.SLOW_OUT_OF_RANGE(most=MAX_SLOW_SECONDS)
    position = room.position if settings.position is None else settings.position
    if not 0 <= position <= _MAX_POSITION:
        problems["position"] = ChatReason.POSITION_OUT_OF_RANGE(most=_MAX_POSITION)
    audience = dict(room.audience)
    for switch, value in (settings.audience or {}).items():
        audience_switch = next((one for one in SWITCHES_OF[room.kind] if one.value == switch), None)
        if audience_switch is None or value not in SWITCHES[audience_switch]:
            problems["audience"] = ChatReason.UNKNOWN_SWITCH
        elif value == SWITCHES[audience_switch][0]:
            audience.pop(audience_switch, None)
        else:
            audience[audience_switch] = value
    if problems:
        raise InvalidForm(problems)
    return replace(
        room,
        name=name,
        about=about,
        audience=audience,
        history=settings.history or room.history,
        slow_seconds=slow,
        holds_messages=room.holds_messages if settings.holds_messages is None else settings.holds_messages,
        retention=settings.retention or room.retention,
        position=position,
    )


async def _keep_history(tx: Transaction, room: Room) -> None:
    """Store for everyone in the room what they can read now, before the history setting changes for newcomers."""
    await tx.execute(
        f"""
        insert into chat_readers (room_id, user_id, read_number, entered_at, entered_number, entered_by)
        select r.id, p.user_id, 0, cast(:now as bigint), r.history_floor, 'opened'
            from chat_rooms r, {people_in_room_sql()} p
         where r.id = :room and {access_sql("r", "p.user_id", room.subject.kind)} >= 1
            on conflict (room_id, user_id) do nothing
        """,
        room=room.id,
        now=tx.now,
    )


async def close(tx: Transaction, caller: Caller, room_id: RoomId, reason: str = "") -> Room:
    """Make the room read-only. Idempotent. Raises NotFound, Forbidden, InvalidInput."""
    return await _set_closed(tx, caller, room_id, reason, closed=True)


async def reopen(tx: Transaction, caller: Caller, room_id: RoomId, reason: str = "") -> Room:
    """Make the room writable again. Raises NotFound, Forbidden, InvalidInput."""
    return await _set_closed(tx, caller, room_id, reason, closed=False)


async def _set_closed(tx: Transaction, caller: Caller, room_id: RoomId, reason: str, *, closed: bool) -> Room:
    room = await room_queries.lock(tx, room_id)
    await require_access(tx, room_id, caller.user_id, Access.MODERATE)
    if room is None:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    reason = checked_reason(reason)
    if room.is_closed is closed:
        return room
    act = ChatModerationAction.CLOSED if closed else ChatModerationAction.REOPENED
    await _write_closed(tx, room, tx.now if closed else None, "host" if closed else None)
    await note_action(tx, room_id, act, by=caller.user_id, reason=reason)
    return await by_id(tx, room_id) or room


async def _write_closed(tx: Transaction, room: Room, at: Instant | None, by: str | None) -> None:
    await room_queries.save(tx, replace(room, closed_at=at, closed_by=by, revision=room.revision + 1))
    if at is None:
        await tx.execute("update chat_rooms set opened_at = :now where id = :room", now=tx.now, room=room.id)
    await log.append(tx, room.id, LogKind.ROOM)


async def archive_ended(db: Database) -> int:
    """Close rooms 30 days after their last date, and reopen those that have another date now. Return how many. A room
    that was opened or reopened since then stays open for 30 days.
    """

    async def next_ended(after: Position) -> Sequence[tuple[int, RoomId]]:
        async with db.reader() as reader:
            before = Instant(reader.now - ARCHIVED_AFTER)
            return await room_queries.to_archive(reader, before, after, _AT_ONCE)

    async def next_continued(after: Position) -> Sequence[tuple[int, RoomId]]:
        async with db.reader() as reader:
            before = Instant(reader.now - ARCHIVED_AFTER)
            return await room_queries.to_reopen(reader, before, after, _AT_ONCE)

    async def archive(room_id: RoomId) -> int:
        async with db.transaction() as tx:
            room = await room_queries.lock(tx, room_id)
            if room is not None and not room.is_closed:
                await _write_closed(tx, room, tx.now, "clock")
        return 1

    async def reopen(room_id: RoomId) -> int:
        async with db.transaction() as tx:
            room = await room_queries.lock(tx, room_id)
            if room is not None and room.closed_by == "clock":
                await _write_closed(tx, room, None, None)
        return 1

    archived = await each_due(db, "ended_chats", next_ended, archive)
    return archived + await each_due(db, "ended_chats", next_continued, reopen)


async def readable_room(reader: Reader, room_id: RoomId, person: UserId | None) -> tuple[Room, Access, int]:
    """The room, the person's access, and the number after which they can read it. Raises NotFound."""
    level = await access(reader, room_id, person)
    room = await by_id(reader, room_id)
    if room is None or level is Access.NONE:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    return room, level, await reading_floor(reader, room, person, level)

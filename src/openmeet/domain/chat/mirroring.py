"""Mirroring of rooms to Matrix: whether a room is mirrored, its status, and which rooms the bridge must check again
because people, names or visibility changed.

``openmeet.matrix`` carries out what is decided here and in ``matrix_people``.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Explanation, Refused, decode_explanation
from groundwork.outbox import jobs
from openmeet.domain.chat import room_queries
from openmeet.domain.chat.access import candidate_rooms_sql, require_access
from openmeet.domain.chat.audit_log import ChatModerationAction, note_action
from openmeet.domain.chat.log import MIRRORED, wake_mirror
from openmeet.domain.chat.model import Access, ChatMessageId, RoomId, RoomKind
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.series.split_queries import chain_sql
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox.kinds import JobKind

# Prefix of the names of our users and rooms at the homeserver. No other names at the homeserver have this prefix.
NAMESPACE: Final = "_om_"
# Rooms that are never mirrored, because they are private.
NEVER: Final = frozenset({RoomKind.HOSTS, RoomKind.DIRECT})

# If more people than this changed at once, every mirrored room is checked.
_PEOPLE_AT_ONCE: Final = 100


class MirrorState(StrEnum):
    """Whether a room is mirrored. ``ENDING``: it was switched off, but its people still have to be removed at the
    homeserver.
    """

    OFF = "off"
    ON = "on"
    ENDING = "ending"


@dataclass(frozen=True, slots=True)
class MirrorStatus:
    """Status of a room's mirror. ``waiting`` is the number of log entries that have not been sent yet. ``error`` is the
    last error, cleared by the next success. ``since`` is when mirroring was switched on, None while it is off.
    ``is_adopted`` is True for a room of an older installation, which has no alias with our prefix.
    """

    state: MirrorState
    matrix_room_id: str | None
    allows_guests: bool
    waiting: int
    error: Explanation | None
    since: Instant | None = None
    is_adopted: bool = False


async def is_subject_restricted(reader: Reader, room: RoomId) -> bool:
    """Whether the event, series or group of the room is not public.

    In that case hosts must confirm mirroring, there are no guests, and no pictures are sent to Matrix.
    """
    row = await reader.fetch_one(
        """
        select case when exists (select 1 from events e where e.id = r.event_id and e.visibility <> 'public')
                      or exists (select 1 from event_series s where s.id = r.series_id
                                  and s.template not like '%"visibility":"public"%'
                                  and s.template not like '%"visibility": "public"%')
                      or exists (select 1 from groups g where g.visibility <> 'public' and (g.id = r.group_id
                                  or g.id = (select e.group_id from events e where e.id = r.event_id)
                                  or g.id = (select s.group_id from event_series s where s.id = r.series_id)))
                    then 1 else 0 end as needed
          from chat_rooms r where r.id = :room
        """,
        room=room,
    )
    return row is not None and bool(row["needed"])


async def switch_on(
    tx: Transaction, caller: Caller, room_id: RoomId, *, is_confirmed: bool, guests: bool = False
) -> None:
    """Start mirroring the room to Matrix. Earlier messages are not sent. If it is already mirrored, only ``guests``
    changes.

    Raises NotFound, Forbidden (``NotAModerator``), Refused (``NeverMirrored``, ``ConfirmationNeeded``,
    ``GuestsNeedPublic``).
    """
    room = await room_queries.lock(tx, room_id)
    await require_access(tx, room_id, caller.user_id, Access.MODERATE)
    assert room is not None, "somebody may moderate it"  # noqa: S101 - for the type checker
    if room.kind in NEVER:
        raise Refused(ChatReason.NEVER_MIRRORED, name="NeverMirrored")
    if await is_subject_restricted(tx, room_id):
        if guests:
            raise Refused(ChatReason.GUESTS_NEED_PUBLIC, name="GuestsNeedPublic")
        if not is_confirmed:
            raise Refused(ChatReason.MIRROR_NEEDS_CONFIRMATION, name="ConfirmationNeeded")
    if room.matrix_state != MirrorState.ON:
        await note_action(tx, room_id, ChatModerationAction.SETTINGS, by=caller.user_id, reason="matrix: on")
        await begin(tx, room_id, guests=guests)
    else:
        await _set(tx, room_id, MirrorState.ON, guests=guests, since=room.matrix_since)


async def begin(tx: Transaction, room_id: RoomId, *, guests: bool) -> None:
    """Start mirroring a room that is not mirrored. The caller has checked access or acts for the operator."""
    # Earlier entries are not sent: everything up to now is marked as done.
    await tx.execute(
        """
        insert into matrix_sends (room_id, number, event_id, sent_revision)
        select r.id, r.last_number, null, 1 from chat_rooms r where r.id = :room
            on conflict (room_id, number) do update set sent_revision = 1
        """,
        room=room_id,
    )
    await _set(tx, room_id, MirrorState.ON, guests=guests, since=tx.now)


async def switch_off(tx: Transaction, caller: Caller, room_id: RoomId) -> None:
    """Stop mirroring. People are removed from the Matrix room but keep their copies of messages. Raises NotFound,
    Forbidden.
    """
    room = await room_queries.lock(tx, room_id)
    await require_access(tx, room_id, caller.user_id, Access.MODERATE)
    if room is not None and room.matrix_state == MirrorState.ON:
        await note_action(tx, room_id, ChatModerationAction.SETTINGS, by=caller.user_id, reason="matrix: off")
        await _set(tx, room_id, MirrorState.ENDING, guests=False, since=None)


async def _set(tx: Transaction, room: RoomId, state: MirrorState, *, guests: bool, since: Instant | None) -> None:
    await tx.execute(
        "update chat_rooms set matrix_state = :state, matrix_guests = :guests, matrix_since = :since, matrix_error = ''"
        " where id = :room",
        state=state.value,
        since=since,
        guests=int(guests),
        room=room,
    )
    await wake_mirror(tx, room)


async def status(reader: Reader, room_id: RoomId) -> MirrorStatus | None:
    """Status of the room's mirror. None if there is no such room."""
    row = await reader.fetch_one(
        """
        select matrix_state, matrix_room_id, matrix_guests, matrix_error, matrix_since, matrix_from, last_number,
               (select max(s.number) from matrix_sends s where s.room_id = r.id and s.sent_revision > 0) as passed_on
          from chat_rooms r where r.id = :room
        """,
        room=room_id,
    )
    if row is None:
        return None
    state = MirrorState(row["matrix_state"])
    waiting = row["last_number"] - (row["passed_on"] or 0) if state is MirrorState.ON else 0
    return MirrorStatus(
        state,
        row["matrix_room_id"],
        bool(row["matrix_guests"]),
        max(0, waiting),
        decode_explanation(row["matrix_error"]),
        row["matrix_since"],
        row["matrix_from"] is not None,
    )


@dataclass(frozen=True, slots=True)
class MirroredRoomOverview:
    """A mirrored room for operators. ``name`` is the name of its subject. ``waiting_since`` is when the oldest entry
    that has not been sent was written, None if all were sent.
    """

    room_id: RoomId
    name: str
    status: MirrorStatus
    waiting_since: Instant | None


async def overview(reader: Reader, limit: int) -> list[MirroredRoomOverview]:
    """Mirrored rooms: those with an error first, then those with the most entries waiting."""
    rows = await reader.fetch(
        """
        select f.*, (select l.at from chat_log l where l.room_id = f.id and l.number > f.last_number - f.waiting
                      order by l.number limit 1) as waiting_since from (
          select r.id, r.last_number, r.matrix_state, r.matrix_room_id, r.matrix_guests, r.matrix_error,
                 r.last_number - coalesce((select max(s.number) from matrix_sends s
                                            where s.room_id = r.id and s.sent_revision > 0), 0) as waiting,
                 coalesce((select e.title from events e where e.id = r.event_id),
                          (select s.name from event_series s where s.id = r.series_id),
                          (select g.name from groups g where g.id = r.group_id), '') as name
            from chat_rooms r where r.matrix_state <> 'off') f
         order by case when f.matrix_error = '' then 1 else 0 end, f.waiting desc, f.id limit :limit
        """,
        limit=limit,
    )
    return [
        MirroredRoomOverview(
            RoomId(row["id"]),
            row["name"],
            MirrorStatus(
                MirrorState(row["matrix_state"]),
                row["matrix_room_id"],
                bool(row["matrix_guests"]),
                max(0, row["waiting"]),
                decode_explanation(row["matrix_error"]),
            ),
            None if row["waiting_since"] is None else Instant(row["waiting_since"]),
        )
        for row in rows
    ]


async def wake_rooms_of(tx: Transaction, user_id: UserId) -> None:
    """Enqueue a check of all mirrored rooms that this person might be in."""
    await jobs.enqueue_again_selected(
        tx,
        JobKind.MATRIX_ROOM,
        f"{MIRRORED} and r.id in {candidate_rooms_sql('cast(:person as text)')} order by r.id",
        has_partitions=True,
        person=user_id,
    )


async def wake_all(tx: Transaction) -> None:
    """Enqueue a check of all mirrored rooms: after a start, after an outage, and nightly."""
    await jobs.enqueue_again_selected(tx, JobKind.MATRIX_ROOM, f"{MIRRORED} order by r.id", has_partitions=True)


async def newest_access_change(reader: Reader) -> int:
    """The number of the latest change of an answer, a role or a block."""
    row = await reader.fetch_one("select coalesce(max(id), 0) as newest from chat_access_changes")
    return int(row["newest"]) if row else 0


async def wake_changed(tx: Transaction, after: int) -> None:
    """Enqueue a check of the mirrored rooms whose people, name or visibility may have changed after the change with
    this number, and of the names of people with a ghost user.
    """
    await _wake_people(tx, after)
    fresh = "from chat_access_changes c where c.id > :after"
    changed_date = (
        f"exists (with recursive {chain_sql('r.series_id')} select 1 from chain join events ce on ce.series_id = chain.id"
        " join chat_access_changes c on c.event_id = ce.id where c.id > :after)"
    )
    changed_series = (
        f"exists (with recursive {chain_sql('r.series_id')} select 1 from chain join event_series cs on cs.id = chain.id"
        f" where cs.id in (select c.series_id {fresh} and c.series_id is not null)"
        f" or cs.group_id in (select c.group_id {fresh} and c.group_id is not null))"
    )
    await jobs.enqueue_again_selected(
        tx,
        JobKind.MATRIX_ROOM,
        f"""
        {MIRRORED} and (
               r.event_id in (select c.event_id {fresh} and c.event_id is not null)
            or r.group_id in (select c.group_id {fresh} and c.group_id is not null)
            or exists (select 1 from events ge where ge.id = r.event_id
                          and ge.group_id in (select c.group_id {fresh} and c.group_id is not null))
            or r.series_id is not null and ({changed_date} or {changed_series}))
         order by r.id
        """,
        has_partitions=True,
        after=after,
    )


async def _wake_people(tx: Transaction, after: int) -> None:
    """Handle changes of a single person: they were blocked or suspended, or changed their name."""
    rows = await tx.fetch(
        "select distinct c.user_id from chat_access_changes c where c.id > :after and c.user_id is not null"
        " and c.event_id is null and c.series_id is null and c.group_id is null order by c.user_id limit :limit",
        after=after,
        limit=_PEOPLE_AT_ONCE,
    )
    if len(rows) == _PEOPLE_AT_ONCE:
        await wake_all(tx)
    else:
        for row in rows:
            await wake_rooms_of(tx, UserId(row["user_id"]))
    spoken_for = await tx.fetch(
        "select user_id from matrix_people where user_id in :people and ghost_made_at is not null"
        " and consent = 'name_and_words' order by user_id",
        people=[row["user_id"] for row in rows] or [""],
    )
    await jobs.enqueue_again(tx, JobKind.MATRIX_PERSON, [row["user_id"] for row in spoken_for])


async def redact(tx: Transaction, room: RoomId, events: Collection[str]) -> None:
    """Enqueue the redaction of events of a room. They are redacted even if the room is deleted on this site."""
    if not events:
        return
    row = await tx.fetch_one("select matrix_room_id from chat_rooms where id = :room", room=room)
    if row is not None and row["matrix_room_id"] is not None:
        await jobs.enqueue_again(
            tx, JobKind.MATRIX_CALL, [f"redact {row['matrix_room_id']} {event}" for event in events]
        )


async def redact_expired(tx: Transaction, messages: Collection[ChatMessageId]) -> None:
    """Enqueue the redaction of all Matrix events of messages that are about to be deleted from the database."""
    if not messages:
        return
    rows = await tx.fetch(
        """
        select r.matrix_room_id, s.event_id from chat_messages m join chat_rooms r on r.id = m.room_id
          join chat_log l on l.message_id = m.id join matrix_sends s on s.room_id = l.room_id and s.number = l.number
         where m.id in :ids and s.event_id is not null and r.matrix_room_id is not null
        union
        select r.matrix_room_id, p.event_id from chat_messages m join chat_rooms r on r.id = m.room_id
          join matrix_pictures p on p.message_id = m.id
         where m.id in :ids and p.event_id is not null and r.matrix_room_id is not null
         order by 1, 2
        """,
        ids=sorted(messages),
    )
    if not rows:
        return
    await tx.execute(
        "update matrix_sends set event_id = null where event_id in :events", events=[row["event_id"] for row in rows]
    )
    await jobs.enqueue_again(
        tx, JobKind.MATRIX_CALL, [f"redact {row['matrix_room_id']} {row['event_id']}" for row in rows]
    )

"""Adoption of Matrix rooms from an older installation. An import keeps the room ids with their events and series; here
they become the mirrors of our chats.

The older bot raises our bot to its own power level and then gives up its own. If it cannot, or if the room is
encrypted, a public event or series gets a new room, and the older bot posts a notice in the old one if it can still
write there. Earlier messages are not copied: mirroring starts now, just as when a host turns it on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Failure, RemoteFailed
from groundwork.uuid7 import new_id
from openmeet.domain.chat import log, message_queries, mirroring, room_queries, rooms
from openmeet.domain.chat.mirroring import MirrorState
from openmeet.domain.chat.model import LogKind, Room, RoomId, RoomKind, RoomNotice, RoomSubject, SubjectKind
from openmeet.i18n.catalogue import gettext, speaking
from openmeet.matrix import content
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.calls import JsonObject, MatrixUser, state_content
from openmeet.matrix.names import is_room_id

_OWN_POWER: Final = 100
# The room no longer exists, or the older bot is not in it.
_AWAY: Final = frozenset({403, 404})
# From room version 12 on, the creator of a room permanently outranks all power levels.
_VERSIONS: Final = frozenset(map(str, range(1, 12)))


class AdoptionOutcome(StrEnum):
    """What happened to a room. ``ADOPTED``: it is now mirrored. ``PREPARED``: it will be mirrored once a host turns the
    mirror on, because the event or series is not public. ``FRESH``: a new room replaces it. ``LEFT``: nothing was done.
    """

    ADOPTED = "adopted"
    PREPARED = "prepared"
    FRESH = "fresh"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class AdoptionReport:
    """The result for one room. ``why``: a sentence saying why it could not be adopted; empty if it could."""

    name: str
    matrix_room_id: str
    outcome: AdoptionOutcome
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    subject: RoomSubject
    kind: RoomKind
    matrix_room_id: str


# The events of a series share the chat room of the series. Rooms that already have a Matrix room were adopted earlier
# or were opened by a host.
_CANDIDATES: Final = """
    select f.* from (
      select 'series' as kind, s.id, s.name as title, s.matrix_room_id from event_series s
       where s.matrix_room_id is not null and s.deleted_at is null
      union all
      select 'event', e.id, e.title, e.matrix_room_id from events e
       where e.matrix_room_id is not null and e.series_id is null and e.deleted_at is null and e.removed_at is null) f
     where not exists (select 1 from chat_rooms r where r.matrix_room_id is not null
                          and (r.matrix_room_id = f.matrix_room_id or r.event_id = f.id or r.series_id = f.id))
     order by f.kind desc, f.id
"""


async def adopt(
    bridge: Bridge, old: MatrixUser, *, applies: bool, tell: Callable[[AdoptionReport, int, int], None]
) -> list[AdoptionReport]:
    """Check each room id that an import kept and, if ``applies`` is set, adopt the room.

    ``tell`` is called after each room with the result, its position and the total. Running this again continues with
    the remaining rooms. Raises the client's errors if the homeserver is unavailable.
    """
    async with bridge.db.reader() as reader:
        rows = await reader.fetch(_CANDIDATES)
        candidates = [await _candidate(reader, row) for row in rows]
    if applies:
        await bridge.bot.prepare()
    reports = []
    for number, one in enumerate(candidates, 1):
        report = await _one(bridge, old, one, applies=applies)
        reports.append(report)
        tell(report, number, len(candidates))
    return reports


async def _candidate(reader: Reader, row: Any) -> _Candidate:
    kind = RoomKind.SERIES if row["kind"] == "series" else RoomKind.EVENT
    subject = RoomSubject(SubjectKind(row["kind"]), row["id"])
    target = await rooms.target_of(reader, kind, subject)
    return _Candidate(row["title"], target.subject, target.kind, row["matrix_room_id"])


async def _one(bridge: Bridge, old: MatrixUser, candidate: _Candidate, *, applies: bool) -> AdoptionReport:
    async with bridge.db.reader() as reader:
        existing_room = await rooms.room_at(reader, await rooms.target_of(reader, candidate.kind, candidate.subject))
        is_public = await _is_public(reader, candidate)
    if existing_room is not None and existing_room.matrix_state != MirrorState.OFF:
        why = "A host has already turned the mirror on."
        return AdoptionReport(candidate.name, candidate.matrix_room_id, AdoptionOutcome.LEFT, why)
    matrix_room, why = await _usable(bridge, old, candidate.matrix_room_id)
    since = None
    if applies and not why:
        try:
            since = await _raise_bot(bridge, old, matrix_room)
        except RemoteFailed as failed:
            why = f"The older bot could not hand over the room ({failed.name or failed.status})."
    outcome = AdoptionOutcome.ADOPTED if is_public else AdoptionOutcome.PREPARED
    if why:
        outcome = AdoptionOutcome.FRESH if is_public else AdoptionOutcome.LEFT
    if applies and outcome is not AdoptionOutcome.LEFT:
        async with bridge.db.transaction() as tx:
            room = await _open(tx, candidate)
            await _mirror(tx, room, None if why else matrix_room, since, is_on=is_public)
    if applies and outcome is AdoptionOutcome.FRESH:
        await _say_goodbye(bridge, old, matrix_room)
    return AdoptionReport(candidate.name, candidate.matrix_room_id, outcome, why)


async def _is_public(reader: Reader, candidate: _Candidate) -> bool:
    row = await reader.fetch_one(
        """
        select 1 as found where exists (
               select 1 from events e where e.id = :id and e.visibility = 'public'
                  and not exists (select 1 from groups g where g.id = e.group_id and g.visibility <> 'public'))
            or exists (
               select 1 from event_series s where s.id = :id
                  and (s.template like '%"visibility":"public"%' or s.template like '%"visibility": "public"%')
                  and not exists (select 1 from groups g where g.id = s.group_id and g.visibility <> 'public'))
        """,
        id=candidate.subject.id,
    )
    return row is not None


async def _usable(bridge: Bridge, old: MatrixUser, matrix_room: str) -> tuple[str, str]:
    """Return the room, or the room that replaced it, and the reason it cannot be adopted (empty if it can)."""
    state: list[JsonObject] = []
    for _ in range(2):
        if not is_room_id(matrix_room):
            return matrix_room, "The stored id is not a room id."
        try:
            state = await old.state(matrix_room)
        except RemoteFailed as failed:
            if failed.status not in _AWAY:
                raise
            return matrix_room, "The older bot is not in that room."
        following = state_content(state, "m.room.tombstone").get("replacement_room")
        if not isinstance(following, str) or not following:
            break
        matrix_room = following
    else:
        return matrix_room, "The room was replaced more than once."
    if state_content(state, "m.room.encryption"):
        return matrix_room, "The room is encrypted."
    if str(state_content(state, "m.room.create").get("room_version", "1")) not in _VERSIONS:
        return matrix_room, "The older bot created the room, and keeps its power there (room version 12)."
    # The bot already has this power if an earlier run was interrupted.
    if not (_has_power(state, old.user_id) or _has_power(state, bridge.bot.user_id)):
        return matrix_room, "The older bot has no power there."
    return matrix_room, ""


def _has_power(state: list[JsonObject], user_id: str) -> bool:
    users = state_content(state, "m.room.power_levels").get("users")
    level = users.get(user_id) if isinstance(users, dict) else None
    return isinstance(level, int) and level >= _OWN_POWER


async def _raise_bot(bridge: Bridge, old: MatrixUser, matrix_room: str) -> Instant:
    """Let our bot join and give it the power level of the older bot, which then gives it up, so that nobody can take
    it away later. Returns the homeserver's time of that change.
    """
    bot = bridge.bot
    levels = await old.state_event(matrix_room, "m.room.power_levels")
    previous_users = levels.get("users")
    users = previous_users if isinstance(previous_users, dict) else {}
    if users.get(bot.user_id) != _OWN_POWER:
        await old.invite(matrix_room, bot.user_id)
        await bot.join(matrix_room)
        lower_users = {user: level for user, level in users.items() if user != old.user_id}
        changed = {**levels, "users": {**lower_users, bot.user_id: _OWN_POWER}}
        await old.set_state(matrix_room, "m.room.power_levels", changed)
    # Use the time of the power-level event. The newest message could carry a timestamp in the future, and everything
    # before that would then be skipped.
    raised = next((one for one in await bot.state(matrix_room) if one.get("type") == "m.room.power_levels"), {})
    return content.sent_at(raised) or Instant(0)


async def _open(tx: Transaction, candidate: _Candidate) -> Room:
    target = await rooms.target_of(tx, candidate.kind, candidate.subject)
    room = await rooms.room_at(tx, target)
    if room is None:
        await room_queries.insert(
            tx, RoomId(new_id(tx.now)), target.kind, target.subject, with_user_id=None, name="", position=0
        )
        room = await rooms.room_at(tx, target)
        assert room is not None, "it was created above"  # noqa: S101 - for the type checker
        await log.append(tx, room.id, LogKind.ROOM)
    return room


async def _mirror(tx: Transaction, room: Room, matrix_room: str | None, since: Instant | None, *, is_on: bool) -> None:
    """Start mirroring. If ``matrix_room`` is None, delivery creates the room. Messages sent before ``since`` are not
    read. People who are already in an adopted room stay as guests until they link their account.
    """
    await room_queries.lock(tx, room.id)
    if matrix_room is None:
        await message_queries.insert_notice(tx, room.id, RoomNotice.MATRIX_NEW_ROOM)
    await tx.execute(
        "update chat_rooms set matrix_room_id = :matrix_room, matrix_from = :since where id = :room",
        matrix_room=matrix_room,
        since=since,
        room=room.id,
    )
    if is_on:
        await mirroring.begin(tx, room.id, guests=matrix_room is not None)


async def _say_goodbye(bridge: Bridge, old: MatrixUser, matrix_room: str) -> None:
    with speaking(bridge.language):
        text = gettext("This chat has moved to a new room. Link your account on the site to get an invitation.")
    body = {"msgtype": "m.notice", "body": text, "m.mentions": {}}
    try:
        await old.send(matrix_room, "m.room.message", f"om-{bridge.tenant}-moved", body)
    except Failure:
        # The older bot cannot write in the old room, which is why a new one was created.
        return

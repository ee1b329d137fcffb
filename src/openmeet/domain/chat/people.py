"""The people of a room, and why each of them is in it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.database.expressions import escape_like, without_joiners, without_joiners_sql
from groundwork.database.transaction import Reader, Row
from groundwork.errors import NotFound
from openmeet.domain.attendance.attendee_summary import sees_attendee_names_sql
from openmeet.domain.attendance.invitation_queries import IS_UNANSWERED_INVITATION
from openmeet.domain.chat.access import (
    access_in,
    access_of_each,
    access_sql,
    access_to_each,
    people_in_room_sql,
    related_people_sql,
)
from openmeet.domain.chat.model import Access, Room, RoomId
from openmeet.domain.chat.queries import PAGE
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.room_queries import CHAT_ROOMS_AS_IF_OPENED
from openmeet.domain.chat.rooms import RoomTarget, access_before_opening, values_as_if_opened
from openmeet.domain.chat.texts import cleaned, name_key
from openmeet.domain.groups.model import INSIDE, roles_sql
from openmeet.domain.series.split_queries import chain_sql
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId, unnamed

_INSIDE = roles_sql(INSIDE)
# How many people to look up for each person that a page may show: more than one, because many are not shown by name.
_CANDIDATES_PER_RESULT = 4
# In larger rooms, the people who are not named are not counted.
_COUNTED = 100
# Maximum number of people checked who have one of the names in a message.
_MAX_NAMESAKES = 200
_ROOMS_OF_AUTHOR = 200
# SQL table of the people who might be in the room ``:room``, with their folded names. It is read before names are
# compared: PostgreSQL expects few people with a name, and would look for each of them among everyone in the room.
_PEOPLE: Final = f"""(
    with people as materialized (
      select u.id, u.display_name, lower(u.display_name) as folded
        from {people_in_room_sql()} p join users u on u.id = p.user_id)
    select id, display_name, folded from people)"""


@dataclass(frozen=True, slots=True)
class RoomMember:
    """A person in a room, and why: ``hosting``, ``attendance``, ``group``, ``following``, ``direct``."""

    user_id: UserId
    name: str
    access: Access
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoomMembers:
    """People whom the reader may see by name. ``others`` is the number of other people in the room, None if it is too
    large to be counted.

    ``after`` is the folded name and the id of the last one if there are more. ``total`` is the number of people in the
    room, if it was counted.
    """

    people: tuple[RoomMember, ...]
    others: int | None
    after: tuple[str, str] | None
    total: int | None = None


async def members(
    reader: Reader,
    room: Room | RoomTarget,
    viewer: UserId,
    *,
    words: str = "",
    role: Access | None = None,
    limit: int = PAGE,
    after: tuple[str, str] | None = None,
) -> RoomMembers:
    """The people in the room, which may not have been opened yet, ordered by name. ``_is_named`` decides whom the
    viewer sees by name.

    Access and names are looked up only for as many people as a page may need, because a room can have tens of
    thousands. If most of them are not named, a page is shorter than its limit. Raises NotFound.
    """
    own_access = await _require_some_access(reader, room, viewer)
    in_order, last = await _in_order(reader, room, viewer, own_access, words=words, role=role, limit=limit, after=after)
    because = await _because(reader, room, [one.user_id for one in in_order])
    return RoomMembers(
        tuple(one.member(because, own_access, viewer) for one in in_order),
        await _count_unnamed(reader, room, viewer, own_access),
        last,
    )


async def _in_order(
    reader: Reader,
    room: Room | RoomTarget,
    viewer: UserId,
    own_access: Access,
    *,
    words: str = "",
    role: Access | None = None,
    limit: int,
    after: tuple[str, str] | None = None,
) -> tuple[list["_PossibleMember"], tuple[str, str] | None]:
    """The people who are named, ordered by name, and the position of the last one if there are more."""
    conditions = ["1 = 1"]
    values: dict[str, object] = {}
    if words:
        conditions.append(f"{without_joiners_sql('u.folded')} like :words escape '!'")
        values["words"] = f"%{escape_like(without_joiners(words.lower()))}%"
    if role is Access.MODERATE:
        conditions.append(f"exists (select 1 from {related_people_sql('= u.id')} h where h.because = 'hosting')")
    if after is not None:
        conditions.append("(u.folded, u.id) > (:after_name, :after_id)")
        values |= {"after_name": after[0], "after_id": after[1]}
    most = limit * _CANDIDATES_PER_RESULT
    listed = await _fetch(
        reader,
        room,
        f"""
        select u.id, u.folded from {_PEOPLE} u where {" and ".join(conditions)} order by u.folded, u.id limit :most
        """,
        most=most,
        **values,
    )
    folded = {UserId(row["id"]): str(row["folded"]) for row in listed}
    candidates = await _look_up(reader, room, viewer, own_access, list(folded))
    matching = [
        one
        for one in (candidates[each] for each in folded if each in candidates)
        if one.is_named and role in {None, one.access}
    ]
    shown = matching[:limit]
    has_more = bool(shown) and (len(matching) > limit or len(listed) == most)
    return shown, (folded[shown[-1].user_id], shown[-1].user_id) if has_more else None


async def some_members(reader: Reader, room: Room | RoomTarget, viewer: UserId, limit: int) -> RoomMembers:
    """A few of the people in the room, hosts first. Raises NotFound."""
    own_access = await _require_some_access(reader, room, viewer)
    rows = await _fetch(reader, room, f"select p.user_id from {related_people_sql()} p limit :most", most=_COUNTED)
    candidates = await _look_up(reader, room, viewer, own_access, [UserId(row["user_id"]) for row in rows])
    named_members = sorted(
        (one for one in candidates.values() if one.is_named), key=lambda one: (-one.access, one.name.lower())
    )
    because = await _because(reader, room, [one.user_id for one in named_members[:limit]])
    others = len(candidates) - len(named_members) if len(rows) < _COUNTED else None
    total = len(candidates) if len(rows) < _COUNTED else None
    return RoomMembers(
        tuple(one.member(because, own_access, viewer) for one in named_members[:limit]), others, None, total
    )


async def _require_some_access(reader: Reader, room: Room | RoomTarget, viewer: UserId) -> Access:
    own_access = (
        await access_in(reader, room, viewer)
        if isinstance(room, Room)
        else await access_before_opening(reader, room, viewer)
    )
    if own_access is Access.NONE:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    return own_access


async def _fetch(reader: Reader, room: Room | RoomTarget, sql: str, **values: object) -> Sequence[Row]:
    """Fetch the rows of a query about the room ``:room``, which need not exist yet."""
    if isinstance(room, Room):
        return await reader.fetch(sql, room=room.id, **values)
    return await reader.fetch(f"with {CHAT_ROOMS_AS_IF_OPENED} {sql}", room="", **values_as_if_opened(room), **values)


async def _count_unnamed(reader: Reader, room: Room | RoomTarget, viewer: UserId, own_access: Access) -> int | None:
    """How many people of the whole room are not named. It does not depend on the search words or the page, because that
    could reveal who they are.
    """
    rows = await _fetch(reader, room, f"select p.user_id from {related_people_sql()} p limit :most", most=_COUNTED)
    if len(rows) == _COUNTED:
        return None
    candidates = await _look_up(reader, room, viewer, own_access, [UserId(row["user_id"]) for row in rows])
    return sum(not one.is_named for one in candidates.values())


@dataclass(frozen=True, slots=True)
class _PossibleMember:
    """A person who may read the room. ``seen`` has those reasons why they are in the room that the reader may know."""

    user_id: UserId
    name: str
    access: Access
    is_named: bool
    seen: frozenset[str]

    def member(self, because: Mapping[UserId, Sequence[str]], own_access: Access, viewer: UserId) -> RoomMember:
        knows_all = own_access is Access.MODERATE or self.user_id == viewer
        reasons = tuple(one for one in because.get(self.user_id, ()) if knows_all or one in self.seen)
        return RoomMember(self.user_id, self.shown_name, self.access, reasons)

    @property
    def shown_name(self) -> str:
        return cleaned(self.name) or unnamed()


async def _look_up(
    reader: Reader, room: Room | RoomTarget, viewer: UserId, own_access: Access, ids: Collection[UserId]
) -> dict[UserId, _PossibleMember]:
    """Look up these people. Those who may not read the room are left out."""
    if not ids:
        return {}
    rows = await _fetch(
        reader,
        room,
        f"""
        select u.id, u.display_name as name, {access_sql("r", "u.id", room.subject.kind)} as level,
               case when {_is_named()} then 1 else 0 end as named,
               case when {_is_seen_in_group()} then 1 else 0 end as in_group,
               case when {_is_seen_to_come()} then 1 else 0 end as comes
          from chat_rooms r, users u where r.id = :room and u.id in :ids
        """,
        ids=sorted(set(ids)),
        viewer=viewer,
        moderates=int(own_access is Access.MODERATE),
        now=reader.now,
    )
    return {
        UserId(row["id"]): _PossibleMember(
            UserId(row["id"]),
            row["name"],
            Access(int(row["level"])),
            bool(row["named"]),
            frozenset(because for because, column in _SEEN_BY.items() if row[column]),
        )
        for row in rows
        if row["level"]
    }


# The column that decides whether the reader may know why a person is in the room. Showing a name must not confirm a
# private answer.
_SEEN_BY = {"hosting": "named", "direct": "named", "group": "in_group", "following": "in_group", "attendance": "comes"}
_VIEWER = "cast(:viewer as text)"


def _is_named() -> str:
    """SQL condition on ``u`` and ``r``: ``:viewer`` may know that the person is in the room. ``:moderates`` is 0 or 1.

    Moderators see everyone, except whose address was invited and has not answered: they must not learn who owns it.
    Everyone sees the names of hosts and of people who wrote in the room. People in the group see members and followers.
    People who answered publicly are shown to those who may see attendees, as on the event page.
    """
    has_answered = f"(not {_has_rsvp(IS_UNANSWERED_INVITATION)} or {_has_rsvp(f'not {IS_UNANSWERED_INVITATION}')})"
    return f"""(u.id = {_VIEWER} or cast(:moderates as integer) = 1 and {has_answered}
        or exists (select 1 from chat_messages w where w.room_id = r.id and w.user_id = u.id)
        or exists (select 1 from {related_people_sql("= u.id")} o where o.because in ('hosting', 'direct'))
        or {_is_seen_in_group()} or {_is_seen_to_come()})"""


def _is_seen_in_group() -> str:
    groups = f"""(select r.group_id union select e.group_id from events e where e.id = r.event_id
        union select s.group_id from event_series s where s.deleted_at is null
            and s.id in (with recursive {chain_sql("r.series_id")} select id from chain))"""
    return f"""exists (
        select 1 from group_members v where v.user_id = {_VIEWER} and v.role in ({_INSIDE}) and v.group_id in {groups}
           and (exists (select 1 from group_members m where m.group_id = v.group_id and m.user_id = u.id
               and m.role in ({_INSIDE}))
                or exists (select 1 from {related_people_sql("= u.id")} o where o.because = 'following')))"""


def _is_seen_to_come() -> str:
    # People who wait for a place or for the host's decision are left out, as on the page of the event.
    return _has_rsvp(
        "a.is_private = 0 and a.status in ('attending', 'attended', 'interested')"
        f" and not {IS_UNANSWERED_INVITATION} and {sees_attendee_names_sql('e', _VIEWER)}"
    )


def _has_rsvp(condition: str) -> str:
    """SQL condition on ``u`` and ``r``: it holds for an RSVP ``a`` of the person to an event ``e`` of the room."""
    return f"""exists (
        select 1 from attendances a join events e on e.id = a.event_id where a.user_id = u.id
           and (e.id = r.event_id or r.series_id is not null
               and e.series_id in (with recursive {chain_sql("r.series_id")} select id from chain))
           and {condition})"""


async def named_among(reader: Reader, room: Room, ids: Collection[UserId], viewer: UserId | None) -> set[UserId]:
    """Return which of these people ``members`` would show to this reader by name. They must be able to read the room
    now or after they sign in for the first time.
    """
    if not ids:
        return set()
    own_access = await access_in(reader, room, viewer)
    rows = await reader.fetch(
        f"""
        select u.id from chat_rooms r, users u where r.id = :room and u.id in :ids and {_is_named()} order by u.id
        """,
        room=room.id,
        ids=sorted(set(ids)),
        viewer=viewer,
        moderates=int(own_access is Access.MODERATE),
    )
    # Mentions of people who have never signed in to this site wait until they do.
    access_by_person = await access_of_each(reader, room, [UserId(row["id"]) for row in rows], with_shadows=True)
    return {one for one, level in access_by_person.items() if level >= Access.READ}


async def is_known_author(reader: Reader, person: UserId, viewer: UserId | None) -> bool:
    """Whether this person, who is not deleting their account, wrote in a room that the viewer may read. ``_is_named``
    shows them there by name. Only the 200 newest of the rooms in which they wrote count.
    """
    rows = await reader.fetch(
        f"select distinct m.room_id from chat_messages m where m.user_id = :person and not {is_leaving('m.user_id')}"
        " order by m.room_id desc limit :limit",
        person=person,
        limit=_ROOMS_OF_AUTHOR,
    )
    levels = await access_to_each(reader, [RoomId(row["room_id"]) for row in rows], viewer)
    return any(level is not Access.NONE for level in levels.values())


async def _because(reader: Reader, room: Room | RoomTarget, ids: Collection[UserId]) -> dict[UserId, tuple[str, ...]]:
    if not ids:
        return {}
    rows = await _fetch(
        reader,
        room,
        f"select distinct p.user_id, p.because from {related_people_sql('in :ids')} p order by p.user_id, p.because",
        ids=sorted(ids),
    )
    reasons_by_person: dict[UserId, tuple[str, ...]] = {}
    for row in rows:
        reasons_by_person[UserId(row["user_id"])] = (*reasons_by_person.get(UserId(row["user_id"]), ()), row["because"])
    return reasons_by_person


async def answered_privately(reader: Reader, room: Room, ids: Collection[UserId]) -> set[UserId]:
    """Return which of these people answered privately to an event of the room. Showing their names outside of the room
    would reveal that they are coming.
    """
    if not ids:
        return set()
    rows = await reader.fetch(
        f"""
        select distinct a.user_id from chat_rooms r, attendances a join events e on e.id = a.event_id
         where r.id = :room and a.user_id in :ids and a.is_private = 1
           and (e.id = r.event_id or e.series_id in (with recursive {chain_sql("r.series_id")} select id from chain))
         order by a.user_id
        """,
        room=room.id,
        ids=sorted(set(ids)),
    )
    return {UserId(row["user_id"]) for row in rows}


async def people_named(reader: Reader, room: Room, names: Collection[str], viewer: UserId | None) -> dict[str, UserId]:
    """Find people by the given names. Only people whom ``members`` shows to this reader by name are searched. A name is
    a handle, or a name that only one of them has.

    ``names`` are folded, see ``texts.name_key``.
    """
    if not names:
        return {}
    # Load only people who might match. SQL folds fewer characters than Python, which makes the final decision.
    rows = await reader.fetch(
        f"""
        select distinct u.id, u.display_name, i.handle from {_PEOPLE} u
          left join identities i on i.user_id = u.id and i.handle in :names
         where i.handle is not null or replace(replace(replace(u.folded, ' ', ''), 'ß', 'ss'), 'ς', 'σ') in :names
         order by u.id limit :most
        """,
        room=room.id,
        names=sorted(set(names)),
        most=_MAX_NAMESAKES,
    )
    unique_names = set(names)
    called: dict[str, set[UserId]] = {}
    handles: dict[str, UserId] = {}
    for row in rows:
        if row["handle"] and name_key(row["handle"]) in unique_names:
            handles[name_key(row["handle"])] = UserId(row["id"])
        if row["display_name"] and name_key(row["display_name"]) in unique_names:
            called.setdefault(name_key(row["display_name"]), set()).add(UserId(row["id"]))
    # Hidden people must not make a name ambiguous, because that would reveal that they are in the room.
    members_named = await named_among(
        reader, room, {*handles.values(), *(one for each in called.values() for one in each)}, viewer
    )
    people_by_name = {}
    for name in names:
        visible = called.get(name, set()) & members_named
        if handles.get(name) in members_named:
            people_by_name[name] = handles[name]
        elif len(visible) == 1:
            (people_by_name[name],) = visible
    return people_by_name

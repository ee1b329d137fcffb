"""Who may read, write and moderate: computed from answers, hosting and roles each time, and never stored (invariant 3).

``access_sql`` is the rule as SQL, for one room or many, one person or many. A person gets the highest access that any
of their relations gives. Bans, blocks by the host, suspension, the deletion of their account, mutes and the closing of
a room then restrict it.
Aliases come from our code, never from input.
"""

import functools
from collections.abc import Collection

from groundwork.database.transaction import Reader
from groundwork.errors import Forbidden, NotFound
from openmeet.domain.attendance.model import PendingFor
from openmeet.domain.chat.model import ANSWER_COUNTS_FOR, Access, Room, RoomId, SubjectKind
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.events.visibility import is_hidden, is_public, is_shut_out
from openmeet.domain.groups.model import INSIDE, GroupRole, roles_sql
from openmeet.domain.groups.rules import GroupPermission, roles_with
from openmeet.domain.moderation.visibility import is_blocked, is_suspended
from openmeet.domain.series.split_queries import chain_sql, earlier_sql
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId

_MAX_OWN = 5_000
# Whoever can remove people from a group hosts its rooms, and those of its events and series.
_RUNNING = roles_sql(roles_with(GroupPermission.REMOVE))
_INSIDE = roles_sql(INSIDE)
_ADMINISTERING = roles_sql(roles_with(GroupPermission.EDIT_ANY_EVENT))
_PRIVATE_SERIES = """(s.template like '%"visibility":"private"%' or s.template like '%"visibility": "private"%')"""
_PUBLIC_SERIES = """s.template like '%"visibility":"public"%'"""
# An answer from a record that was not confirmed does not count at an event with limited places.
_COUNTS = f"coalesce(a.pending_for, '') <> '{PendingFor.UNCONFIRMED}'"


@functools.cache
def access_sql(room: str, person: str, of: SubjectKind, *, with_shadows: bool = False) -> str:
    """SQL expression: the ``Access`` of a person (a column or parameter, null for nobody) in a room (an alias).

    With ``with_shadows``, people known only by a network account are given the access that they will have once they
    sign in.

    All rooms of a statement have the same kind of subject, ``of``, because PostgreSQL would take ten times as long to
    plan one statement with the rules of all three kinds as to run it. Needs the parameter ``:now``.
    """
    rules = {SubjectKind.EVENT: _of_event, SubjectKind.SERIES: _of_series, SubjectKind.GROUP: _of_group}[of]
    # The limit keeps PostgreSQL from inlining the rules wherever ``found`` is used.
    return f"""(
      {f"with recursive {chain_sql(f'{room}.series_id')}" if of is SubjectKind.SERIES else ""}
      select case when w.found = 0 then 0
                  when w.found < 3 and {room}.closed_at is not null or {_is_sanctioned(room, person, "mute")} then 1
                  else w.found end
        from (select case when {_is_out(room, person, of, with_shadows=with_shadows)} then 0
            else coalesce({rules(room, person)}, 0) end as found
               limit 1) w)"""


def _switch(room: str, name: str, value: str) -> str:
    """SQL condition: the room's switch has this value, which is not the default."""
    # We write this JSON ourselves, with sorted keys and without spaces.
    return f"""{room}.audience like '%"{name}":"{value}"%'"""


def _has_role(group: str, person: str, roles: str) -> str:
    return (
        f"exists (select 1 from group_members gm join groups gg on gg.id = gm.group_id and gg.deleted_at is null"
        f" where gm.group_id = {group} and gm.user_id = {person} and gm.role in ({roles}))"
    )


def _hosts_event(person: str) -> str:
    """SQL condition on ``e``: the person is its author, a co-host, runs its group, or is a moderator of the community
    and the event is an imported one that nobody has claimed.
    """
    return (
        f"(e.author_id = {person}"
        f" or exists (select 1 from event_co_hosts h where h.event_id = e.id and h.user_id = {person} "
        f"and h.state = 'accepted') or {_has_role('e.group_id', person, _RUNNING)} or (exists (select 1 from users au "
        "where au.id = e.author_id and au.kind = 'shadow') and exists (select 1 from moderators mo "
        f"where mo.user_id = {person})))"
    )


def _of_event(room: str, person: str) -> str:
    """Access to a room about an event or one date: its own room, the room of its hosts, or a room of one person and the
    hosts.
    """
    # Computed once. The limit again keeps PostgreSQL from inlining it.
    event = f"""
        select e.id, e.group_id, e.author_id, e.visibility, e.is_held, case when {_hosts_event(person)} then 1
            else 0 end as is_host,
               case when {is_hidden("e")} then 1 else 0 end as is_hidden
          from events e where e.id = {room}.event_id and e.deleted_at is null and e.removed_at is null limit 1"""
    return f"""(
        select case
            when e.is_host = 1 then case when e.is_hidden = 1 then 1 else 3 end
            when e.is_held = 1 or e.is_hidden = 1 or {is_shut_out("e", person)} then 0
            when {room}.kind = 'hosts' then 0
            when {room}.kind = 'direct' then case when {room}.with_user_id = {person} and {_sees_event(person)} then 2
                else 0 end
            when a.status in ('attending', 'attended', 'waitlisted') then 2
            when not {_switch(room, "members", "none")} and {_has_role("e.group_id", person, _INSIDE)} then 2
            when a.status = 'interested' and not {_switch(room, "interested", "none")}
              then case when {_switch(room, "interested", "read")} then 1 else 2 end
            when {_switch(room, "pending", "read")} and a.status in ('pending', 'invited') then 1
            when {_switch(room, "anybody", "read")} and {is_public("e")} then 1
            else 0 end
          from ({event}) e left join attendances a on a.event_id = e.id and a.user_id = {person} and {_COUNTS})"""


def _sees_event(person: str) -> str:
    """SQL condition on an event ``e`` that is neither held nor hidden: this person, who does not host it, may see it."""
    is_private = (
        "(e.visibility = 'private' or exists (select 1 from groups pg where pg.id = e.group_id "
        "and pg.visibility = 'private'))"
    )
    return (
        f"(not {is_private} or {_has_role('e.group_id', person, _INSIDE)}"
        f" or exists (select 1 from attendances pa where pa.event_id = e.id and pa.user_id = {person} "
        "and pa.status <> 'rejected'))"
    )


def _of_series(room: str, person: str) -> str:
    """Access to a room about a series. Moderators are the people who run a part of the series that still has dates (its
    host and those who run its group), and the co-hosts of all dates of such a part. Needs ``chain_sql``.
    """
    is_private = (
        f"({_PRIVATE_SERIES} or exists (select 1 from groups pg where pg.id = s.group_id "
        "and pg.visibility = 'private'))"
    )
    is_public_series = (
        f"{_PUBLIC_SERIES} and not exists (select 1 from groups ng where ng.id = s.group_id "
        "and ng.visibility <> 'public')"
    )
    invited = (
        f"exists (select 1 from attendances pa join events pe on pe.id = pa.event_id"
        f" where pa.user_id = {person} and pa.status <> 'rejected' and pe.series_id in (select id from chain))"
    )
    # role: 2 runs a part, 1 is in its group. shown: 0 hidden, 1 not visible to this person, 2 visible to them, 3
    # public.
    halves = f"""
        select max(case when (s.user_id = {person} or {_has_role("s.group_id", person, _RUNNING)})
            and {_goes_on("s.id")} then 2
                        when {_has_role("s.group_id", person, _INSIDE)} then 1 else 0 end) as role,
               max(case when {is_blocked("s.id", "s.group_id", "s.user_id")} then 0
                        when {is_public_series} then 3
                        when not {is_private} or {_has_role("s.group_id", person, _INSIDE)} or {invited} then 2
                        else 1 end) as shown
          from chain join event_series s on s.id = chain.id where s.deleted_at is null"""
    # 2 hosts all dates, 1 hosts one that is upcoming or was recently.
    co_host = f"""
        select max(case when h.is_for_series = 1 and {_goes_on("e.series_id")} then 2 when e.starts_at >=
            cast(:now as bigint) - {ANSWER_COUNTS_FOR} then 1 else 0 end)
          from event_co_hosts h join events e on e.id = h.event_id
         where h.user_id = {person} and h.state = 'accepted' and e.deleted_at is null and e.series_id
             in (select id from chain)"""
    # 2 is going to a date, 1 is interested in one.
    answer = f"""
        select max(case when a.status = 'interested' then 1 else 2 end) from attendances a
            join events e on e.id = a.event_id
         where a.user_id = {person} and a.status in ('attending', 'attended', 'waitlisted', 'interested') and {_COUNTS}
           and e.series_id in (select id from chain) and e.starts_at >= cast(:now as bigint) - {ANSWER_COUNTS_FOR}
           and e.deleted_at is null and e.removed_at is null and e.is_held = 0 and not {is_shut_out("e", person)}"""
    return f"""(
        select case
            when k.shown is null then 0
            when k.role = 2 or k.co_host = 2 then 3
            when k.shown = 0 or {room}.kind = 'hosts' then 0
            when {room}.kind = 'direct' then case when {room}.with_user_id = {person} and k.shown >= 2 then 2 else 0 end
            when k.answer = 2 or k.co_host = 1 then 2
            when k.role = 1 and not {_switch(room, "members", "none")} then 2
            when k.answer = 1 and not {_switch(room, "interested", "none")}
              then case when {_switch(room, "interested", "read")} then 1 else 2 end
            when k.shown >= 2 and not {_switch(room, "followers", "none")} and exists (
                   select 1 from event_series_followers f where f.user_id = {person}
                       and f.series_id in (select id from chain)) then 1
            when k.shown = 3 and {_switch(room, "anybody", "read")} then 1
            else 0 end
          from (select h.*, coalesce(({co_host}), 0) as co_host, coalesce(({answer}), 0) as answer
              from ({halves}) h limit 1) k)"""


def _goes_on(series: str) -> str:
    """SQL condition: the series with this id was not split, or it has dates that are upcoming or recent. Someone who
    handed over the rest of a series keeps the dates of their own part, but no longer moderates the conversation once
    these dates are long over.
    """
    return (
        f"(not exists (select 1 from event_series ns where ns.split_from = {series} and ns.deleted_at is null)"
        f" or exists (select 1 from events ne where ne.series_id = {series} and ne.deleted_at is null"
        f" and ne.starts_at >= cast(:now as bigint) - {ANSWER_COUNTS_FOR}))"
    )


def _of_group(room: str, person: str) -> str:
    return f"""(
        select case
            when g.deleted_at is not null then 0
            when {_has_role("g.id", person, _RUNNING)} then 3
            when {is_blocked("g.id")} then 0
            when {room}.kind = 'hosts' then 0
            when {room}.kind = 'direct' then case when {room}.with_user_id = {person}
                 and (g.visibility <> 'private' or {_has_role("g.id", person, _INSIDE)}) then 2 else 0 end
            when {_has_role("g.id", person, _INSIDE)}
              then case when {_switch(room, "announcements", "yes")} then 1 else 2 end
            else 0 end
          from groups g where g.id = {room}.group_id)"""


def _is_sanctioned(room: str, person: str, kind: str) -> str:
    return (
        f"exists (select 1 from chat_sanctions x where x.room_id = {room}.id and x.user_id = {person} "
        f"and x.kind = '{kind}' and x.lifted_at is null and (x.until is null or x.until > :now))"
    )


def _is_out(room: str, person: str, of: SubjectKind, *, with_shadows: bool) -> str:
    """SQL condition: banned from the room or the group, blocked by the host, suspended, deleting their account, or
    known only by a network account.
    """
    in_group = (
        f"select gb.group_id from group_members gb where gb.user_id = {person} and gb.role = '{GroupRole.BANNED}'"
    )
    kinds = "'person', 'shadow'" if with_shadows else "'person'"
    # A room of any kind can belong to a group, and has a host who can block people.
    owner, group, host = {
        SubjectKind.EVENT: (f"events o where o.id = {room}.event_id", "o.group_id", "o.author_id"),
        SubjectKind.SERIES: (
            f"event_series o join chain on chain.id = o.id where o.deleted_at is null and {_goes_on('o.id')}",
            "o.group_id",
            "o.user_id",
        ),
        SubjectKind.GROUP: (f"groups o where o.id = {room}.group_id", "o.id", "o.owner_id"),
    }[of]
    return f"""(
        not ({person} is null or exists (select 1 from users up where up.id = {person} and up.kind in ({kinds}))
             or exists (select 1 from guests ug where ug.user_id = {person} and ug.email is not null))
        or {is_suspended(person)}
        or {is_leaving(person)}
        or {_is_sanctioned(room, person, "ban")}
        or exists (select 1 from {owner} and ({group} in ({in_group})
             or exists (select 1 from user_blocks kb where kb.user_id = {host} and kb.blocked_id = {person})
                and not exists (select 1 from group_members ga
                    where ga.user_id = {person} and ga.role in ({_ADMINISTERING})
                                   and ga.group_id = {group}))))"""


def candidate_rooms_sql(person: str) -> str:
    """SQL query: ids of the rooms that a person might be in, by any relation. ``access_sql`` makes the final decision."""
    runs = f"select m.group_id from group_members m where m.user_id = {person} and m.role in ({_RUNNING})"
    known = f"""(select e.series_id from attendances a join events e on e.id = a.event_id
           where a.user_id = {person} and a.status not in ('declined', 'rejected') and e.series_id is not null
          union select e.series_id from event_co_hosts h join events e on e.id = h.event_id
                 where h.user_id = {person} and h.state = 'accepted' and e.series_id is not null
          union select o.id from event_series o where o.user_id = {person}
          union select f.series_id from event_series_followers f where f.user_id = {person}
          union select o.id from event_series o join group_members m on m.group_id = o.group_id
                 where m.user_id = {person} and m.role in ({_INSIDE}))"""
    of_series = f"""
      with recursive {earlier_sql(known)}
      select r1.id from chat_rooms r1 where r1.series_id in (select id from earlier) and r1.kind <> 'direct'"""
    return f"""(
      select id from ({of_series}) cu
      union select r2.id from chat_rooms r2 where r2.kind <> 'direct' and r2.event_id in (
        select a.event_id from attendances a where a.user_id = {person} and a.status not in ('declined', 'rejected')
        union select h.event_id from event_co_hosts h where h.user_id = {person} and h.state = 'accepted'
        union select e.id from events e where e.author_id = {person}
        union select e.id from events e join group_members m on m.group_id = e.group_id
               where m.user_id = {person} and m.role in ({_INSIDE})
        union select er.event_id from moderators mo cross join chat_rooms er join events e on e.id = er.event_id
               join users au on au.id = e.author_id where mo.user_id = {person} and au.kind = 'shadow')
      union select r3.id from chat_rooms r3 where r3.kind <> 'direct' and r3.group_id in (
        select m.group_id from group_members m where m.user_id = {person} and m.role in ({_INSIDE}))
      union select r4.id from chat_rooms r4 where r4.with_user_id = {person}
      union select r5.id from chat_rooms r5 where r5.kind = 'direct' and r5.event_id in (
        select h.event_id from event_co_hosts h where h.user_id = {person} and h.state = 'accepted'
        union select e.id from events e where e.author_id = {person}
        union select e.id from events e where e.group_id in ({runs}))
      union select r6.id from chat_rooms r6 where r6.kind = 'direct' and r6.series_id in (
        select o.id from event_series o where o.user_id = {person} or o.group_id in ({runs})
        union select o.split_from from event_series o where o.user_id = {person} or o.group_id in ({runs})
        union select e.series_id from event_co_hosts h join events e on e.id = h.event_id
               where h.user_id = {person} and h.state = 'accepted' and h.is_for_series = 1)
      union select r7.id from chat_rooms r7 where r7.kind = 'direct' and r7.group_id in ({runs})
      union select c.room_id from chat_readers c where c.user_id = {person})"""


def people_in_room_sql() -> str:
    """SQL table: ``user_id`` of everyone who might be in the room ``:room``, each once. ``access_sql`` makes the final
    decision.
    """
    return f"(select distinct user_id from {related_people_sql()} pr)"


def related_people_sql(whom: str = "") -> str:
    """SQL table: ``user_id`` and ``because`` of everyone who is related to the subject of the room ``:room``. People
    who answered come last, because they are by far the most. ``whom`` is a condition on the id of a person, such as ``=
    u.id``. It is repeated in each part, because the database would otherwise collect everyone first.
    """

    def only(column: str) -> str:
        return f" and {column} {whom}" if whom else ""

    # Separate queries find events by id and by series: with "or", PostgreSQL would read all answers of the site. The
    # room is not joined, because SQLite would read all events to filter their ids.
    of_event = "(select event_id from this)"
    with_people = "(select event_id from this where kind not in ('hosts', 'direct'))"
    return f"""(
        with recursive this as (select * from chat_rooms where id = :room),
          {chain_sql("series_id", "from this where series_id is not null")}
        select h.user_id, 'hosting' as because from event_co_hosts h
         where h.event_id = {of_event} and h.state = 'accepted'{only("h.user_id")}
        union all select h.user_id, 'hosting' from chain join events e on e.series_id = chain.id
           join event_co_hosts h on h.event_id = e.id where h.state = 'accepted'{only("h.user_id")}
        union all select e.author_id, 'hosting' from events e where e.id = {of_event}{only("e.author_id")}
        union all select s.user_id, 'hosting' from chain join event_series s on s.id = chain.id
         where s.deleted_at is null{only("s.user_id")}
        union all select m.user_id, case when m.role in ({_RUNNING}) then 'hosting' else 'group' end from group_members m
         where m.role in ({_INSIDE})
           and m.group_id in (select group_id from this
                              union select e.group_id from events e where e.id = {of_event}
                              union select s.group_id from chain join event_series s on s.id = chain.id
                                  where s.deleted_at is null){only("m.user_id")}
        union all select f.user_id, 'following' from this r, chain join event_series_followers f on f.series_id = chain.id
         where r.kind = 'series'{only("f.user_id")}
        union all select mo.user_id, 'hosting' from moderators mo
         where exists (select 1 from events e join users au on au.id = e.author_id
                        where e.id = {of_event} and au.kind = 'shadow'){only("mo.user_id")}
        union all select r.with_user_id, 'direct' from this r where r.with_user_id is not null{only("r.with_user_id")}
        union all select a.user_id, 'attendance' from attendances a
         where a.event_id = {with_people} and a.status not in ('declined', 'rejected'){only("a.user_id")}
        union all select a.user_id, 'attendance' from this r, chain join events e on e.series_id = chain.id
           join attendances a on a.event_id = e.id
         where r.kind not in ('hosts', 'direct') and a.status not in ('declined', 'rejected'){only("a.user_id")})"""


async def access(reader: Reader, room: RoomId, person: UserId | None) -> Access:
    """Return what a person may do in a room: ``NONE`` if there is no such room. ``person`` is None if nobody is signed
    in.
    """
    return (await access_to_each(reader, [room], person)).get(room, Access.NONE)


async def access_in(reader: Reader, room: Room, person: UserId | None) -> Access:
    """``access`` for a room that is already loaded."""
    row = await reader.fetch_one(
        f"select {access_sql('r', 'cast(:person as text)', room.subject.kind)} as level from chat_rooms r "
        "where r.id = :room",
        room=room.id,
        person=person,
        now=reader.now,
    )
    return Access(int(row["level"])) if row else Access.NONE


async def access_to_each(reader: Reader, rooms: Collection[RoomId], person: UserId | None) -> dict[RoomId, Access]:
    """``access`` for several rooms."""
    levels = {}
    for of, ids in (await _by_owner(reader, rooms)).items():
        rows = await reader.fetch(
            f"select r.id, {access_sql('r', 'cast(:person as text)', of)} as level from chat_rooms r where r.id in :rooms",
            rooms=ids,
            person=person,
            now=reader.now,
        )
        levels.update({RoomId(row["id"]): Access(int(row["level"])) for row in rows})
    return levels


async def access_to_own(
    reader: Reader, person: UserId, condition: str = "1 = 1", **values: object
) -> dict[RoomId, Access]:
    """``access`` for the person's rooms that match a condition on ``r``: at most the 5,000 with the latest messages."""
    rows = await reader.fetch(
        f"select r.id from chat_rooms r where r.id in {candidate_rooms_sql('cast(:person as text)')} and {condition}"
        f" order by coalesce(r.last_said_at, r.created_at) desc, r.id desc limit {_MAX_OWN}",
        person=person,
        **values,
    )
    levels = await access_to_each(reader, [RoomId(row["id"]) for row in rows], person)
    return {room: one for room, one in levels.items() if one is not Access.NONE}


async def access_of_each(
    reader: Reader, room: Room, people: Collection[UserId], *, with_shadows: bool = False
) -> dict[UserId, Access]:
    """``access`` of several people in one room, checked before each batch that is pushed to open pages.
    ``with_shadows`` is as in ``access_sql``.
    """
    if not people:
        return {}
    rows = await reader.fetch(
        f"select u.id, {access_sql('r', 'u.id', room.subject.kind, with_shadows=with_shadows)} as level"
        " from users u, chat_rooms r"
        " where r.id = :room and u.id in :people",
        room=room.id,
        people=sorted(set(people)),
        now=reader.now,
    )
    return {UserId(row["id"]): Access(int(row["level"])) for row in rows}


async def _by_owner(reader: Reader, rooms: Collection[RoomId]) -> dict[SubjectKind, list[RoomId]]:
    """Group the rooms by the kind of their subject."""
    if not rooms:
        return {}
    rows = await reader.fetch(
        "select id, case when event_id is not null then 'event' when series_id is not null then 'series' else "
        "'group' end as owner from chat_rooms where id in :rooms order by id",
        rooms=sorted(set(rooms)),
    )
    rooms_by_kind: dict[SubjectKind, list[RoomId]] = {}
    for row in rows:
        rooms_by_kind.setdefault(SubjectKind(row["owner"]), []).append(RoomId(row["id"]))
    return rooms_by_kind


async def require_access(reader: Reader, room: RoomId, person: UserId | None, least: Access) -> Access:
    """Return the access of the person. Raises NotFound if they have none, whether or not the room exists, and Forbidden
    (``ReadOnly``, ``NotAModerator``) if they have less than ``least``.
    """
    level = await access(reader, room, person)
    require_at_least(level, least)
    return level


def require_at_least(level: Access, least: Access) -> None:
    """``require_access`` for access that was already looked up."""
    if level is Access.NONE:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    if level < least:
        if least is Access.MODERATE:
            raise Forbidden(ChatReason.MODERATORS_ONLY, name="NotAModerator")
        raise Forbidden(ChatReason.READ_ONLY, name="ReadOnly")


def reading_floor_sql() -> str:
    """``reading_floor`` as SQL, for people who do not moderate. ``r`` is the room, and ``c`` their row of
    ``chat_readers``, all null if there is none.
    """
    return "coalesce(c.entered_number, case when r.history = 'all' then r.history_floor else r.last_number end)"


async def reading_floor(reader: Reader, room: Room, person: UserId | None, level: Access) -> int:
    """The person can read messages with a greater number than this; 0 means all messages.

    It is stored when they join. People who never joined read what newcomers can read.
    """
    if level is Access.MODERATE or person is None:
        return 0 if level is Access.MODERATE else room.newcomer_floor
    return (await entered_numbers_of_people(reader, room, [person])).get(person, room.newcomer_floor)


async def entered_numbers_of_people(reader: Reader, room: Room, people: Collection[UserId]) -> dict[UserId, int]:
    """The room's number at the time when each of these people joined. Those who never joined are left out."""
    if not room.newcomer_floor or not people:
        return {}
    rows = await reader.fetch(
        "select user_id, entered_number from chat_readers where room_id = :room and user_id in :people order by user_id",
        room=room.id,
        people=sorted(set(people)),
    )
    return {UserId(row["user_id"]): int(row["entered_number"]) for row in rows}


async def entered_numbers_in_rooms(reader: Reader, rooms: Collection[Room], person: UserId) -> dict[RoomId, int]:
    """The number that each of these rooms had when this person joined. Rooms they never joined are left out."""
    if not rooms:
        return {}
    rows = await reader.fetch(
        "select room_id, entered_number from chat_readers where user_id = :person and room_id in :rooms order by room_id",
        person=person,
        rooms=sorted(one.id for one in rooms),
    )
    return {RoomId(row["room_id"]): int(row["entered_number"]) for row in rows}

"""Queries for the open decisions of one person: ownership offers, requests to join groups, changed or deleted records,
and rooms in which something waits for a moderator (reports to the hosts, held messages, objections to removals by
hosts).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.chat import room_queries
from openmeet.domain.chat.access import access_to_each
from openmeet.domain.chat.addresses import RoomAddress, addresses_of
from openmeet.domain.chat.message_queries import is_by_leaving
from openmeet.domain.chat.model import Access, RoomId
from openmeet.domain.chat.objections import OPEN_OBJECTION
from openmeet.domain.events.co_host_queries import INVITED_TO_HOST
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import columns_of, event_of
from openmeet.domain.events.visibility import is_not_over
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import BELOW_OWNER, Group, GroupId, GroupRole, roles_sql
from openmeet.domain.groups.rules import GroupPermission, roles_with
from openmeet.domain.series.ownership import OFFERED_SERIES
from openmeet.domain.users.model import UserId

# Nobody works through more rows than this at once.
_MAX_ROWS: Final = 50
# Rooms of the whole community that are looked at, those waiting longest first.
_MAX_ROOMS: Final = 200
_WAITING: Final = f"""
    select m.room_id, p.message_id, p.at as since from chat_reports p join chat_messages m on m.id = p.message_id
     where p.to_tenant = 0 and p.closed_at is null and not {is_by_leaving()}
    union all
    select h.room_id, h.id, h.held_at from chat_messages h where h.held_at is not null and not {is_by_leaving("h")}
    union all
    select a.room_id, a.message_id, a.at from chat_acts a where {OPEN_OBJECTION}
"""
# What the person ``:user_id`` decides about, each as a FROM clause with conditions.
_REQUESTS: Final = f"""
    group_members r join groups g on g.id = r.group_id and g.deleted_at is null and g.is_read_only = 0
     where r.role = '{GroupRole.PENDING}' and r.group_id in (
           select m.group_id from group_members m
            where m.user_id = :user_id and m.role in ({roles_sql(roles_with(GroupPermission.APPROVE))}))
"""
_OFFERED_EVENTS: Final = """
    event_co_hosts h join events e on e.id = h.event_id
     where h.user_id = :user_id and h.state = 'accepted' and h.offered_at is not null
       and e.deleted_at is null and e.removed_at is null
"""
_OFFERED_GROUPS: Final = f"""
    group_members m join groups g on g.id = m.group_id
     where m.user_id = :user_id and m.role in ({roles_sql(BELOW_OWNER)}) and g.heir_id = :user_id and g.deleted_at is null
"""
_RECORDS: Final = f"""
    events e
     where e.author_id = :user_id and (e.record_deleted_at is not null or e.needs_author_approval = 1)
       and e.deleted_at is null and e.removed_at is null and e.is_draft = 0 and {is_not_over("e")}
"""


class DecisionKind(StrEnum):
    """What may wait for the decision of a person. ``OFFER``: to co-host an event, or to take over an event, series or
    group.
    """

    CHAT_MESSAGES = "chat_messages"
    GROUP_REQUESTS = "group_requests"
    OFFER = "offer"
    RECORD = "record"


_SOURCES: Final[Mapping[DecisionKind, tuple[str, ...]]] = {
    DecisionKind.CHAT_MESSAGES: (f"({_WAITING}) w",),
    DecisionKind.GROUP_REQUESTS: (_REQUESTS,),
    DecisionKind.OFFER: (INVITED_TO_HOST, _OFFERED_EVENTS, OFFERED_SERIES, _OFFERED_GROUPS),
    DecisionKind.RECORD: (_RECORDS,),
}
_WAITING_KINDS: Final = " union all ".join(
    f"select '{kind}' as kind where {' or '.join(f'exists (select 1 from {source})' for source in sources)}"
    for kind, sources in _SOURCES.items()
)


@dataclass(frozen=True, slots=True)
class GroupRequests:
    """The number of open requests to join a group, and the time of the oldest one."""

    group: Group
    number: int
    since: Instant


@dataclass(frozen=True, slots=True)
class UndecidedRoom:
    """A room with messages that wait for a moderator. ``since`` is the time of the oldest report, hold or objection."""

    address: RoomAddress
    path: str
    messages: int
    since: Instant


async def waiting_kinds(reader: Reader, person: UserId) -> set[DecisionKind]:
    """The kinds of decisions that may wait for this person, in one statement. Most people have none, so their lists need
    not be read. ``CHAT_MESSAGES`` is included if messages wait in any room.
    """
    rows = await reader.fetch(_WAITING_KINDS, user_id=person, now=reader.now, of_site=0)
    return {DecisionKind(row["kind"]) for row in rows}


async def offered_events(reader: Reader, person: UserId) -> list[tuple[Event, Instant]]:
    """Return the single events that are offered to this co-host, with the time of each offer."""
    rows = await reader.fetch(
        f"select {columns_of('e')}, h.offered_at from {_OFFERED_EVENTS} order by h.offered_at, e.id limit {_MAX_ROWS}",
        user_id=person,
    )
    return [(event_of(row), Instant(row["offered_at"])) for row in rows]


async def offered_groups(reader: Reader, person: UserId) -> list[tuple[Group, Instant]]:
    """Return the groups whose ownership is offered to this member, with the time of each offer."""
    rows = await reader.fetch(
        f"select g.id from {_OFFERED_GROUPS} order by g.heir_offered_at, g.id limit {_MAX_ROWS}", user_id=person
    )
    group_by_id = await group_queries.by_ids(reader, [GroupId(row["id"]) for row in rows])
    return [(one, one.offer.offered_at) for one in group_by_id.values() if one.offer is not None]


async def group_requests(reader: Reader, person: UserId) -> list[GroupRequests]:
    """Return the groups with open requests to join that this person can approve."""
    rows = await reader.fetch(
        f"""
        select r.group_id, count(*) as number, min(coalesce(r.requested_at, r.created_at)) as since from {_REQUESTS}
         group by r.group_id order by since, r.group_id limit {_MAX_ROWS}
        """,
        user_id=person,
    )
    group_by_id = await group_queries.by_ids(reader, [GroupId(row["group_id"]) for row in rows])
    return [
        GroupRequests(group_by_id[GroupId(row["group_id"])], int(row["number"]), Instant(row["since"]))
        for row in rows
        if row["group_id"] in group_by_id
    ]


async def undecided_records(reader: Reader, person: UserId) -> list[Event]:
    """Return the upcoming events of this author whose record needs a decision.

    Either another app deleted the record, or a co-host changed the event and the author has not synced the change yet.
    """
    rows = await reader.fetch(
        f"""
        select {columns_of("e")} from {_RECORDS}
         order by coalesce(e.record_deleted_at, e.updated_at), e.id limit {_MAX_ROWS}
        """,
        user_id=person,
        now=reader.now,
    )
    return [event_of(row) for row in rows]


async def undecided_rooms(reader: Reader, person: UserId) -> list[UndecidedRoom]:
    """Return the rooms that this person moderates and in which something waits for a moderator, those waiting longest
    first.
    """
    rows = await reader.fetch(
        f"select w.room_id, count(distinct w.message_id) as number, min(w.since) as since from ({_WAITING}) w"
        f" group by w.room_id order by since, w.room_id limit {_MAX_ROOMS}",
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

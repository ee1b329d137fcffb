"""Lists of a person's events, and cursors for all event lists."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.events.co_host_queries import CO_HOSTED
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import COLUMNS, columns_of, event_of
from openmeet.domain.events.visibility import is_hidden, is_shut_out
from openmeet.domain.moderation.blocks import is_block_between_sql
from openmeet.domain.paging import packed, unpacked
from openmeet.domain.users.model import UserId


@dataclass(frozen=True, slots=True)
class EventCursor:
    """The end of a page: start and id of the last event, and the part of the search result that it was in."""

    starts_at: Instant
    event_id: str
    part: int = 0


class MyEvents(StrEnum):
    """Lists of a person's own events. ``UPCOMING`` combines hosting and going; the others are the tabs of "my events"."""

    UPCOMING = "upcoming"
    GOING = "going"
    HOSTING = "hosting"
    DRAFTS = "drafts"
    WAITING = "waiting"
    PAST = "past"


async def my_events(
    reader: Reader, user_id: UserId, which: MyEvents, after: EventCursor | None, limit: int
) -> list[Event]:
    """A person's events. Past ones are sorted latest first, all others soonest first and undated ones last."""
    clauses = [_belongs_to(which)]
    values: dict[str, object] = {"user_id": user_id, "limit": limit}
    if which is not MyEvents.DRAFTS:
        values["now"] = reader.now
    key, down = f"coalesce(e.starts_at, {UNDATED})", which is MyEvents.PAST
    if after is not None:
        clauses.append(f"({key}, e.id) {'<' if down else '>'} (cast(:after_start as bigint), :after_id)")
        values |= {"after_start": after.starts_at, "after_id": after.event_id}
    direction = " desc" if down else ""
    # Sort before checking visibility, which takes several look-ups per event. This way only the events of the page are
    # checked.
    rows = await reader.fetch(
        f"""
        select {columns_of("e")}
          from (select e.id as mine_id, a.status, {key} as place from {_SOURCES[which]}
                 where {" and ".join(clauses)}
                 order by place{direction}, mine_id{direction} limit {_MOST_OF_ONE_PERSON}) a
          join events e on e.id = a.mine_id
         where {" and ".join(_SHOWN_AS_MINE)}
         order by a.place{direction}, a.mine_id{direction} limit :limit
        """,
        **values,
    )
    return [event_of(row) for row in rows]


async def waiting_for(reader: Reader, user_id: UserId, limit: int) -> list[Event]:
    """Upcoming events that need something from this person: a place is held for them, the event was moved since they
    answered, people ask to join their event, or they are invited.

    Ordered by deadline or start, the earliest first.
    """
    rows = await reader.fetch(
        f"""
        select {columns_of("e")}
          from events e left join attendances a on a.event_id = e.id and a.user_id = :user_id
         where e.id in ({_HOSTED_IDS} union {_ASKED_IDS}) and {" and ".join(_SHOWN_AS_MINE)} and {_COMING_UP} and e.is_draft = 0 and e.status <> 'cancelled'
           and (a.status = 'invited' or a.status = 'waitlisted' and a.offered_until > :now
             or a.status in ('attending', 'waitlisted', 'pending') and a.known_starts_at <> e.starts_at
             or {_HOSTING} and exists (select 1 from attendances p where p.event_id = e.id and p.status = 'pending'))
         order by coalesce(a.offered_until, e.starts_at, {UNDATED}), e.id limit :limit
        """,
        user_id=user_id,
        now=reader.now,
        limit=limit,
    )
    return [event_of(row) for row in rows]


async def with_requests(reader: Reader, user_id: UserId, limit: int) -> list[Event]:
    """Upcoming events that this person hosts and that have pending requests to join, ordered by start."""
    # Start from this person's events. With ``or`` and ``exists``, PostgreSQL may start from all requests or all events.
    rows = await reader.fetch(
        f"""
        select {columns_of("e")} from events e
         where e.id in (select x.id from events x where x.author_id = :user_id union all
                        select h.event_id from event_co_hosts h where h.user_id = :user_id and h.state = 'accepted')
           and {_COMING_UP} and e.deleted_at is null and e.removed_at is null
           and e.is_draft = 0 and e.status <> 'cancelled'
           and (select p.id from attendances p where p.event_id = e.id and p.status = 'pending' limit 1) is not null
         order by coalesce(e.starts_at, {UNDATED}), e.id limit :limit
        """,
        user_id=user_id,
        now=reader.now,
        limit=limit,
    )
    return [event_of(row) for row in rows]


async def answered_among(reader: Reader, user_id: UserId, event_ids: Sequence[EventId]) -> set[EventId]:
    """The given events that the person has answered or was invited to."""
    if not event_ids:
        return set()
    rows = await reader.fetch(
        "select event_id from attendances where user_id = :user_id and event_id in :wanted order by event_id",
        user_id=user_id,
        wanted=sorted(event_ids),
    )
    return {EventId(row["event_id"]) for row in rows}


async def my_event_counts(reader: Reader, user_id: UserId) -> dict[MyEvents, int]:
    """Number of events in each list of ``my_events``. An event may be in two lists."""
    sums = ", ".join(
        f"coalesce(sum(case when {_belongs_to(which)} then 1 else 0 end), 0) as {which}" for which in MyEvents
    )
    row = await reader.fetch_one(
        f"""
        select {sums} from {_HOSTED_OR_ANSWERED} where {" and ".join(_SHOWN_AS_MINE)}
        """,
        user_id=user_id,
        now=reader.now,
    )
    return {which: int(row[which.value]) if row else 0 for which in MyEvents}


async def events_by_ids(reader: Reader, event_ids: Sequence[EventId]) -> dict[EventId, Event]:
    if not event_ids:
        return {}
    unique_ids = list(dict.fromkeys(event_ids))
    rows = await reader.fetch(
        f"select {COLUMNS} from events where id in :wanted order by id",
        wanted=unique_ids,
    )
    return {event.id: event for event in map(event_of, rows)}


# Uses the person's indexes. With "or" over a row and a joined one, every event would be checked.
_HOSTED_IDS: Final = f"select o.id as event_id from events o where o.author_id = :user_id union {CO_HOSTED}"
# The person is invited, was offered a place, or must confirm because the event was moved.
_ASKED_IDS: Final = """
            select r.event_id from attendances r where r.user_id = :user_id and r.status in ('invited', 'waitlisted')
             union select r.event_id from attendances r join events n on n.id = r.event_id
                    where r.user_id = :user_id and r.status in ('attending', 'pending') and r.known_starts_at <> n.starts_at"""
_ANSWERS: Final = "select r.event_id, r.status from attendances r where r.user_id = :user_id"
# Events ``e`` with the status of the person's RSVP, ``a.status``, for a FROM clause.
_HOSTED: Final = f"""({_HOSTED_IDS}) h join events e on e.id = h.event_id
                       left join attendances a on a.event_id = e.id and a.user_id = :user_id"""
_ANSWERED: Final = f"({_ANSWERS}) a join events e on e.id = a.event_id"
# All of the person's RSVPs are read at once, because looking them up one by one takes as long as reading the events.
_HOSTED_OR_ANSWERED: Final = f"""(
            select x.event_id, max(x.status) as status
              from (select h.event_id, '' as status from ({_HOSTED_IDS}) h union all {_ANSWERS}) x group by x.event_id) a
              join events e on e.id = a.event_id"""
_SOURCES: Final = {
    MyEvents.UPCOMING: _HOSTED_OR_ANSWERED,
    MyEvents.GOING: _ANSWERED,
    MyEvents.HOSTING: _HOSTED,
    MyEvents.DRAFTS: _HOSTED,
    MyEvents.WAITING: _ANSWERED,
    MyEvents.PAST: _HOSTED_OR_ANSWERED,
}
# Nobody has more. The limit keeps PostgreSQL from evaluating the outer conditions on all rows instead of only on the
# first ones.
_MOST_OF_ONE_PERSON: Final = 1_000_000
_HOSTING = f"(e.author_id = :user_id or e.id in ({CO_HOSTED}))"
_COMING_UP = "(e.over_at is null or e.over_at > :now)"
_SHOWN_AS_MINE = (
    "e.deleted_at is null",
    "e.removed_at is null",
    f"({_HOSTING} or not {is_hidden('e')} and not {is_shut_out('e')})",
    # Leaves out invitations if the person has blocked the host or was blocked by the host.
    f"not (coalesce(a.status, '') = 'invited' and {is_block_between_sql('e.author_id', ':user_id')})",
)


def _belongs_to(which: MyEvents) -> str:
    """SQL condition: the event (``e``, with the person's RSVP ``a``) belongs to this list."""
    answered = "a.status in ('attending', 'attended', 'interested')"
    waiting = "a.status in ('waitlisted', 'pending', 'invited')"
    match which:
        case MyEvents.UPCOMING:
            return f"({_HOSTING} and e.is_draft = 0 or {answered}) and {_COMING_UP}"
        case MyEvents.HOSTING:
            return f"{_HOSTING} and {_COMING_UP} and e.is_draft = 0"
        case MyEvents.DRAFTS:
            return f"{_HOSTING} and e.is_draft = 1"
        case MyEvents.GOING:
            return f"{answered} and {_COMING_UP}"
        case MyEvents.WAITING:
            return f"{waiting} and {_COMING_UP}"
        case MyEvents.PAST:
            return f"({_HOSTING} or {answered} or {waiting}) and e.over_at <= :now and e.is_draft = 0"
        case _:
            assert_never(which)


# Later than any possible start (the year 2200), and within a signed 64-bit integer.
UNDATED = 9_000_000_000_000_000_000


def position_of(event: Event, part: int = 0) -> EventCursor:
    """The cursor after this event."""
    return EventCursor(Instant(UNDATED) if event.starts_at is None else event.starts_at, event.id, part)


_POSITION: Final = re.compile(rf"(-?[0-9]{{1,18}}|{UNDATED})\.([0-9a-f-]{{36}})(?:\.([01]))?")
_PLACE: Final = re.compile(r"(-?[0-9]{1,18})\.([0-9]{1,18})\.([0-9a-f-]{36})")


def pack_place(place: int, at: Instant, row_id: str) -> str:
    """Encode the end of a waitlist page: number, instant and id of the last entry."""
    return packed(f"{place}.{at}.{row_id}")


def unpack_place(cursor: str) -> tuple[int, Instant, str] | None:
    """Decode what ``pack_place`` encoded. None for an empty cursor. Raises InvalidInput."""
    if not cursor:
        return None
    found = unpacked(_PLACE, cursor)
    return int(found[1]), Instant(int(found[2])), found[3]


def pack(position: EventCursor) -> str:
    """Encode the end of a page of events."""
    return packed(f"{position.starts_at}.{position.event_id}.{position.part}")


def unpack(cursor: str) -> EventCursor | None:
    """Decode a cursor. None for an empty one. Raises InvalidInput."""
    if not cursor:
        return None
    found = unpacked(_POSITION, cursor)
    return EventCursor(Instant(int(found[1])), found[2], int(found[3] or 0))

"""Lists of a person's events, and cursors for all event lists."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance.moved_dates import ASKS_ABOUT_NEW_TIME
from openmeet.domain.attendance.queries import awaits_decision_sql
from openmeet.domain.events.co_host_queries import CO_HOSTED
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import COLUMNS, columns_of, event_of
from openmeet.domain.events.visibility import is_hidden, is_not_over, is_shut_out
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
    reader: Reader, user_id: UserId, list_name: MyEvents, after: EventCursor | None, limit: int
) -> list[Event]:
    """A person's events. Past ones are sorted latest first, all others soonest first and undated ones last."""
    candidates = _Candidates(
        f"from {_SOURCES[list_name]} where {_belongs_to(list_name)}",
        _START,
        {} if list_name is MyEvents.DRAFTS else {"now": reader.now},
        is_descending=list_name is MyEvents.PAST,
    )
    return await _first_shown(reader, user_id, candidates, after, limit)


async def waiting_for(reader: Reader, user_id: UserId, limit: int) -> list[Event]:
    """Upcoming events that need something from this person: a place is held for them, the event was moved since they
    answered, people ask to join their event, or they are invited.

    Ordered by deadline or start, the earliest first. Of the moved dates of a series, only the first is listed, because
    one answer confirms all of them.
    """
    waiting = f"""
        select e.id, {_DEADLINE} as deadline,
               row_number() over (partition by coalesce({_MOVED_SERIES}, e.id)
                   order by e.starts_at, e.id) as place_in_series
          from {_HOSTED_OR_ANSWERED} where {_WAITING}"""
    candidates = _Candidates(f"from ({waiting}) e where e.place_in_series = 1", "e.deadline", {"now": reader.now})
    return await _first_shown(reader, user_id, candidates, None, limit)


async def week_of(reader: Reader, user_id: UserId, until: Instant, limit: int) -> tuple[list[Event], int]:
    """The first events that begin before ``until`` and are not over, and the number of all of them: events that this
    person hosts, is going to, may go to, or is on the waitlist of. Without cancelled and postponed ones, and without
    events of people whom they have blocked or who have blocked them.
    """
    rows = await reader.fetch(
        f"""
        select {columns_of("e")}, count(*) over () as found from {_HOSTED_OR_ANSWERED}
         where ({_HOSTING} or a.status in ('attending', 'attended', 'interested', 'waitlisted')) and {_COMING_UP}
           and e.starts_at < :until and e.is_draft = 0 and e.status not in ('cancelled', 'postponed')
           and {" and ".join(_SHOWN_AS_MINE)} and not {is_block_between_sql("e.author_id", ":user_id")}
         order by e.starts_at, e.id limit :limit
        """,
        user_id=user_id,
        now=reader.now,
        until=until,
        limit=limit,
    )
    return [event_of(row) for row in rows], rows[0]["found"] if rows else 0


@dataclass(frozen=True, slots=True)
class ComingUp:
    """The first events of ``MyEvents.UPCOMING``, of ``MyEvents.HOSTING``, of ``waiting_for`` and of
    ``MyEvents.WAITING``.
    """

    upcoming: list[Event]
    hosted: list[Event]
    waiting: list[Event]
    asked: list[Event]


async def coming_up(
    reader: Reader, user_id: UserId, *, upcoming: int, hosted: int, waiting: int, asked: int
) -> ComingUp:
    """The four lists with these lengths. This reads the person's events once instead of once per list."""
    rows = await reader.fetch(
        _COMING_UP_LISTS,
        user_id=user_id,
        now=reader.now,
        upcoming=upcoming,
        hosted=hosted,
        waiting=waiting,
        asked=asked,
    )
    shown = await _shown_among(reader, user_id, list(dict.fromkeys(EventId(row["id"]) for row in rows)))

    async def first(name: str, complete: Callable[[], Awaitable[list[Event]]]) -> list[Event]:
        ids = [row["id"] for row in rows if row["list"] == name]
        first_events = [shown[one] for one in ids if one in shown]
        # If some may not be seen, there may be others after them.
        return first_events if len(first_events) == len(ids) else await complete()

    return ComingUp(
        await first("upcoming", lambda: my_events(reader, user_id, MyEvents.UPCOMING, None, upcoming)),
        await first("hosted", lambda: my_events(reader, user_id, MyEvents.HOSTING, None, hosted)),
        await first("waiting", lambda: waiting_for(reader, user_id, waiting)),
        await first("asked", lambda: my_events(reader, user_id, MyEvents.WAITING, None, asked)),
    )


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
           and (select p.id from attendances p where p.event_id = e.id and {awaits_decision_sql("p")} limit 1) is not null
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
_ANSWERS: Final = (
    "select r.event_id, r.status, r.pending_for, r.offered_until, r.known_starts_at from attendances r"
    " where r.user_id = :user_id"
)
# Events ``e`` with the person's RSVPs ``a``, for a FROM clause.
_HOSTED: Final = f"""({_HOSTED_IDS}) h join events e on e.id = h.event_id
                       left join attendances a on a.event_id = e.id and a.user_id = :user_id"""
_ANSWERED: Final = f"({_ANSWERS}) a join events e on e.id = a.event_id"
_HOSTED_OR_ANSWERED: Final = f"""(
            {_ANSWERS}
            union all select h.event_id, '', null, null, null
                        from ({_HOSTED_IDS} except select r.event_id from attendances r where r.user_id = :user_id) h) a
              join events e on e.id = a.event_id"""
_SOURCES: Final = {
    MyEvents.UPCOMING: _HOSTED_OR_ANSWERED,
    MyEvents.GOING: _ANSWERED,
    MyEvents.HOSTING: _HOSTED,
    MyEvents.DRAFTS: _HOSTED,
    MyEvents.WAITING: _ANSWERED,
    MyEvents.PAST: _HOSTED_OR_ANSWERED,
}
_HOSTING = f"(e.author_id = :user_id or e.id in ({CO_HOSTED}))"
_COMING_UP = is_not_over("e")
# The person is invited, was offered a place, must confirm because the event was moved, or must decide on requests.
_WAITING: Final = f"""
    {_COMING_UP} and e.is_draft = 0 and e.status <> 'cancelled'
    and (a.status = 'invited' or a.status = 'waitlisted' and a.offered_until > :now
      or {ASKS_ABOUT_NEW_TIME}
      or {_HOSTING} and exists (select 1 from attendances p where p.event_id = e.id and {awaits_decision_sql("p")}))
"""
# The series of an event whose date was moved, if the person is asked about it.
_MOVED_SERIES: Final = f"case when {ASKS_ABOUT_NEW_TIME} then e.series_id end"
_SHOWN_AS_MINE = (
    "e.deleted_at is null",
    "e.removed_at is null",
    f"({_HOSTING} or not {is_hidden('e')} and not {is_shut_out('e')})",
    # Leaves out invitations if the person has blocked the host or was blocked by the host.
    f"not (coalesce(a.status, '') = 'invited' and {is_block_between_sql('e.author_id', ':user_id')})",
)


def _belongs_to(list_name: MyEvents) -> str:
    """SQL condition: the event (``e``, with the person's RSVP ``a``) belongs to this list."""
    answered = "a.status in ('attending', 'attended', 'interested')"
    waiting = "a.status in ('waitlisted', 'pending', 'invited')"
    match list_name:
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
            assert_never(list_name)


# Later than any possible start (the year 2200), and within a signed 64-bit integer.
UNDATED = 9_000_000_000_000_000_000
_START: Final = f"coalesce(e.starts_at, {UNDATED})"
_DEADLINE: Final = f"coalesce(a.offered_until, e.starts_at, {UNDATED})"


def _first_of(name: str, source: str, place: str = "start") -> str:
    return (
        f"select * from (select '{name}' as list, {place} as place, id from {source}"
        f" order by {place}, id limit :{name}) as first_{name}"
    )


# The four lists of ``ComingUp``. Only the moved dates of series are numbered, because sorting all events would take
# longer than reading them.
_COMING_UP_LISTS: Final = f"""
    with mine as materialized (
        select e.id, {_START} as start, {_DEADLINE} as deadline, {_MOVED_SERIES} as moved_series,
               case when {_belongs_to(MyEvents.UPCOMING)} then 1 else 0 end as is_upcoming,
               case when {_belongs_to(MyEvents.HOSTING)} then 1 else 0 end as is_hosted,
               case when {_WAITING} then 1 else 0 end as is_waiting,
               case when {_belongs_to(MyEvents.WAITING)} then 1 else 0 end as is_asked
          from {_HOSTED_OR_ANSWERED} where {_COMING_UP} and e.is_draft = 0
    ), waiting as (
        select id, deadline, 1 as place_in_series from mine where is_waiting = 1 and moved_series is null
        union all
        select id, deadline, row_number() over (partition by moved_series order by start, id)
          from mine where moved_series is not null
    )
    select list, id from (
        {_first_of("upcoming", "mine where is_upcoming = 1")} union all
        {_first_of("hosted", "mine where is_hosted = 1")} union all
        {_first_of("waiting", "waiting where place_in_series = 1", "deadline")} union all
        {_first_of("asked", "mine where is_asked = 1")}
    ) as ids order by list, place, id
"""


@dataclass(frozen=True, slots=True)
class _Candidates:
    """A person's events, before it is checked which of them the person may see.

    ``source`` is a FROM clause with conditions, for events ``e`` and the person's RSVPs ``a``. ``place`` is the instant
    by which the list is ordered.
    """

    source: str
    place: str
    values: Mapping[str, object]
    is_descending: bool = False


_MAX_AT_ONCE: Final = 1_000


async def _first_shown(
    reader: Reader, user_id: UserId, candidates: _Candidates, after: EventCursor | None, limit: int
) -> list[Event]:
    """The first of these events after the cursor that the person may see.

    Checking this takes several look-ups per event, so only the first candidates are checked, and further ones only if
    too few of those may be seen.
    """
    direction, sign = (" desc", "<") if candidates.is_descending else ("", ">")
    first_events: list[Event] = []
    at_once = limit
    while True:
        clause = ""
        values: dict[str, object] = {**candidates.values, "user_id": user_id, "at_once": at_once}
        if after is not None:
            clause = f" and ({candidates.place}, e.id) {sign} (cast(:after_place as bigint), :after_id)"
            values |= {"after_place": after.starts_at, "after_id": after.event_id}
        rows = await reader.fetch(
            f"""
            select e.id, {candidates.place} as place {candidates.source}{clause}
             order by place{direction}, e.id{direction} limit :at_once
            """,
            **values,
        )
        shown = await _shown_among(reader, user_id, [EventId(row["id"]) for row in rows])
        first_events += [shown[row["id"]] for row in rows if row["id"] in shown]
        if len(first_events) >= limit or len(rows) < at_once:
            return first_events[:limit]
        after = EventCursor(Instant(rows[-1]["place"]), rows[-1]["id"])
        at_once = min(2 * at_once, _MAX_AT_ONCE)


async def _shown_among(reader: Reader, user_id: UserId, event_ids: Sequence[EventId]) -> dict[EventId, Event]:
    """Those of the person's own events that may be shown to them."""
    if not event_ids:
        return {}
    rows = await reader.fetch(
        f"""
        select {columns_of("e")} from events e left join attendances a on a.event_id = e.id and a.user_id = :user_id
         where e.id in :ids and {" and ".join(_SHOWN_AS_MINE)} order by e.id
        """,
        user_id=user_id,
        ids=event_ids,
    )
    return {event.id: event for event in map(event_of, rows)}


def position_of(event: Event, part: int = 0) -> EventCursor:
    """The cursor after this event."""
    return EventCursor(Instant(UNDATED) if event.starts_at is None else event.starts_at, event.id, part)


_POSITION: Final = re.compile(rf"(-?[0-9]{{1,18}}|{UNDATED})\.([0-9a-f-]{{36}})(?:\.([01]))?")


def pack(position: EventCursor) -> str:
    """Encode the end of a page of events."""
    return packed(f"{position.starts_at}.{position.event_id}.{position.part}")


def unpack(cursor: str) -> EventCursor | None:
    """Decode a cursor. None for an empty one. Raises InvalidInput."""
    if not cursor:
        return None
    match = unpacked(_POSITION, cursor)
    return EventCursor(Instant(int(match[1])), match[2], int(match[3] or 0))

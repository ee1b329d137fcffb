"""An event's RSVPs as its hosts see them: all of them, in pages; requests to join; and who has confirmed a new time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.database.expressions import escape_like, without_joiners, without_joiners_sql
from groundwork.database.transaction import Reader
from openmeet.domain.attendance.invitation_queries import IS_HIDDEN_FROM_HOSTS, IS_UNANSWERED_INVITATION
from openmeet.domain.attendance.model import AttendanceId, AttendanceStatus
from openmeet.domain.attendance.moved_dates import smallest_move
from openmeet.domain.attendance.queries import IS_HIDDEN, awaits_decision_sql
from openmeet.domain.attendance.rsvp_list import (
    BEFORE_WAITLIST,
    COLUMNS,
    RsvpListCursor,
    RsvpListEntry,
    after_clause,
    entry_of,
)
from openmeet.domain.events.model import Event, EventId

_ORDER: Final = (f"coalesce(a.waitlist_number, {BEFORE_WAITLIST})", "a.answered_at", "a.id")


@dataclass(frozen=True, slots=True)
class HostListFilter:
    """Which RSVPs to list. ``search_words`` is part of a name, handle, invited address or companion’s name;
    empty for everybody.
    """

    statuses: Sequence[AttendanceStatus]
    search_words: str = ""


async def entries(
    reader: Reader, event_id: EventId, list_filter: HostListFilter, after: RsvpListCursor | None, limit: int
) -> list[RsvpListEntry]:
    """The RSVPs that match the filter: those outside the waitlist in the order in which they were given, then the
    waitlist in its order. They include people who are hidden from other viewers, but nobody who is deleting their
    account.
    """
    search = ""
    values: dict[str, object] = {}
    if list_filter.search_words:
        search = f"""and (lower(coalesce(a.invited_as, '')) like :q escape '!'
                    or not {IS_UNANSWERED_INVITATION} and (
                       {without_joiners_sql("lower(u.display_name)")} like :q escape '!'
                    or {without_joiners_sql("lower(a.guest_names)")} like :q escape '!'
                    or exists (select 1 from identities i where i.user_id = u.id
                        and lower(i.handle) like :q escape '!')))"""
        values["q"] = f"%{escape_like(without_joiners(list_filter.search_words.lower()))}%"
    after_condition, position = after_clause(_ORDER, after)
    rows = await reader.fetch(
        f"""
        select {COLUMNS} from attendances a join users u on u.id = a.user_id
         where a.event_id = :event_id and a.status in :wanted and not {IS_HIDDEN_FROM_HOSTS} {search} {after_condition}
         order by {", ".join(_ORDER)} limit :limit
        """,
        event_id=event_id,
        wanted=[status.value for status in list_filter.statuses],
        limit=limit,
        **values,
        **position,
    )
    return [entry_of(row) for row in rows]


@dataclass(frozen=True, slots=True)
class HostListPosition:
    """Where ``entries`` lists an RSVP, and whether the RSVP responds to questions of the hosts."""

    cursor: RsvpListCursor
    has_responses: bool


async def positions(
    reader: Reader, event_id: EventId, after: RsvpListCursor | None, limit: int
) -> list[HostListPosition]:
    """The next ``limit`` positions in the order of ``entries``, without its filter."""
    after_condition, values = after_clause(_ORDER, after)
    rows = await reader.fetch(
        f"""
        select a.id, coalesce(a.waitlist_number, {BEFORE_WAITLIST}) as waitlist_number, a.answered_at,
               case when a.replies <> '{{}}' then 1 else 0 end as has_responses
          from attendances a
         where a.event_id = :event_id and not {IS_HIDDEN_FROM_HOSTS} {after_condition}
         order by {", ".join(_ORDER)} limit :limit
        """,
        event_id=event_id,
        limit=limit,
        **values,
    )
    return [
        HostListPosition(
            RsvpListCursor(row["waitlist_number"], row["answered_at"], AttendanceId(row["id"])),
            bool(row["has_responses"]),
        )
        for row in rows
    ]


async def join_requests(
    reader: Reader, event_ids: Sequence[EventId], limit: int
) -> list[tuple[EventId, RsvpListEntry]]:
    """People who ask to join one of these events and are not hidden, those who have waited longest first."""
    if not event_ids:
        return []
    rows = await reader.fetch(
        f"""
        select {COLUMNS}, a.event_id from attendances a join users u on u.id = a.user_id
         where a.event_id in :wanted and {awaits_decision_sql("a")} and not {IS_HIDDEN}
         order by a.answered_at, a.id limit :limit
        """,
        wanted=sorted(event_ids),
        limit=limit,
    )
    return [(EventId(row["event_id"]), entry_of(row)) for row in rows]


async def entries_by_ids(reader: Reader, event_id: EventId, ids: Sequence[AttendanceId]) -> list[RsvpListEntry]:
    """The RSVPs with these ids, except RSVPs to other events and of people who are deleting their account."""
    if not ids:
        return []
    rows = await reader.fetch(
        f"select {COLUMNS} from attendances a join users u on u.id = a.user_id"
        f" where a.event_id = :event_id and a.id in :ids and not {IS_HIDDEN_FROM_HOSTS} order by a.id",
        event_id=event_id,
        ids=list(ids),
    )
    return [entry_of(row) for row in rows]


async def count_by_status(reader: Reader, event_id: EventId) -> dict[AttendanceStatus, int]:
    """Number of RSVPs in each status, as ``entries`` lists them. For numbers of people, see ``queries.counts``."""
    rows = await reader.fetch(
        f"select a.status, count(*) as n from attendances a where a.event_id = :event_id and not {IS_HIDDEN_FROM_HOSTS}"
        " group by a.status order by a.status",
        event_id=event_id,
    )
    return dict.fromkeys(AttendanceStatus, 0) | {AttendanceStatus(row["status"]): int(row["n"]) for row in rows}


# People going who answered before the event was moved and have not confirmed the new time since. Hosts are left out,
# because they know the new time.
_NEW_TIME_UNCONFIRMED = f"""
    a.event_id = :event_id and a.status = 'attending'
           and abs(a.known_starts_at - cast(:starts_at as bigint)) >= :smallest_move
           and a.user_id <> :author_id and not {IS_HIDDEN} and not exists (
               select 1 from event_co_hosts h
                where h.event_id = a.event_id and h.user_id = a.user_id and h.state = 'accepted')"""


async def count_new_time_unconfirmed(reader: Reader, event: Event) -> int:
    """The number of people going, except hosts, who have not confirmed the new time since the event was moved."""
    row = await reader.fetch_one(
        f"select cast(coalesce(sum(a.party), 0) as bigint) as people from attendances a where {_NEW_TIME_UNCONFIRMED}",
        **_new_time_values(event),
    )
    return int(row["people"]) if row else 0


async def new_time_unconfirmed_among(reader: Reader, event: Event, ids: Sequence[AttendanceId]) -> set[AttendanceId]:
    """Those of these RSVPs whose people are going, are no hosts, and have not confirmed the new time since the event was
    moved.
    """
    if not ids:
        return set()
    rows = await reader.fetch(
        f"select a.id from attendances a where a.id in :ids and {_NEW_TIME_UNCONFIRMED} order by a.id",
        ids=list(ids),
        **_new_time_values(event),
    )
    return {AttendanceId(row["id"]) for row in rows}


def _new_time_values(event: Event) -> dict[str, object]:
    return {
        "event_id": event.id,
        "starts_at": event.starts_at,
        "smallest_move": smallest_move(event),
        "author_id": event.author_id,
    }

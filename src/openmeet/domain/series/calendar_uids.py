"""How calendar files identify an event, now and formerly: UID, original start (RECURRENCE-ID) and SEQUENCE.

A date has the UID of its series, and its original start in the zone of the series, whatever its own zone is. Programs
compare the original start with those of the series, which are days if the series is all-day (RFC 5545, section
3.8.4.4). If a date moves to another series or gets another name, or its series another zone, attendees would keep the
old entry in addition to the new one. Therefore the old identity is stored when it is retired, and each e-mail about the
event also cancels the old entry. Calendar e-mails are sent only for events with RSVPs. A later date with the same
identity continues with a higher SEQUENCE.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events.model import EventId
from openmeet.domain.series.dates import original_of
from openmeet.domain.users.model import UserId
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.wall_time import instant_of, local_of, zone_names

# Maximum number of dates whose entries one e-mail renews. A window has no more dates.
MAX_DATES = 60


@dataclass(frozen=True, slots=True)
class OriginalStart:
    """The original start of a date: a naive wall-clock time in a zone (None: floating), or a day."""

    at: datetime
    zone_name: str | None
    is_all_day: bool = False

    @property
    def moment(self) -> Instant | date:
        """What calendar programs compare: the instant, or the day."""
        return self.at.date() if self.is_all_day else instant_of(self.at, self.zone_name or "UTC")


@dataclass(frozen=True, slots=True)
class CalendarIdentity:
    """The present identity of an event. ``subject_id``: of its series, or its own. ``original``: None unless the event is
    a date of a series.
    """

    subject_id: str
    original: OriginalStart | None
    sequence: int


@dataclass(frozen=True, slots=True)
class RetiredUid:
    """A retired identity. ``series_id`` is empty and ``original`` None for an event that was not a date of a series.

    ``sequence`` is higher than that of every entry sent with this identity, and no lower than that of the series.
    """

    event_id: EventId
    series_id: str
    original: OriginalStart | None
    sequence: int
    left_at: Instant


def original_start(original_date: str, time_zone: str, *, is_all_day: bool) -> OriginalStart:
    """The original start in a file that need not contain the series. ``time_zone`` is the zone of the series.

    An offset is not a zone that a calendar program could look up, so the start is in UTC then.
    """
    at = original_of(original_date)
    if is_all_day or time_zone in zone_names():
        return OriginalStart(at, time_zone, is_all_day=is_all_day)
    return OriginalStart(local_of(instant_of(at, time_zone), "UTC").replace(tzinfo=None), "UTC")


async def retire_current(tx: Transaction, event_ids: Sequence[EventId]) -> None:
    """Store the present identities of these events. Call it before they change."""
    if not event_ids:
        return
    await tx.execute(
        f"""
        insert into retired_calendar_uids (event_id, series_id, original_date, time_zone, is_all_day, sequence, left_at)
        select e.id, coalesce(e.series_id, ''), coalesce(e.original_date, ''), coalesce(s.time_zone, ''),
               coalesce(s.is_all_day, 0), {NUMBER} + 1, :now
          from events e left join event_series s on s.id = e.series_id
         where e.id in :event_ids and coalesce(e.original_date, '') <> e.id and e.over_at > :now
            on conflict (event_id, series_id, original_date, time_zone, is_all_day)
            do update set sequence = excluded.sequence, left_at = excluded.left_at
            where retired_calendar_uids.left_at < excluded.left_at
        """,
        event_ids=list(event_ids),
        now=tx.now,
    )


def keeps_form(before: Pattern, after: Pattern) -> bool:
    """Whether the original starts of a series keep their zone and kind, so that ``retire_dates`` retires none."""
    return (before.zone_or_utc, before.is_all_day) == (after.zone_or_utc, after.is_all_day)


async def retire_dates(tx: Transaction, series_id: str, time_zone: str, *, is_all_day: bool) -> None:
    """``retire_current`` for the dates of a locked series that is about to get this zone and kind of dates, if either
    is new.
    """
    rows = await tx.fetch(
        """
        select e.id from event_series s join events e on e.series_id = s.id
         where s.id = :series_id and (s.time_zone <> :time_zone or s.is_all_day <> :is_all_day) and e.over_at > :now
         order by e.id
        """,
        series_id=series_id,
        time_zone=time_zone,
        is_all_day=int(is_all_day),
        now=tx.now,
    )
    await retire_current(tx, [EventId(row["id"]) for row in rows])


async def were_single(reader: Reader, event_ids: Sequence[EventId]) -> frozenset[str]:
    """The given events that were single events before they became dates of a series."""
    if not event_ids:
        return frozenset()
    rows = await reader.fetch(
        "select distinct event_id from retired_calendar_uids where event_id in :ids and series_id = '' order by event_id",
        ids=list(event_ids),
    )
    return frozenset(row["event_id"] for row in rows)


# SQL condition: the retired identity ``f`` is not that of the event ``e``, whose series is ``c``.
_DIFFERS: Final = """(f.series_id <> coalesce(e.series_id, '') or f.original_date <> coalesce(e.original_date, '')
    or f.time_zone <> coalesce(c.time_zone, '') or f.is_all_day <> coalesce(c.is_all_day, 0))"""


async def moved_with(
    reader: Reader, event_id: EventId, user_id: UserId, statuses: Collection[AttendanceStatus]
) -> list[EventId]:
    """Other upcoming dates of the same series that had another identity before and for which the person has one of
    these RSVP statuses, earliest first.
    """
    rows = await reader.fetch(
        f"""
        select e.id from events o join events e on e.series_id = o.series_id join event_series c on c.id = e.series_id
          join attendances a on a.event_id = e.id
         where o.id = :event_id and e.id <> o.id and e.over_at > :now and e.deleted_at is null and e.removed_at is null
           and a.user_id = :user_id and a.status in :statuses
           and exists (select 1 from retired_calendar_uids f where f.event_id = e.id and {_DIFFERS})
         order by e.starts_at, e.id limit :most
        """,
        event_id=event_id,
        user_id=user_id,
        statuses=[status.value for status in statuses],
        now=reader.now,
        most=MAX_DATES,
    )
    return [EventId(row["id"]) for row in rows]


async def of_dates(reader: Reader, event_ids: Sequence[EventId]) -> list[RetiredUid]:
    """Retired identities of these events, oldest first. Without those that calendar programs cannot tell from the
    present one, because only the name of the zone differs.
    """
    if not event_ids:
        return []
    rows = await reader.fetch(
        f"""
        select f.event_id, f.series_id, f.original_date, f.time_zone, f.is_all_day, f.left_at,
               case when s.revision > f.sequence then s.revision else f.sequence end as sequence
          from retired_calendar_uids f join events e on e.id = f.event_id left join event_series s on s.id = f.series_id
          left join event_series c on c.id = e.series_id
         where f.event_id in :event_ids and {_DIFFERS}
           and exists (select 1 from attendances a where a.event_id = f.event_id)
         order by f.left_at, f.sequence, f.event_id, f.series_id, f.original_date, f.time_zone
        """,
        event_ids=list(event_ids),
    )
    present = await identities(reader, event_ids)
    retired: dict[tuple[str, str, Instant | date | None], RetiredUid] = {}
    for row in rows:
        one = RetiredUid(EventId(row["event_id"]), row["series_id"], _original_in(row), row["sequence"], row["left_at"])
        now = present[one.event_id]
        moment = None if one.original is None else one.original.moment
        if now.original is None or (now.subject_id, now.original.moment) != (one.series_id, moment):
            # The last one has the highest SEQUENCE.
            retired[one.event_id, one.series_id, moment] = one
    return list(retired.values())


# SQL expression for the SEQUENCE of an event ``e`` with the series ``s``.
NUMBER: Final = """
    e.revision + coalesce(s.revision, 0) + coalesce(
      (select max(f.sequence) from retired_calendar_uids f where f.series_id = e.series_id
          and f.original_date = e.original_date),
      (select max(f.sequence) from retired_calendar_uids f where f.event_id = e.id and f.series_id = ''
          and e.series_id is null),
      0)"""


async def identities(reader: Reader, event_ids: Sequence[EventId]) -> dict[EventId, CalendarIdentity]:
    """The present identity of each of these events, with its current SEQUENCE."""
    if not event_ids:
        return {}
    rows = await reader.fetch(
        f"""
        select e.id, coalesce(e.series_id, '') as series_id,
               case when e.original_date = e.id then '' else coalesce(e.original_date, '') end as original_date,
               coalesce(s.time_zone, '') as time_zone, coalesce(s.is_all_day, 0) as is_all_day, {NUMBER} as sequence
          from events e left join event_series s on s.id = e.series_id
         where e.id in :ids order by e.id
        """,
        ids=sorted(event_ids),
    )
    return {
        EventId(row["id"]): CalendarIdentity(row["series_id"] or row["id"], _original_in(row), row["sequence"])
        for row in rows
    }


def _original_in(row: Row) -> OriginalStart | None:
    if not row["original_date"]:
        return None
    return original_start(row["original_date"], row["time_zone"], is_all_day=bool(row["is_all_day"]))

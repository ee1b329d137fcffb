"""Retired calendar identities: the UID and RECURRENCE-ID of a date before it moved to another series or got another
name.

A calendar e-mail identifies a date by its series and original start (``icalendar.write.vevent_of``). If either changes,
attendees would keep the old entry in addition to the new one. Therefore each e-mail about the event also cancels the
old entry. Calendar e-mails are sent only for events with RSVPs. A later date with the same identity continues with a
higher SEQUENCE (``sequences``).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events.model import EventId
from openmeet.domain.users.model import UserId

# Maximum number of dates whose entries one e-mail renews. A window has no more dates.
MAX_DATES = 60


@dataclass(frozen=True, slots=True)
class RetiredUid:
    """A retired identity. ``series_id`` and ``original_date`` are empty for an event that was not a date of a series.

    ``sequence`` is higher than that of every entry sent with this identity, and no lower than that of the series.
    """

    event_id: EventId
    series_id: str
    original_date: str
    time_zone: str
    is_all_day: bool
    sequence: int
    left_at: Instant


async def retire_current(tx: Transaction, event_ids: Sequence[EventId]) -> None:
    """Store the present identities of these events. Call it before they change."""
    if not event_ids:
        return
    await tx.execute(
        f"""
        insert into retired_calendar_uids (event_id, series_id, original_date, time_zone, is_all_day, sequence, left_at)
        select e.id, coalesce(e.series_id, ''), coalesce(e.original_date, ''), e.time_zone, e.is_all_day, {NUMBER} + 1, :now
          from events e left join event_series s on s.id = e.series_id
         where e.id in :event_ids and coalesce(e.original_date, '') <> e.id and e.over_at > :now
            on conflict (event_id, series_id, original_date)
            do update set time_zone = excluded.time_zone, is_all_day = excluded.is_all_day, sequence = excluded.sequence,
                          left_at = excluded.left_at
            where retired_calendar_uids.left_at < excluded.left_at
        """,
        event_ids=list(event_ids),
        now=tx.now,
    )


async def were_single(reader: Reader, event_ids: Sequence[EventId]) -> frozenset[str]:
    """The given events that were single events before they became dates of a series."""
    if not event_ids:
        return frozenset()
    rows = await reader.fetch(
        "select distinct event_id from retired_calendar_uids where event_id in :ids and series_id = '' order by event_id",
        ids=list(event_ids),
    )
    return frozenset(row["event_id"] for row in rows)


async def moved_with(
    reader: Reader, event_id: EventId, user_id: UserId, statuses: Collection[AttendanceStatus]
) -> list[EventId]:
    """Other upcoming dates of the same series that had another name before and for which the person has one of these
    RSVP statuses, earliest first.
    """
    rows = await reader.fetch(
        """
        select o.id from events e join events o on o.series_id = e.series_id join attendances a on a.event_id = o.id
         where e.id = :event_id and o.id <> e.id and o.over_at > :now and o.deleted_at is null and o.removed_at is null
           and a.user_id = :user_id and a.status in :statuses
           and exists (select 1 from retired_calendar_uids f where f.event_id = o.id
                          and (f.series_id <> o.series_id or f.original_date <> o.original_date))
         order by o.starts_at, o.id limit :most
        """,
        event_id=event_id,
        user_id=user_id,
        statuses=[status.value for status in statuses],
        now=reader.now,
        most=MAX_DATES,
    )
    return [EventId(row["id"]) for row in rows]


async def of_dates(reader: Reader, event_ids: Sequence[EventId]) -> list[RetiredUid]:
    """Retired identities of these events, oldest first."""
    if not event_ids:
        return []
    rows = await reader.fetch(
        """
        select f.event_id, f.series_id, f.original_date, f.time_zone, f.is_all_day, f.left_at,
               case when s.revision > f.sequence then s.revision else f.sequence end as sequence
          from retired_calendar_uids f join events e on e.id = f.event_id left join event_series s on s.id = f.series_id
         where f.event_id in :event_ids
           and (f.series_id <> coalesce(e.series_id, '') or f.original_date <> coalesce(e.original_date, ''))
           and exists (select 1 from attendances a where a.event_id = f.event_id)
         order by f.left_at, f.event_id, f.series_id, f.original_date
        """,
        event_ids=list(event_ids),
    )
    return [
        RetiredUid(
            EventId(row["event_id"]),
            row["series_id"],
            row["original_date"],
            row["time_zone"],
            bool(row["is_all_day"]),
            row["sequence"],
            row["left_at"],
        )
        for row in rows
    ]


# SQL expression for the SEQUENCE of an event ``e`` with the series ``s``.
NUMBER: Final = """
    e.revision + coalesce(s.revision, 0) + coalesce(
      (select max(f.sequence) from retired_calendar_uids f where f.series_id = e.series_id
          and f.original_date = e.original_date),
      (select max(f.sequence) from retired_calendar_uids f where f.event_id = e.id and f.series_id = ''
          and e.series_id is null),
      0)"""


async def sequences(reader: Reader, event_ids: Sequence[EventId]) -> dict[EventId, int]:
    """The current SEQUENCE of each of these events."""
    if not event_ids:
        return {}
    rows = await reader.fetch(
        f"select e.id, {NUMBER} as sequence from events e left join event_series s on s.id = e.series_id"
        " where e.id in :ids order by e.id",
        ids=sorted(event_ids),
    )
    return {EventId(row["id"]): row["sequence"] for row in rows}

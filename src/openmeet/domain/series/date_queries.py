"""SQL for the stored dates of series: look-ups, positions, cancellation and completion."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.isolation import Position
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.model import SEATED_STATUSES, Attendance, AttendanceStatus
from openmeet.domain.attendance.registration import DEFAULT_SETTINGS
from openmeet.domain.attendance.rules import rsvp_gives_access
from openmeet.domain.events.event_access import seen
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import COLUMNS as EVENT_COLUMNS
from openmeet.domain.events.queries import event_of, lock_several, several
from openmeet.domain.series import calendar_uids
from openmeet.domain.series.model import Series, SeriesId, StoredOccurrence
from openmeet.domain.users.model import UserId

# RSVPs that a change of the rule must not lose. Rejections and unanswered invitations do not count.
_COUNTED = "('attending', 'interested', 'pending', 'waitlisted', 'attended')"


async def any_date(reader: Reader, series_id: SeriesId) -> EventId | None:
    """The next stored date, or the last one if none is upcoming. It is the subject of notifications about the series."""
    for condition, order in (("over_at > :now", "starts_at, id"), ("over_at <= :now", "starts_at desc, id")):
        row = await reader.fetch_one(
            f"select id from events where series_id = :series_id and deleted_at is null and {condition}"
            f" order by {order} limit 1",
            series_id=series_id,
            now=reader.now,
        )
        if row is not None:
            return EventId(row["id"])
    return None


async def stored_names(reader: Reader, series_id: SeriesId, *, since: str = "") -> frozenset[str]:
    """Names of stored dates from ``since`` on. Includes deleted ones, which must not be created again."""
    return (await stored_names_of(reader, [series_id], since=since))[series_id]


async def stored_names_of(
    reader: Reader, series_ids: Sequence[SeriesId], *, since: str
) -> Mapping[SeriesId, frozenset[str]]:
    """``stored_names`` of several series."""
    rows = await reader.fetch(
        "select series_id, original_date from events where series_id in :ids and original_date >= :since",
        ids=series_ids,
        since=since,
    )
    names: dict[str, set[str]] = {series_id: set() for series_id in series_ids}
    for row in rows:
        names[row["series_id"]].add(row["original_date"])
    return {series_id: frozenset(names[series_id]) for series_id in series_ids}


async def with_dates_to_complete(reader: Reader, after: Position, limit: int) -> list[tuple[int, SeriesId]]:
    """Series with past dates that are not marked as completed yet, by id."""
    rows = await reader.fetch(
        "select distinct series_id from events where series_id is not null and completed_at is null and over_at <= :now"
        " and series_id > :after_id order by series_id limit :limit",
        now=reader.now,
        after_id=after[1],
        limit=limit,
    )
    return [(0, SeriesId(row["series_id"])) for row in rows]


async def complete_dates(tx: Transaction, series_ids: Sequence[SeriesId]) -> list[EventId]:
    """Mark past dates of locked series as completed, and return them."""
    is_past = "series_id in :series_ids and completed_at is null and over_at <= :now"
    past = await tx.fetch(f"select id from events where {is_past} order by id", series_ids=series_ids, now=tx.now)
    await lock_several(tx, [row["id"] for row in past])
    rows = await tx.fetch(
        f"update events set completed_at = :now where {is_past} returning id", series_ids=series_ids, now=tx.now
    )
    return [EventId(row["id"]) for row in rows]


_SELECT_DATES = (
    f"select {EVENT_COLUMNS}, (select count(*) from attendances a where a.event_id = events.id"
    f" and a.status in {_COUNTED}) as rsvp_count from events where series_id = :id"
)
_IN_ORDER = " order by starts_at, id"


async def stored(reader: Reader, series_id: SeriesId) -> list[StoredOccurrence]:
    """Return the stored dates in order, each with its number of RSVPs."""
    return _parse_dates(await reader.fetch(_SELECT_DATES + _IN_ORDER, id=series_id))


async def coming(reader: Reader, series_id: SeriesId) -> list[StoredOccurrence]:
    """The ``stored`` dates that are neither over nor gone."""
    condition = " and deleted_at is null and removed_at is null and over_at > :now"
    return _parse_dates(await reader.fetch(_SELECT_DATES + condition + _IN_ORDER, id=series_id, now=reader.now))


async def ids_of_coming(reader: Reader, series_id: SeriesId) -> list[EventId]:
    """Ids of upcoming dates, the next one first."""
    rows = await reader.fetch(
        "select id from events where series_id = :id and deleted_at is null and removed_at is null and over_at > :now"
        " order by starts_at, id",
        id=series_id,
        now=reader.now,
    )
    return [EventId(row["id"]) for row in rows]


async def upcoming_of(reader: Reader, series_ids: Sequence[SeriesId]) -> list[Event]:
    """Upcoming dates of several series, in order."""
    if not series_ids:
        return []
    rows = await reader.fetch(
        f"select {EVENT_COLUMNS} from events where series_id in :ids and deleted_at is null and removed_at is null"
        " and over_at > :now order by starts_at, id",
        ids=sorted(series_ids),
        now=reader.now,
    )
    return [event_of(row) for row in rows]


async def next_of_each(reader: Reader, series_ids: Sequence[SeriesId]) -> dict[SeriesId, Event]:
    """The next date of each series that is not cancelled. Series without one are left out."""
    if not series_ids:
        return {}
    rows = await reader.fetch(
        f"""
        select {EVENT_COLUMNS} from events where id in
          (select (select e.id from events e
                    where e.series_id = s.id and e.deleted_at is null and e.removed_at is null
                      and e.over_at > :now and e.status <> 'cancelled'
                    order by e.starts_at, e.id limit 1)
             from event_series s where s.id in :ids)
        """,
        ids=sorted(series_ids),
        now=reader.now,
    )
    events = [event_of(row) for row in rows]
    return {SeriesId(one.position_in_series.series_id): one for one in events if one.position_in_series is not None}


async def next_after_each(reader: Reader, event_ids: Sequence[EventId]) -> dict[EventId, Event]:
    """For each event, the next date of its series that takes place after it. Events without one are left out."""
    if not event_ids:
        return {}
    rows = await reader.fetch(
        """
        select one.id,
               (select e.id from events e
                 where e.series_id = one.series_id and e.deleted_at is null and e.removed_at is null
                   and e.starts_at > one.starts_at and e.over_at > :now and e.status <> 'cancelled'
                 order by e.starts_at, e.id limit 1) as next_id
          from events one where one.id in :ids
        """,
        ids=sorted(event_ids),
        now=reader.now,
    )
    next_ids = {EventId(row["id"]): EventId(row["next_id"]) for row in rows if row["next_id"] is not None}
    next_dates = {one.id: one for one in await several(reader, sorted(set(next_ids.values())))}
    return {event_id: next_dates[next_id] for event_id, next_id in next_ids.items() if next_id in next_dates}


async def named(reader: Reader, series_id: SeriesId, names: Collection[str]) -> list[StoredOccurrence]:
    """The ``stored`` dates that have these names and are not gone."""
    if not names:
        return []
    condition = " and deleted_at is null and removed_at is null and original_date in :names"
    return _parse_dates(
        await reader.fetch(_SELECT_DATES + condition + _IN_ORDER, id=series_id, names=sorted(set(names)))
    )


async def named_in(reader: Reader, names: Mapping[SeriesId, Collection[str]]) -> dict[SeriesId, dict[str, Event]]:
    """Stored dates of several series by name, including deleted ones."""
    all_names = sorted({name for some in names.values() for name in some})
    if not all_names:
        return {}
    rows = await reader.fetch(
        f"select {EVENT_COLUMNS} from events where series_id in :ids and original_date in :names order by id",
        ids=sorted(names),
        names=all_names,
    )
    events_by_series: dict[SeriesId, dict[str, Event]] = {}
    for row in rows:
        if row["original_date"] in names[SeriesId(row["series_id"])]:
            events_by_series.setdefault(SeriesId(row["series_id"]), {})[row["original_date"]] = event_of(row)
    return events_by_series


def _parse_dates(rows: Sequence[Row]) -> list[StoredOccurrence]:
    return [StoredOccurrence(event_of(row), row["rsvp_count"]) for row in rows]


async def stored_between(reader: Reader, series_id: SeriesId, start: Instant, end: Instant, limit: int) -> list[Event]:
    """The first stored dates that begin in ``[start, end)``, without deleted ones."""
    rows = await reader.fetch(
        f"select {EVENT_COLUMNS} from events where series_id = :id and starts_at >= :start and starts_at < :end"
        " and deleted_at is null and removed_at is null order by starts_at, id limit :limit",
        id=series_id,
        start=start,
        end=end,
        limit=limit,
    )
    return [event_of(row) for row in rows]


async def stored_before(reader: Reader, series_id: SeriesId, end: Instant, limit: int) -> list[Event]:
    """The latest stored dates that begin before an instant, latest first, without deleted ones."""
    rows = await reader.fetch(
        f"select {EVENT_COLUMNS} from events where series_id = :id and starts_at < :end"
        " and deleted_at is null and removed_at is null order by starts_at desc, id desc limit :limit",
        id=series_id,
        end=end,
        limit=limit,
    )
    return [event_of(row) for row in rows]


async def date_of(reader: Reader, series_id: SeriesId, original_date: str) -> Event | None:
    """Find a stored date by its name."""
    row = await reader.fetch_one(
        f"select {EVENT_COLUMNS} from events where series_id = :id and original_date = :original_date",
        id=series_id,
        original_date=original_date,
    )
    return event_of(row) if row else None


async def names_of_day(reader: Reader, series_id: SeriesId, day: str) -> list[str]:
    """Names of the stored dates on this day (``YYYY-MM-DD``), without deleted ones, in order."""
    rows = await reader.fetch(
        "select original_date from events where series_id = :id and original_date >= :first and original_date <= :last"
        " and deleted_at is null and removed_at is null order by original_date",
        id=series_id,
        first=f"{day}T00:00:00",
        last=f"{day}T23:59:59",
    )
    return [row["original_date"] for row in rows]


async def names_in_range(reader: Reader, series_id: SeriesId, first: str, last: str, *, limit: int) -> dict[str, bool]:
    """Names of stored dates in a range, each with whether it is gone. At most ``limit`` of them are not gone."""
    existing = await reader.fetch(
        "select original_date from events where series_id = :id and original_date >= :first and original_date <= :last"
        " and deleted_at is null and removed_at is null order by original_date limit :limit",
        id=series_id,
        first=first,
        last=last,
        limit=limit,
    )
    gone = await reader.fetch(
        "select original_date from events where series_id = :id and original_date >= :first and original_date <= :last"
        " and (deleted_at is not null or removed_at is not null) order by original_date",
        id=series_id,
        first=first,
        last=last,
    )
    return {row["original_date"]: False for row in existing} | {row["original_date"]: True for row in gone}


async def free_positions(
    tx: Transaction, moves: Sequence[tuple[EventId, SeriesId, str]], *, retires: bool = True
) -> None:
    """Free the new positions of stored dates where another of these dates, or a deleted date, still occupies one.
    ``moves``: (event, series, name).

    ``retires``: False if the series has just got another zone or kind of dates. The identities of its dates in calendar
    files were retired then (``calendar_uids.retire_dates``), and nobody got those that they have now.
    """
    await detach(tx, await _deleted_at_positions(tx, moves), retires=retires)
    holder = await _holders(tx, moves)
    if retires:
        await calendar_uids.retire_current(tx, [one for one, to, name in moves if holder.get((to, name)) != one])
    in_the_way = [holder[to, name] for one, to, name in moves if holder.get((to, name), one) != one]
    if in_the_way:
        await tx.execute("update events set original_date = id where id in :ids", ids=in_the_way)


async def set_positions(
    tx: Transaction, moves: Sequence[tuple[EventId, SeriesId, str]], *, retires: bool = True
) -> None:
    """Move stored dates to their new positions all at once, because two of them may swap names. ``moves`` and
    ``retires`` are as in ``free_positions``.
    """
    await free_positions(tx, moves, retires=retires)
    holder = await _holders(tx, moves)
    await tx.execute_many(
        "update events set series_id = :series_id, original_date = :original_date where id = :id",
        [
            {"id": event_id, "series_id": to, "original_date": name}
            for event_id, to, name in moves
            if holder.get((to, name)) != event_id
        ],
    )


async def _holders(
    tx: Transaction, moves: Sequence[tuple[EventId, SeriesId, str]]
) -> dict[tuple[SeriesId, str], EventId]:
    """Which of these events occupies each position at present."""
    rows = await tx.fetch(
        "select id, series_id, original_date from events where id in :ids order by id", ids=[one for one, _, _ in moves]
    )
    return {(row["series_id"], row["original_date"]): row["id"] for row in rows}


async def _deleted_at_positions(tx: Transaction, moves: Sequence[tuple[EventId, SeriesId, str]]) -> list[EventId]:
    """Deleted dates other than these that occupy one of the positions."""
    if not moves:
        return []
    rows = await tx.fetch(
        "select id, series_id, original_date from events where series_id in :series_ids and original_date in :names"
        " and id not in :ids and (deleted_at is not null or removed_at is not null) order by id",
        series_ids=sorted({series_id for _, series_id, _ in moves}),
        names=sorted({name for _, _, name in moves}),
        ids=[event_id for event_id, _, _ in moves],
    )
    positions = {(series_id, name) for _, series_id, name in moves}
    return [EventId(row["id"]) for row in rows if (row["series_id"], row["original_date"]) in positions]


async def detach(tx: Transaction, event_ids: Sequence[EventId], *, retires: bool = True) -> None:
    """Detach these events from their series. ``retires`` is as in ``free_positions``."""
    if retires:
        await calendar_uids.retire_current(tx, event_ids)
    if event_ids:
        await tx.execute(
            "update events set series_id = null, original_date = null where id in :ids", ids=list(event_ids)
        )


async def mark_cancelled_with_series(tx: Transaction, event_ids: Sequence[EventId]) -> None:
    """Mark dates as cancelled with their series, so that they are reinstated with it."""
    if event_ids:
        await tx.execute("update events set is_cancelled_with_series = 1 where id in :ids", ids=list(event_ids))


async def cancelled_with_series(reader: Reader, series_id: SeriesId) -> frozenset[str]:
    """Ids of the dates that were cancelled with the series and not on their own."""
    rows = await reader.fetch(
        "select id from events where series_id = :id and is_cancelled_with_series = 1 and status = 'cancelled'",
        id=series_id,
    )
    return frozenset(row["id"] for row in rows)


async def events_to_add(reader: Reader, author_id: UserId, group_id: str | None, *, limit: int) -> list[Event]:
    """A person's upcoming single events in this group, or outside of any group if None."""
    in_group = "group_id is null" if group_id is None else "group_id = :group_id"
    rows = await reader.fetch(
        f"select {EVENT_COLUMNS} from events where author_id = :author_id and series_id is null and {in_group}"
        " and starts_at > :now and deleted_at is null and removed_at is null and is_read_only = 0 and is_draft = 0"
        " order by starts_at, id limit :limit",
        author_id=author_id,
        now=reader.now,
        limit=limit,
        **({} if group_id is None else {"group_id": group_id}),
    )
    return [event_of(row) for row in rows]


async def add_overrides(tx: Transaction, dates: Sequence[Event], field: str) -> None:
    """Add this field to the overridden fields of these locked dates."""
    positions = [(date.id, date.position_in_series) for date in dates if date.position_in_series is not None]
    await tx.execute_many(
        "update events set overridden_fields = :fields, is_modified_occurrence = 1 where id = :id",
        [
            {"fields": ",".join(sorted({*position.overridden, field})), "id": event_id}
            for event_id, position in positions
        ],
    )


_ANSWERED = (*SEATED_STATUSES, AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING, AttendanceStatus.DECLINED)


@dataclass(frozen=True, slots=True)
class MyDates:
    """Number of visible upcoming dates of a series, by the person's RSVP.

    ``limited``: unanswered dates with limited places. ``unanswered``: the other unanswered dates.
    """

    dates: int = 0
    going: int = 0
    waitlisted: int = 0
    pending: int = 0
    limited: int = 0
    unanswered: int = 0


async def of_series(reader: Reader, series_ids: Sequence[SeriesId], viewer: UserId) -> dict[SeriesId, MyDates]:
    """Counts for each series. All zero for a series without upcoming dates."""
    upcoming = [event for event in await upcoming_of(reader, series_ids) if not event.is_cancelled]
    rsvps = await attendance_queries.of_user(reader, viewer, [event.id for event in upcoming])
    invited = {event_id for event_id, rsvp in rsvps.items() if rsvp_gives_access(rsvp)}
    lines: dict[str, list[tuple[Event, Attendance | None]]] = {}
    for event in await seen(reader, upcoming, viewer, invited):
        if event.position_in_series is not None:
            lines.setdefault(event.position_in_series.series_id, []).append((event, rsvps.get(event.id)))
    limited = await registration.limited_among(reader, [event for some in lines.values() for event, _ in some])
    return {series_id: _counted(lines.get(series_id, []), limited) for series_id in series_ids}


async def limits_new_dates(reader: Reader, series: Series) -> bool:
    """Whether future dates of the series will have limited places."""
    registration_settings = await registration.own_settings_of(reader, series.id) or DEFAULT_SETTINGS
    return registration_settings.has_limit(series.content.capacity, series.content.mode)


def _counted(lines: Sequence[tuple[Event, Attendance | None]], limited_ids: Collection[EventId]) -> MyDates:
    statuses = [None if rsvp is None else rsvp.status for _, rsvp in lines]
    # Unanswered: no RSVP, an invitation, or only interest.
    still_open = [event for event, rsvp in lines if rsvp is None or rsvp.status not in _ANSWERED]
    limited = sum(event.id in limited_ids for event in still_open)
    return MyDates(
        dates=len(lines),
        going=sum(status in SEATED_STATUSES for status in statuses),
        waitlisted=statuses.count(AttendanceStatus.WAITLISTED),
        pending=statuses.count(AttendanceStatus.PENDING),
        limited=limited,
        unanswered=len(still_open) - limited,
    )

"""Store dates as events: near ones by the scheduler, later ones when somebody opens, edits, cancels or answers them.

Idempotent under concurrency: the database allows each date of a series only once, and callers hold the lock on the
series.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypeVar

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import NotFound
from openmeet.domain.events import co_hosts, series_dates
from openmeet.domain.events.model import Event, PositionInSeries
from openmeet.domain.events.series_dates import NewDates, create_dates
from openmeet.domain.series import date_queries, new_date_rsvps, queries
from openmeet.domain.series.dates import details_of, original_of, original_text
from openmeet.domain.series.model import (
    WINDOW,
    WINDOW_LEAST,
    WINDOW_MOST,
    EditScope,
    PublishPolicy,
    Series,
    SeriesId,
    SeriesStatus,
    Timing,
)
from openmeet.domain.series.plan import EditPlan
from openmeet.domain.series.reasons import SeriesReason
from openmeet.recurrence import expansion
from openmeet.recurrence.wall_time import local_of

T = TypeVar("T")


async def ensure_stored(tx: Transaction, series: Series, original_date: str) -> Event:
    """The event of a date of a locked series. Stores it if necessary. Raises NotFound if there is no such date."""
    event = await date_queries.date_of(tx, series.id, original_date)
    if event is not None:
        return event
    (made,) = await store(tx, series, [original_in(series, original_date)])
    return made


async def ensure_all_stored(tx: Transaction, series: Series, original_dates: Sequence[str]) -> None:
    """Like ``ensure_stored``, for several dates. Dates that are already stored are skipped."""
    stored_names = await date_queries.stored_names(tx, series.id, since=min(original_dates, default=""))
    computed = [original_in(series, name) for name in dict.fromkeys(original_dates) if name not in stored_names]
    if computed:
        await store(tx, series, computed)


async def store_existing(
    tx: Transaction, series: Series, some: Sequence[T], *, name: Callable[[T], str]
) -> Sequence[T]:
    """Store the dates that these objects name, and return the objects whose dates exist in the locked series."""
    stored_names = await date_queries.stored_names(tx, series.id, since=min(map(name, some), default=""))
    existing = [one for one in some if name(one) in stored_names or _is_date(series, name(one))]
    await ensure_all_stored(tx, series, [name(one) for one in existing])
    return existing


def _is_date(series: Series, name: str) -> bool:
    try:
        original_in(series, name)
    except NotFound:
        return False
    return True


async def store(tx: Transaction, series: Series, originals: Sequence[datetime]) -> list[Event]:
    """Store new dates of a locked series as events, and add the RSVPs to them. They must not be stored yet."""
    (made,) = await create_dates(tx, [_new_dates(series, originals)])
    await _add_others(tx, series, made)
    return made


def _new_dates(series: Series, originals: Sequence[datetime]) -> NewDates:
    return NewDates(
        series.owner_id,
        [
            (details_of(series.content, series.timing, one), PositionInSeries(series.id, original_text(one)))
            for one in originals
        ],
        is_published_by_policy=series.policy is PublishPolicy.WINDOW,
        group=series.group,
        record_settings=series.record_settings,
        needs_author_approval=series.needs_author_approval,
    )


async def _add_others(tx: Transaction, series: Series, made: Sequence[Event]) -> None:
    """Add the people who host, are invited to or have answered all dates of the series to its new ones."""
    await co_hosts.host_new_dates(tx, series.id, made)
    await new_date_rsvps.add_rsvps(tx, series, made)


async def store_window(
    tx: Transaction, series: Series, *, ahead: Sequence[expansion.Occurrence] | None = None
) -> list[Event]:
    """Store the dates of a locked, active series within the window. Returns the new ones.

    ``ahead``: its dates from ``first_dates``, if already computed.
    """
    known = {} if ahead is None else {series.id: ahead}
    return (await store_windows(tx, [series], with_others={series.id}, ahead=known)).get(series.id, [])


async def store_windows(
    tx: Transaction,
    several: Sequence[Series],
    *,
    with_others: Collection[SeriesId],
    ahead: Mapping[SeriesId, Sequence[expansion.Occurrence]] = MappingProxyType({}),
) -> dict[SeriesId, list[Event]]:
    """Like ``store_window``, for several series: the new dates of each active one.

    ``with_others``: see ``follower_queries``.
    """
    active = [
        one for one in several if one.status is SeriesStatus.ACTIVE and one.deleted_at is None and not one.is_read_only
    ]
    if not active:
        return {}
    ids = [one.id for one in active]
    since = min(earliest_name(one, tx.now) for one in active)
    stored_names = await date_queries.stored_names_of(tx, ids, since=since)
    coming = [
        _new_dates(
            series,
            [
                one.original
                for one in window(series, tx.now, ahead.get(series.id))
                if original_text(one.original) not in stored_names[series.id]
            ],
        )
        for series in active
    ]
    made = dict(zip(ids, await create_dates(tx, coming), strict=True))
    for series in active:
        if series.id in with_others:
            await _add_others(tx, series, made[series.id])
    await queries.set_stored_until(tx, ids, Instant(tx.now + WINDOW))
    await series_dates.enqueue_by_policy(tx, ids)
    return made


async def has_dates_to_store(reader: Reader, series: Series) -> bool:
    """Whether the rule has dates after the last stored one, which are added as time passes."""
    rule = series.timing.pattern.rule
    if rule is not None and rule.count is None and rule.until is None:
        return True
    last = expansion.last_of(series.timing.pattern)
    row = await reader.fetch_one("select max(original_date) as last from events where series_id = :id", id=series.id)
    return last is not None and (row is None or row["last"] is None or original_text(last.original) > row["last"])


def earliest_name(series: Series, now: Instant) -> str:
    """The first name to look at. Names are wall-clock times, which differ from UTC by less than two days."""
    return original_text(local_of(now, series.zone_name).replace(tzinfo=None) - timedelta(days=2))


async def dates_added_by(reader: Reader, series: Series, plan: EditPlan) -> list[expansion.Occurrence]:
    """New dates that a plan adds to the window, which ``store_window`` will store."""
    if plan.scope is EditScope.THIS or series.status is not SeriesStatus.ACTIVE:
        return []
    target = replace(series, content=plan.content, timing=plan.timing)
    existing_names: set[str] = set()
    if plan.scope is EditScope.ALL:
        existing_names |= await date_queries.stored_names(reader, series.id, since=earliest_name(target, reader.now))
        positions = (one.event.position_in_series for one in plan.changes)
        existing_names -= {position.original_date for position in positions if position is not None}
        existing_names -= {
            event.position_in_series.original_date for event in plan.vanishing if event.position_in_series
        }
    existing_names |= {change.original_date for change in plan.changes}
    existing_names |= {stored_date.original_date for stored_date in plan.stranded}
    return [one for one in window(target, reader.now) if original_text(one.original) not in existing_names]


def first_dates(timing: Timing, now: Instant) -> list[expansion.Occurrence]:
    """The dates of a new series that can be within its window. Raises RuleRefused for a rule without dates.

    A rule with many times a day takes a third of a second, so call this before the transaction that stores the dates.
    """
    expansion.check_entered(timing.pattern)
    return expansion.following(timing.pattern, now, WINDOW_MOST)


def window(
    series: Series, now: Instant, ahead: Sequence[expansion.Occurrence] | None = None
) -> Sequence[expansion.Occurrence]:
    """The dates to store as events: two months ahead, but at least two and at most fifty."""
    if ahead is None:
        ahead = expansion.following(series.timing.pattern, now, WINDOW_MOST)
    coming = [one for one in ahead if one.at >= now]
    near = sum(one.at < now + WINDOW for one in coming)
    return coming[: max(near, WINDOW_LEAST)]


def original_in(series: Series, name: str) -> datetime:
    """Parse the name of a date that the series can create. Raises NotFound."""
    try:
        original = original_of(name)
    except ValueError:
        raise NotFound(SeriesReason.NO_SUCH_DATE) from None
    if (
        series.deleted_at is not None
        or series.is_read_only
        or not expansion.is_date_of(series.timing.pattern, original)
    ):
        raise NotFound(SeriesReason.NO_SUCH_DATE_OF_SERIES)
    return original


async def with_series(reader: Reader, event: Event) -> Series | None:
    """The series of an event; None if the event is not a date of one."""
    if event.position_in_series is None:
        return None
    return await queries.by_id(reader, SeriesId(event.position_in_series.series_id))

"""Dates become events: near ones by the clock, far ones when somebody opens, edits, cancels or answers them.

Storing is idempotent under concurrency: the pair of series and date is unique in the database, and whoever stores holds the
lock on the series.
"""

from dataclasses import replace
from datetime import datetime

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import NotFound
from openmeet.events import actions as events
from openmeet.events.model import Event, PlaceInSeries, Visibility
from openmeet.recurrence import expansion
from openmeet.series import queries
from openmeet.series.dates import details_of, original_of, original_text
from openmeet.series.model import WINDOW, WINDOW_LEAST, WINDOW_MOST, Policy, Series, SeriesId, SeriesStatus

# Series that one round of the scheduler looks at, each in a transaction of its own.
ROUND = 500


async def vivify(tx: Transaction, series: Series, original_date: str) -> Event:
    """The event of a date of a locked series, stored if it was not. Raises NotFound where there is no such date."""
    found = await queries.date_of(tx, series.id, original_date)
    if found is not None:
        return found
    try:
        original = original_of(original_date)
    except ValueError:
        raise NotFound("There is no such date.") from None
    if series.deleted_at is not None or not expansion.is_date_of(series.timing.pattern, original):
        raise NotFound("This series has no such date.")
    await _store(tx, series, original)
    made = await queries.date_of(tx, series.id, original_date)
    assert made is not None  # noqa: S101  # stored a line above, under the lock
    return made


async def store_window(tx: Transaction, series: Series) -> list[str]:
    """Store the dates of a locked, active series that come into the window; the names of the new ones."""
    if series.status is not SeriesStatus.ACTIVE or series.deleted_at is not None:
        return []
    until = Instant(tx.now + WINDOW)
    ahead = window(series, tx.now)
    known = await queries.stored_names(tx, series.id)
    made = []
    for one in ahead:
        name = original_text(one.original)
        if name not in known:
            await _store(tx, series, one.original)
            made.append(name)
    await queries.update(tx, replace(series, stored_until=until))
    await publish_by_policy(tx, series)
    return made


def window(series: Series, now: Instant) -> list[expansion.Occurrence]:
    """The dates that are kept as events: two months ahead, at least two, at most fifty."""
    ahead = expansion.following(series.timing.pattern, now, WINDOW_MOST)
    near = sum(one.at < now + WINDOW for one in ahead)
    return ahead[: max(near, WINDOW_LEAST)]


async def roll_windows(db: Database, now: Instant) -> tuple[int, int]:
    """One round of the scheduler: how many series were looked at, and how many dates were stored.

    A series is looked at again when a day of its window has passed, not at every round.
    """
    due = Instant(now + WINDOW - WINDOW // 61)
    async with db.reader() as reader:
        waiting = await queries.behind_window(reader, due, ROUND)
    stored = 0
    for series_id in waiting:
        stored += await _roll(db, series_id)
    return len(waiting), stored


async def _roll(db: Database, series_id: SeriesId) -> int:
    async with db.transaction() as tx:
        series = await queries.lock(tx, series_id)
        return 0 if series is None else len(await store_window(tx, series))


async def publish_by_policy(tx: Transaction, series: Series) -> None:
    """See that exactly those dates owe a record which the series' policy publishes. What was published stays as history."""
    coming = [
        held.event
        for held in await queries.stored(tx, series.id)
        if not held.event.is_gone and not held.event.is_over(tx.now)
    ]
    chosen = chosen_by(series, coming)
    for event in coming:
        wanted = event.id in chosen
        if wanted is not event.owes_record and not (event.record_uri is not None and not wanted and _stays(series)):
            await events.let_owe_record(tx, event, owes_record=wanted)


def chosen_by(series: Series, coming: list[Event]) -> frozenset[str]:
    """Ids of the coming dates that are published. ``next``: the first that takes place."""
    match series.policy:
        case Policy.NONE:
            return frozenset()
        case Policy.WINDOW:
            return frozenset(event.id for event in coming)
        case Policy.NEXT:
            return frozenset([event.id for event in coming if not event.is_cancelled][:1])


def _stays(series: Series) -> bool:
    """Whether a date that is no longer the next one keeps its record: all but those of a series that publishes nothing."""
    return series.policy is not Policy.NONE


async def _store(tx: Transaction, series: Series, original: datetime) -> None:
    details = details_of(series.template, series.timing, original)
    owes = series.policy is Policy.WINDOW or details.visibility is not Visibility.PUBLIC
    await events.create_date(
        tx, series.owner_id, details, PlaceInSeries(series.id, original_text(original)), owes_record=owes
    )


async def with_series(reader: Reader, event: Event) -> Series | None:
    """The series of an event that is a date of one."""
    if event.place_in_series is None:
        return None
    return await queries.by_id(reader, SeriesId(event.place_in_series.series_id))

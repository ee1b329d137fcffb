"""Scheduled tasks: move the windows of series forward, and mark past dates as completed."""

from collections.abc import Sequence

from groundwork.clock import Instant
from groundwork.database.pages import change_in_pages
from groundwork.database.transaction import Database, Transaction
from groundwork.isolation import Position, due_in_groups
from openmeet.domain.events import series_dates
from openmeet.domain.series import date_queries, follower_queries, materialize, notify, queries, undo
from openmeet.domain.series.model import WINDOW, SeriesId
from openmeet.feature_flags.flags import Flag, switches
from openmeet.outbox import publications

# Series per page, and per transaction.
ROUND = 500
TOGETHER = 20


async def roll_windows(db: Database, now: Instant) -> int:
    """Store dates that have come into the windows of series. Returns the number of dates.

    A series is looked at again after a day of its window has passed, not in every run.
    """
    due = Instant(now + WINDOW - WINDOW // 61)

    async def next_page(after: Position) -> list[tuple[int, SeriesId]]:
        async with db.reader() as reader:
            return await queries.behind_window(reader, due, after, ROUND)

    return await due_in_groups(db, "series_windows", next_page, lambda ids: _roll(db, ids), size=TOGETHER)


async def complete_dates(db: Database) -> int:
    """Mark past dates as completed, and publish the next date if that is the series' policy. Returns the number of
    dates.
    """

    async def next_page(after: Position) -> list[tuple[int, SeriesId]]:
        async with db.reader() as reader:
            return await date_queries.with_dates_to_complete(reader, after, ROUND)

    return await due_in_groups(db, "completed_dates", next_page, lambda ids: _complete(db, ids), size=TOGETHER)


async def forget_undos(db: Database) -> int:
    """Delete expired undo snapshots."""
    return await change_in_pages(db, undo.forget_expired)


async def _roll(db: Database, series_ids: Sequence[SeriesId]) -> int:
    async def work(tx: Transaction) -> int:
        several = await queries.lock_each(tx, series_ids)
        with_others = await follower_queries.with_others(tx, [series.id for series in several])
        made = await materialize.store_windows(tx, several, with_others=with_others)
        for series in several:
            if series.id in with_others or series.changed_by not in {None, series.owner_id}:
                await notify.notify_people(tx, series, notify.of_new_dates(series, made.get(series.id, [])))
        return sum(map(len, made.values()))

    return await db.batch(work)


async def _complete(db: Database, series_ids: Sequence[SeriesId]) -> int:
    async def work(tx: Transaction) -> int:
        await queries.lock_each(tx, series_ids)
        completed = await date_queries.complete_dates(tx, series_ids)
        await series_dates.enqueue_by_policy(tx, series_ids)
        if Flag.NATIVE_RECURRENCE in await switches(tx):
            # The record of a past date then describes only that date, and the record of the next date carries the rule.
            await publications.make_due(tx, kind=publications.PublicationKind.EVENT, subject_ids=completed)
        return len(completed)

    return await db.batch(work)

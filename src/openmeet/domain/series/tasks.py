"""Scheduled tasks: move the windows of series forward, and mark past dates as completed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.events import series_dates
from openmeet.domain.series import date_queries, follower_queries, materialize, notify, queries, undo
from openmeet.domain.series.model import WINDOW, SeriesId
from openmeet.feature_flags.flags import Flag, switches
from openmeet.outbox import publications

# Series per run, each in its own transaction, and the number processed concurrently.
ROUND = 500
AT_A_TIME = 8


async def roll_windows(db: Database, now: Instant) -> tuple[int, int]:
    """Store dates that have come into the windows of series. Returns the number of series looked at and of dates
    stored.

    A series is looked at again after a day of its window has passed, not in every run.
    """
    due = Instant(now + WINDOW - WINDOW // 61)
    looked_at = stored = 0
    while True:
        async with db.reader() as reader:
            waiting = await queries.behind_window(reader, due, ROUND)
        stored += sum(await _process_each(waiting, lambda series_id: _roll(db, series_id)))
        looked_at += len(waiting)
        if len(waiting) < ROUND:
            return looked_at, stored


async def complete_dates(db: Database) -> int:
    """Mark past dates as completed, and publish the next date if that is the series' policy. Returns the number of
    dates.
    """
    completed = 0
    while True:
        async with db.reader() as reader:
            waiting = await date_queries.with_dates_to_complete(reader, ROUND)
        completed += sum(await _process_each(waiting, lambda series_id: _complete(db, series_id)))
        if len(waiting) < ROUND:
            return completed


async def forget_undos(db: Database) -> int:
    """Delete expired undo snapshots."""
    async with db.transaction() as tx:
        return await undo.forget_expired(tx)


async def _process_each(waiting: Sequence[SeriesId], work: Callable[[SeriesId], Awaitable[int]]) -> list[int]:
    """Process a few series at a time, so that they share commits. A failure does not stop the others and is raised at
    the end.
    """
    done: list[int] = []
    failures: list[Exception] = []
    queue = iter(waiting)

    async def take() -> None:
        for series_id in queue:
            try:
                done.append(await work(series_id))
            except Exception as failure:  # noqa: BLE001  # raised below, after the others have run
                failures.append(failure)

    await asyncio.gather(*(take() for _ in range(AT_A_TIME)))
    if failures:
        raise failures[0]
    return done


async def _roll(db: Database, series_id: SeriesId) -> int:
    async def work(tx: Transaction) -> int:
        series = await queries.lock(tx, series_id)
        if series is None:
            return 0
        has_others = await follower_queries.has_others(tx, series.id)
        made = await materialize.store_window(tx, series, has_others=has_others)
        if has_others or series.changed_by not in {None, series.owner_id}:
            await notify.notify_people(tx, series, notify.of_new_dates(series, made))
        return len(made)

    return await db.batch(work)


async def _complete(db: Database, series_id: SeriesId) -> int:
    async def work(tx: Transaction) -> int:
        await queries.lock(tx, series_id)
        completed = await date_queries.complete_dates(tx, series_id)
        await series_dates.enqueue_by_policy(tx, series_id)
        if Flag.NATIVE_RECURRENCE in await switches(tx):
            # The record of a past date then describes only that date, and the record of the next date carries the rule.
            await publications.recheck(tx, kind=publications.PublicationKind.EVENT, subject_ids=completed)
        return len(completed)

    return await db.batch(work)

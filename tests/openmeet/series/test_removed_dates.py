"""Dates of a series are removed after their end, each on its own, and are not made again; on both engines."""

from dataclasses import replace

import pytest

from groundwork.clock import DAY, HOUR, HandClock
from groundwork.database.transaction import Database
from openmeet.domain.attendance import event_hosting, tasks
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.values import RemovalDelay
from openmeet.domain.series import apply_edits, cancel_dates, date_queries, undo
from openmeet.domain.series import tasks as series_tasks
from openmeet.domain.series.edits import Edit, plan_of
from openmeet.domain.series.model import EditScope
from openmeet.domain.series.queries import by_id
from openmeet.web.series.feeds import calendar_of
from tests.openmeet.series.practice import create_weekly_series, dates, lock_series, original_dates
from tests.openmeet.site_under_test import edited_details

pytestmark = pytest.mark.usefixtures("practice_db")


async def sweep(db: Database, clock: HandClock) -> int:
    """Run the scheduled tasks that remove dates and store new ones. Returns how many were removed."""
    removed = await tasks.remove_past_events(db)
    await series_tasks.complete_dates(db)
    await series_tasks.roll_windows(db, clock.now())
    return removed


async def test_each_date_is_removed_on_its_own_and_stays_removed(practice_db: Database, clock: HandClock):
    async with practice_db.transaction() as tx:
        _, series = await create_weekly_series(tx, remove_after=RemovalDelay.DAY)
        first, second, third, *_ = await dates(tx, series)
    assert {one.content.remove_after for one in (first, second, third)} == {RemovalDelay.DAY}
    clock.turn((second.ends_at or 0) + DAY - clock.now())
    assert [await sweep(practice_db, clock), await sweep(practice_db, clock)] == [2, 0]
    async with practice_db.transaction() as tx:
        left = await dates(tx, series)
        stored = [held.event for held in await date_queries.stored(tx, series.id)]
        feed = calendar_of([(series, stored)], {one.id for one in stored}, {}, tx.now, "https://x.test")
    assert left[0].id == third.id
    assert b"STATUS:CANCELLED" not in feed
    assert feed.count(b"EXDATE") == 1
    clock.turn(60 * DAY)
    await sweep(practice_db, clock)
    async with practice_db.transaction() as tx:
        assert not set(original_dates([first, second])) & set(original_dates(await dates(tx, series)))


async def test_a_date_can_have_its_own_choice(practice_db: Database, clock: HandClock):
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, remove_after=RemovalDelay.DAY)
        first, second, *_ = await dates(tx, series)
        kept = await event_hosting.revise(tx, ana, first.slug, edited_details(first, remove_after=RemovalDelay.NEVER))
        assert kept.position_in_series is not None
        assert kept.position_in_series.overridden == ("remove_after",)
    clock.turn((second.ends_at or 0) + DAY - clock.now())
    assert await sweep(practice_db, clock) == 1
    async with practice_db.transaction() as tx:
        assert (await dates(tx, series))[0].id == first.id


async def test_a_choice_for_all_dates_leaves_past_dates_alone(practice_db: Database, clock: HandClock):
    async with practice_db.transaction() as tx:
        _, series = await create_weekly_series(tx)
        first, second, third, *_ = await dates(tx, series)
    clock.turn((second.ends_at or 0) + HOUR - clock.now())
    async with practice_db.transaction() as tx:
        stored = await date_queries.stored(tx, series.id)
        edit = Edit(EditScope.ALL, original_dates([third])[0], removed_after_a_day(third), frozenset({"remove_after"}))
        plan = plan_of(series, edit, stored, tx.now)
        await apply_edits.apply_plan(tx, series, plan)
    clock.turn(3 * DAY)
    assert await sweep(practice_db, clock) == 0
    clock.turn(30 * DAY)
    assert await sweep(practice_db, clock) > 0
    async with practice_db.transaction() as tx:
        left = original_dates(await dates(tx, series))
    assert [name in left for name in original_dates([first, second, third])] == [True, True, False]


def removed_after_a_day(event):
    return edited_details(event, remove_after=RemovalDelay.DAY)


async def test_a_removed_date_stays_removed_when_the_rule_changes(practice_db: Database, clock: HandClock):
    """Also if it had been moved to an earlier day, so that the rule still has it ahead."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, remove_after=RemovalDelay.DAY)
        _, second, *_ = await dates(tx, series)
        back = 9 * DAY
        details = details_in(second)
        moved = replace(
            details,
            starts_at=details.starts_at - back,
            ends_at=(details.ends_at or 0) - back,
            starts_local="2026-11-22T18:00:00",
        )
        await event_hosting.revise(tx, ana, second.slug, moved)
    clock.turn(4 * DAY)
    assert await sweep(practice_db, clock) == 1
    async with practice_db.transaction() as tx:
        before = await by_id(tx, series.id)
        assert before is not None
        edit = Edit(
            EditScope.ALL, "2026-12-08T18:00:00", moved_by_an_hour(await dates(tx, series)), frozenset({"starts_local"})
        )
        plan = plan_of(before, edit, await date_queries.stored(tx, series.id), tx.now)
        await apply_edits.apply_plan(tx, await lock_series(tx, ana, before), plan)
        left = original_dates(await dates(tx, series))
    assert [name[:10] for name in left if name < "2026-12-09"] == ["2026-11-24", "2026-12-08"]


def moved_by_an_hour(stored):
    (date,) = [one for one in stored if one.starts_local == "2026-12-08T18:00:00"]
    details = details_in(date)
    return replace(
        details,
        starts_at=details.starts_at + HOUR,
        ends_at=(details.ends_at or 0) + HOUR,
        starts_local="2026-12-08T19:00:00",
    )


async def test_an_undo_does_not_restore_a_removed_date(practice_db: Database, clock: HandClock):
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, remove_after=RemovalDelay.DAY)
        first, _, third, *_ = await dates(tx, series)
    clock.turn((first.ends_at or 0) + DAY - clock.now() - 1)
    async with practice_db.transaction() as tx:
        await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), original_dates([third]), "ill")
    clock.turn(1)
    assert await sweep(practice_db, clock) == 1
    async with practice_db.transaction() as tx:
        await undo.undo(tx, await lock_series(tx, ana, series))
        left = await dates(tx, series)
    assert first.id not in {one.id for one in left}
    assert not any(one.is_cancelled for one in left)

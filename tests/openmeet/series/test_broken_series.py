"""Scheduled tasks go on with the other series if the row of one cannot be read; on both engines."""

import pytest

from groundwork import failed_items
from groundwork.clock import DAY, HOUR, MINUTE, HandClock
from groundwork.database.transaction import Database
from openmeet.domain.series import tasks
from openmeet.domain.series.model import SeriesId
from tests.openmeet.series.practice import create_weekly_series, dates

pytestmark = pytest.mark.usefixtures("practice_db")


async def set_rule(db: Database, series_id: SeriesId, rule: str) -> None:
    async with db.transaction() as tx:
        await tx.execute("update event_series set recurrence_rule = :rule where id = :id", rule=rule, id=series_id)


async def attempts(db: Database, task: str, series_id: SeriesId) -> int:
    async with db.reader() as reader:
        failed = await failed_items.find(reader, task, [series_id])
    return failed[series_id].attempts if failed else 0


@pytest.mark.parametrize("page_size", [1, tasks.ROUND])
async def test_a_broken_series_holds_up_no_other_and_is_tried_again_later(
    practice_db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch, page_size: int
) -> None:
    """Neither one on another page nor one in the same transaction."""
    monkeypatch.setattr(tasks, "ROUND", page_size)
    async with practice_db.transaction() as tx:
        (_, broken), (_, whole) = await create_weekly_series(tx), await create_weekly_series(tx)
        rule = (await tx.fetch("select recurrence_rule from event_series where id = :id", id=broken.id))[0][
            "recurrence_rule"
        ]
    await set_rule(practice_db, broken.id, "FREQ=SOMETIMES")
    clock.turn(14 * DAY)
    assert [await tasks.roll_windows(practice_db, clock.now()) for _ in range(3)] == [2, 0, 0]
    assert [await tasks.complete_dates(practice_db) for _ in range(3)] == [2, 0, 0]
    for task in ("series_windows", "completed_dates"):
        assert await attempts(practice_db, task, broken.id) == 1
    for _ in range(HOUR // (10 * MINUTE)):
        clock.turn(10 * MINUTE)
        await tasks.roll_windows(practice_db, clock.now())
    assert 2 < await attempts(practice_db, "series_windows", broken.id) <= 7
    await set_rule(practice_db, broken.id, rule)
    clock.turn(HOUR)
    assert await tasks.roll_windows(practice_db, clock.now()) == await tasks.complete_dates(practice_db) == 2
    for task in ("series_windows", "completed_dates"):
        assert await attempts(practice_db, task, broken.id) == 0
    async with practice_db.transaction() as tx:
        assert len(await dates(tx, broken)) == len(await dates(tx, whole)) == 11

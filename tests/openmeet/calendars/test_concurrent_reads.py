"""The scheduled tasks read one calendar at the same time; on both engines."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from groundwork.clock import DAY, HandClock, Instant
from groundwork.database.transaction import Database
from groundwork.workers.limits import JobLimits
from groundwork.workers.pool import PoolLimits, WorkerPool
from groundwork.workers.quota import QuotaHolder
from openmeet.domain.calendars import subscriptions, tasks
from openmeet.domain.calendars.entries import all_of
from openmeet.domain.calendars.fetch import CalendarFetcher
from tests.databases import MakeDatabase
from tests.openmeet.calendars.calendar_server import CHOIR_CALENDAR, CalendarServer, elsewhere, fetcher
from tests.openmeet.site_under_test import CODE_KEY, person
from tests.worker_pool import POOL, WORKERS

__all__ = ["elsewhere", "fetcher"]

T = TypeVar("T")
YEARLY = CHOIR_CALENDAR.replace("WEEKLY;COUNT=4", "YEARLY")


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


class _SlowPool(WorkerPool):
    """A pool whose results arrive after the calendars that are due were fetched again."""

    def __init__(self, db: Database, fetcher: CalendarFetcher) -> None:
        super().__init__(PoolLimits())
        self._db, self._fetcher = db, fetcher

    async def run(
        self, job: Callable[[], T], *, holders: Sequence[QuotaHolder] = (), limits: JobLimits | None = None
    ) -> T:
        result = await super().run(job, holders=holders, limits=limits)
        assert await tasks.refresh_due(self._db, self._fetcher, POOL, "UTC") == 1
        return result


async def test_dates_of_an_older_file_do_not_replace_newer_ones(
    db: Database, elsewhere: CalendarServer, fetcher: CalendarFetcher, clock: HandClock
) -> None:
    """The window of a calendar moves on while a changed file is fetched, whose dates stay."""
    elsewhere.body = YEARLY.format(extra="in the church")
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    offered = await subscriptions.preview_address(fetcher, WORKERS, elsewhere.url, clock.now(), "UTC")
    async with db.transaction() as tx:
        await subscriptions.subscribe(tx, CODE_KEY, ana.user_id, offered, "", fetcher)
    clock.turn(70 * DAY)
    elsewhere.body = YEARLY.format(extra="in the hall")
    pool = _SlowPool(db, fetcher)
    try:
        await tasks.roll(db, pool, "UTC")
    finally:
        await pool.close()
    async with db.reader() as reader:
        ahead = await all_of(reader, ana.user_id, clock.now(), Instant(clock.now() + 366 * DAY))
    assert [one.title for one in ahead if not one.is_all_day] == ["Choir practice in the hall"]

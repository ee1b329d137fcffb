"""A new date is stored while the account of somebody who goes to all dates is being deleted; on both engines."""

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.erasure import actions
from openmeet.domain.events.model import Event
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import standing_rsvps
from tests.databases import MakeDatabase
from tests.openmeet.erasure.erasure_context import request_deletion
from tests.openmeet.interleaving import run, run_actions_interleaved
from tests.openmeet.series.practice import NOW, create_weekly_series, status_of
from tests.openmeet.site_under_test import person
from tests.openmeet.statement_counter import StatementCounter

FAR, FARTHER = "2027-11-23T18:00:00", "2027-11-30T18:00:00"


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    clock.turn(NOW - clock.now())
    return await make_database("openmeet", clock=clock)


async def test_a_standing_rsvp_that_is_being_applied_is_withdrawn_too(db: Database) -> None:
    """The transaction that stores the date has read the standing RSVP and not committed yet."""
    async with db.transaction() as tx:
        _, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
    request = await request_deletion(db, ben)
    made: list[Event] = []
    async with db.transaction() as tx:
        counter = StatementCounter(tx)
        first = await series_actions.open_date(counter, series.slug, FARTHER)
        assert await status_of(tx, first, ben) is AttendanceStatus.ATTENDING

    async def store(db: Database) -> None:
        async def work(tx: object) -> None:
            made[:] = [await series_actions.open_date(tx, series.slug, FAR)]  # type: ignore[arg-type]  # it is gated

        await run(db, work)

    # Before its last statement, it has read who goes to all dates.
    await run_actions_interleaved(db, store, lambda db: actions.end(db, request), at=counter.statements)
    async with db.reader() as reader:
        for event in (first, *made):
            assert await status_of(reader, event, ben) is AttendanceStatus.DECLINED

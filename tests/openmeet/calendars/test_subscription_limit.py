"""The number of calendars that a person can subscribe to; on both engines."""

import asyncio

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from groundwork.errors import Refused
from openmeet.domain.calendars import subscriptions
from openmeet.domain.calendars.model import CalendarReason
from tests.databases import MakeDatabase
from tests.openmeet.calendars.calendar_server import CHOIR_CALENDAR
from tests.openmeet.site_under_test import CODE_KEY, person
from tests.worker_pool import WORKERS


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def test_the_limit_does_not_refuse_a_calendar_that_is_already_there(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody with as many calendars as possible adds one of them again. Another one is refused, also at the same
    moment.
    """
    monkeypatch.setattr(subscriptions, "MAX_CALENDARS", 1)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        offered = [
            await subscriptions.preview_file(WORKERS, CHOIR_CALENDAR.format(extra=extra).encode(), tx.now, "UTC")
            for extra in ("", "", "again")
        ]

    async def subscribe(one: subscriptions.CalendarPreview) -> bool:
        async with db.transaction() as tx:
            return (await subscriptions.subscribe(tx, CODE_KEY, ana.user_id, one, "", None))[1]

    assert await asyncio.gather(*(subscribe(one) for one in offered[:2])) in [[True, False], [False, True]]
    assert not await subscribe(offered[0])
    with pytest.raises(Refused, match=CalendarReason.TOO_MANY_CALENDARS):
        await subscribe(offered[2])

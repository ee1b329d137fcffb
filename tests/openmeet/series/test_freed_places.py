"""Places that become free when a host edits every date of a series; on both engines."""

from dataclasses import replace

from openmeet.domain.attendance import registration
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events.values import Mode
from openmeet.domain.series import apply_edits, date_queries
from openmeet.domain.series.plan import plan_all
from tests.openmeet.series.practice import create_weekly_series, dates, give_rsvp, lock_series, status_of
from tests.openmeet.site_under_test import person

GOING, WAITING = AttendanceStatus.ATTENDING, AttendanceStatus.WAITLISTED


async def test_a_series_that_is_no_longer_hybrid_has_no_limit_in_person(practice_db):
    """Everyone on the waitlist gets a place, because the limit applies only to hybrid events."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, mode=Mode.HYBRID, online_url="https://meet.example/x")
        await registration.put(tx, series.id, RegistrationSettings(limit_in_person=1))
        first, *_ = await dates(tx, series)
        ben, cleo = [await person(tx, name) for name in ("Ben", "Cleo")]
        for who in (ben, cleo):
            await give_rsvp(tx, who, first)
        assert await status_of(tx, first, cleo) is WAITING
    async with practice_db.transaction() as tx:
        series = await lock_series(tx, ana, series)
        held = await date_queries.stored(tx, series.id)
        in_person = replace(series.content, mode=Mode.IN_PERSON, online_url="")
        await apply_edits.apply_plan(tx, series, plan_all(series, in_person, series.timing, held, tx.now))
        assert await status_of(tx, first, cleo) is GOING

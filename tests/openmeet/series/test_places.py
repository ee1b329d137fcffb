"""How people get places at the dates of a series, and their answers, across splits; on both engines."""

from dataclasses import replace
from datetime import datetime

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, registration
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceStatus, ReplyDetails, RsvpReply
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.events.model import Event
from openmeet.domain.series import apply_edits, date_queries, standing_rsvps
from openmeet.domain.series.plan import plan_following
from tests.databases import MakeDatabase
from tests.openmeet.series.practice import NOW, apply_new_rule, create_weekly_series, dates, lock_series
from tests.openmeet.site_under_test import person

DIET = RegistrationQuestion("q1", "What do you eat?", ("Everything", "Vegan"), is_required=True)


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    clock.turn(NOW - clock.now())
    return await make_database("openmeet")


async def test_settings_of_a_series_apply_to_its_dates_and_survive_a_split(db: Database) -> None:
    """A date with its own settings keeps them. Answers stay with their date, with all their details."""
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        first, second, third, *_ = await dates(tx, series)
        await event_hosting.change_registration_settings(tx, ana, second.slug, RegistrationSettings(max_party=5))
        await event_hosting.change_registration_settings(
            tx, ana, first.slug, RegistrationSettings(max_party=2, questions=(DIET,)), for_series=True
        )
        dates_now = await registration.registrations_of(tx, [first, second, third])
        assert [dates_now[one.id].settings.max_party for one in (first, second, third)] == [2, 5, 2]
        said = ReplyDetails(party=2, form_responses={"q1": "Vegan"})
        mine = await attendance.answer(tx, ben, third.slug, RsvpReply.GOING, said)
    async with db.transaction() as tx:
        held = await date_queries.stored(tx, series.id)
        series = await lock_series(tx, ana, series)
        plan = plan_following(series, original_of(third), replace(series.content, title="Winter"), None, held, tx.now)
        behind = await apply_edits.apply_plan(tx, series, plan)
        moved = (await dates(tx, behind))[0]
        assert moved.id == third.id
        assert (await registration.settings_of(tx, moved)).questions == (DIET,)
        assert await attendance_queries.by_id(tx, mine.id) == mine


async def test_a_left_over_date_does_not_take_another_dates_place(db: Database) -> None:
    """Tuesdays and Wednesdays, then only Wednesdays, then Thursdays: people who go on a Wednesday move to the Thursday
    after it.
    """
    async with db.transaction() as tx:
        _, series = await create_weekly_series(tx, "FREQ=WEEKLY;BYDAY=TU,WE")
        ben = await person(tx, "Ben")
        for one in await dates(tx, series):
            await attendance.answer(tx, ben, one.slug, RsvpReply.GOING)
        series = await apply_new_rule(tx, series, "FREQ=WEEKLY;BYDAY=WE")
        before = {one.id: one for one in await dates(tx, series)}
        series = await apply_new_rule(tx, series, "FREQ=WEEKLY;BYDAY=TH")
        after = await dates(tx, series)
        day = {one.id: datetime.fromisoformat(original_of(one)).strftime("%a") for one in after}
        was = {one.id: datetime.fromisoformat(original_of(one)).strftime("%a") for one in before.values()}
        # The start counts as a date of the series even if its rule does not include it.
        moved = [
            one
            for one in after
            if one.id in was
            and datetime.fromisoformat(original_of(before[one.id])).date() > series.timing.pattern.start.date()
        ]
    assert {(was[one.id], day[one.id]) for one in moved} == {("Tue", "Tue"), ("Wed", "Thu")}
    thursdays = [one for one in after if day[one.id] == "Thu"]
    assert thursdays
    assert all(one.starts_local == original_of(one) for one in thursdays), "at the time of the rule"
    assert all(one.starts_local == before[one.id].starts_local for one in moved if day[one.id] == "Tue")


def original_of(event: Event) -> str:
    assert event.position_in_series is not None
    return event.position_in_series.original_date


async def test_one_answer_to_the_questions_counts_for_every_date(db: Database) -> None:
    """A standing RSVP answers the host's questions once, at the first date. Without the answers to the questions no
    date accepts the RSVP.
    """
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        first, *_ = await dates(tx, series)
        await event_hosting.change_registration_settings(
            tx, ana, first.slug, RegistrationSettings(max_party=2, questions=(DIET,)), for_series=True
        )
        refused = await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
        assert {one.refused for one in refused} == {"AnswerNeeded"}
        said = ReplyDetails(party=2, form_responses={"q1": "Vegan"}, is_private=True)
        await attendance.answer(tx, ben, first.slug, RsvpReply.GOING, said)
        taken = await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
        mine = [await attendance_queries.find(tx, one.event.id, ben.user_id) for one in taken]
    assert {one.status for one in taken} == {AttendanceStatus.ATTENDING}
    assert {(one.party, one.form_responses["q1"], one.is_private) for one in mine} == {(2, "Vegan", True)}

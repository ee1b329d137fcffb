"""Changes to series by their hosts; on both engines."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Forbidden, NotFound, PreconditionFailed, Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.queries import find as find_attendance
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events import actions as events
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import Event, EventStatus
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.events.values import Visibility
from openmeet.domain.notifications import queries as notifications
from openmeet.domain.series import (
    actions,
    apply_edits,
    cancel_dates,
    date_queries,
    follower_queries,
    materialize,
    queries,
    save_series,
    tasks,
)
from openmeet.domain.series.dates import details_of, original_text
from openmeet.domain.series.model import WINDOW_MOST, PublishPolicy, Series, SeriesStatus
from openmeet.domain.series.plan import moved, plan_all, plan_following, plan_one
from openmeet.recurrence.errors import RuleRefused
from tests.databases import MakeDatabase
from tests.openmeet.series.practice import FIRST, NOW, WEEKLY, ZONE, create_weekly_series, dates, lock_series, weekly
from tests.openmeet.site_under_test import edited_details, person


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    clock.turn(NOW - clock.now())
    return await make_database("openmeet")


def names(events_: list[Event]) -> list[str]:
    return [event.position_in_series.original_date for event in events_ if event.position_in_series]


async def open_date_again(tx: Transaction, series: Series, time: str) -> str:
    """Open the date at this time on 23 November 2027. Return its name."""
    (name,) = names([await actions.open_date(tx, series.slug, f"2027-11-23T{time}")])
    return name


async def test_a_series_stores_its_next_two_months_as_events(db: Database) -> None:
    async with db.transaction() as tx:
        _, series = await create_weekly_series(tx)
        found = await dates(tx, series)
    assert len(found) == 9
    assert names(found)[:2] == ["2026-11-24T18:00:00", "2026-12-01T18:00:00"]
    assert {(event.title, event.time_zone, event.is_cancelled) for event in found} == {("Practice", ZONE, False)}
    assert all(event.ends_at == event.starts_at + 2 * 3600 * 1_000_000 for event in found)


@pytest.mark.parametrize(
    ("rule", "count"), [("FREQ=DAILY", WINDOW_MOST), ("FREQ=YEARLY", 2), ("FREQ=DAILY;COUNT=1", 1)]
)
async def test_how_many_dates_are_stored(db: Database, rule: str, count: int) -> None:
    async with db.transaction() as tx:
        _, series = await create_weekly_series(tx, rule)
        assert len(await dates(tx, series)) == count


async def test_a_far_date_is_stored_once_however_many_open_it(db: Database) -> None:
    async with db.transaction() as tx:
        _, series = await create_weekly_series(tx)

    async def open_it() -> str:
        async with db.transaction() as tx:
            return (await actions.open_date(tx, series.slug, "2027-11-23T18:00:00")).id

    assert len(set(await asyncio.gather(*(open_it() for _ in range(10))))) == 1
    async with db.transaction() as tx:
        assert len(await dates(tx, series)) == 10
        for wrong in ("2027-11-24T18:00:00", "2027-11-22T18:00:00", "never"):
            with pytest.raises(NotFound):
                await actions.open_date(tx, series.slug, wrong)
        # A different time on the same day leads to that day's date, and creates none.
        (opened,) = {await open_date_again(tx, series, time) for time in ("18:00:00", "19:00:00", "00:00:00")}
        assert opened == "2027-11-23T18:00:00"
        assert len(await dates(tx, series)) == 10


async def test_the_window_moves_with_the_clock_and_is_checked_once_a_day(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        _, series = await create_weekly_series(tx)
    assert await tasks.roll_windows(db, clock.now()) == 0
    clock.turn(14 * DAY)
    assert await tasks.roll_windows(db, clock.now()) == 2
    assert await tasks.roll_windows(db, clock.now()) == 0
    async with db.transaction() as tx:
        assert len(await dates(tx, series)) == 11


async def test_the_next_date_enqueues_a_record_and_then_the_one_after_it(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        assert [event.is_published_by_policy for event in await dates(tx, series)] == [True, *[False] * 8]
        await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), ["2026-11-24T18:00:00"], "ill")
        assert [event.is_published_by_policy for event in await dates(tx, series)][:3] == [False, True, False]
    clock.turn(14 * DAY)
    await tasks.roll_windows(db, clock.now())
    async with db.transaction() as tx:
        chosen = [
            event.position_in_series.original_date for event in await dates(tx, series) if event.is_published_by_policy
        ]
    assert chosen[-1] == "2026-12-08T18:00:00"


@pytest.mark.parametrize(
    ("policy", "count"), [(PublishPolicy.NONE, 0), (PublishPolicy.WINDOW, 9), (PublishPolicy.NEXT, 1)]
)
async def test_what_each_policy_publishes(db: Database, policy: PublishPolicy, count: int) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        series = await actions.create(tx, ana, Content("Practice"), weekly(), policy=policy)
        assert sum(event.is_published_by_policy for event in await dates(tx, series)) == count


async def test_one_form_creates_one_series(db: Database) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        first = await actions.create(tx, ana, Content("Practice"), weekly(), submission_key="k")
        again = await actions.create(tx, ana, Content("Practice"), weekly(), submission_key="k")
        assert again.id == first.id
        assert len(await queries.of_owner(tx, ana.user_id)) == 1


async def test_a_key_is_refused_for_another_body_even_after_an_edit(db: Database) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        first = await actions.create(tx, ana, Content("Practice"), weekly(), submission_key="k")
        locked = await actions.lock_managed(tx, ana, first.slug)
        edited = await save_series.save(tx, replace(locked, content=replace(locked.content, title="Rehearsal")))
        with pytest.raises(actions.SeriesAlreadyCreated):
            await actions.create(tx, ana, Content("Chess"), weekly(), submission_key="k")
        again = await actions.create(tx, ana, Content("Practice"), weekly(), submission_key="k")
        assert (again.id, again.content.title, again.revision) == (first.id, "Rehearsal", edited.revision)


async def test_a_rule_without_dates_creates_nothing(db: Database) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        with pytest.raises(RuleRefused):
            await actions.create(tx, ana, Content("Never"), weekly("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"))


async def test_an_edit_of_all_keeps_what_a_date_has_of_its_own(db: Database) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        second = (await dates(tx, series))[1]
        await events.revise(tx, ana, second.slug, edited_details(second, title="With guests", capacity=20))
        series = await lock_series(tx, ana, series)
        plan = plan_all(
            series,
            replace(series.content, title="Rehearsal", description="Bring a stand"),
            series.timing,
            await date_queries.stored(tx, series.id),
            tx.now,
        )
        assert (len(plan.dates_changed), plan.single_changes_kept) == (9, 1)
        series = await apply_edits.apply_plan(tx, series, plan)
        found = await dates(tx, series)
    assert [event.title for event in found[:3]] == ["Rehearsal", "With guests", "Rehearsal"]
    assert {event.content.description for event in found} == {"Bring a stand"}
    assert found[1].position_in_series.overridden == ("capacity", "title")
    assert (found[1].content.capacity, found[0].content.capacity) == (20, None)


async def test_changes_of_single_dates_can_be_dropped(db: Database) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        first = (await dates(tx, series))[0]
        await events.revise(tx, ana, first.slug, edited_details(first, title="Once"))
        series = await lock_series(tx, ana, series)
        held = await date_queries.stored(tx, series.id)
        plan = plan_all(series, series.content, series.timing, held, tx.now, drop_single_changes=True)
        await apply_edits.apply_plan(tx, series, plan)
        assert {event.title for event in await dates(tx, series)} == {"Practice"}


async def test_an_edit_of_one_date_is_an_exception(db: Database) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        series = await lock_series(tx, ana, series)
        held = (await date_queries.stored(tx, series.id))[2]
        later = details_of(series.content, series.timing, datetime.fromisoformat("2026-12-08T20:00"))
        plan = plan_one(series, held, replace(later, content=replace(later.content, title="Late")))
        await apply_edits.apply_plan(tx, series, plan)
        event = (await dates(tx, series))[2]
    assert event.position_in_series.overridden == ("starts", "title")
    assert event.position_in_series.original_date == "2026-12-08T18:00:00"
    assert event.starts_local == "2026-12-08T20:00:00"


async def test_another_hour_for_all_keeps_urls_and_answers(db: Database) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        before = await dates(tx, series)
        await attendance.answer(tx, ben, before[3].slug, RsvpReply.GOING)
        series = await lock_series(tx, ana, series)
        timing = moved(series.timing, FIRST, FIRST + timedelta(hours=1), timedelta(hours=3))
        plan = plan_all(series, series.content, timing, await date_queries.stored(tx, series.id), tx.now)
        assert (plan.answers_kept, plan.vanishing, plan.stranded) == (1, (), ())
        series = await apply_edits.apply_plan(tx, series, plan)
        after = await dates(tx, series)
        told = await notifications.newest(tx, ben.user_id, 10)
    assert [event.slug for event in after] == [event.slug for event in before]
    assert {event.starts_local[11:16] for event in after} == {"19:00"}
    assert names(after)[0] == "2026-11-24T19:00:00"
    assert len(told) == 1


async def test_answers_move_to_another_weekday(db: Database) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        before = await dates(tx, series)
        await attendance.answer(tx, ben, before[1].slug, RsvpReply.GOING)
        series = await lock_series(tx, ana, series)
        timing = moved(series.timing, FIRST, FIRST + timedelta(days=1), series.timing.length)
        assert str(timing.pattern.rule) == "FREQ=WEEKLY;BYDAY=WE"
        await apply_edits.apply_plan(
            tx, series, plan_all(series, series.content, timing, await date_queries.stored(tx, series.id), tx.now)
        )
        after = await dates(tx, series)
        assert [event.id for event in after][:9] == [event.id for event in before]
        assert names(after)[1] == "2026-12-02T18:00:00"
        assert await find_attendance(tx, before[1].id, ben.user_id) is not None


async def test_a_less_frequent_rule_keeps_answered_dates_as_exceptions(db: Database) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        before = await dates(tx, series)
        await attendance.answer(tx, ben, before[1].slug, RsvpReply.GOING)
        series = await lock_series(tx, ana, series)
        plan = plan_all(
            series,
            series.content,
            weekly("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU"),
            await date_queries.stored(tx, series.id),
            tx.now,
        )
        assert [held.event.id for held in plan.stranded] == [before[1].id]
        assert len(plan.vanishing) == 3
        await apply_edits.apply_plan(tx, series, plan)
        after = await dates(tx, series)
        assert before[1].id in {event.id for event in after}
        kept = next(event for event in after if event.id == before[1].id)
        assert kept.position_in_series.overridden == ("starts",)
        # The change is reversed: the dates that were removed are created again.
        series = await lock_series(tx, ana, series)
        back = plan_all(series, series.content, weekly(), await date_queries.stored(tx, series.id), tx.now)
        await apply_edits.apply_plan(tx, series, back)
        assert names(await dates(tx, series)) == names(before)


async def test_editing_this_and_following_makes_two_linked_series(db: Database) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx, WEEKLY + ";COUNT=8")
        ben = await person(tx, "Ben")
        before = await dates(tx, series)
        await attendance.answer(tx, ben, before[5].slug, RsvpReply.GOING)
        await actions.follow(tx, ben, series.slug)
        series = await lock_series(tx, ana, series)
        plan = plan_following(
            series,
            "2026-12-15T18:00:00",
            replace(series.content, title="Winter practice"),
            None,
            await date_queries.stored(tx, series.id),
            tx.now,
        )
        behind = await apply_edits.apply_plan(tx, series, plan)
        first = await queries.by_id(tx, series.id)
        assert first is not None
        assert behind.split_from == series.id
        assert (str(first.timing.pattern.rule), str(behind.timing.pattern.rule)) == (
            "FREQ=WEEKLY;BYDAY=TU;UNTIL=20261208T180000",
            "FREQ=WEEKLY;BYDAY=TU;COUNT=5",
        )
        assert [event.title for event in await dates(tx, first)] == ["Practice"] * 3
        assert [event.title for event in await dates(tx, behind)] == ["Winter practice"] * 5
        assert [event.id for event in (*await dates(tx, first), *await dates(tx, behind))] == [one.id for one in before]
        assert await find_attendance(tx, before[5].id, ben.user_id) is not None
        assert await follower_queries.following(tx, behind.id, ben.user_id) is not None
        for series_ in (first, behind):
            assert [event.is_published_by_policy for event in await dates(tx, series_)].count(True) == 1


async def test_the_first_date_cannot_be_split_off(db: Database) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        series = await lock_series(tx, ana, series)
        held = await date_queries.stored(tx, series.id)
        with pytest.raises(Refused) as refused:
            plan_following(series, original_text(FIRST), series.content, None, held, tx.now)
        assert refused.value.name == "FirstDate"


async def test_past_dates_do_not_change(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
    clock.turn(10 * DAY)
    async with db.transaction() as tx:
        series = await lock_series(tx, ana, series)
        timing = moved(series.timing, FIRST, FIRST + timedelta(hours=1), series.timing.length)
        template = replace(series.content, title="Other")
        await apply_edits.apply_plan(
            tx, series, plan_all(series, template, timing, await date_queries.stored(tx, series.id), tx.now)
        )
        found = await dates(tx, series)
    assert (found[0].title, found[0].starts_local) == ("Practice", "2026-11-24T18:00:00")
    assert {(event.title, event.starts_local[11:16]) for event in found[1:]} == {("Other", "19:00")}


async def test_one_date_a_range_and_all_are_cancelled_and_reinstated(db: Database) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        found = await dates(tx, series)
        for event in found[:3]:
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        series = await lock_series(tx, ana, series)
        assert await cancel_dates.cancel_dates(tx, series, names(found)[:2], "hall closed") == 2
        assert [event.status for event in await dates(tx, series)][:3] == [EventStatus.CANCELLED] * 2 + [
            EventStatus.SCHEDULED
        ]
        assert len(await notifications.newest(tx, ben.user_id, 10)) == 1, "one notification for both"
        assert await cancel_dates.cancel_dates(tx, series, names(found)[:2], "hall closed") == 0
        assert await cancel_dates.cancel_dates(tx, series, ["2027-06-01T18:00:00"], "away") == 1, (
            "stored because it is cancelled"
        )
        assert await cancel_dates.reinstate_dates(tx, series, names(found)[:1]) == 1
        stopped, _ = await cancel_dates.cancel(tx, series, "no trainer")
        assert stopped.status is SeriesStatus.CANCELLED
        assert all(event.is_cancelled for event in await dates(tx, series))
        assert await materialize.store_window(tx, stopped) == []
        on, back = await actions.resume(tx, stopped)
        assert on.status is SeriesStatus.ACTIVE
        cancelled = [event.starts_local[:10] for event in await dates(tx, series) if event.is_cancelled]
        assert (back, cancelled) == (8, ["2026-12-01", "2027-06-01"]), "dates cancelled individually stay cancelled"


async def test_a_paused_series_gets_no_new_dates(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        await actions.pause(tx, await lock_series(tx, ana, series), "summer")
    clock.turn(30 * DAY)
    assert await tasks.roll_windows(db, clock.now()) == 0
    async with db.transaction() as tx:
        assert len(await dates(tx, series)) == 9
        await actions.resume(tx, await lock_series(tx, ana, series))
        assert len(await dates(tx, series)) == 13


async def test_a_removed_date_does_not_come_back(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        series = await cancel_dates.remove_dates(tx, await lock_series(tx, ana, series), ["2026-12-22T18:00:00"])
        assert "2026-12-22T18:00:00" not in names(await dates(tx, series))
        # Neither its own name nor another time on its day restores it. A time on another day leads to that day's date.
        for removed in ("2026-12-22T18:00:00", "2026-12-22T18:30:00"):
            with pytest.raises(NotFound):
                await actions.open_date(tx, series.slug, removed)
        led = await actions.open_date(tx, series.slug, "2027-01-05T18:30:00")
        assert names([led]) == ["2027-01-05T18:00:00"]
    clock.turn(14 * DAY)
    await tasks.roll_windows(db, clock.now())
    async with db.transaction() as tx:
        assert "2026-12-22T18:00:00" not in names(await dates(tx, series))


@pytest.mark.parametrize("keeps_events", [True, False], ids=["kept", "deleted"])
async def test_a_deleted_series_deletes_or_keeps_its_dates(db: Database, keeps_events: bool) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        found = await dates(tx, series)
        await actions.delete(tx, await lock_series(tx, ana, series), keeps_events=keeps_events)
        with pytest.raises(NotFound):
            await lock_series(tx, ana, series)
        for event in found:
            after = await event_by_id(tx, event.id)
            assert after is not None
            assert (after.position_in_series is None) is keeps_events
            assert after.is_gone is not keeps_events


async def test_kept_dates_keep_the_registration_settings_of_their_series(db: Database) -> None:
    """Otherwise everybody could suddenly come to dates where the host approves each guest."""
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        found = await dates(tx, series)
        await registration.put(tx, series.id, RegistrationSettings(needs_approval=True, limit_online=5))
        await registration.put(tx, found[1].id, RegistrationSettings(limit_in_person=3))
        await actions.delete(tx, await lock_series(tx, ana, series), keeps_events=True)
        kept = [await event_by_id(tx, one.id) for one in found]
        settings = [await registration.settings_of(tx, one) for one in kept if one is not None]
    expected = [RegistrationSettings(needs_approval=True, limit_online=5, revision=1)] * len(found)
    expected[1] = RegistrationSettings(limit_in_person=3, revision=1)
    assert settings == expected


async def test_only_the_host_locks_a_series_and_only_in_its_current_revision(db: Database) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        with pytest.raises(Forbidden):
            await lock_series(tx, ben, series)
        with pytest.raises(PreconditionFailed):
            await actions.lock_managed(tx, ana, series.slug, expected_revision=7)


async def test_private_dates_enqueue_nothing_for_the_network(db: Database) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx, visibility=Visibility.PRIVATE)
        found = await dates(tx, series)
        assert {event.content.visibility for event in found} == {Visibility.PRIVATE}
        assert ana.user_id == found[0].author_id


async def test_propagating_sends_one_notification_per_person(db: Database) -> None:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx, "FREQ=DAILY;COUNT=20")
        people = [await person(tx, f"P{number}") for number in range(3)]
        found = await dates(tx, series)
    for event in found:
        async with db.transaction() as tx:
            for one in people:
                await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
    async with db.transaction() as tx:
        series = await lock_series(tx, ana, series)
        template = replace(series.content, title="Other")
        plan = plan_all(series, template, series.timing, await date_queries.stored(tx, series.id), tx.now)
        assert plan.answers_kept == 60
        await apply_edits.apply_plan(tx, series, plan)
        for one in people:
            assert len(await notifications.newest(tx, one.user_id, 50)) == 1

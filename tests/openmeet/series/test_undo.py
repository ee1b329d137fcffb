"""Undo of the last change to a series, completely or not at all; on both engines."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from groundwork.clock import DAY, MINUTE, HandClock
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Refused
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.queries import by_id
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.model import NotificationKind
from openmeet.domain.series import (
    actions,
    cancel_dates,
    date_queries,
    existing_events,
    follower_queries,
    queries,
    standing_rsvps,
    tasks,
    undo,
)
from openmeet.domain.series.model import Series, SeriesStatus
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.users.model import Caller
from tests.openmeet.series.practice import (
    ZONE,
    apply_new_rule,
    create_weekly_series,
    dates,
    give_rsvp,
    kinds_received,
    lock_series,
    move_all_dates,
    original_dates,
    retitle,
    split_series,
    status_of,
)
from tests.openmeet.site_under_test import event_by, person

SECOND, FOURTH = "2026-12-01T18:00:00", "2026-12-15T18:00:00"

Action = Callable[[Transaction, Series], Awaitable[object]]


async def picture(reader: Reader, series: Series) -> tuple[object, ...]:
    """Everything that a host can see of a series."""
    now = await queries.by_id(reader, series.id)
    assert now is not None
    seen = [
        (one.id, details_in(one), one.position_in_series, one.status, one.status_reason)
        for one in await dates(reader, now)
    ]
    return (now.content, now.timing, now.status, now.status_reason, now.deleted_at, seen)


ACTIONS: dict[str, Action] = {
    "retitle": lambda tx, series: retitle(tx, series, "Rehearsal"),
    "move": lambda tx, series: move_all_dates(tx, series, timedelta(hours=1)),
    "move by a day": lambda tx, series: move_all_dates(tx, series, timedelta(days=1)),
    "rule with fewer dates": lambda tx, series: apply_new_rule(tx, series, "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU"),
    "rule with more dates": lambda tx, series: apply_new_rule(tx, series, "FREQ=WEEKLY;BYDAY=TU,TH"),
    "split": lambda tx, series: split_series(tx, series, FOURTH, "Winter practice"),
    "cancel dates": lambda tx, series: cancel_dates.cancel_dates(tx, series, [SECOND, FOURTH], "ill"),
    "cancel": lambda tx, series: cancel_dates.cancel(tx, series, "no trainer"),
    "pause": lambda tx, series: actions.pause(tx, series, "summer"),
    "remove": lambda tx, series: cancel_dates.remove_dates(tx, series, [SECOND]),
    "extra date": lambda tx, series: cancel_dates.add_date(tx, series, "2026-12-03T19:00:00"),
}


@pytest.mark.parametrize("act", ACTIONS)
async def test_undo_restores_everything(practice_db: Database, act: str) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        for event in (await dates(tx, series))[:2]:
            await give_rsvp(tx, ben, event)
        before = await picture(tx, series)
    async with practice_db.transaction() as tx:
        await ACTIONS[act](tx, await lock_series(tx, ana, series))
        assert await picture(tx, series) != before
    async with practice_db.transaction() as tx:
        await undo.undo(tx, await lock_series(tx, ana, series))
        assert await picture(tx, series) == before
        assert [await status_of(tx, event, ben) for event in (await dates(tx, series))[:2]] == ["attending"] * 2
        with pytest.raises(Refused) as refused:
            await undo.undo(tx, await lock_series(tx, ana, series))
        assert refused.value.name in {"NothingToUndo", "ChangedSince"}
        rows = await tx.fetch(
            "select count(*) as n from events where is_published_by_policy = 1 and deleted_at is null"
        )
        assert rows[0]["n"] == 1, "one date is published, as before"


async def test_an_added_event_becomes_a_single_one_again(practice_db: Database) -> None:
    """The event keeps its text, answers and record. The undo affects only the newest action; the earlier edit stays."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        alone = await event_by(tx, ana, title="Own", starts="2026-12-05T10:00", ends="2026-12-05T11:00", time_zone=ZONE)
        await give_rsvp(tx, ben, alone)
        await actions.follow(tx, cleo, series.slug)
        await retitle(tx, await lock_series(tx, ana, series), "Rehearsal")
        before, was = await picture(tx, series), await by_id(tx, alone.id)
    async with practice_db.transaction() as tx:
        await existing_events.add(tx, ana, await lock_series(tx, ana, series), alone.slug)
        assert await picture(tx, series) != before
        now = await queries.by_id(tx, series.id)
        assert now is not None
        found = await undo.open_undo(tx, now)
        assert found is not None
        assert found.act == "add_event"
    heard_before = await _heard_by(practice_db, ben, cleo)
    async with practice_db.transaction() as tx:
        await undo.undo(tx, await lock_series(tx, ana, series))
        assert await picture(tx, series) == before
        again = await by_id(tx, alone.id)
        assert again is not None
        assert was is not None
        assert (again.position_in_series, again.is_published_by_policy, details_in(again)) == (
            None,
            True,
            details_in(was),
        )
        assert await status_of(tx, again, ben) == "attending"
        assert (await tx.fetch("select count(*) as n from events where is_published_by_policy = 1"))[0]["n"] == 2
    assert await _heard_by(practice_db, ben, cleo) == heard_before


async def _heard_by(db: Database, *people: Caller) -> list[list[NotificationKind[Any]]]:
    async with db.reader() as reader:
        return [await kinds_received(reader, who) for who in people]


async def test_resuming_can_be_undone(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), [SECOND], "ill")
        await cancel_dates.cancel(tx, await lock_series(tx, ana, series), "no trainer")
        before = await picture(tx, series)
        await actions.resume(tx, await lock_series(tx, ana, series))
        await undo.undo(tx, await lock_series(tx, ana, series))
        assert await picture(tx, series) == before
        again, count = await actions.resume(tx, await lock_series(tx, ana, series))
        assert (again.status, count) == (SeriesStatus.ACTIVE, 8)
        assert [event.is_cancelled for event in await dates(tx, series)] == [False, True, *[False] * 7]


async def test_the_same_people_are_notified_unless_the_action_was_silent(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        await give_rsvp(tx, ben, (await dates(tx, series))[1])
        await actions.follow(tx, cleo, series.slug)
        await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), [SECOND], "ill")
        await undo.undo(tx, await lock_series(tx, ana, series))
        for who in (ben, cleo):
            assert await kinds_received(tx, who) == [event_kinds.EVENT_CANCELLED, event_kinds.EVENT_REINSTATED]
        await retitle(tx, await lock_series(tx, ana, series), "Rehearsal", notifies=False)
        await undo.undo(tx, await lock_series(tx, ana, series))
        assert len(await kinds_received(tx, ben)) == 2


async def test_after_ten_minutes_undo_is_refused(practice_db: Database, clock: HandClock) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        await retitle(tx, await lock_series(tx, ana, series), "Rehearsal")
    clock.turn(10 * MINUTE)
    async with practice_db.transaction() as tx:
        with pytest.raises(Refused) as refused:
            await undo.undo(tx, await lock_series(tx, ana, series))
        assert refused.value.name == "NothingToUndo"
    assert await tasks.forget_undos(practice_db) == 1


async def test_a_later_edit_of_one_date_is_not_lost(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        await retitle(tx, await lock_series(tx, ana, series), "Rehearsal")
        second = (await dates(tx, series))[1]
        said = details_in(second)
        said = replace(said, content=replace(said.content, description="With the band"))
        await event_hosting.revise(tx, ana, second.slug, said)
        with pytest.raises(Refused) as refused:
            await undo.undo(tx, await lock_series(tx, ana, series))
    assert refused.value.name == "ChangedSince"
    assert refused.value.why == SeriesReason.DATE_CHANGED_SINCE(date="Tue 1 Dec")


async def test_only_the_last_action_is_undone(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        await retitle(tx, await lock_series(tx, ana, series), "Rehearsal")
        await actions.pause(tx, await lock_series(tx, ana, series), "summer")
        after = await undo.undo(tx, await lock_series(tx, ana, series))
        assert (after.content.title, after.status) == ("Rehearsal", SeriesStatus.ACTIVE)
        assert await undo.open_undo(tx, after) is None
        with pytest.raises(Refused) as refused:
            await undo.undo(tx, await lock_series(tx, ana, series))
        assert refused.value.name == "ChangedSince"


async def test_an_answer_to_a_date_that_would_disappear_is_not_lost(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        await standing_rsvps.answer_all(tx, cleo, series.slug, RsvpReply.GOING)
        await cancel_dates.add_date(tx, await lock_series(tx, ana, series), "2026-12-03T19:00:00")
        extra = next(event for event in await dates(tx, series) if event.starts_local == "2026-12-03T19:00:00")
        assert await status_of(tx, extra, cleo) == "attending"
        await give_rsvp(tx, ben, extra)
        with pytest.raises(Refused) as refused:
            await undo.undo(tx, await lock_series(tx, ana, series))
        assert refused.value.name == "AnsweredSince"
        await give_rsvp(tx, ben, extra, RsvpReply.DECLINED)
        await undo.undo(tx, await lock_series(tx, ana, series))
        assert "2026-12-03T19:00:00" not in original_dates(await dates(tx, series))


async def test_undoing_a_split_keeps_dates_opened_and_people_who_came_since(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        behind = await split_series(tx, await lock_series(tx, ana, series), FOURTH, "Winter practice")
        far = await actions.open_date(tx, behind.slug, "2027-11-23T18:00:00")
        await give_rsvp(tx, ben, far)
        await actions.follow(tx, ben, behind.slug)
        await undo.undo(tx, await lock_series(tx, ana, series))
        found = await dates(tx, series)
        assert [event.title for event in found] == ["Practice"] * 10
        assert (found[-1].id, await status_of(tx, found[-1], ben)) == (far.id, "attending")
        assert await follower_queries.following(tx, series.id, ben.user_id) is not None
        gone = await queries.by_id(tx, behind.id)
        assert gone is not None
        assert gone.deleted_at is not None


async def test_an_action_on_the_new_part_has_to_be_undone_first(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        behind = await split_series(tx, await lock_series(tx, ana, series), FOURTH, "Winter practice")
        await retitle(tx, await lock_series(tx, ana, behind), "Ice practice")
        with pytest.raises(Refused) as refused:
            await undo.undo(tx, await lock_series(tx, ana, series))
        assert refused.value.name == "ChangedSince"


async def test_after_a_cancelled_date_the_next_record_is_enqueued(practice_db: Database) -> None:
    """When the date is cancelled on its event page or in the series, the next one that takes place is published."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        first = (await dates(tx, series))[0]
        after = await event_hosting.cancel(tx, ana, first.slug, "ill")
        assert [event.is_published_by_policy for event in await dates(tx, series)] == [False, True, *[False] * 7]
        assert after.revision == (await dates(tx, series))[0].revision
        await event_hosting.reinstate(tx, ana, first.slug)
        assert [event.is_published_by_policy for event in await dates(tx, series)][:2] == [True, False]
        await event_hosting.delete(tx, ana, first.slug)
        assert [event.is_published_by_policy for event in await dates(tx, series)][:2] == [True, False]


async def test_a_past_date_is_completed_and_the_next_record_enqueued(practice_db: Database, clock: HandClock) -> None:
    async with practice_db.transaction() as tx:
        await create_weekly_series(tx)
    assert await tasks.complete_dates(practice_db) == 0
    clock.turn(5 * DAY)
    assert await tasks.complete_dates(practice_db) == 1
    assert await tasks.complete_dates(practice_db) == 0
    async with practice_db.reader() as reader:
        rows = await reader.fetch("select completed_at, is_published_by_policy from events order by starts_at limit 2")
        assert (rows[0]["completed_at"], rows[1]["completed_at"]) == (clock.now(), None)
        assert rows[1]["is_published_by_policy"] == 1


async def test_undo_reinstates_a_far_date_that_was_cancelled(practice_db: Database) -> None:
    """The cancellation itself stored the date. After the undo the date looks as if it had never been cancelled."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        far = "2027-06-01T18:00:00"
        await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), [far], "away")
        await undo.undo(tx, await lock_series(tx, ana, series))
        event = await date_queries.date_of(tx, series.id, far)
        assert event is not None
        assert (event.is_cancelled, event.status_reason) == (False, "")


@pytest.mark.parametrize("stop", ["pause", "cancel"])
async def test_undoing_a_resume_removes_the_dates_it_created(
    practice_db: Database, clock: HandClock, stop: str
) -> None:
    """A series that is paused or cancelled again has only the dates that it had before."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        series = await lock_series(tx, ana, series)
        await (actions.pause(tx, series, "away") if stop == "pause" else cancel_dates.cancel(tx, series, "away"))
        before = original_dates(await dates(tx, series))
    clock.turn(30 * DAY)
    async with practice_db.transaction() as tx:
        await actions.resume(tx, await lock_series(tx, ana, series))
        assert len(original_dates(await dates(tx, series))) > len(before)
    clock.turn(MINUTE)
    async with practice_db.transaction() as tx:
        await undo.undo(tx, await lock_series(tx, ana, series))
        assert original_dates(await dates(tx, series)) == before
        coming = [event for event in await dates(tx, series) if not event.is_over(tx.now)]
        assert {event.is_cancelled for event in coming} == {stop == "cancel"}


async def test_a_date_can_move_to_the_time_of_a_deleted_one_and_back(practice_db: Database) -> None:
    """A Wednesday was deleted on its own, and the Tuesday before it moves there. Nobody hears of the deleted date."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, "FREQ=WEEKLY;BYDAY=TU,WE")
        ben = await person(tx, "Ben")
        tuesday, wednesday, *_ = await dates(tx, series)
        await give_rsvp(tx, ben, tuesday)
        await give_rsvp(tx, ben, wednesday)
        await event_hosting.delete(tx, ana, wednesday.slug)
        before = await picture(tx, series)
        moved = await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(days=1))
        assert original_dates(await dates(tx, moved))[0] == "2026-11-25T18:00:00"
        assert (await dates(tx, moved))[0].id == tuesday.id
        told = len(await kinds_received(tx, ben))
        restored = await undo.undo(tx, await lock_series(tx, ana, series))
        assert await picture(tx, restored) == before
        assert len(await kinds_received(tx, ben)) == told + 1

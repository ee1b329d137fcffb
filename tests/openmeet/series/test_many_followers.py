"""A job notifies very many people of a change to a series, page by page and each person once; on both engines."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from groundwork.clock import MINUTE, HandClock
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from groundwork.uuid7 import new_id
from openmeet.domain.account_merge.reassignments import reassign_series
from openmeet.domain.attendance import waitlist
from openmeet.domain.attendance.tasks import fill_seats_handler
from openmeet.domain.notifications import event_kinds, fan_out
from openmeet.domain.notifications.event_kinds import DatesChanged
from openmeet.domain.notifications.model import NotificationKind
from openmeet.domain.notifications.notify import Notice, notify_each
from openmeet.domain.series import actions, apply_edits, cancel_dates, date_queries, undo
from openmeet.domain.series.model import Series
from openmeet.domain.series.notify import CONCERNED_BY_SERIES, DateNews, SeriesNews, SeriesNotice
from openmeet.domain.series.plan import plan_all
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox.kinds import JobKind
from programs.outbox_dispatcher import AUDIENCES
from tests.openmeet.series.practice import (
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
from tests.openmeet.site_under_test import person
from tests.openmeet.statement_counter import StatementCounter

CROWD = 12


class Killed(BaseException):
    """The publisher's process was killed, so none of its error handling runs."""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "FIRST", 3)
    monkeypatch.setattr(fan_out, "BATCH", 4)


async def crowd(tx: Transaction, series: Series, size: int = CROWD) -> list[Caller]:
    """People in the order of their ids. Each goes to one of the dates, assigned in turn."""
    found = await dates(tx, series)
    people = [
        {"id": new_id(tx.now), "name": f"Guest {number}", "email": f"{new_id(tx.now)}@example.org", "now": tx.now}
        for number in range(size)
    ]
    await tx.execute_many(
        "insert into users (id, kind, display_name, email, bio, time_zone, revision, created_at, updated_at)"
        " values (:id, 'person', :name, :email, '', null, 1, :now, :now)",
        people,
    )
    await tx.execute_many(
        "insert into attendances (id, event_id, user_id, status, source, revision, created_at, answered_at)"
        " values (:id, :event_id, :user_id, 'attending', 'here', 1, :now, :now)",
        [
            {"id": new_id(tx.now), "event_id": found[at % len(found)].id, "user_id": one["id"], "now": tx.now}
            for at, one in enumerate(people)
        ],
    )
    return [Caller(UserId(str(one["id"])), str(one["name"])) for one in sorted(people, key=lambda one: str(one["id"]))]


async def deliver_all(db: Database) -> None:
    while await dispatcher.run_once(db, {JobKind.FAN_OUT: one_job_per_call(fan_out.fan_out_handler(db, AUDIENCES))}):
        pass


async def news_of(reader: Reader, people: Sequence[Caller]) -> list[list[NotificationKind[Any]]]:
    return [await kinds_received(reader, one) for one in people]


async def mails(reader: Reader) -> list[str]:
    rows = await reader.fetch("select user_id from notification_emails order by user_id")
    return [row["user_id"] for row in rows]


async def test_an_edit_notifies_the_first_people_and_enqueues_the_rest(practice_db: Database) -> None:
    """Everybody is notified once and gets one e-mail, however often the job is delivered."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        people = await crowd(tx, series)
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=1))
        assert await news_of(tx, people) == [[event_kinds.EVENT_CHANGED]] * 3 + [[]] * 9
    await deliver_all(practice_db)
    async with practice_db.transaction() as tx:
        assert await news_of(tx, people) == [[event_kinds.EVENT_CHANGED]] * CROWD
        assert await mails(tx) == [one.user_id for one in people]
        await tx.execute("update outbox_jobs set state = 'due' where kind = 'fan_out'")
    await deliver_all(practice_db)
    async with practice_db.reader() as reader:
        assert await news_of(reader, people) == [[event_kinds.EVENT_CHANGED]] * CROWD
        assert len(await mails(reader)) == CROWD


async def test_an_attendee_of_several_dates_who_follows_gets_one_mail(practice_db: Database) -> None:
    """The attendee also gets one e-mail if one of their dates is changed and another one is deleted."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        await crowd(tx, series, 5)
        ben = await person(tx, "Ben")
        for event in (await dates(tx, series))[:3]:
            await give_rsvp(tx, ben, event)
        await actions.follow(tx, ben, series.slug)
        await tx.execute("delete from notification_emails")  # the host's e-mails about Ben's answers
        found = await dates(tx, series)
        await cancel_dates.remove_dates(tx, await lock_series(tx, ana, series), original_dates(found[3:4]))
    await deliver_all(practice_db)
    async with practice_db.transaction() as tx:
        await tx.execute("delete from notification_emails")
        await tx.execute("delete from attendances where user_id <> :ben", ben=ben.user_id)
        await apply_new_rule(tx, await lock_series(tx, ana, series), "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU")
    await deliver_all(practice_db)
    async with practice_db.reader() as reader:
        assert (await mails(reader)).count(ben.user_id) == 1


@pytest.mark.parametrize("pieces", [1, 2])
async def test_killed_handler_notifies_everyone_exactly_once(
    practice_db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    """The handler is killed in the middle of a page, whose notifications are rolled back. Another handler continues
    after the last complete page.
    """
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        people = await crowd(tx, series)
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=1))
    left, whole = pieces, notify_each

    async def dying(
        tx: Transaction, kind: NotificationKind[DatesChanged], told: Sequence[Notice[DatesChanged]]
    ) -> None:
        nonlocal left
        await whole(tx, kind, told)
        if left == 0:
            raise Killed
        left -= 1

    with monkeypatch.context() as patch:
        patch.setattr(fan_out, "notify_each", dying)
        with pytest.raises(Killed):
            await deliver_all(practice_db)
    async with practice_db.reader() as reader:
        assert await news_of(reader, people) == [
            [event_kinds.EVENT_CHANGED] if at < 3 + 4 * pieces else [] for at in range(CROWD)
        ]
    clock.turn(2 * MINUTE)  # so that its lease expires
    await deliver_all(practice_db)
    async with practice_db.reader() as reader:
        assert await news_of(reader, people) == [[event_kinds.EVENT_CHANGED]] * CROWD
        assert len(await mails(reader)) == CROWD


async def test_an_edit_undone_in_time_notifies_nobody_else(practice_db: Database, clock: HandClock) -> None:
    """People who were notified of the edit, or have answered since, are notified that it was undone. Others are not
    notified.
    """
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        people = await crowd(tx, series)
    clock.turn(MINUTE)
    async with practice_db.transaction() as tx:
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=1))
    clock.turn(MINUTE)
    async with practice_db.transaction() as tx:
        eve = await person(tx, "Eve")
        await give_rsvp(tx, eve, (await dates(tx, series))[0])
        await undo.undo(tx, await lock_series(tx, ana, series))
    await deliver_all(practice_db)
    async with practice_db.reader() as reader:
        assert await news_of(reader, people) == [[event_kinds.EVENT_CHANGED] * 2] * 3 + [[]] * 9
        assert await kinds_received(reader, eve) == [event_kinds.EVENT_CHANGED]


async def test_an_undo_after_everybody_was_notified_notifies_everybody(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        people = await crowd(tx, series)
        await cancel_dates.cancel(tx, await lock_series(tx, ana, series), "ill")
    await deliver_all(practice_db)
    async with practice_db.transaction() as tx:
        await undo.undo(tx, await lock_series(tx, ana, series))
    await deliver_all(practice_db)
    async with practice_db.reader() as reader:
        assert await news_of(reader, people) == [[event_kinds.EVENT_CANCELLED, event_kinds.EVENT_REINSTATED]] * CROWD


async def test_later_actions_are_not_notified_before_earlier_ones(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        people = await crowd(tx, series)
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=1))
        await cancel_dates.cancel(tx, await lock_series(tx, ana, series), "ill")
        assert await news_of(tx, people) == [[event_kinds.EVENT_CHANGED]] * 3 + [[]] * 9
    await deliver_all(practice_db)
    async with practice_db.reader() as reader:
        assert await news_of(reader, people) == [[event_kinds.EVENT_CHANGED, event_kinds.EVENT_CANCELLED]] * CROWD


async def test_concurrent_notifications_of_one_person_wait_for_each_other(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        bea, ben = await person(tx, "Bea"), await person(tx, "Ben")
        (first, *_) = await dates(tx, series)
        about = DateNews(first.id, first.revision, DatesChanged())
        news = SeriesNews(event_kinds.EVENT_CHANGED.name, [about], [], [ana.user_id], to_followers=False)
        await fan_out.insert(tx, CONCERNED_BY_SERIES, series.id, SeriesNotice([news], by=ben.user_id), UserId(""))
        await reassign_series(tx, ana.user_id, bea.user_id)
        await fan_out.reassign(tx, ana.user_id, bea.user_id)
    await deliver_all(practice_db)
    async with practice_db.reader() as reader:
        assert (await kinds_received(reader, ana), await kinds_received(reader, bea)) == (
            [],
            [event_kinds.EVENT_CHANGED],
        )


async def test_waitlists_of_many_dates_move_up_by_jobs(practice_db: Database) -> None:
    """An action handles a few dates itself. In the end everyone on a waitlist who can get a place is offered one."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, capacity=1)
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        found = await dates(tx, series)
        for event in found:
            await give_rsvp(tx, ben, event)
            await give_rsvp(tx, cleo, event)
        series = await lock_series(tx, ana, series)
        template = replace(series.content, capacity=2)
        held = await date_queries.stored(tx, series.id)
        await apply_edits.apply_plan(tx, series, plan_all(series, template, series.timing, held, tx.now))
        waiting = "select count(*) as n from attendances where status = 'waitlisted' and offered_until is null"
        assert (await tx.fetch(waiting))[0]["n"] == len(found) - 5
    while await dispatcher.run_once(
        practice_db, {JobKind.FILL_SEATS: one_job_per_call(fill_seats_handler(practice_db))}
    ):
        pass
    async with practice_db.reader() as reader:
        assert (await reader.fetch(waiting))[0]["n"] == 0


async def test_a_waitlist_longer_than_one_transaction_handles_moves_up_completely(
    practice_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All people on the waitlist move up in order after the limit was removed. Each run of the job moves one batch."""
    monkeypatch.setattr(waitlist, "MAX_PER_TRANSACTION", 3)
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, capacity=1)
        people = [await person(tx, name) for name in ("Ben", "Cleo", "Dan", "Eve", "Fay", "Gus", "Hal", "Ida")]
        (first, *_) = await dates(tx, series)
        for one in people:
            await give_rsvp(tx, one, first)
        series = await lock_series(tx, ana, series)
        template = replace(series.content, capacity=None)
        held = await date_queries.stored(tx, series.id)
        await apply_edits.apply_plan(tx, series, plan_all(series, template, series.timing, held, tx.now))
        assert [await status_of(tx, first, one) for one in people] == ["attending"] * 4 + ["waitlisted"] * 4
    deliveries = {JobKind.FILL_SEATS: one_job_per_call(fill_seats_handler(practice_db))}
    for seated in (7, 8):
        assert await dispatcher.run_once(practice_db, deliveries) == 1
        async with practice_db.reader() as reader:
            found = [await status_of(reader, first, one) for one in people]
        assert found == ["attending"] * seated + ["waitlisted"] * (8 - seated)
    assert await dispatcher.run_once(practice_db, deliveries) == 0


ACTS: dict[str, Callable[[Transaction, Series], Awaitable[object]]] = {
    "edit": lambda tx, series: retitle(tx, series, "Rehearsal"),
    "move": lambda tx, series: move_all_dates(tx, series, timedelta(hours=1)),
    "rule": lambda tx, series: apply_new_rule(tx, series, "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU"),
    "split": lambda tx, series: split_series(tx, series, "2026-12-08T18:00:00", "Rehearsal"),
    "cancel": lambda tx, series: cancel_dates.cancel(tx, series, "ill"),
    "pause": lambda tx, series: actions.pause(tx, series, "ill"),
    "delete": lambda tx, series: actions.delete(tx, series, keeps_events=False),
    "leave": lambda tx, series: actions.delete(tx, series, keeps_events=True),
}


async def counted(tx: Transaction, act: Callable[[Transaction, Series], Awaitable[object]], size: int) -> list[int]:
    """The number of statements for an action on a series with this many people, and for its undo."""
    ana, series = await create_weekly_series(tx)
    await crowd(tx, series, size)
    acting = StatementCounter(tx)
    await act(acting, await lock_series(tx, ana, series))
    undone = StatementCounter(tx)
    row = await tx.fetch_one("select 1 as found from event_series_undos where series_id = :id", id=series.id)
    if row is not None:
        await undo.undo(undone, await lock_series(tx, ana, series))
    return [acting.statements, undone.statements]


@pytest.mark.parametrize("act", ACTS)
async def test_an_action_takes_as_many_statements_for_a_crowd_as_for_a_few(practice_db: Database, act: str) -> None:
    async with practice_db.transaction() as tx:
        few = await counted(tx, ACTS[act], 10)
        many = await counted(tx, ACTS[act], 100)
    assert many == few

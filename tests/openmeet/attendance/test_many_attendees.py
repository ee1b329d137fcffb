"""Thousands of attendees are notified of a change by a job, page by page, each of them once; on both engines."""

from typing import Any

import pytest

from groundwork.clock import MINUTE, HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.event_changes import ATTENDEES, EventNotice
from openmeet.domain.events.model import Event
from openmeet.domain.notifications import event_kinds, fan_out
from openmeet.domain.notifications.model import NotificationKind
from openmeet.domain.notifications.notify import notify_each
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox.kinds import JobKind
from programs.outbox_dispatcher import AUDIENCES
from tests.databases import MakeDatabase
from tests.openmeet.series.practice import kinds_received
from tests.openmeet.site_under_test import details, event_by, person
from tests.openmeet.statement_counter import StatementCounter

CROWD = 12
CHANGED, CANCELLED = event_kinds.EVENT_CHANGED, event_kinds.EVENT_CANCELLED


class Killed(BaseException):
    """The publisher process is killed."""


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "FIRST", 3)
    monkeypatch.setattr(fan_out, "BATCH", 4)


async def evening(tx: Transaction, size: int = CROWD) -> tuple[Caller, Event, list[Caller]]:
    """Ana's event and ``CROWD`` attendees, in order of their ids."""
    ana = await person(tx, f"Ana {size}")
    event = await event_by(tx, ana)
    people = sorted(
        ({"id": new_id(tx.now), "name": f"Guest {at}", "now": tx.now} for at in range(size)),
        key=lambda one: str(one["id"]),
    )
    await tx.execute_many(
        "insert into users (id, kind, display_name, email, bio, time_zone, revision, created_at, updated_at)"
        " values (:id, 'person', :name, :id || '@example.org', '', null, 1, :now, :now)",
        people,
    )
    await tx.execute_many(
        "insert into attendances (id, event_id, user_id, status, source, revision, created_at, answered_at)"
        " values (:id, :event_id, :user_id, 'attending', 'here', 1, :now, :now)",
        [{"id": new_id(tx.now), "event_id": event.id, "user_id": one["id"], "now": tx.now} for one in people],
    )
    return ana, event, [Caller(UserId(str(one["id"])), str(one["name"])) for one in people]


async def later(tx: Transaction, who: Caller, event: Event) -> Event:
    return await event_hosting.revise(tx, who, event.slug, details(starts="2026-07-04T19:00", ends="2026-07-04T21:00"))


async def deliver_all(db: Database) -> None:
    while await dispatcher.run_once(db, {JobKind.FAN_OUT: one_job_per_call(fan_out.fan_out_handler(db, AUDIENCES))}):
        pass


async def kinds_received_by(db: Database, people: list[Caller]) -> list[list[NotificationKind[Any]]]:
    async with db.reader() as reader:
        return [await kinds_received(reader, one) for one in people]


async def test_a_change_notifies_the_first_and_enqueues_the_others(db: Database) -> None:
    """Everyone is notified once and gets one e-mail, however often the job is delivered."""
    async with db.transaction() as tx:
        ana, event, people = await evening(tx)
        await later(tx, ana, event)
    assert await kinds_received_by(db, people) == [[CHANGED]] * 3 + [[]] * 9
    await deliver_all(db)
    assert await kinds_received_by(db, people) == [[CHANGED]] * CROWD
    async with db.transaction() as tx:
        await tx.execute("update outbox_jobs set state = 'due' where kind = 'fan_out'")
    await deliver_all(db)
    assert await kinds_received_by(db, [*people, ana]) == [*[[CHANGED]] * CROWD, []]
    async with db.reader() as reader:
        assert len(await reader.fetch("select id from notification_emails")) == CROWD
        assert await reader.fetch("select id from fan_outs") == []


async def test_changes_are_notified_in_order(db: Database) -> None:
    async with db.transaction() as tx:
        ana, event, people = await evening(tx)
        await later(tx, ana, event)
    async with db.transaction() as tx:
        await event_hosting.cancel(tx, ana, event.slug, "ill")
    assert await kinds_received_by(db, people) == [[CHANGED]] * 3 + [[]] * 9
    await deliver_all(db)
    assert await kinds_received_by(db, people) == [[CHANGED, CANCELLED]] * CROWD


async def test_killed_handler_notifies_everyone_once(
    db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with db.transaction() as tx:
        ana, event, people = await evening(tx)
        await later(tx, ana, event)
    left, whole = 1, notify_each

    async def dying(*given: object, **named: object) -> None:
        nonlocal left
        await whole(*given, **named)  # type: ignore[arg-type]
        if left == 0:
            raise Killed
        left -= 1

    with monkeypatch.context() as patch:
        patch.setattr(fan_out, "notify_each", dying)
        with pytest.raises(Killed):
            await deliver_all(db)
    assert await kinds_received_by(db, people) == [[CHANGED]] * 7 + [[]] * 5
    clock.turn(11 * MINUTE)  # its lease expires
    await deliver_all(db)
    assert await kinds_received_by(db, people) == [[CHANGED]] * CROWD


async def test_an_attendee_merged_with_the_editor_is_not_notified(db: Database) -> None:
    """If the merge makes an attendee and the editor one user while the notifications go out, that user is not notified."""
    async with db.transaction() as tx:
        ana, event, people = await evening(tx)
        await later(tx, ana, event)
        last = people[-1]
        await fan_out.reassign(tx, ana.user_id, last.user_id)
    await deliver_all(db)
    assert await kinds_received_by(db, people) == [*[[CHANGED]] * (CROWD - 1), []]


async def test_an_edit_takes_the_same_number_of_statements_for_any_number_of_people(db: Database) -> None:
    counts = []
    for size in (5, 60):
        async with db.transaction() as tx:
            ana, event, _ = await evening(tx, size)
            counting = StatementCounter(tx)
            await later(counting, ana, event)
            counts.append(counting.statements)
    assert counts[0] == counts[1]


async def test_notifications_of_an_erased_event_are_dropped(db: Database) -> None:
    """The fan-out row is deleted together with the event, so no job looks for it again."""
    async with db.transaction() as tx:
        ana, event, _ = await evening(tx)
        notice = EventNotice(CHANGED.name, 2, event_kinds.DatesChanged(is_near=True), ana.user_id)
        await fan_out.insert(tx, ATTENDEES, new_id(tx.now), notice, UserId(""))
        await fan_out.insert(tx, ATTENDEES, event.id, notice, UserId(""))
    await deliver_all(db)
    async with db.reader() as reader:
        assert await reader.fetch("select id from fan_outs") == []
        assert (
            await reader.fetch("select subject from outbox_jobs where kind = 'fan_out' and state <> 'completed'") == []
        )
        assert [row["n"] for row in await reader.fetch("select count(*) as n from notifications")] == [CROWD]

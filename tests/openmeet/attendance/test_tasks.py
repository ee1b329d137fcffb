"""Reminders, on both engines."""

import asyncio

import pytest

from groundwork.clock import DAY, HOUR, MINUTE
from openmeet.domain.attendance import actions, event_hosting, tasks
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.tasks import remind
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.model import NotificationTopic
from openmeet.domain.notifications.notify import notify, set_channels
from openmeet.domain.notifications.queries import newest
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from tests.openmeet.site_under_test import details, event_by, person


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


@pytest.fixture
async def evening(db):
    """Ben goes to Ana's event, Cleo is interested, and Dora answered only in her repository."""
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        await actions.answer(tx, cleo, event.slug, RsvpReply.INTERESTED)
        await actions.answer(tx, Caller(await users.create_shadow(tx), "Dora"), event.slug, RsvpReply.GOING)
    return ana, ben, event


async def reminders(db, who):
    async with db.reader() as reader:
        return [one.kind for one in await newest(reader, who.user_id, 50)].count(event_kinds.REMINDER)


async def test_attendees_are_reminded_once(db, evening, clock):
    """People who are going get one reminder, a day before and not earlier, even if several schedulers run at once."""
    _, ben, event = evening
    clock.turn(event.starts_at - clock.now() - DAY - 1)
    assert await remind(db) == 0
    clock.turn(1)
    assert await remind(db) == 1
    assert await asyncio.gather(remind(db), remind(db)) == [0, 0]
    assert await reminders(db, ben) == 1
    clock.turn(HOUR)
    assert await remind(db) == 0


async def test_a_late_scheduler_reminds_only_before_the_start(db, evening, clock):
    _, ben, event = evening
    clock.turn(event.starts_at - clock.now())
    assert await remind(db) == 0
    clock.turn(-MINUTE)
    assert await remind(db) == 1
    assert await reminders(db, ben) == 1


async def test_a_moved_event_is_reminded_of_again(db, evening, clock):
    ana, ben, event = evening
    clock.turn(event.starts_at - clock.now() - DAY)
    assert await remind(db) == 1
    async with db.transaction() as tx:
        await event_hosting.revise(tx, ana, event.slug, details(starts="2026-07-08T18:00", ends="2026-07-08T20:00"))
    assert await remind(db) == 0
    clock.turn(4 * DAY)
    assert await remind(db) == 1
    assert await reminders(db, ben) == 2


async def test_a_cancelled_event_sends_no_reminder(db, evening, clock):
    ana, _, event = evening
    async with db.transaction() as tx:
        await event_hosting.cancel(tx, ana, event.slug, "")
    clock.turn(event.starts_at - clock.now() - HOUR)
    assert await remind(db) == 0


async def test_recent_answers_need_no_reminder(db, evening, clock):
    _, _, event = evening
    clock.turn(event.starts_at - clock.now() - HOUR)
    async with db.transaction() as tx:
        eve = await person(tx, "Eve")
        await actions.answer(tx, eve, event.slug, RsvpReply.GOING)
    assert await remind(db) == 1
    assert await reminders(db, eve) == 0


async def test_reminders_can_be_switched_off(db, evening, clock):
    _, ben, event = evening
    async with db.transaction() as tx:
        await set_channels(tx, ben.user_id, {NotificationTopic.REMINDERS: frozenset()})
    clock.turn(event.starts_at - clock.now() - HOUR)
    await remind(db)
    assert await reminders(db, ben) == 0


async def test_a_crowd_is_reminded_in_several_transactions(db, clock, monkeypatch):
    """One transaction cannot notify everyone who comes to a large event. Each gets one reminder, unless they want none."""
    monkeypatch.setattr(tasks, "REMINDED_AT_ONCE", 2)
    async with db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"))
        people = [await person(tx, f"Guest {number}") for number in range(5)]
        for one in people:
            await actions.answer(tx, one, event.slug, RsvpReply.GOING)
        for one in people[:2]:
            await set_channels(tx, one.user_id, {NotificationTopic.REMINDERS: frozenset()})
    clock.turn(event.starts_at - clock.now() - DAY)
    sizes = []

    async def counting(tx, kind, notice):
        sizes.append(len(notice.to))
        await notify(tx, kind, notice)

    monkeypatch.setattr(tasks, "notify", counting)
    await remind(db)
    assert sizes == [2, 2, 1]
    assert [await reminders(db, one) for one in people] == [0, 0, 1, 1, 1]

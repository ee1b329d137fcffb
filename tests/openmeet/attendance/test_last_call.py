"""On the last day before an event, smaller parties on the waitlist may pass larger ones that do not fit."""

import pytest

from groundwork.clock import DAY
from openmeet.domain.attendance import queries, registration
from openmeet.domain.attendance.actions import answer
from openmeet.domain.attendance.model import AttendanceStatus, ReplyDetails, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.attendance.tasks import begin_last_calls
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, person


@pytest.fixture
async def db(make_database: MakeDatabase):
    return await make_database("openmeet")


async def full_event(tx, capacity: int):
    """An event with two people who have places, and a couple and one person on the waitlist."""
    event = await event_by(tx, await person(tx, "Ana"), capacity=str(capacity))
    await registration.put(tx, event.id, RegistrationSettings(max_party=2))
    everyone = {name: await person(tx, name) for name in ("Ben", "Couple", "Dora")}
    for name, who in everyone.items():
        await answer(tx, who, event.slug, RsvpReply.GOING, ReplyDetails(party=1 if name == "Dora" else 2))
    return event, everyone


async def is_offered(reader, event, who) -> bool:
    rsvp = await queries.find(reader, event.id, who.user_id)
    assert rsvp is not None
    assert rsvp.status is AttendanceStatus.WAITLISTED
    return rsvp.offered_until is not None


async def test_smaller_parties_may_pass(db, clock):
    async with db.transaction() as tx:
        event, who = await full_event(tx, capacity=2)
    clock.turn(event.starts_at - clock.now() - DAY)
    async with db.transaction() as tx:
        await answer(tx, who["Ben"], event.slug, RsvpReply.GOING, ReplyDetails(party=1))
        assert [await is_offered(tx, event, who[name]) for name in ("Couple", "Dora")] == [False, True]


async def test_a_free_place_is_offered_when_the_last_day_begins(db, clock):
    """Nobody has to change anything for that, and newcomers do not get it."""
    async with db.transaction() as tx:
        event, who = await full_event(tx, capacity=3)
    assert await begin_last_calls(db) == 0
    clock.turn(event.starts_at - clock.now() - DAY)
    assert [await begin_last_calls(db), await begin_last_calls(db)] == [1, 0]
    async with db.transaction() as tx:
        assert [await is_offered(tx, event, who[name]) for name in ("Couple", "Dora")] == [False, True]
        newcomer = await answer(tx, await person(tx, "Eve"), event.slug, RsvpReply.GOING)
        assert newcomer.status is AttendanceStatus.WAITLISTED

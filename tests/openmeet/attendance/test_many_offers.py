"""More offers of one event than one transaction handles; on both engines."""

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database, Reader
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.attendance import actions, event_hosting, queries, waitlist
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.attendance.tasks import end_expired_offers, fill_seats_handler
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import details, event_by, person


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def offers(db: Database, monkeypatch: pytest.MonkeyPatch) -> tuple[Caller, Event, list[Caller]]:
    """A host, an event with five places that are offered to five people, and these. A transaction handles two of them."""
    async with db.transaction() as tx:
        ana, ben, *others = [await person(tx, f"Person {number}") for number in range(7)]
        event = await event_by(tx, ana, capacity="1")
        for who in (ben, *others):
            await actions.answer(tx, who, event.slug, RsvpReply.GOING)
        event = await event_hosting.revise(tx, ana, event.slug, details(capacity="6"))
        assert await offered(tx, event) == 5
    monkeypatch.setattr(waitlist, "MAX_PER_TRANSACTION", 2)
    return ana, event, others


async def offered(reader: Reader, event: Event) -> int:
    row = await reader.fetch_one(
        "select count(*) as n from attendances where event_id = :id and offered_until is not null", id=event.id
    )
    assert row is not None
    return int(row["n"])


async def test_expired_offers_are_ended_in_batches(
    db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who answers meanwhile waits for one batch. The scheduler ends all of them."""
    _, event, _ = await offers(db, monkeypatch)
    clock.turn(2 * DAY)
    async with db.transaction() as tx:
        await actions.answer(tx, await person(tx, "Zoe"), event.slug, RsvpReply.GOING)
        assert await offered(tx, event) == 3
    assert await end_expired_offers(db) == 3
    async with db.reader() as reader:
        assert await offered(reader, event) == 0


async def test_nobody_takes_a_place_after_their_offer_expired(
    db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not the last of more people than one transaction handles. Zoe has waited and is offered the place."""
    _, event, people = await offers(db, monkeypatch)
    monkeypatch.setattr(waitlist, "MAX_PER_TRANSACTION", 1)
    async with db.transaction() as tx:
        zoe = await person(tx, "Zoe")
        await actions.answer(tx, zoe, event.slug, RsvpReply.GOING)
    clock.turn(2 * DAY)
    async with db.transaction() as tx:
        late = await actions.answer(tx, people[-1], event.slug, RsvpReply.GOING)
        assert late.status is AttendanceStatus.WAITLISTED
        next_one = await queries.find(tx, event.id, zoe.user_id)
        assert next_one is not None
        assert next_one.has_offer(tx.now)


async def test_offers_are_withdrawn_in_batches(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, event, _ = await offers(db, monkeypatch)
    deliveries = {JobKind.FILL_SEATS: one_job_per_call(fill_seats_handler(db))}
    async with db.transaction() as tx:
        await event_hosting.revise(tx, ana, event.slug, details(capacity="1"))
        assert await offered(tx, event) == 3
    for remaining in (1, 0):
        assert await dispatcher.run_once(db, deliveries) == 1
        async with db.reader() as reader:
            assert await offered(reader, event) == remaining
    assert await dispatcher.run_once(db, deliveries) == 0

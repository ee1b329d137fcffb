"""Many people, their host, their records and the scheduler act on one event at the same time; on both engines, with a
printed seed.
"""

import asyncio
import random

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database
from groundwork.errors import Refused
from openmeet.domain.attendance import (
    actions,
    host_decisions,
    queries,
    registration,
    rsvp_records,
    seats,
    waitlist,
)
from openmeet.domain.attendance.model import (
    AttendanceMode,
    AttendanceStatus,
    RecordedRsvp,
    ReplyDetails,
    RsvpRecordStatus,
    RsvpReply,
)
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.attendance.tasks import end_expired_offers
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, person

LIMITS = seats.SeatLimits(7, {AttendanceMode.IN_PERSON: 4, AttendanceMode.ONLINE: 5})
REPLIES = (*[RsvpReply.GOING] * 3, RsvpReply.DECLINED, RsvpReply.INTERESTED)


async def act(db: Database, event: Event, ana: Caller, who: Caller, chance: random.Random) -> None:
    """Do one random thing that a person, their record, or the host can do."""
    what = chance.random()
    reply_details = ReplyDetails(party=chance.randint(1, 3), mode=chance.choice(list(AttendanceMode)))
    try:
        async with db.transaction() as tx:
            if what < 0.7:
                await actions.answer(tx, who, event.slug, chance.choice(REPLIES), reply_details)
            elif what < 0.8:
                await host_decisions.approve_next(tx, ana, event.slug)
            elif what < 0.9:
                mine = await queries.find(tx, event.id, who.user_id)
                if mine is not None and mine.status is AttendanceStatus.REJECTED:
                    await host_decisions.restore(tx, ana, event.slug, mine.id)
                elif mine is not None:
                    await host_decisions.reject(tx, ana, event.slug, [mine.id])
            else:
                await rsvp_records.apply_from_network(
                    tx,
                    RecordedRsvp(
                        event_id=event.id,
                        user_id=who.user_id,
                        record_uri=f"at://did:plc:{who.user_id}/community.lexicon.calendar.rsvp/1",
                        status=chance.choice(list(RsvpRecordStatus)),
                        first_seen_at=tx.now,
                    ),
                )
    except Refused:
        pass  # rejected by the host, or not enough places: they keep their status


@pytest.mark.parametrize("seed", range(4))
async def test_places_are_exact_in_any_order(make_database: MakeDatabase, clock: HandClock, seed: int) -> None:
    """The number of taken places stays exact with parties, both ways to attend, approval with every second seed, and
    offers that expire while people answer.
    """
    db, chance = await make_database("openmeet"), random.Random(seed)
    async with db.transaction() as tx:
        ana, *crowd = [await person(tx, f"Person {number}") for number in range(16)]
        event = await event_by(tx, ana, capacity="7", mode="hybrid", online_url="https://meet.example/x")
        registration_settings = RegistrationSettings(
            limit_in_person=4, limit_online=5, max_party=3, needs_approval=seed % 2 == 1
        )
        await registration.put(tx, event.id, registration_settings)
    for step in range(12):
        if chance.random() < 0.6:
            clock.turn(DAY)
        storm = [act(db, event, ana, chance.choice(crowd), chance) for _ in range(10)]
        await asyncio.gather(*storm, end_expired_offers(db), end_expired_offers(db))
        await end_expired_offers(db)
        async with db.reader() as reader:
            held = await queries.seats_by_mode(reader, event.id)
            waits = await waitlist.first_waitlisted(reader, event.id, 99)
            wrong = await reader.fetch(
                "select id from attendances where (status = 'waitlisted') <> (waitlist_number is not null)"
                " or status <> 'waitlisted' and offered_until is not null order by id"
            )
        where = f"seed {seed} step {step}"
        assert not seats.are_limits_exceeded(LIMITS, held), where
        assert not seats.next_up(LIMITS, held, waits, allows_overtaking=False), where
        assert not wrong, where

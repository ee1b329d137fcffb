"""Places are local decisions: in any order the limit is never exceeded, and a replay takes no place away."""

import random

import pytest

from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events import record_changes
from openmeet.domain.events.model import Event
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox import publications
from openmeet.outbox.publications import PublicationKind
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import deleted, did, rsvp
from tests.openmeet.ingestion.network import event as event_record
from tests.openmeet.ingestion.view import take
from tests.simulation.oracle import EVENT

PLACES = 2
PEOPLE = 5
URI = f"at://{did(9)}/{EVENT}/tea"


async def person(db: Database, number: int) -> Caller:
    """A person who has signed in on this site and has a DID."""
    async with db.transaction() as tx:
        user_id = await users.create_person(tx, display_name=f"P{number}")
        await identity_queries.insert(
            tx, did(number), user_id, IdentityKind.CONNECTED, handle="", pds_url="", is_default=True
        )
    return Caller(user_id, f"P{number}")


async def full_house(db: Database) -> tuple[Event, list[Caller]]:
    """A published event with two places, and five people."""
    host = await person(db, 9)
    people = [await person(db, number) for number in range(PEOPLE)]
    async with db.transaction() as tx:
        submission = Submission(
            title="Tea", starts="2026-04-01T17:00", time_zone="UTC", capacity=str(PLACES), visibility="public"
        )
        event = await events.create(tx, host, check(submission))
        await record_changes.note_record(tx, event.id, uri=URI, cid="c", did=did(9))
    return event, people


async def statuses(db: Database) -> dict[UserId, str]:
    """The status of each answer, or ``offered`` if a place is reserved for it."""
    async with db.reader() as reader:
        rows = await reader.fetch("select user_id, status, offered_until from attendances")
    return {UserId(row["user_id"]): "offered" if row["offered_until"] else row["status"] for row in rows}


@pytest.mark.parametrize("seed", range(12))
async def test_seats_are_never_oversold(make_sqlite: MakeDatabase, seed: int):
    """Answers from the network and from this site, changed answers and replays, in any order."""
    chance = random.Random(seed)
    db = await make_sqlite("openmeet")
    event, people = await full_house(db)
    sent = []
    for step in range(40):
        number = chance.randrange(PEOPLE)
        before = await statuses(db)
        is_replay = bool(sent) and chance.random() < 0.3
        if is_replay:
            await take(db, chance.choice(sent))
        elif chance.random() < 0.4:
            async with db.transaction() as tx:
                await attendance.answer(tx, people[number], event.slug, chance.choice(list(RsvpReply)))
        else:
            message = rsvp(number, f"k{chance.randrange(2)}", step, URI, chance.choice(("going", "notgoing")))
            sent.append(message)
            await take(db, message)
        after = await statuses(db)
        seated = [who for who, status in after.items() if status in {"attending", "offered"}]
        assert len(seated) <= PLACES, f"seed {seed} step {step}"
        if len(seated) < PLACES:
            assert "waitlisted" not in after.values(), (
                f"seed {seed} step {step}: somebody is on the waitlist although a place is free"
            )
        if is_replay:
            assert after == before, f"seed {seed} step {step}: a replay decided something"


@pytest.mark.parametrize("is_edited_here", [True, False], ids=["edited here", "never edited here"])
async def test_seats_freed_while_the_event_was_gone_are_offered_later(db: Database, is_edited_here: bool):
    """An event from another app is deleted, and two attendees decline meanwhile. When a copy of its record appears,
    their places are offered to the waitlist.
    """
    event, people = await full_house(db)
    async with db.transaction() as tx:
        await tx.execute("update events set origin = 'network'")
    said, again = event_record(9, "tea", 1), event_record(9, "tea", 40)
    await take(db, said, *(rsvp(number, "a", 10 + number, URI) for number in range(PEOPLE)))
    if is_edited_here:
        async with db.transaction() as tx:
            await publications.enqueue(
                tx, kind=PublicationKind.EVENT, subject_id=event.id, user_id=event.author_id, revision=event.revision
            )
    full = await statuses(db)
    await take(db, deleted(said, 20))
    await take(db, rsvp(0, "a", 21, URI, "notgoing"), rsvp(1, "a", 22, URI, "notgoing"))
    gone = await statuses(db)
    await take(db, again)
    back = await statuses(db)
    assert [full[one.user_id] for one in people] == ["attending"] * PLACES + ["waitlisted"] * (PEOPLE - PLACES)
    assert [gone[one.user_id] for one in people] == ["declined"] * 2 + ["waitlisted"] * (PEOPLE - PLACES)
    assert [back[one.user_id] for one in people] == ["declined"] * 2 + ["offered"] * PLACES + ["waitlisted"]

"""Places are local decisions: in any order the limit is never exceeded, and a replay takes no place away."""

import random

import pytest

from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.outbox import publications
from openmeet.outbox.publications import PublicationKind
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import deletion_of, rsvp
from tests.openmeet.ingestion.network import event as event_record
from tests.openmeet.ingestion.seats import PEOPLE, PLACES, TWO_PLACES_URI, answer_statuses, create_event_with_two_places
from tests.openmeet.ingestion.view import apply_messages


@pytest.mark.parametrize("seed", range(12))
async def test_seats_are_never_oversold(make_sqlite: MakeDatabase, seed: int):
    """Answers from the network and from this site, changed answers and replays, in any order."""
    chance = random.Random(seed)
    db = await make_sqlite("openmeet")
    event, people = await create_event_with_two_places(db)
    sent = []
    for step in range(40):
        number = chance.randrange(PEOPLE)
        before = await answer_statuses(db)
        is_replay = bool(sent) and chance.random() < 0.3
        if is_replay:
            await apply_messages(db, chance.choice(sent))
        elif chance.random() < 0.4:
            async with db.transaction() as tx:
                await attendance.answer(tx, people[number], event.slug, chance.choice(list(RsvpReply)))
        else:
            message = rsvp(
                number, f"k{chance.randrange(2)}", step, TWO_PLACES_URI, chance.choice(("going", "notgoing"))
            )
            sent.append(message)
            await apply_messages(db, message)
        after = await answer_statuses(db)
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
    event, people = await create_event_with_two_places(db)
    async with db.transaction() as tx:
        await tx.execute("update events set origin = 'network'")
    said, again = event_record(9, "tea", 1), event_record(9, "tea", 40)
    await apply_messages(db, said, *(rsvp(number, "a", 10 + number, TWO_PLACES_URI) for number in range(PEOPLE)))
    if is_edited_here:
        async with db.transaction() as tx:
            await publications.enqueue(
                tx, kind=PublicationKind.EVENT, subject_id=event.id, user_id=event.author_id, revision=event.revision
            )
    full = await answer_statuses(db)
    await apply_messages(db, deletion_of(said, 20))
    await apply_messages(db, rsvp(0, "a", 21, TWO_PLACES_URI, "notgoing"), rsvp(1, "a", 22, TWO_PLACES_URI, "notgoing"))
    gone = await answer_statuses(db)
    await apply_messages(db, again)
    back = await answer_statuses(db)
    assert [full[one.user_id] for one in people] == ["attending"] * PLACES + ["waitlisted"] * (PEOPLE - PLACES)
    assert [gone[one.user_id] for one in people] == ["declined"] * 2 + ["waitlisted"] * (PEOPLE - PLACES)
    assert [back[one.user_id] for one in people] == ["declined"] * 2 + ["offered"] * PLACES + ["waitlisted"]

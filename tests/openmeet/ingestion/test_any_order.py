"""The same messages in any order, with repetitions and in any batches, give the view of the oracle."""

import asyncio
import random
from dataclasses import replace

import pytest

from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import did, event_value, message, rev, rsvp_value
from tests.openmeet.ingestion.view import apply_messages, apply_shuffled, apply_shuffled_with_retries, view_of
from tests.simulation.oracle import EVENT, RSVP, Change, canonical_view

AUTHORS = 4
EVENT_KEYS = ("tea", "walk")
ANSWER_KEYS = ("aa", "bb", "3mqdau33ozs2n")
DAYS = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")


def history(chance: random.Random, length: int) -> list[Change]:
    """Changes by a few people (created, edited, deleted), ordered by rev."""
    changes: list[Change] = []
    about = [f"at://{did(author)}/{EVENT}/{key}" for author in range(AUTHORS) for key in EVENT_KEYS]
    for number in range(length):
        author = did(chance.randrange(AUTHORS))
        if chance.random() < 0.4:
            value = None if chance.random() < 0.2 else event_value(f"Event {number}")
            changes.append(Change(author, EVENT, chance.choice(EVENT_KEYS), rev(number), value))
            continue
        value = rsvp_value(chance.choice(about), chance.choice(("going", "interested", "notgoing")))
        if chance.random() < 0.7:
            value["createdAt"] = chance.choice(DAYS)
        if chance.random() < 0.2:
            value = None
        changes.append(Change(author, RSVP, chance.choice(ANSWER_KEYS), rev(number), value))
    return changes


@pytest.mark.parametrize("seed", range(4))
async def test_parallel_processors_end_in_the_same_view(make_database: MakeDatabase, seed: int):
    """One to four processors apply the same messages, each in a different order."""
    chance = random.Random(seed)
    db = await make_database("openmeet")
    changes = history(chance, 40)
    await asyncio.gather(
        *(apply_shuffled_with_retries(db, changes, random.Random(seed * 10 + n)) for n in range(seed + 1))
    )
    assert await view_of(db) == canonical_view(changes), f"seed {seed}"


@pytest.mark.parametrize("seed", range(25))
async def test_any_order_gives_the_same_view(make_sqlite: MakeDatabase, seed: int):
    chance = random.Random(seed)
    db = await make_sqlite("openmeet")
    changes = history(chance, 60)
    await apply_shuffled(db, changes, chance)
    assert await view_of(db) == canonical_view(changes), f"seed {seed}"


@pytest.mark.parametrize("seed", range(8))
async def test_unsigned_messages_change_nothing(make_sqlite: MakeDatabase, seed: int):
    """True and false unsigned messages before, between and after the signed ones do not change the view."""
    chance = random.Random(seed)
    db = await make_sqlite("openmeet")
    changes = history(chance, 40)
    signed = [message(change) for change in changes]
    # An unsigned record without any signed message is accepted, so every record in this test has a signed one.
    known = {one.uri for one in signed}
    forged = [replace(message(change), rev=rev(chance.randrange(80))) for change in history(chance, 40)]
    unsigned = [replace(one, is_verified=False) for one in [*signed, *forged] if one.uri in known]
    queue = signed + chance.sample(unsigned, k=len(unsigned) // 2)
    chance.shuffle(queue)
    while queue:
        size = chance.randint(1, 7)
        await apply_messages(db, *queue[:size])
        del queue[:size]
    assert await view_of(db) == canonical_view(changes), f"seed {seed}"


@pytest.mark.parametrize("seed", range(8))
async def test_unsigned_rsvps_under_new_keys_change_nothing(make_sqlite: MakeDatabase, seed: int):
    """Unsigned RSVPs under keys that no signed message has change no reply that is signed."""
    chance = random.Random(seed)
    db = await make_sqlite("openmeet")
    changes = history(chance, 40)
    known = {change.uri for change in changes}
    forged = [
        replace(message(replace(change, rkey=f"{change.rkey[:-1]}z")), is_verified=False, rev=rev(chance.randrange(80)))
        for change in history(chance, 60)
        if change.collection == RSVP
    ]
    assert known.isdisjoint(one.uri for one in forged)
    queue = [message(change) for change in changes] + forged
    chance.shuffle(queue)
    while queue:
        size = chance.randint(1, 7)
        await apply_messages(db, *queue[:size])
        del queue[:size]
    expected, view = canonical_view(changes), await view_of(db)
    assert view.events == expected.events
    assert {key: word for key, word in view.answers.items() if key in expected.answers} == expected.answers


async def test_any_order_gives_the_same_view_on_both_engines(make_database: MakeDatabase):
    chance = random.Random(99)
    db = await make_database("openmeet")
    changes = history(chance, 60)
    await apply_shuffled(db, changes, chance)
    assert await view_of(db) == canonical_view(changes)

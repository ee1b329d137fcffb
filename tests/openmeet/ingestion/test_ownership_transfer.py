"""The owner of an event changes in another app. Its two records and answers to either of them, in any order, make one
event with one answer of each guest.
"""

import asyncio
import random

import pytest

from groundwork.database.transaction import Database
from groundwork.errors import Unavailable
from openmeet.domain.events import event_records
from openmeet.network.records.collections import SUCCESSION_KEY
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.rsvp import read_rsvp
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import deletion_of, did, event, rsvp
from tests.openmeet.ingestion.succession import CREATION_DATES, NEW_URI, OLD_URI, WITH_PREDECESSOR, WITH_SUCCESSOR
from tests.openmeet.ingestion.view import WORDS, apply_messages
from tests.simulation.oracle import EVENT, RSVP


def history(chance: random.Random) -> tuple[list[RecordMessage], dict[str, str]]:
    """Messages by the two owners and several guests, and the effective answer of each guest."""
    messages = [
        event(0, "tea", 1),
        event(1, "walk", 50, "Tea with Ben", **WITH_PREDECESSOR),
        event(0, "tea", 60, **WITH_SUCCESSOR),
        event(1, "walk", 70, "Tea at Ben's", **WITH_PREDECESSOR),
    ]
    counting: dict[str, str] = {}
    for author in range(2, 7):
        left: dict[tuple[str, str], str] = {}
        for number in range(chance.randint(1, 3)):
            word = chance.choice(("going", "interested", "notgoing"))
            said = rsvp(
                author,
                f"a{number}",
                10 * number + author,
                chance.choice((OLD_URI, NEW_URI)),
                word,
                createdAt=chance.choice(CREATION_DATES),
            )
            messages.append(said)
            if chance.random() < 0.2:
                messages.append(deletion_of(said, 90 + number))
                continue
            record = {"subject": {"uri": OLD_URI}, "createdAt": _created(said)}
            left[read_rsvp(RSVP, record, rkey=said.rkey).precedence, said.uri] = word
        if left:
            counting[did(author)] = left[max(left)]
    return messages, counting


def _created(said: RecordMessage) -> str:
    return next(day for day in CREATION_DATES if day.encode() in (said.body or b""))


async def deliver(db: Database, messages: list[RecordMessage], chance: random.Random) -> None:
    """Apply the messages shuffled, some of them twice, in batches of any size, with retries after conflicts."""
    queue = messages + chance.choices(messages, k=len(messages) // 3)
    chance.shuffle(queue)
    while queue:
        size = chance.randint(1, 6)
        try:
            await apply_messages(db, *queue[:size])
        except Unavailable:
            continue
        del queue[:size]


async def assert_one_event(db: Database, counting: dict[str, str], why: str) -> None:
    async with db.reader() as reader:
        rows = await reader.fetch("select id, title, record_uri, author_id from events where removed_at is null")
        answers = await reader.fetch(
            "select i.did, a.status, a.record_uri, a.event_id from attendances a "
            "join identities i on i.user_id = a.user_id"
        )
        found = [await event_records.find(reader, uri) for uri in (OLD_URI, NEW_URI)]
        author = await reader.fetch_one("select user_id from identities where did = :did", did=did(1))
    assert [(row["title"], row["record_uri"], row["author_id"]) for row in rows] == [
        ("Tea at Ben's", NEW_URI, author["user_id"])
    ], why
    assert [one.id for one in found if one] == [rows[0]["id"]] * 2, why
    assert {row["event_id"] for row in answers} <= {rows[0]["id"]}, why
    assert len(answers) == len({row["did"] for row in answers}), why
    in_rows = {row["did"]: WORDS[row["status"]] for row in answers if row["record_uri"] is not None}
    assert in_rows == counting, why


@pytest.mark.parametrize("seed", range(20))
async def test_in_any_order_one_event_and_one_answer_each(make_sqlite: MakeDatabase, seed: int):
    chance = random.Random(seed)
    db = await make_sqlite("openmeet")
    messages, counting = history(chance)
    await deliver(db, messages, chance)
    await assert_one_event(db, counting, f"seed {seed}")


@pytest.mark.parametrize("seed", range(3))
async def test_parallel_processors_end_in_the_same_state(make_database: MakeDatabase, seed: int):
    db = await make_database("openmeet")
    messages, counting = history(random.Random(seed))
    await asyncio.gather(*(deliver(db, list(messages), random.Random(seed * 10 + n)) for n in range(3)))
    await assert_one_event(db, counting, f"seed {seed}")


@pytest.mark.parametrize("missing", ["successor", "predecessors"])
async def test_one_sides_record_transfers_nothing(db: Database, missing: str):
    """Nobody can take over the answers to another person's event, or give their own answers to it."""
    answer = rsvp(2, "a", 5, OLD_URI)
    await apply_messages(
        db,
        event(0, "tea", 1),
        answer,
        event(1, "walk", 2, "Walk", **({} if missing == "predecessors" else WITH_PREDECESSOR)),
        event(0, "tea", 3, **({} if missing == "successor" else WITH_SUCCESSOR)),
    )
    async with db.reader() as reader:
        rows = await reader.fetch("select record_uri from events where removed_at is null order by record_uri")
        (answered,) = await reader.fetch("select e.record_uri from attendances a join events e on e.id = a.event_id")
    assert {row["record_uri"] for row in rows} == {OLD_URI, NEW_URI}
    assert answered["record_uri"] == OLD_URI


async def test_after_the_transfer_the_old_record_has_no_effect(db: Database):
    """Editing the old record changes nothing and deleting it removes nothing. Deleting the new one removes the event."""
    old = event(0, "tea", 60, **WITH_SUCCESSOR)
    new = event(1, "walk", 50, "Walk", **WITH_PREDECESSOR)
    await apply_messages(db, event(0, "tea", 1), rsvp(2, "a", 5, OLD_URI), new, old)
    await apply_messages(db, event(0, "tea", 61, "Mine again"))
    await apply_messages(db, deletion_of(old, 62), rsvp(3, "b", 63, OLD_URI))
    async with db.reader() as reader:
        (one,) = await reader.fetch("select id, title from events where removed_at is null")
        assert one["title"] == "Walk"
        assert len(await reader.fetch("select id from attendances where event_id = :id", id=one["id"])) == 2
    await apply_messages(db, deletion_of(new, 70))
    async with db.reader() as reader:
        assert await reader.fetch("select id from events where removed_at is null") == []


async def test_a_chain_of_owners_ends_at_the_last(db: Database):
    """The first record can name the last one, as this site does now, or the next one, as earlier versions did."""
    last = f"at://{did(7)}/{EVENT}/last"
    key = {"$type": SUCCESSION_KEY}
    await apply_messages(
        db,
        event(0, "tea", 1, "First"),
        event(1, "walk", 2, "Second", **{SUCCESSION_KEY: key | {"predecessors": [OLD_URI]}}),
        event(0, "tea", 3, "First", **WITH_SUCCESSOR),
        rsvp(2, "a", 4, OLD_URI),
        event(7, "last", 5, "Last", **{SUCCESSION_KEY: key | {"predecessors": [OLD_URI, NEW_URI]}}),
        event(1, "walk", 6, "Second", **{SUCCESSION_KEY: key | {"predecessors": [OLD_URI], "successor": last}}),
        event(0, "tea", 7, "First", **{SUCCESSION_KEY: key | {"successor": last}}),
        rsvp(3, "b", 8, NEW_URI),
        rsvp(4, "c", 9, last),
    )
    async with db.reader() as reader:
        (one,) = await reader.fetch("select id, title, record_uri from events where removed_at is null")
        answers = await reader.fetch("select event_id from attendances")
        found = {(await event_records.find(reader, uri)).id for uri in (OLD_URI, NEW_URI, last)}
    assert (one["title"], one["record_uri"], found) == ("Last", last, {one["id"]})
    assert [row["event_id"] for row in answers] == [one["id"]] * 3

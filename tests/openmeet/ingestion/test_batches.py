"""A batch gives the same result as its messages applied one by one: the same records, events, RSVPs, people and jobs."""

import random
from dataclasses import replace

import pytest

from groundwork.database.transaction import Database
from openmeet.domain.events import actions as events
from openmeet.domain.events import record_changes
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.records.message import RecordMessage
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import HERE, deletion_of, did, event, event_value, message, rev, rsvp, rsvp_value
from tests.openmeet.ingestion.seats import TWO_PLACES_URI, create_event_with_two_places, seats_are_consistent
from tests.openmeet.ingestion.view import COMPARED_ROWS, apply_messages, compared_state, did_of_stranger
from tests.openmeet.site_under_test import details, person
from tests.openmeet.statement_counter import StatementCounter
from tests.simulation.oracle import EVENT, RSVP, Change

# The first five have signed in to this site, one of them with two DIDs. The others are known only by DID.
PEOPLE = 8
SECOND_DID = did(10)
KEYS = ("aa", "bb", "3mqdau33ozs2n")
EVENT_KEYS = ("tea", "walk")


def history(chance: random.Random, length: int) -> list[RecordMessage]:
    """Events created, edited, cancelled, deleted and created again, RSVPs before, after and concurrent with them,
    copies, and unsigned messages.
    """
    about = [f"at://{did(author)}/{EVENT}/{key}" for author in range(PEOPLE) for key in EVENT_KEYS]
    found: list[RecordMessage] = []
    for number in range(length):
        author = did(chance.randrange(PEOPLE)) if chance.random() < 0.9 else SECOND_DID
        value = None
        if chance.random() < 0.4:
            if chance.random() < 0.75:
                start = chance.choice(("2026-07-03T18:00:00Z", "2026-07-04T18:00:00Z", "1800-01-01T00:00:00Z"))
                status = chance.choice(("scheduled", "cancelled"))
                value = event_value(f"Event {number}", startsAt=start, status=f"{EVENT}#{status}")
            change = Change(author, EVENT, chance.choice(EVENT_KEYS), rev(number), value)
        else:
            if chance.random() < 0.8:
                subject = TWO_PLACES_URI if chance.random() < 0.2 else chance.choice(about)
                value = rsvp_value(subject, chance.choice(("going", "interested", "notgoing", "dreaming")))
            change = Change(author, RSVP, chance.choice(KEYS), rev(number), value)
        one = message(change)
        found.append(replace(one, is_verified=False) if chance.random() < 0.1 else one)
    found += chance.choices(found, k=length // 4)
    if chance.random() < 0.7:
        chance.shuffle(found)
    return found


async def begin(db: Database) -> None:
    """An event of a local host with few places, people who have signed in, and a second DID of one of them."""
    _, people = await create_event_with_two_places(db)
    async with db.transaction() as tx:
        await identity_queries.insert(
            tx, SECOND_DID, people[1].user_id, IdentityKind.SHADOW, handle="", pds_url="", is_default=False
        )


async def mails_to_strangers(db: Database) -> list[str]:
    """E-mail jobs for people who have never signed in to this site."""
    question = f"""
        select d.subject from outbox_jobs d join users u on d.subject like '%' || u.id || '%'
         where d.kind = '{JobKind.MAIL}' and u.kind = 'shadow' order by d.subject
    """
    async with db.reader() as reader:
        return [row["subject"] for row in await reader.fetch(question)]


async def compare(make: MakeDatabase, seed: int, length: int) -> None:
    chance = random.Random(seed)
    messages = history(chance, length)
    alone, together = await make("openmeet"), await make("openmeet")
    await begin(alone)
    await begin(together)
    for one in messages:
        await apply_messages(alone, one)
    queue = list(messages)
    while queue:
        size = chance.choice((2, 7, 30, 100))
        await apply_messages(together, *queue[:size])
        del queue[:size]
    one_by_one, at_once = await compared_state(alone), await compared_state(together)
    for name in COMPARED_ROWS:
        more, fewer = (set(a[name]) - set(b[name]) for a, b in ((at_once, one_by_one), (one_by_one, at_once)))
        assert (more, fewer) == (set(), set()), f"seed {seed}: {name}"
    for db in (alone, together):
        assert await seats_are_consistent(db)
        assert await mails_to_strangers(db) == []


@pytest.mark.parametrize("seed", range(10))
async def test_a_batch_gives_the_same_result_as_single_messages(make_sqlite: MakeDatabase, seed: int):
    await compare(make_sqlite, seed, 60)


async def test_a_batch_gives_the_same_result_as_single_messages_on_both_engines(make_database: MakeDatabase):
    await compare(make_database, 77, 80)


async def statements_of(db: Database, messages: list[RecordMessage]) -> int:
    async with db.transaction() as tx:
        counting = StatementCounter(tx)
        results = await apply(counting, HERE, messages)
    assert set(results) == {IngestResult.APPLIED}
    return counting.statements


async def test_two_hundred_strangers_take_few_statements(db: Database):
    """Two hundred answers take as many statements as twenty, also when they are changed or deleted."""

    def crowd(first: int, number: int, at: int = 0, word: str = "going") -> list[RecordMessage]:
        events = [event(9, f"e{first + n}", at + first + n, name=f"Tea at {at}") for n in range(number)]
        return events + [
            replace(rsvp(8, f"a{n}", at + n, events[n].uri, word), did=did_of_stranger(first + n))
            for n in range(number)
        ]

    def gone(messages: list[RecordMessage], at: int) -> list[RecordMessage]:
        return [deletion_of(one, at) for one in messages]

    few, many = crowd(0, 10), crowd(100, 100)
    for less, more in (
        (few, many),
        (crowd(0, 10, 300, "notgoing"), crowd(100, 100, 300, "notgoing")),
        (gone(few, 900), gone(many, 900)),
    ):
        of_less, of_more = await statements_of(db, less), await statements_of(db, more)
        if db.engine == "postgresql":
            assert of_more <= of_less + 2


async def test_notifying_a_host_of_many_strangers_takes_few_statements(db: Database):
    """A hundred answers to one event take as many statements as ten, and each answer creates a notification."""
    async with db.transaction() as tx:
        host = await person(tx, "Hedi")
        made = await events.create(tx, host, details())
        await record_changes.store_record_uri(tx, made.id, uri=f"at://{did(9)}/{EVENT}/tea", cid="c", did=did(9))

    def crowd(first: int, number: int, at: int = 0, word: str = "going") -> list[RecordMessage]:
        about = f"at://{did(9)}/{EVENT}/tea"
        return [replace(rsvp(8, "a", at + n, about, word), did=did_of_stranger(first + n)) for n in range(number)]

    for at, word in ((0, "going"), (300, "interested")):
        of_few = await statements_of(db, crowd(0, 10, at, word))
        of_many = await statements_of(db, crowd(100, 100, at, word))
        if db.engine == "postgresql":
            assert of_many <= of_few + 2
    async with db.reader() as reader:
        heard = await reader.fetch("select count(*) as n from notifications where user_id = :id", id=host.user_id)
    assert heard[0]["n"] == 220

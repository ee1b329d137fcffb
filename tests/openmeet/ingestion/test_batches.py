"""A batch gives the same result as its messages applied one by one: the same records, events, RSVPs, people and jobs."""

import random
from dataclasses import replace

import pytest

from at_protocol.syntax.did import Did, parse_did
from groundwork.database.transaction import Database
from groundwork.outbox.states import sql_literals
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events import actions as events
from openmeet.domain.events import record_changes
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.records.message import RecordMessage
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import HERE, deleted, did, event, event_value, message, rev, rsvp, rsvp_value
from tests.openmeet.ingestion.test_seats import PLACES, URI, full_house
from tests.openmeet.ingestion.view import take
from tests.openmeet.site_under_test import details, person
from tests.openmeet.statement_counter import StatementCounter
from tests.simulation.oracle import EVENT, RSVP, Change

# The first five have signed in to this site, one of them with two DIDs. The others are known only by DID.
PEOPLE = 8
SECOND_DID = did(10)
KEYS = ("aa", "bb", "3mqdau33ozs2n")
EVENT_KEYS = ("tea", "walk")

# The tables and columns that must be equal, without values that are generated each time. Jobs to fetch an event depend
# on the order. E-mails are also queued for intermediate states, and are dropped when they are composed.
OF_THE_WAY = (JobKind.FETCH_SUBJECT, JobKind.DETECT_SERIES, JobKind.DETECT_FOREIGN_SERIES, JobKind.MAIL)
ALIKE = {
    "records": "select uri, rev, cid, is_verified, standing, reason, subject_uri, precedence from records",
    "events": "select record_uri, record_cid, title, status, status_before, starts_at, visibility, search_text,"
    " case when removed_at is null then 0 else 1 end as is_removed from events",
    "answers": "select e.record_uri as event_uri, i.did, a.status, a.record_uri, a.pending_for, a.source"
    " from attendances a join events e on e.id = a.event_id join identities i on i.user_id = a.user_id"
    " where a.record_uri is not null",
    "people": "select i.did, i.kind, u.kind as user_kind from identities i join users u on u.id = i.user_id",
    "debts": f"select kind, subject from outbox_jobs where kind not in ({sql_literals(OF_THE_WAY)})",
    "met": "select did, counted from remote_authors",
    "waiting": "select subject, state from moderation_states where thing = 'did'",
}


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
                subject = URI if chance.random() < 0.2 else chance.choice(about)
                value = rsvp_value(subject, chance.choice(("going", "interested", "notgoing", "dreaming")))
            change = Change(author, RSVP, chance.choice(KEYS), rev(number), value)
        one = message(change)
        found.append(replace(one, is_verified=False) if chance.random() < 0.1 else one)
    found += chance.choices(found, k=length // 4)
    if chance.random() < 0.7:
        chance.shuffle(found)
    return found


def stranger(number: int) -> Did:
    return parse_did("did:plc:" + f"{number:024d}".translate(str.maketrans("0123456789", "abcdefghij")))


async def begin(db: Database) -> None:
    """An event of a local host with few places, people who have signed in, and a second DID of one of them."""
    _, people = await full_house(db)
    async with db.transaction() as tx:
        await identity_queries.insert(
            tx, SECOND_DID, people[1].user_id, IdentityKind.SHADOW, handle="", pds_url="", is_default=False
        )


async def state_of(db: Database) -> dict[str, list[tuple[object, ...]]]:
    """The state without the waitlist of small events, which depends on the order of arrival."""
    found = {}
    async with db.reader() as reader:
        for name, sql in ALIKE.items():
            rows = [tuple(row) for row in await reader.fetch(sql)]
            found[name] = sorted(
                {tuple("attending" if one == "waitlisted" else one for one in row) for row in rows}, key=repr
            )
    return found


async def seats_hold(db: Database) -> bool:
    """There are no more attendees than places, nobody waits while a place is free, and each answer's history ends in
    its current status.
    """
    async with db.reader() as reader:
        lost = await reader.fetch(
            "select id from attendances a where not exists"
            " (select 1 from attendance_history h where h.attendance_id = a.id and h.after_status = a.status)"
        )
        assert lost == []
        event_row = await reader.fetch_one("select id from events where capacity is not null")
        assert event_row is not None
        rows = await reader.fetch("select status from attendances where event_id = :id", id=event_row["id"])
    found = [row["status"] for row in rows]
    seated = len([one for one in found if one in {"attending", "offered"}])
    return seated <= PLACES and (seated == PLACES or AttendanceStatus.WAITLISTED not in found)


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
        await take(alone, one)
    queue = list(messages)
    while queue:
        size = chance.choice((2, 7, 30, 100))
        await take(together, *queue[:size])
        del queue[:size]
    one_by_one, at_once = await state_of(alone), await state_of(together)
    for name in ALIKE:
        more, fewer = (set(a[name]) - set(b[name]) for a, b in ((at_once, one_by_one), (one_by_one, at_once)))
        assert (more, fewer) == (set(), set()), f"seed {seed}: {name}"
    for db in (alone, together):
        assert await seats_hold(db)
        assert await mails_to_strangers(db) == []


@pytest.mark.parametrize("seed", range(10))
async def test_a_batch_gives_the_same_result_as_single_messages(make_sqlite: MakeDatabase, seed: int):
    await compare(make_sqlite, seed, 60)


async def test_a_batch_gives_the_same_result_as_single_messages_on_both_engines(make_database: MakeDatabase):
    await compare(make_database, 77, 80)


async def statements_of(db: Database, messages: list[RecordMessage]) -> int:
    async with db.transaction() as tx:
        counting = StatementCounter(tx)
        outcomes = await apply(counting, HERE, messages)
    assert set(outcomes) == {IngestResult.APPLIED}
    return counting.statements


async def test_two_hundred_strangers_take_few_statements(db: Database):
    """Two hundred answers take as many statements as twenty, also when they are changed or deleted."""

    def crowd(first: int, number: int, at: int = 0, word: str = "going") -> list[RecordMessage]:
        events = [event(9, f"e{first + n}", at + first + n, name=f"Tea at {at}") for n in range(number)]
        return events + [
            replace(rsvp(8, f"a{n}", at + n, events[n].uri, word), did=stranger(first + n)) for n in range(number)
        ]

    def gone(messages: list[RecordMessage], at: int) -> list[RecordMessage]:
        return [deleted(one, at) for one in messages]

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
        await record_changes.note_record(tx, made.id, uri=f"at://{did(9)}/{EVENT}/tea", cid="c", did=did(9))

    def crowd(first: int, number: int, at: int = 0, word: str = "going") -> list[RecordMessage]:
        about = f"at://{did(9)}/{EVENT}/tea"
        return [replace(rsvp(8, "a", at + n, about, word), did=stranger(first + n)) for n in range(number)]

    for at, word in ((0, "going"), (300, "interested")):
        of_few = await statements_of(db, crowd(0, 10, at, word))
        of_many = await statements_of(db, crowd(100, 100, at, word))
        if db.engine == "postgresql":
            assert of_many <= of_few + 2
    async with db.reader() as reader:
        heard = await reader.fetch("select count(*) as n from notifications where user_id = :id", id=host.user_id)
    assert heard[0]["n"] == 220

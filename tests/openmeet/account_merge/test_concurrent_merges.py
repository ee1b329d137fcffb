"""A merge and a network message run concurrently, and one of them is paused at each of its statements in turn. The
result always equals that of running them one after the other.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, cast

import httpx
import pytest

from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Engine, ForeignKeyViolated, Transaction, TransactionConflict
from groundwork.errors import NotFound
from openmeet.domain.account_merge import actions
from openmeet.domain.account_merge.model import MergeProposalId
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.users.queries import by_id
from openmeet.network.ingestion.apply import apply
from openmeet.network.records.message import RecordMessage
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import HERE, NAMES, deletion_of, did, rsvp
from tests.openmeet.interleaving import Work, noting, run, run_interleaved
from tests.openmeet.site_under_test import event_by, person, signed_in, site_on
from tests.simulation.oracle import EVENT

PDS = "https://pds.example"


@dataclass(frozen=True, slots=True)
class Scene:
    """Ana, a DID that she has proven to own, and three events: one that its shadow answered, one that both answered,
    and one with a single place.
    """

    ana: Caller
    ben: Caller
    shadow: UserId
    did: Did
    proposal: MergeProposalId
    theirs: Event
    shared: Event
    full: Event
    fresh: Event

    @property
    def events(self) -> tuple[Event, ...]:
        return self.theirs, self.shared, self.full, self.fresh


def own_did(who: int) -> Did:
    """A DID that no other scene uses."""
    return parse_did("did:plc:" + "".join(NAMES[who >> shift & 15] for shift in range(92, -4, -4)))


def says(who: int, name: str, at: int, word: str = "going") -> RecordMessage:
    """A message with an answer by the scene's DID to the event with this name."""
    return replace(rsvp(0, name, at, uri_of(who, name), word), did=own_did(who))


def uri_of(who: int, name: str) -> str:
    return f"at://{did(2)}/{EVENT}/{name}{who}"


async def scene(db: Database, who: int) -> Scene:
    async with db.transaction() as tx:
        host, ana, ben = [await person(tx, f"{name} {who}") for name in ("Host", "Ana", "Ben")]
        made = []
        for name in ("theirs", "shared", "full", "fresh"):
            one = await event_by(tx, host, title=name, capacity="1" if name == "full" else "")
            await tx.execute(
                "update events set record_uri = :uri, record_did = :did where id = :id",
                uri=uri_of(who, name),
                did=did(2),
                id=one.id,
            )
            made.append(one)
        theirs, shared, full, fresh = made
        await attendance.answer(tx, ana, shared.slug, RsvpReply.INTERESTED)
        await attendance.answer(tx, ana, full.slug, RsvpReply.GOING)
        await attendance.answer(tx, ben, full.slug, RsvpReply.GOING)
        await apply(tx, HERE, [says(who, "theirs", 1), says(who, "shared", 2)])
        proven = await actions.sign_in_with_did(tx, own_did(who), handle="ana.example", pds_url=PDS, caller=ana.user_id)
        assert proven.proposal is not None
        shadow = await identity_queries.find(tx, own_did(who))
        assert shadow is not None
    return Scene(ana, ben, shadow.user_id, own_did(who), proven.proposal, theirs, shared, full, fresh)


# Network messages that arrive during the merge, from the DID that is being merged.
ARRIVING: dict[str, Callable[[int], RecordMessage]] = {
    "a new answer": lambda who: says(who, "fresh", 5),
    "another answer": lambda who: says(who, "theirs", 5, "notgoing"),
    "another answer where both answered": lambda who: says(who, "shared", 5, "notgoing"),
    "an answer where the other has the seat": lambda who: says(who, "full", 5, "notgoing"),
    "no answer any more": lambda who: deletion_of(says(who, "theirs", 1), 5),
}


async def ends(db: Database, one: Scene) -> object:
    """The final state, without ids: answers, places, waitlist, records, the owner of the DID, and no leftover user."""
    async with db.reader() as reader:
        found = {}
        for event in one.events:
            rows = await reader.fetch(
                "select user_id, status, source from attendances where event_id = :id order by user_id", id=event.id
            )
            names = {one.ana.user_id: "ana", one.ben.user_id: "ben"}
            said = sorted((names.get(row["user_id"], "somebody"), row["status"], row["source"]) for row in rows)
            found[event.title] = (said, await attendance_queries.seats_held(reader, event.id))
        records = await reader.fetch("select rkey, state, rev from records where did = :did order by uri", did=one.did)
        identity = await identity_queries.find(reader, one.did)
        strays = await reader.fetch_one(
            "select count(*) as n from users u where u.kind = 'shadow'"
            " and not exists (select 1 from identities i where i.user_id = u.id)"
        )
    assert identity is not None
    assert strays is not None
    held = [(row["rkey"], row["state"], row["rev"]) for row in records]
    return found, held, identity.user_id == one.ana.user_id, identity.kind, strays["n"]


async def in_turn(db: Database, who: int, arriving: str, *, joins_first: bool) -> object:
    """The final states of running one completely before the other."""
    one = await scene(db, who)
    both = (joining(one), arrival(who, arriving))
    for work in both if joins_first else reversed(both):
        await run(db, work)
    return await ends(db, one)


def joining(one: Scene) -> Work:
    return lambda tx: actions.confirm(tx, one.ana.user_id, one.proposal)


def arrival(who: int, arriving: str) -> Work:
    return lambda tx: apply(tx, HERE, [ARRIVING[arriving](who)])


@pytest.mark.parametrize("arriving", ARRIVING)
@pytest.mark.parametrize("stopped", ["the yes", "the message"])
async def test_a_concurrent_merge_and_message_end_as_if_sequential(
    make_database: MakeDatabase, engine: Engine, stopped: str, arriving: str
) -> None:
    """No answer is lost or duplicated, no place is given to two people, and nothing refers to the deleted user."""
    db = await make_database("openmeet")
    numbers = count(10)
    allowed = [await in_turn(db, next(numbers), arriving, joins_first=first) for first in (True, False)]
    at, is_stopped = 1, True
    while is_stopped:
        who = next(numbers)
        one = await scene(db, who)
        works = joining(one), arrival(who, arriving)
        first, second = works if stopped == "the yes" else reversed(works)
        is_stopped = await run_interleaved(db, first, second, at)
        assert await ends(db, one) in allowed, f"stopped before statement {at}"
        at += STEP if engine == "postgresql" else 10 * STEP
    assert at > 2 * STEP, "the merge was never interrupted"


async def test_two_people_who_merge_each_other_become_one(make_database: MakeDatabase, engine: Engine) -> None:
    """Each person has proven the other's address, and both confirm. One account is left, with the data of both."""
    db = await make_database("openmeet")
    at, is_stopped = 1, True
    while is_stopped:
        one = await scene(db, 10 + at)
        async with db.transaction() as tx:
            there, _ = await actions.prove_email(tx, one.ana.user_id, f"ben.{10 + at}@example.org")
            back, _ = await actions.prove_email(tx, one.ben.user_id, f"ana.{10 + at}@example.org")
        assert there is not None
        assert back is not None
        is_stopped = await run_interleaved(db, agreeing(one.ana, there), agreeing(one.ben, back), at)
        async with db.reader() as reader:
            rows = await reader.fetch(
                "select user_id from attendances where event_id in :ids order by event_id",
                ids=[one.shared.id, one.full.id],
            )
            left = [who for who in (one.ana, one.ben) if await by_id(reader, who.user_id) is not None]
            assert await attendance_queries.seats_held(reader, one.full.id) == 1
        assert len(left) == 1
        assert {row["user_id"] for row in rows} <= {left[0].user_id, one.shadow}
        at += STEP if engine == "postgresql" else 10 * STEP


def agreeing(who: Caller, proposal: MergeProposalId) -> Work:
    async def work(tx: Transaction) -> None:
        # The person whose account was merged in the meantime reads that there is nothing to merge.
        with suppress(NotFound):
            await actions.confirm(tx, who.user_id, proposal)

    return work


# Answers that are given during the merge of Ben's account into Ana's. Ben hosts one event and has answered another.
ANSWERS: dict[str, tuple[str, str]] = {
    "to an event of the merged person": ("cleo", "hosted"),
    "by the merged person again": ("ben", "answered"),
    "by the merged person to another event": ("ben", "fresh"),
    "by the remaining person": ("ana", "hosted"),
}


@pytest.mark.parametrize("given", ANSWERS)
@pytest.mark.parametrize("stopped", ["the yes", "the answer"])
async def test_a_merge_and_an_answer_wait_for_each_other_in_one_order(
    make_database: MakeDatabase, engine: Engine, stopped: str, given: str
) -> None:
    """Neither loses a deadlock, for which PostgreSQL makes both wait a second, whatever statement one is stopped at."""
    db = await make_database("openmeet")
    who, name = ANSWERS[given]
    at, is_stopped = 1, True
    lost: list[str] = []
    while is_stopped:
        async with db.transaction() as tx:
            host, ana, ben, cleo = [await person(tx, f"{name} {at}") for name in ("Host", "Ana", "Ben", "Cleo")]
            people = {"ana": ana, "ben": ben, "cleo": cleo}
            hosts = {"hosted": ben, "answered": host, "fresh": host}
            events = {title: await event_by(tx, by, title=title) for title, by in hosts.items()}
            for caller, title in ((ben, "answered"), (ana, "hosted")):
                await attendance.answer(tx, caller, events[title].slug, RsvpReply.INTERESTED)
            proposal, _ = await actions.prove_email(tx, ana.user_id, f"ben.{at}@example.org")
        assert proposal is not None
        event = events[name]
        works = agreeing(ana, proposal), answering(people[who], event)
        first, second = works if stopped == "the yes" else reversed(works)
        is_stopped = await run_interleaved(db, noting(first, lost), noting(second, lost), at)
        at += STEP if engine == "postgresql" else 10 * STEP
    assert not any("concurrent change" in why for why in lost), lost


def answering(who: Caller, event: Event) -> Work:
    async def work(tx: Transaction) -> None:
        # Somebody whose account was merged in the meantime repeats the request as the remaining person.
        if await by_id(tx, who.user_id) is None:
            return
        try:
            await attendance.answer(tx, who, event.slug, RsvpReply.GOING)
        except ForeignKeyViolated as gone:
            raise TransactionConflict("this person was merged") from gone

    return work


class CountedTransactions:
    """A database that reports when this many more transactions have been begun."""

    def __init__(self, db: Database) -> None:
        self._db, self._left = db, 0
        self._begun = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self._left -= 1
        if not self._left:
            self._begun.set()
        async with self._db.transaction() as tx:
            yield tx

    def expect(self, number: int) -> asyncio.Event:
        """Return the event that is set when this many transactions have been begun from now on."""
        self._left = number
        return self._begun


async def once_set(event: asyncio.Event, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    await event.wait()
    return await ask()


async def test_requests_during_a_merge_can_be_repeated_after_it(make_database: MakeDatabase, clock: HandClock) -> None:
    """While Ana merges Ben's account, Ben's requests by page and by API are refused with "try again". When repeated,
    they are carried out for Ana.
    """
    db = await make_database("openmeet")
    counted = CountedTransactions(db)
    site = site_on(cast("Database", counted), clock)
    one = await scene(db, 10)
    path = f"/events/{one.fresh.slug}/answer"
    async with db.transaction() as tx:
        proposal, _ = await actions.prove_email(tx, one.ana.user_id, "ben.10@example.org")
        program = await open_session(tx, one.ben.user_id, SessionTransport.API)
    assert proposal is not None
    is_joined = asyncio.Event()
    bearer = {"authorization": f"Bearer {program.token}"}
    async with signed_in(site, one.ben.user_id) as ben:

        async def by_page() -> httpx.Response:
            return await ben.post(path, data={"reply": "going"})

        async def by_program() -> httpx.Response:
            return await ben.put(f"/api{path}", json={"reply": "going"}, headers=bearer)

        asked = [asyncio.create_task(once_set(is_joined, one)) for one in (by_page, by_program)]
        async with db.transaction() as tx:
            await actions.confirm(tx, one.ana.user_id, proposal)
            begun = counted.expect(2)
            is_joined.set()
            # Both requests have read their session. To record that Ben was active, they wait for the uncommitted merge.
            await begun.wait()
            assert not any(task.done() for task in asked)
        assert [answer.status_code for answer in await asyncio.gather(*asked)] == [503, 503]
        assert (await by_program()).status_code == 200
        assert (await by_page()).status_code == 303
    async with db.reader() as reader:
        mine = await attendance_queries.find(reader, one.fresh.id, one.ana.user_id)
        assert await attendance_queries.seats_held(reader, one.fresh.id) == 1
    assert mine is not None
    assert mine.status is AttendanceStatus.ATTENDING


# Number of statements between two stops. All stops were tried once; each run tries some of them.
STEP = 19

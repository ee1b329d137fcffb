"""Decisions of hosts about many RSVPs at once; on both engines."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from groundwork.clock import MINUTE
from groundwork.database.transaction import Database, DatabaseUnavailable, Transaction
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.attendance import actions, approval_undo, history, host_decisions, queries, registration
from openmeet.domain.attendance.approval_undo import ApprovalBatch
from openmeet.domain.attendance.host_decisions import HostDecision
from openmeet.domain.attendance.model import (
    AttendanceMode,
    AttendanceStatus,
    ChangeChannel,
    PendingFor,
    ReplyDetails,
    RsvpRecordStatus,
    RsvpReply,
)
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.attendance.tasks import fill_seats_handler
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.paging import ALL_ROWS
from openmeet.outbox import publication_queries
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind
from tests.databases import MakeDatabase
from tests.openmeet.attendance.network_answers import apply_network_answer
from tests.openmeet.site_under_test import event_by, person
from tests.openmeet.statement_counter import StatementCounter

GOING, WAITING = AttendanceStatus.ATTENDING, AttendanceStatus.WAITLISTED
IN_PERSON, ONLINE = AttendanceMode


@pytest.fixture
async def db(make_database: MakeDatabase, clock):
    return await make_database("openmeet", clock=clock)


async def requests(tx, host, parties, *, capacity="", limit_in_person=None):
    """An event with approval, and the ids of requests for these parties (number of people, and way to take part)."""
    typed = {"mode": "hybrid", "online_url": "https://meet.example"} if any(mode for _, mode in parties) else {}
    event = await event_by(tx, host, capacity=capacity, **typed)
    await registration.put(
        tx, event.id, RegistrationSettings(needs_approval=True, max_party=9, limit_in_person=limit_in_person)
    )
    ids = []
    for number, (party, mode) in enumerate(parties):
        who = await person(tx, f"Guest {number} {event.slug}")
        ids.append((await actions.answer(tx, who, event.slug, RsvpReply.GOING, ReplyDetails(party, mode))).id)
    return event, ids


async def test_decisions_take_the_same_number_of_statements_for_many_people(db):
    """Each of these decisions holds the event's lock."""
    counts = []
    for people in (3, 30):
        async with db.transaction() as tx:
            ana = await person(tx, f"Host of {people}")
            event, ids = await requests(tx, ana, [(1, None)] * people, capacity=str(people - 1))
        for decision, chosen in ((HostDecision.APPROVE, ids), (HostDecision.REJECT, ids[:-1])):
            async with db.transaction() as tx:
                counting = StatementCounter(tx)
                await host_decisions.decide(counting, ana, event.slug, decision, chosen)
                counts.append(counting.statements)
    assert counts[:2] == counts[2:]


class CountingDatabase:
    """A database that counts the statements of its transactions."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.statements = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[StatementCounter]:
        async with self._db.transaction() as tx:
            counting = StatementCounter(tx)
            yield counting
            self.statements += counting.statements


async def test_undoing_approvals_takes_the_same_number_of_statements_for_many_people(db):
    """One of the people has read that they were approved, and stays approved."""
    counts = []
    for people in (3, 30):
        async with db.transaction() as tx:
            ana = await person(tx, f"Host of {people}")
            event, ids = await requests(tx, ana, [(1, None)] * people)
        async with db.transaction() as tx:
            approved = await host_decisions.approve(tx, ana, event.slug, ids)
            reader = (await queries.by_id(tx, ids[0])).user_id
            await notifications.mark_all_read(tx, reader)
        counting = CountingDatabase(db)
        batch = ApprovalBatch(approved.first_at, approved.last_at)
        assert await approval_undo.undo_approvals(counting, ana, event.slug, batch) == (people - 1, 1)
        counts.append(counting.statements)
    assert counts[0] == counts[1]


class FailingDatabase:
    """A database that is unavailable after one transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._has_failed = False

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        if self._has_failed:
            raise DatabaseUnavailable("connection lost")
        self._has_failed = True
        return self._db.transaction()


async def test_seats_freed_by_an_undo_that_failed_are_offered_to_the_waitlist(db, clock, monkeypatch):
    """The undo takes two transactions, and only the first succeeds."""
    monkeypatch.setattr(approval_undo, "DECIDED_AT_ONCE", 2)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event, ids = await requests(tx, ana, [(1, None)] * 3, capacity="2")
        approved = await host_decisions.approve(tx, ana, event.slug, ids)
    batch = ApprovalBatch(approved.first_at, approved.last_at)
    with pytest.raises(DatabaseUnavailable):
        await approval_undo.undo_approvals(FailingDatabase(db), ana, event.slug, batch)
    deliveries = {JobKind.FILL_SEATS: one_job_per_call(fill_seats_handler(db))}
    # The host may try again at once, and then the third person is undone, too.
    assert await dispatcher.run_once(db, deliveries) == 0
    clock.turn(MINUTE)
    assert await dispatcher.run_once(db, deliveries) == 1
    async with db.reader() as reader:
        found = await queries.by_ids(reader, ids)
    assert [found[one].status for one in ids] == [AttendanceStatus.PENDING] * 2 + [WAITING]
    assert found[ids[2]].offered_until is not None


@pytest.mark.parametrize(
    ("capacity", "limit_in_person", "parties", "expected"),
    [
        ("5", None, [(3, None), (2, None), (1, None)], [GOING, GOING, WAITING]),
        # The couple waits, and nobody overtakes it.
        ("4", None, [(3, None), (2, None), (1, None)], [GOING, WAITING, WAITING]),
        # A party that could never fit holds up nobody.
        ("4", None, [(3, None), (5, None), (1, None)], [GOING, WAITING, GOING]),
        # Only people who come in person wait for each other.
        (
            "",
            2,
            [(1, IN_PERSON), (2, IN_PERSON), (1, IN_PERSON), (4, ONLINE)],
            [GOING, WAITING, WAITING, GOING],
        ),
        ("", None, [(9, None), (9, None)], [GOING, GOING]),
    ],
)
async def test_people_get_places_in_order_of_arrival(db, capacity, limit_in_person, parties, expected):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        ones = [(1, mode) for _, mode in parties]
        event, ids = await requests(tx, ana, ones, capacity=capacity, limit_in_person=limit_in_person)
        # A limit can be lowered after people have answered.
        for rsvp_id, (party, _) in zip(ids, parties, strict=True):
            await tx.execute("update attendances set party = :party where id = :id", party=party, id=rsvp_id)
        await host_decisions.approve(tx, ana, event.slug, ids)
        found = await queries.by_ids(tx, ids)
        assert [found[one].status for one in ids] == expected
        numbers = [found[one].waitlist_number for one in ids if found[one].status is WAITING]
        assert numbers == sorted(set(numbers))


async def test_each_decision_is_in_the_history_and_its_record_is_enqueued(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event, ids = await requests(tx, ana, [(1, None)] * 2)
        counts = await host_decisions.approve(tx, ana, event.slug, ids)
        for one in ids:
            rsvp = await queries.by_id(tx, one)
            entry = (await history.of_rsvp(tx, one, ALL_ROWS))[-1]
            assert (entry.after, entry.through, entry.actor_id) == (GOING, ChangeChannel.HOST, ana.user_id)
            assert entry.revision == rsvp.revision
            assert (await publication_queries.find(tx, PublicationKind.RSVP, one)).revision == rsvp.revision
            assert rsvp.approved_at == tx.now
    batch = ApprovalBatch(counts.first_at, counts.last_at)
    assert await approval_undo.undo_approvals(db, ana, event.slug, batch) == (2, 0)
    async with db.reader() as reader:
        entry = (await history.of_rsvp(reader, ids[0], ALL_ROWS))[-1]
        assert (entry.after, entry.actor_id) == (AttendanceStatus.PENDING, ana.user_id)


async def test_approving_rejected_people_lets_in_only_those_who_wanted_to_come(db, clock):
    """The others are as they were before the rejection, and are counted as restored."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        people = [await person(tx, name) for name in ("Mia", "Nils", "Una", "Tess", "Gil", "Ada")]
        replies = [RsvpReply.INTERESTED, RsvpReply.DECLINED, None, RsvpReply.GOING, RsvpReply.GOING, RsvpReply.GOING]
        ids = []
        for who, reply in zip(people, replies, strict=True):
            if who is people[-1]:
                await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
            if reply is None:
                rsvp = await apply_network_answer(tx, event, who.user_id, RsvpRecordStatus.UNCLEAR)
            else:
                rsvp = await actions.answer(tx, who, event.slug, reply)
            ids.append(rsvp.id)
    clock.turn(event.starts_at - MINUTE - clock.now())
    async with db.transaction() as tx:
        await host_decisions.check_in(tx, ana, event.slug, ids[3])
        await host_decisions.reject(tx, ana, event.slug, ids)
    async with db.transaction() as tx:
        counts = await host_decisions.approve(tx, ana, event.slug, ids)
        found = await queries.by_ids(tx, ids)
    assert [(found[one].status, found[one].pending_for) for one in ids] == [
        (AttendanceStatus.INTERESTED, None),
        (AttendanceStatus.DECLINED, None),
        (AttendanceStatus.PENDING, PendingFor.UNCLEAR),
        (AttendanceStatus.ATTENDED, None),
        (GOING, None),
        (GOING, None),
    ]
    assert (counts.seated, counts.waiting, counts.restored) == (2, 0, 4)


async def test_places_are_given_in_the_order_of_the_waitlist(make_database: MakeDatabase) -> None:
    """It differs from the order of arrival once a host has let somebody move ahead."""
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="1")
        rsvps = [
            await actions.answer(tx, await person(tx, name), event.slug, RsvpReply.GOING)
            for name in ("Ben", "Cleo", "Dora")
        ]
        [cleo, dora] = [one.id for one in rsvps if one.status is WAITING]
        await host_decisions.give_places(tx, ana, event.slug, [dora])
        await host_decisions.give_places(tx, ana, event.slug, [cleo, dora])
        rows = await tx.fetch("select id from attendances where status = 'waitlisted' order by waitlist_number")
    assert [row["id"] for row in rows] == [dora, cleo]

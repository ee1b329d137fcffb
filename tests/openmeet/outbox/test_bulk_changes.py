"""A change of a group, event or series that concerns many records: no transaction makes many of them due."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

import openmeet
from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, group_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events import record_changes
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.events.model import Event
from openmeet.domain.groups import administration
from openmeet.domain.groups.model import Group, GroupVisibility
from openmeet.domain.users.model import Caller
from openmeet.outbox import bulk_changes, publication_rechecks
from openmeet.outbox.bulk_changes import bulk_change_handler
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind
from programs.outbox_dispatcher import BULK_CHANGES
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.series.practice import NOW
from tests.openmeet.site_under_test import details, person
from tests.openmeet.statement_counter import CountingDatabase, StatementCounter

AT_ONCE = 2
FEW, MANY = 3, 7
_PUBLISHED = {
    "event": "select id, 'event', author_id from events where group_id = :group_id",
    "group_event": "select id, 'group_event', author_id from events where group_id = :group_id",
    "membership": "select id, 'membership', user_id from group_members where role = 'member' and group_id = :group_id",
    "acceptance": "select id, 'acceptance', user_id from group_members where role = 'member' and group_id = :group_id",
    "rsvp": (
        "select a.id, 'rsvp', a.user_id from attendances a join events e on e.id = a.event_id"
        " where e.group_id = :group_id"
    ),
}


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Database:
    clock.turn(NOW - clock.now())
    monkeypatch.setattr(bulk_changes, "CHANGED_AT_ONCE", AT_ONCE)
    return await make_database("openmeet", clock=clock)


async def _group_of(tx: Transaction, number: int) -> tuple[Caller, Group, list[Event]]:
    """A group with this number of events, of members who want to be named and have answered one event, and of people who
    have left. Everything about them is published.
    """
    ana = await person(tx, "Ana")
    group = await group_by(tx, ana, sync_enabled="on")
    typed = details(starts="2026-12-04T18:00", ends="2026-12-04T20:00")
    made = [await events.create(tx, ana, typed, group=as_group_of_event(group)) for _ in range(number)]
    for one in range(number):
        member = await add_member(tx, group, ana, f"Member {one}")
        await attendance.answer(tx, member, made[0].slug, RsvpReply.GOING)
        former = await add_member(tx, group, ana, f"Former {one}")
        await administration.remove(tx, ana, group.slug, former.user_id)
    await tx.execute("update group_members set sync_enabled = 1 where role = 'member'")
    await tx.execute("delete from publications")
    await tx.execute("delete from outbox_jobs")
    for select in _PUBLISHED.values():
        await tx.execute(
            "insert into publications (subject_id, kind, user_id, state, revision, due_at, edited_at, changed_at)"
            f" select chosen.*, 'published', 1, 1, 1, 1 from ({select}) as chosen",
            group_id=group.id,
        )
    return ana, group, made


async def _make_private(tx: Transaction, ana: Caller, group: Group) -> None:
    await group_hosting.revise(tx, ana, group.slug, replace(group.details, visibility=GroupVisibility.PRIVATE))


async def _left(db: Database) -> set[str]:
    """The kinds of records of which some are not due."""
    async with db.reader() as reader:
        return {row["kind"] for row in await reader.fetch("select kind from publications where state = 'published'")}


async def _count_jobs(db: Database, kind: JobKind) -> int:
    async with db.reader() as reader:
        return len(await reader.fetch("select subject from outbox_jobs where kind = :kind", kind=kind.value))


async def _run_jobs(db: Database | CountingDatabase) -> None:
    """Jobs that a job enqueues are run, too."""
    delivery = one_job_per_call(bulk_change_handler(cast("Database", db), BULK_CHANGES))
    while await dispatcher.run_once(cast("Database", db), {JobKind.BULK_CHANGE: delivery}):
        pass


async def test_no_transaction_grows_with_the_group(db: Database) -> None:
    largest: list[tuple[int, ...]] = []
    for number in (FEW, MANY):
        async with db.transaction() as tx:
            ana, group, _ = await _group_of(tx, number)
        async with db.transaction() as tx:
            editing = StatementCounter(tx)
            await _make_private(editing, ana, group)
        assert await _left(db) == _PUBLISHED.keys()
        counting = CountingDatabase(db)
        await _run_jobs(counting)
        assert await _left(db) == set()
        assert await _count_jobs(db, JobKind.LEFT_GROUP) == number
        largest.append((editing.statements, editing.changed, counting.most_statements, counting.most_changed))
    assert largest[0] == largest[1]


async def test_few_records_are_made_due_at_once(db: Database) -> None:
    async with db.transaction() as tx:
        ana, group, _ = await _group_of(tx, AT_ONCE)
    async with db.transaction() as tx:
        await _make_private(tx, ana, group)
    assert await _left(db) == set()
    assert await _count_jobs(db, JobKind.BULK_CHANGE) == 0


async def test_the_job_is_continued_after_a_crash_and_finds_new_rows(db: Database) -> None:
    async with db.transaction() as tx:
        ana, group, made = await _group_of(tx, MANY)
    async with db.transaction() as tx:
        await _make_private(tx, ana, group)
    handle = bulk_change_handler(cast("Database", CountingDatabase(db, fails_in=2)), BULK_CHANGES)
    await dispatcher.run_once(db, {JobKind.BULK_CHANGE: one_job_per_call(handle, jobs_per_lease=1)})
    async with db.transaction() as tx:
        await events.delete(tx, ana, made[1].slug)
        joined = await add_member(tx, group, ana, "Nan")
        await tx.execute("update group_members set sync_enabled = 1 where user_id = :id", id=joined.user_id)
        await tx.execute(
            "insert into publications (subject_id, kind, user_id, state, revision, due_at, edited_at, changed_at)"
            " select id, 'membership', user_id, 'published', 1, 1, 1, 1 from group_members where user_id = :id",
            id=joined.user_id,
        )
        await tx.execute("update outbox_jobs set state = 'due', due_at = 1 where state = 'due' or state = 'leased'")
    await _run_jobs(db)
    assert await _left(db) == set()


async def test_the_rsvps_of_a_large_event_become_due_in_pages(db: Database) -> None:
    largest: list[tuple[int, ...]] = []
    for number in (FEW, MANY):
        async with db.transaction() as tx:
            ana, _, made = await _group_of(tx, number)
        async with db.transaction() as tx:
            await event_hosting.revise(tx, ana, made[0].slug, details(visibility="private"))
        assert "rsvp" in await _left(db)
        counting = CountingDatabase(db)
        await _run_jobs(counting)
        assert "rsvp" not in await _left(db)
        largest.append((counting.most_statements, counting.most_changed))
    assert largest[0] == largest[1]


async def _own_records(tx: Transaction, number: int, state: str = "published") -> Caller:
    """A person with this number of published records, and of records in this state."""
    ben = await person(tx, f"Ben {number} {state}")
    await tx.execute("delete from publications")
    await tx.execute("delete from outbox_jobs")
    await tx.execute_many(
        "insert into publications (subject_id, kind, user_id, state, revision, due_at, edited_at, changed_at)"
        " values (:subject, :kind, :user_id, :state, 1, 1, 1, 1)",
        [
            {"subject": f"{one}", "kind": kind, "user_id": ben.user_id, "state": as_stored}
            for one in range(number)
            for kind, as_stored in (("rsvp", "published"), ("event", state))
        ],
    )
    return ben


async def _states(db: Database) -> set[tuple[str, str]]:
    async with db.reader() as reader:
        return {(row["kind"], row["state"]) for row in await reader.fetch("select kind, state from publications")}


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (
            lambda tx, ben: publication_rechecks.make_all_due_of(tx, ben.user_id),
            "withheld",
            {("rsvp", "due"), ("event", "due")},
        ),
        (
            lambda tx, ben: publication_rechecks.make_unpublished_due_of(tx, ben.user_id),
            "blocked",
            {("rsvp", "published"), ("event", "due")},
        ),
        (
            lambda tx, _: publication_rechecks.make_kind_due(tx, PublicationKind.EVENT),
            "waiting",
            {("rsvp", "published"), ("event", "due")},
        ),
    ],
)
async def test_the_records_of_a_person_and_of_a_kind_become_due_in_pages(
    db: Database,
    change: Callable[[Transaction, Caller], Awaitable[None]],
    before: str,
    after: set[tuple[str, str]],
) -> None:
    """The same records become due, however many there are, and no transaction grows with them."""
    largest: list[tuple[int, ...]] = []
    for number in (FEW, MANY):
        async with db.transaction() as tx:
            ben = await _own_records(tx, number, before)
        async with db.transaction() as tx:
            deciding = StatementCounter(tx)
            await change(deciding, ben)
        assert ("event", before) in await _states(db)
        counting = CountingDatabase(db)
        await _run_jobs(counting)
        assert await _states(db) == after
        largest.append((deciding.statements, deciding.changed, counting.most_statements, counting.most_changed))
    assert largest[0] == largest[1]


async def test_a_handler_decides_again_although_a_job_makes_the_records_due(db: Database) -> None:
    """The record that is being sent is marked in the transaction of the change."""
    async with db.transaction() as tx:
        ben = await _own_records(tx, MANY)
        await tx.execute("update publications set state = 'sending', leased_until = 2 where subject_id = '0'")
    async with db.transaction() as tx:
        await publication_rechecks.make_all_due_of(tx, ben.user_id)
    async with db.reader() as reader:
        marked = await reader.fetch("select kind from publications where needs_recheck = 1 order by kind")
    assert [row["kind"] for row in marked] == ["event", "rsvp"]


async def test_the_held_events_of_a_group_are_shown_in_pages(db: Database) -> None:
    async with db.transaction() as tx:
        _, group, _ = await _group_of(tx, MANY)
        await tx.execute("update events set is_held = 1")
    async with db.transaction() as tx:
        await record_changes.release_in_group(tx, group.id)
    counting = CountingDatabase(db)
    await _run_jobs(counting)
    async with db.reader() as reader:
        assert await reader.fetch("select id from events where is_held = 1") == []
    assert len(counting.transactions) > MANY // AT_ONCE, "one for each page"


def test_the_job_knows_every_bulk_change() -> None:
    """Their names are stored."""
    files = Path(openmeet.__file__).parent.rglob("*.py")
    names = [name for file in files for name in re.findall(r'= BulkChange\(\s*"(\w+)"', file.read_text())]
    assert sorted(names) == sorted(one.name for one in BULK_CHANGES)

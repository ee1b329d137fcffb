"""Two transactions enqueue the same job, and the one that began later ends first. Its job has run before the other ends,
so the job must run again.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from groundwork.clock import SECOND, HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox import dispatcher, jobs
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.jobs import Job, JobState
from openmeet.domain.account_merge import merge
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_changes, reevaluation, registration, waitlist
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events import record_changes
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration, followed_dids
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.identities import actions as identities
from openmeet.domain.moderation import blocks
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.moderation_effects import actions as moderation_effects
from openmeet.domain.series.detection_actions import enqueue_detection
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site_under_test import edited_details, event_by, person

DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
URI = f"at://{DID}/community.lexicon.calendar.event/3mqdau33ozs2n"

# Prepares what the action needs; returns the subject of its job, and the action.
Action = Callable[[Transaction], Awaitable[object]]
Scenario = Callable[[Transaction], Awaitable[tuple[str, Action]]]


async def _leave_group(tx: Transaction) -> tuple[str, Action]:
    olga = await person(tx, "Olga")
    group = await group_by(tx, olga)
    gil = await add_member(tx, group, olga, "Gil")
    return gil.user_id, lambda tx: groups.leave(tx, gil, group.slug)


async def _join_group(tx: Transaction) -> tuple[str, Action]:
    olga, gil = await person(tx, "Olga"), await person(tx, "Gil")
    group = await group_by(tx, olga)
    link = await administration.invite_by_link(tx, olga, group.slug, uses=1)
    return gil.user_id, lambda tx: administration.accept(tx, gil, link.id)


async def _hide_from_former_members(tx: Transaction) -> tuple[str, Action]:
    olga = await person(tx, "Olga")
    group = await group_by(tx, olga)
    gil = await add_member(tx, group, olga, "Gil")
    await groups.leave(tx, gil, group.slug)
    return gil.user_id, lambda tx: reevaluation.enqueue_former_members_of_group(tx, group.id)


async def _merge_accounts(tx: Transaction) -> tuple[str, Action]:
    ana, again = await person(tx, "Ana"), await person(tx, "Ana again")
    return ana.user_id, lambda tx: merge.merge(tx, again.user_id, ana.user_id)


async def _show_event(tx: Transaction) -> tuple[str, Action]:
    event = await event_by(tx, await person(tx, "Ana"))
    await record_changes.store_record_uri(tx, event.id, uri=URI, cid="c", did=DID)

    async def release(tx: Transaction) -> None:
        now = await event_queries.by_id(tx, event.id)
        assert now is not None
        await event_changes.release_awaiting_rsvps(tx, [now])

    return URI, release


async def _become_host(tx: Transaction) -> tuple[str, Action]:
    ana = await person(tx, "Ana")
    return ana.user_id, lambda tx: blocks.apply_to_new_host(tx, ana.user_id)


async def _suspend(tx: Transaction) -> tuple[str, Action]:
    ana, moderator = await person(tx, "Ana"), await person(tx, "Moderator")
    subject = Subject(ModeratedKind.PERSON, ana.user_id)
    return ana.user_id, lambda tx: moderation_effects.decide(tx, moderator, subject, SubjectVisibility.HIDDEN, "Spam.")


async def _consent(tx: Transaction) -> tuple[str, Action]:
    ana = await person(tx, "Ana")
    return ana.user_id, lambda tx: identities.grant_consent(tx, ana.user_id, handle="ana.example")


async def _follow(tx: Transaction) -> tuple[str, Action]:
    olga = await person(tx, "Olga")
    group = await group_by(tx, olga)
    return DID, lambda tx: followed_dids.follow(tx, olga, group.slug, DID)


SCENARIOS: dict[str, tuple[JobKind, Scenario]] = {
    "somebody leaves a group": (JobKind.LEFT_GROUP, _leave_group),
    "somebody joins a group": (JobKind.GAINED_ACCESS, _join_group),
    "an event is hidden from former members": (JobKind.LEFT_GROUP, _hide_from_former_members),
    "two accounts are merged": (JobKind.GAINED_ACCESS, _merge_accounts),
    "more people can see an event": (JobKind.FETCH_SUBJECT, _show_event),
    "somebody takes over an event": (JobKind.APPLY_BLOCKS, _become_host),
    "a moderator blocks a person": (JobKind.BLOCKED_PERSON, _suspend),
    "somebody chooses a handle": (JobKind.CUSTODIAL_ACCOUNT, _consent),
    "a group follows an account": (JobKind.BACKFILL, _follow),
}


async def _completed(_job: Job) -> None:
    return None


async def _overtake(db: Database, clock: HandClock, kind: JobKind, subject: str) -> None:
    """Enqueue and run the job of a transaction that began a second later."""
    clock.turn(SECOND)
    async with db.transaction() as tx:
        await jobs.enqueue_again(tx, kind, [subject])
    await dispatcher.run_once(db, {kind: one_job_per_call(_completed)})
    assert await _state_of(db, kind, subject) is JobState.COMPLETED
    clock.turn(-SECOND)


async def _state_of(db: Database, kind: JobKind, subject: str) -> JobState | None:
    async with db.reader() as reader:
        job = await jobs.find(reader, kind, subject)
    return None if job is None else job.state


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


@pytest.mark.parametrize("name", SCENARIOS)
async def test_job_of_the_earlier_transaction_runs(db: Database, clock: HandClock, name: str):
    kind, scenario = SCENARIOS[name]
    async with db.transaction() as tx:
        subject, action = await scenario(tx)
    await _overtake(db, clock, kind, subject)
    async with db.transaction() as tx:
        await action(tx)
    assert await _state_of(db, kind, subject) is JobState.DUE


@pytest.mark.parametrize("limit", ["events", "people"])
async def test_waitlist_is_filled_to_the_end(
    db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch, limit: str
):
    """What does not fit into one transaction is left to a job."""
    name, number = ("_EVENTS_AT_ONCE", 0) if limit == "events" else ("MAX_PER_TRANSACTION", 1)
    monkeypatch.setattr(waitlist, name, number)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="1")
        for who in ("Ben", "Cleo", "Dan"):
            await attendance.answer(tx, await person(tx, who), event.slug, RsvpReply.GOING)
    await _overtake(db, clock, JobKind.FILL_SEATS, event.id)
    async with db.transaction() as tx:
        event = await events.revise(tx, ana, event.slug, edited_details(event, capacity=3))
        if limit == "events":
            await waitlist.fill_seats_of_each(tx, [event])
        else:
            await waitlist.fill_seats(tx, await registration.registration_of(tx, event))
    assert await _state_of(db, JobKind.FILL_SEATS, event.id) is JobState.DUE


async def test_series_are_searched_again(db: Database, clock: HandClock):
    """The job of the earlier transaction is due a minute after its event."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    await _overtake(db, clock, JobKind.DETECT_SERIES, ana.user_id)
    async with db.transaction() as tx:
        await enqueue_detection(tx, [(ana.user_id, True)])
        due_at = tx.now
    async with db.reader() as reader:
        job = await jobs.find(reader, JobKind.DETECT_SERIES, ana.user_id)
    assert job is not None
    assert (job.state, job.due_at > due_at) == (JobState.DUE, True)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_leaving_two_groups_at_once(db: Database, clock: HandClock):
    """The first transaction has begun, and waits. The second one, which leaves the other group, and its job run
    meanwhile. SQLite has one writer, so there the transactions end in the order in which they begin.
    """
    async with db.transaction() as tx:
        olga = await person(tx, "Olga")
        first, second = await group_by(tx, olga, name="Chess"), await group_by(tx, olga, name="Go")
        gil = await add_member(tx, first, olga, "Gil")
        await administration.accept(tx, gil, (await administration.invite_by_link(tx, olga, second.slug, uses=1)).id)
    has_begun, has_run = asyncio.Event(), asyncio.Event()

    async def leave_first() -> None:
        async with db.transaction() as tx:
            await group_queries.by_id(tx, first.id)
            has_begun.set()
            await has_run.wait()
            await groups.leave(tx, gil, first.slug)

    async def leave_second() -> None:
        await has_begun.wait()
        clock.turn(SECOND)
        async with db.transaction() as tx:
            await groups.leave(tx, gil, second.slug)
        await dispatcher.run_once(db, {JobKind.LEFT_GROUP: one_job_per_call(_completed)})
        assert await _state_of(db, JobKind.LEFT_GROUP, gil.user_id) is JobState.COMPLETED
        has_run.set()

    await asyncio.gather(leave_first(), leave_second())
    assert await _state_of(db, JobKind.LEFT_GROUP, gil.user_id) is JobState.DUE

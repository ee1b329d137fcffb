"""Checks of abandoned keys: one that is requested while another runs is not delayed by its result."""

import pytest

from groundwork.clock import MINUTE, HandClock
from groundwork.database.transaction import Database
from groundwork.outbox import dispatcher, jobs
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.jobs import Job, JobState
from openmeet.outbox import in_flight
from openmeet.outbox.in_flight import InFlightWrite
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.statement_counter import StatementCounter

DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
URI = f"at://{DID}/community.lexicon.calendar.event/3mqdau33ozs2n"


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    """A database with an abandoned key that is checked now."""
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        await in_flight.store(tx, InFlightWrite(URI, "bafy", None), did=DID)
        await in_flight.watch_key(tx, URI, is_gone=False)
    return db


async def _check(db: Database, *, is_reported_meanwhile: bool, is_reported_before_end: bool = True) -> None:
    """Run the check, which finds no record. Meanwhile, the stream may report that a late write took effect."""

    async def report() -> None:
        async with db.transaction() as tx:
            await in_flight.enqueue_check(tx, URI)

    async def check(job: Job) -> None:
        async with db.reader() as reader:
            key = await in_flight.of_uri(reader, URI)
        assert key is not None
        if is_reported_meanwhile and is_reported_before_end:
            await report()
        async with db.transaction() as tx:
            await in_flight.enqueue_next_check(tx, job, key)
        if is_reported_meanwhile and not is_reported_before_end:
            await report()

    assert await dispatcher.run_once(db, {JobKind.LATE_WRITE: one_job_per_call(check)}) == 1


async def _next_check(db: Database) -> Job:
    async with db.reader() as reader:
        job = await jobs.find(reader, JobKind.LATE_WRITE, URI)
    assert job is not None
    return job


@pytest.mark.parametrize("is_reported_before_end", [True, False])
async def test_check_requested_during_another_is_due_now(db: Database, clock: HandClock, is_reported_before_end: bool):
    await _check(db, is_reported_meanwhile=True, is_reported_before_end=is_reported_before_end)
    job = await _next_check(db)
    assert (job.state, job.due_at) == (JobState.DUE, clock.now())


async def test_key_without_a_record_is_checked_later(db: Database, clock: HandClock):
    clock.turn(7 * MINUTE)
    await _check(db, is_reported_meanwhile=False)
    job = await _next_check(db)
    assert (job.state, job.due_at) == (JobState.DUE, clock.now() + 7 * MINUTE)


async def test_erasing_a_repository_deletes_all_its_checks_at_once(db: Database) -> None:
    async with db.transaction() as tx:
        for number in range(20):
            uri = f"{URI}{number}"
            await in_flight.store(tx, InFlightWrite(uri, "bafy", None), did=DID)
            await in_flight.watch_key(tx, uri, is_gone=False)
        counting = StatementCounter(tx)
        await in_flight.erase(counting, DID)
        assert counting.statements == 4
        assert await jobs.in_state(tx, JobState.DUE, kind=JobKind.LATE_WRITE) == []

"""Outbox jobs: leased, completed, retried, failed. A crash may repeat a job but never loses one."""

import pytest
from tests.databases import MakeDatabase

from groundwork.clock import HOUR, SECOND, HandClock, Instant
from groundwork.database.transaction import Database
from groundwork.errors import FailureReason, Refused, RemoteFailed, TooMany
from groundwork.outbox import jobs, retry
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.dispatcher import lease, run_once
from groundwork.outbox.jobs import Job, JobState


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


async def enqueue(db: Database, subject: str = "s", revision: int = 1) -> None:
    async with db.transaction() as tx:
        await jobs.enqueue(tx, "kind", subject, revision)


async def found(db: Database, subject: str = "s") -> Job:
    async with db.reader() as reader:
        job = await jobs.find(reader, "kind", subject)
    assert job is not None
    return job


class _Payer:
    """A payment job whose calls first fail as given, then succeed."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.paid = list(failures), []

    async def pay(self, job: Job) -> None:
        self.paid.append((job.subject, job.revision))
        if self.failures:
            raise self.failures.pop(0)


async def test_a_revision_is_delivered_once(db: Database):
    handler = _Payer()
    await enqueue(db)
    assert await run_once(db, {"kind": one_job_per_call(handler.pay)}) == 1
    assert await run_once(db, {"kind": one_job_per_call(handler.pay)}) == 0
    await enqueue(db)
    assert await run_once(db, {"kind": one_job_per_call(handler.pay)}) == 0
    assert handler.paid == [("s", 1)]


async def test_newer_revision_is_due_again(db: Database):
    handler = _Payer()
    await enqueue(db)
    await run_once(db, {"kind": one_job_per_call(handler.pay)})
    await enqueue(db, revision=2)
    await run_once(db, {"kind": one_job_per_call(handler.pay)})
    assert handler.paid == [("s", 1), ("s", 2)]


async def test_a_revision_enqueued_during_delivery_is_not_lost(db: Database):
    await enqueue(db)

    async def pay(_job: Job) -> None:
        await enqueue(db, revision=2)

    await run_once(db, {"kind": one_job_per_call(pay)})
    assert (await found(db)).state is JobState.DUE


async def test_a_later_job_enqueued_during_delivery_waits_until_then(db: Database, clock: HandClock):
    """A job enqueued for later during its own delivery waits until then; a publisher uses this to repeat itself."""
    await enqueue(db)
    later = Instant(clock.now() + HOUR)

    async def pay(job: Job) -> None:
        async with db.transaction() as tx:
            await jobs.enqueue(tx, "kind", job.subject, job.revision + 1, due_at=later)

    assert await run_once(db, {"kind": one_job_per_call(pay)}) == 1
    assert await run_once(db, {"kind": one_job_per_call(pay)}) == 0
    assert ((await found(db)).state, (await found(db)).due_at) == (JobState.DUE, later)


async def test_enqueued_again_in_the_same_instant_while_delivering_is_delivered_again(db: Database):
    """A job enqueued again in the same instant as its delivery is delivered again, even if clocks stand still or
    differ.
    """

    async def ask() -> None:
        async with db.transaction() as tx:
            await jobs.enqueue_again(tx, "kind", ["s", "s"])

    paid: list[int] = []

    async def pay(job: Job) -> None:
        paid.append(job.revision)
        if len(paid) == 1:
            await ask()

    await ask()
    assert [await run_once(db, {"kind": one_job_per_call(pay)}) for _ in range(3)] == [1, 1, 0]
    assert paid == [paid[0], paid[0] + 1]
    await ask()
    assert (await found(db)).state is JobState.DUE


async def test_only_existing_jobs_are_enqueued_again_among_subjects(db: Database):
    await enqueue(db)
    await run_once(db, {"kind": one_job_per_call(_Payer().pay)})
    assert (await found(db)).state is JobState.COMPLETED
    async with db.transaction() as tx:
        await jobs.enqueue_again_among(tx, "kind", ["s", "other"])
    assert (await found(db)).state is JobState.DUE
    async with db.reader() as reader:
        assert await jobs.find(reader, "kind", "other") is None


async def test_job_of_a_dead_worker_is_leased_again(db: Database, clock: HandClock):
    await enqueue(db)
    handler = _Payer()
    delivery = one_job_per_call(handler.pay, lease_seconds=60)
    assert [len(some) for some in (await lease(db, "kind", delivery)).values()] == [1]
    assert await lease(db, "kind", delivery) == {}
    clock.turn(61 * SECOND)
    assert await run_once(db, {"kind": delivery}) == 1


async def test_temporary_failure_is_retried(db: Database, clock: HandClock):
    handler = _Payer(RemoteFailed("away"), TooMany("slow down", after_seconds=120))
    await enqueue(db)
    await run_once(db, {"kind": one_job_per_call(handler.pay)})
    job = await found(db)
    assert (job.state, job.attempts, job.why) == (JobState.DUE, 1, FailureReason.REMOTE_FAILED())
    clock.turn(10 * SECOND)
    await run_once(db, {"kind": one_job_per_call(handler.pay)})
    assert (await found(db)).due_at == clock.now() + 120 * SECOND


async def test_permanent_failure_waits_for_an_operator(db: Database, clock: HandClock):
    handler = _Payer(Refused("no"))
    await enqueue(db)
    await run_once(db, {"kind": one_job_per_call(handler.pay)})
    clock.turn(24 * HOUR)
    assert await run_once(db, {"kind": one_job_per_call(handler.pay)}) == 0
    async with db.reader() as reader:
        assert [(job.reason_code, job.why) for job in await jobs.in_state(reader, JobState.FAILED)] == [
            ("Refused", FailureReason.REFUSED())
        ]
        assert [(kind, state, n) for kind, state, n, _ in await jobs.counts(reader)] == [("kind", JobState.FAILED, 1)]
    async with db.transaction() as tx:
        assert await jobs.retry_now(tx, "kind", "s")
    assert await run_once(db, {"kind": one_job_per_call(handler.pay)}) == 1


async def test_unexpected_failure_is_retried_a_few_times(db: Database, clock: HandClock):
    handler = _Payer(*(KeyError("bug") for _ in range(10)))
    await enqueue(db)
    for _ in range(10):
        await run_once(db, {"kind": one_job_per_call(handler.pay)})
        clock.turn(HOUR)
    assert len(handler.paid) == retry.DEFAULT_RETRY.unforeseen_tries
    assert (await found(db)).state is JobState.FAILED


async def test_one_failure_does_not_touch_the_others(db: Database):
    await enqueue(db, "a")
    await enqueue(db, "b")

    async def pay(job: Job) -> None:
        if job.subject == "a":
            raise Refused("no")

    await run_once(db, {"kind": one_job_per_call(pay)})
    assert (await found(db, "b")).state is JobState.COMPLETED


async def test_finished_jobs_are_deleted_eventually(db: Database, clock: HandClock):
    await enqueue(db)
    await run_once(db, {"kind": one_job_per_call(_Payer().pay)})
    clock.turn(HOUR)
    async with db.transaction() as tx:
        assert await jobs.forget_completed(tx, tx.now) == 1
        assert not await jobs.forget(tx, "kind", "s")


@pytest.mark.parametrize("attempts", [1, 2, 5, 50, 5000])
def test_retry_delays_grow_to_a_limit(attempts: int):
    for jitter in (0.0, 0.5, 0.999):
        seconds = retry.wait_seconds(attempts, jitter)
        assert 0 < seconds <= retry.DEFAULT_RETRY.longest_seconds
    assert retry.wait_seconds(attempts, 0.5, least_seconds=9000) == 9000

"""The dispatcher: which jobs it takes first, which jobs do not wait, and how results are used."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import cast

import pytest
from structlog.testing import capture_logs
from tests.databases import MakeDatabase
from tests.openmeet.statement_counter import CountingDatabase
from tests.timeouts import TIMEOUT_SECONDS

from groundwork.clock import MINUTE, SECOND, HandClock
from groundwork.database.transaction import Database
from groundwork.errors import CircuitOpen, Explanation, NoConnectionFree, RemoteFailed
from groundwork.outbox import dispatcher, jobs
from groundwork.outbox.delivery import (
    Completed,
    JobDelivery,
    JobFailed,
    NotAttempted,
    Postponement,
    Result,
    RetryLater,
    one_job_per_call,
)
from groundwork.outbox.jobs import Job, JobState, Priority
from groundwork.outbox.wakeup import new_wakeup


async def nothing(_job: Job) -> None: ...


# Takes one job at a time.
ONE = one_job_per_call(nothing, jobs_per_lease=1)


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


async def enqueue(
    db: Database,
    subject: str,
    *,
    kind: str = "kind",
    revision: int = 1,
    partition: str = "",
    priority: Priority = Priority.NORMAL,
) -> None:
    async with db.transaction() as tx:
        await jobs.enqueue(tx, kind, subject, revision, partition=partition, priority=priority)


async def found(db: Database, subject: str) -> Job:
    async with db.reader() as reader:
        job = await jobs.find(reader, "kind", subject)
    assert job is not None
    return job


async def test_urgent_jobs_are_leased_before_older_ones(db: Database, clock: HandClock):
    for subject, priority in (("a", Priority.NORMAL), ("b", Priority.EARLY), ("c", Priority.NORMAL)):
        await enqueue(db, subject, priority=priority)
        clock.turn(SECOND)
    await enqueue(db, "d", priority=Priority.FIRST)
    taken: list[str] = []

    async def note(job: Job) -> None:
        taken.append(job.subject)

    while await dispatcher.run_once(db, {"kind": one_job_per_call(note, jobs_per_lease=1)}):
        pass
    assert taken == ["d", "b", "a", "c"]


async def test_expired_lease_is_leased_again_by_priority(db: Database, clock: HandClock):
    await enqueue(db, "urgent", priority=Priority.FIRST)
    await dispatcher.lease(db, "kind", ONE)
    await enqueue(db, "other")
    clock.turn(61 * SECOND)
    again = await dispatcher.lease(db, "kind", ONE)
    assert [(job.subject, job.lease) for job in again[""]] == [("urgent", 2)]


async def test_jobs_of_one_partition_are_delivered_in_one_call(db: Database):
    for subject, partition in (("a", "one"), ("b", "two"), ("c", "one"), ("d", "one")):
        await enqueue(db, subject, partition=partition)
    calls: list[list[str]] = []

    async def deliver(some: Sequence[Job]) -> Sequence[Result]:
        calls.append([job.subject for job in some])
        return [Completed()] * len(some)

    assert await dispatcher.run_once(db, {"kind": JobDelivery(deliver, jobs_per_call=2)}) == 4
    assert sorted(calls) == [["a", "c"], ["b"], ["d"]]


async def test_each_job_of_a_call_has_a_result_of_its_own(db: Database, clock: HandClock):
    for subject in ("done", "later", "not now", "never"):
        await enqueue(db, subject)
    results: dict[str, Result] = {
        "done": Completed(),
        "later": RetryLater(Explanation("Away", {"host": "away.example"}), after_seconds=600),
        "not now": NotAttempted(Explanation("NotAsked"), after_seconds=90),
        "never": JobFailed(Explanation("Refused")),
    }

    async def deliver(some: Sequence[Job]) -> Sequence[Result]:
        return [results[job.subject] for job in some]

    await dispatcher.run_once(db, {"kind": JobDelivery(deliver, jobs_per_call=10)})
    after = {subject: await found(db, subject) for subject in results}
    assert {subject: (job.state, job.attempts, job.reason_code) for subject, job in after.items()} == {
        "done": (JobState.COMPLETED, 0, ""),
        "later": (JobState.DUE, 1, "Away"),
        "not now": (JobState.DUE, 0, "NotAsked"),
        "never": (JobState.FAILED, 1, "Refused"),
    }
    assert (after["later"].due_at, after["later"].why) == (
        clock.now() + 600 * SECOND,
        Explanation("Away", {"host": "away.example"}),
    )
    assert after["not now"].due_at == clock.now() + 90 * SECOND


async def test_open_circuit_costs_no_attempt(db: Database, clock: HandClock):
    """A server whose circuit is open costs no attempt, even for a long time: the job is due when the server may be
    called again. A bug after that is retried too.
    """
    await enqueue(db, "s")
    raised: list[Exception] = [*(CircuitOpen("not asked", after_seconds=900) for _ in range(9)), KeyError("bug")]

    async def handle(_job: Job) -> None:
        if raised:
            raise raised.pop(0)

    for _ in range(9):
        await dispatcher.run_once(db, {"kind": one_job_per_call(handle)})
        job = await found(db, "s")
        assert (job.state, job.attempts, job.due_at) == (JobState.DUE, 0, clock.now() + 15 * MINUTE)
        clock.turn(15 * MINUTE)
    await dispatcher.run_once(db, {"kind": one_job_per_call(handle)})
    assert ((await found(db, "s")).state, (await found(db, "s")).attempts) == (JobState.DUE, 1)


async def test_a_call_without_a_free_connection_costs_no_attempt(db: Database, clock: HandClock):
    await enqueue(db, "s")

    async def handle(_job: Job) -> None:
        raise NoConnectionFree("not sent")

    await dispatcher.run_once(db, {"kind": one_job_per_call(handle)})
    job = await found(db, "s")
    assert (job.state, job.attempts, job.due_at) == (JobState.DUE, 0, clock.now() + 30 * SECOND)


async def test_jobs_that_nothing_can_deliver_are_put_off_together(db: Database, clock: HandClock):
    """In one statement, whatever their partitions are. No attempt is counted. A later program delivers them."""
    postponed = {"kind": Postponement(Explanation("not_configured"), seconds=60.0)}
    for number in range(7):
        await enqueue(db, f"{number}", partition=f"{number}")
    await dispatcher.lease(db, "kind", ONE)
    clock.turn(2 * MINUTE)
    counting = CountingDatabase(db)
    assert await dispatcher.run_once(cast("Database", counting), postponed) == 0
    assert (len(counting.transactions), counting.most_statements, counting.most_changed) == (1, 1, 7)
    for number in range(7):
        job = await found(db, f"{number}")
        assert (job.state, job.attempts, job.due_at) == (JobState.DUE, 0, clock.now() + MINUTE)
        assert job.reason_code == "not_configured"
    await dispatcher.run_once(cast("Database", counting), postponed)
    assert counting.transactions[-1].changed == 0
    clock.turn(2 * MINUTE)
    assert await dispatcher.run_once(db, {"kind": one_job_per_call(nothing, partitions_at_once=7)}) == 7


async def test_jobs_that_nothing_can_deliver_delay_no_others(db: Database):
    await enqueue(db, "waits", kind="postponed")
    await enqueue(db, "a")
    stop, wake = asyncio.Event(), asyncio.Event()

    async def deliver(_job: Job) -> None:
        stop.set()

    deliveries = {
        "postponed": Postponement(Explanation("not_configured"), seconds=60.0),
        "kind": one_job_per_call(deliver),
    }
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await dispatcher.run(db, deliveries, stop, wake=wake)
    async with db.reader() as reader:
        job = await jobs.find(reader, "postponed", "waits")
    assert job is not None
    assert job.reason_code == "not_configured"


async def test_result_of_an_expired_lease_is_ignored(db: Database, clock: HandClock):
    """The result of an expired lease is ignored, because another worker has completed the job since."""
    await enqueue(db, "s")

    async def slow(_job: Job) -> None:
        clock.turn(61 * SECOND)
        await dispatcher.run_once(db, {"kind": one_job_per_call(quick)})
        raise RemoteFailed("too late")

    async def quick(_job: Job) -> None: ...

    await dispatcher.run_once(db, {"kind": one_job_per_call(slow)})
    assert ((await found(db, "s")).state, (await found(db, "s")).lease) == (JobState.COMPLETED, 2)


async def test_newer_revision_resets_the_job(db: Database):
    await enqueue(db, "s")

    async def fail(_job: Job) -> Sequence[Result]:
        await enqueue(db, "s", revision=2)
        return [JobFailed(Explanation("Refused"))]

    await dispatcher.run_once(db, {"kind": JobDelivery(lambda some: fail(some[0]))})
    job = await found(db, "s")
    assert (job.state, job.revision, job.attempts, job.why) == (JobState.DUE, 2, 0, None)


async def test_slow_partition_delays_no_other_jobs(db: Database):
    """Jobs do not wait for a slow partition or another kind: while one address does not respond, other jobs are
    delivered, and no more jobs for that address are taken.
    """
    release, stop, wake = asyncio.Event(), asyncio.Event(), new_wakeup()
    done: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def handle(job: Job) -> None:
        if job.partition == "slow":
            await release.wait()
        done[job.subject].set()

    for subject, partition in (("s1", "slow"), ("f1", "fast")):
        await enqueue(db, subject, partition=partition)
    deliveries = {
        "kind": one_job_per_call(handle, jobs_per_lease=1, partitions_at_once=2),
        "other": one_job_per_call(handle),
    }
    running = asyncio.create_task(dispatcher.run(db, deliveries, stop, wake=wake, idle_seconds=2 * TIMEOUT_SECONDS))

    async def until(*subjects: str) -> None:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            for subject in subjects:
                await done[subject].wait()

    await until("f1")
    await enqueue(db, "s2", partition="slow")
    await enqueue(db, "f2", partition="fast")
    await enqueue(db, "o1", kind="other")
    await until("f2", "o1")
    assert (await found(db, "s2")).state is JobState.DUE
    release.set()
    await until("s1", "s2")
    stop.set()
    wake.set()
    await running
    assert (await found(db, "s2")).state is JobState.COMPLETED


async def test_no_more_partitions_are_leased_than_may_run_at_once(db: Database):
    """The first jobs of the most urgent partitions are leased, also if those of others would fit into the lease."""
    for subject, partition in (("a1", "a"), ("b1", "b"), ("c1", "c"), ("a2", "a")):
        await enqueue(db, subject, partition=partition)
    await enqueue(db, "d1", partition="d", priority=Priority.FIRST)
    delivery = one_job_per_call(nothing, jobs_per_lease=4, partitions_at_once=3)
    leased = await dispatcher.lease(db, "kind", delivery, busy=["b"])
    assert {partition: [job.subject for job in some] for partition, some in leased.items()} == {
        "d": ["d1"],
        "a": ["a1", "a2"],
    }
    assert list(await dispatcher.lease(db, "kind", delivery)) == ["b", "c"]


async def test_running_jobs_are_finished_when_it_stops(db: Database):
    begun, stop, wake = asyncio.Event(), asyncio.Event(), new_wakeup()
    release = asyncio.Event()

    async def handle(_job: Job) -> None:
        begun.set()
        await release.wait()

    await enqueue(db, "s")
    running = asyncio.create_task(dispatcher.run(db, {"kind": one_job_per_call(handle)}, stop, wake=wake))
    await begun.wait()
    stop.set()
    wake.set()
    release.set()
    await running
    assert (await found(db, "s")).state is JobState.COMPLETED


async def test_running_jobs_have_ended_when_it_is_cancelled(db: Database):
    """What calls it can close the database then."""
    begun, has_ended = asyncio.Event(), asyncio.Event()

    async def handle(_job: Job) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            async with db.reader() as reader:
                await reader.fetch("select 1")
            has_ended.set()

    await enqueue(db, "s")
    deliveries = {"kind": one_job_per_call(handle)}
    running = asyncio.create_task(dispatcher.run(db, deliveries, asyncio.Event(), wake=new_wakeup()))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert has_ended.is_set()


async def test_job_can_be_dropped_unless_it_is_being_delivered(db: Database):
    await enqueue(db, "s")
    await dispatcher.lease(db, "kind", ONE)
    await enqueue(db, "t")
    async with db.transaction() as tx:
        assert [await jobs.drop(tx, "kind", one) for one in ("s", "t", "nobody")] == [False, True, False]
        assert await jobs.find(tx, "kind", "t") is None


async def test_selected_jobs_are_enqueued_again_in_any_state(db: Database):
    """A selection is enqueued again in any state: a job that is being delivered is due once more, and a completed one
    is due again. Both have the selection's partition.
    """
    await enqueue(db, "leased", partition="old")
    await enqueue(db, "completed", partition="old")
    chosen = (
        "select 'completed' as subject, 'new' as partition, 0 as priority union all select 'leased', 'new', 0 "
        "order by 1"
    )

    async def deliver(some: Sequence[Job]) -> Sequence[Result]:
        if some[0].subject == "leased":
            await dispatcher.run_once(db, {"kind": one_job_per_call(nothing)})
            async with db.transaction() as tx:
                await jobs.enqueue_again_selected(tx, "kind", chosen, has_partitions=True)
        return [Completed()] * len(some)

    async with db.transaction() as tx:
        await tx.execute("update outbox_jobs set priority = 0 where subject = 'leased'")
    await dispatcher.run_once(db, {"kind": JobDelivery(deliver, jobs_per_lease=1)})
    for subject in ("leased", "completed"):
        job = await found(db, subject)
        assert (job.state, job.partition, job.priority) == (JobState.DUE, "new", Priority.FIRST)


async def test_an_unavailable_database_is_one_line_of_the_log(db: Database):
    """Where that was noticed says nothing, and every worker notices it."""
    await db.close()
    stop, wake = asyncio.Event(), new_wakeup()
    with capture_logs() as lines:
        running = asyncio.create_task(dispatcher.run(db, {"kind": ONE}, stop, wake=wake, idle_seconds=0.01))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                if lines:
                    break
                await asyncio.sleep(0.01)
        stop.set()
        await running
    assert (lines[0]["event"], bool(lines[0].get("reason")), "exc_info" in lines[0]) == (
        "jobs.lease_failed",
        True,
        False,
    )

"""Dispatcher: lease due jobs, call their delivery outside any transaction, store the results.

A kind never waits for another kind, and a partition of a kind never waits for another partition. Each partition has its
own round, and while it runs, no more jobs of that partition are leased. A result counts only if the job is still under
the lease with which it was taken.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from groundwork.clock import SECOND, Instant
from groundwork.database.pages import change_in_pages
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Failure
from groundwork.outbox import leased_jobs
from groundwork.outbox.delivery import (
    Completed,
    Delivery,
    JobDelivery,
    JobFailed,
    NotAttempted,
    Postponement,
    Result,
    RetryLater,
    result_of,
    result_of_bug,
    seconds_until_due,
)
from groundwork.outbox.jobs import Job, JobState
from groundwork.outbox.leased_jobs import JobUpdate
from groundwork.telemetry.health import log_fields
from groundwork.telemetry.logs import log


async def run_once(db: Database, deliveries: Mapping[str, Delivery]) -> int:
    """``run`` for the jobs that are due now, once, kind by kind, without its pauses. Returns how many jobs were leased.
    Used by tests.
    """
    job_count = 0
    for kind, delivery in deliveries.items():
        if isinstance(delivery, Postponement):
            await _postpone(db, kind, delivery)
            continue
        by_partition = await lease(db, kind, delivery)
        await asyncio.gather(
            *(_run_round(db, delivery, jobs_of_partition) for jobs_of_partition in by_partition.values())
        )
        job_count += sum(len(jobs_of_partition) for jobs_of_partition in by_partition.values())
    return job_count


async def run(
    db: Database,
    deliveries: Mapping[str, Delivery],
    stop: asyncio.Event,
    *,
    wake: asyncio.Event,
    idle_seconds: float = 1.0,
) -> None:
    """Deliver jobs until ``stop`` is set, then finish the rounds in progress. If this is cancelled, so are they.

    ``wake`` is set when this process commits a job; it ends the idle wait early.
    """
    running: dict[tuple[str, str], asyncio.Task[None]] = {}
    try:
        while not stop.is_set():
            wake.clear()
            try:
                begun = await _begin_rounds(db, deliveries, running, wake)
            except Exception as failure:  # noqa: BLE001 - the edge of the worker: the database is unavailable; the rows remain
                log.error("jobs.lease_failed", **log_fields(failure))
                begun = 0
            if begun == 0:
                await idle(stop, wake, idle_seconds)
        if running:
            await asyncio.wait(list(running.values()))
    finally:
        await cancel(list(running.values()))


async def cancel(rounds: Collection[asyncio.Task[Any]]) -> None:
    """Cancel these rounds, and wait until they have ended: they use the database, which the caller closes next."""
    for one in rounds:
        one.cancel()
    await asyncio.gather(*rounds, return_exceptions=True)


async def idle(stop: asyncio.Event, wake: asyncio.Event, seconds: float) -> None:
    """Wait until one of the events is set or the time is up."""
    waiting = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(wake.wait())]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await one


async def lease(db: Database, kind: str, delivery: JobDelivery, *, busy: Sequence[str] = ()) -> dict[str, list[Job]]:
    """Lease the next jobs of a kind and return them by partition. ``busy``: the partitions that have a round."""
    skipped = sorted(set(busy))
    partitions = delivery.partitions_at_once - len(skipped)
    async with db.transaction() as tx:
        until = Instant(tx.now + int(delivery.lease_seconds * SECOND))
        leased = await leased_jobs.lease(
            tx, kind, limit=delivery.jobs_per_lease, partitions=partitions, until=until, busy=skipped
        )
    by_partition: dict[str, list[Job]] = {}
    for job in leased:
        by_partition.setdefault(job.partition, []).append(job)
    return by_partition


async def _begin_rounds(
    db: Database,
    deliveries: Mapping[str, Delivery],
    running: dict[tuple[str, str], asyncio.Task[None]],
    wake: asyncio.Event,
) -> int:
    """Begin a round for each partition that has due jobs and no round yet. Returns how many; the end of a round sets
    ``wake``.
    """
    busy: dict[str, list[str]] = {kind: [] for kind in deliveries}
    for kind, partition in running:
        busy[kind].append(partition)
    free = [
        kind
        for kind, delivery in deliveries.items()
        if isinstance(delivery, Postponement) or len(busy[kind]) < delivery.partitions_at_once
    ]
    if not free:
        return 0
    async with db.reader() as reader:
        due = await leased_jobs.kinds_due(reader, free)
    begun = 0
    for kind in due:
        delivery = deliveries[kind]
        if isinstance(delivery, Postponement):
            await _postpone(db, kind, delivery)
            continue
        leased = await lease(db, kind, delivery, busy=busy[kind])
        for partition, jobs_of_partition in leased.items():
            task = asyncio.create_task(_round_as_task(db, delivery, jobs_of_partition))
            running[kind, partition] = task
            task.add_done_callback(_forget_and_wake(running, (kind, partition), wake))
            begun += 1
    return begun


async def _postpone(db: Database, kind: str, postponement: Postponement) -> None:
    async def postpone(tx: Transaction) -> int:
        due_at = Instant(tx.now + int(postponement.seconds * SECOND))
        return await leased_jobs.postpone(tx, kind, postponement.reason, due_at)

    number = await change_in_pages(db, postpone)
    if number:
        log.warning("jobs.postponed", kind=kind, number=number, reason=str(postponement.reason))


def _forget_and_wake(
    running: dict[tuple[str, str], asyncio.Task[None]], key: tuple[str, str], wake: asyncio.Event
) -> Callable[[asyncio.Task[None]], None]:
    def when_done(_task: asyncio.Task[None]) -> None:
        del running[key]
        wake.set()

    return when_done


async def _round_as_task(db: Database, delivery: JobDelivery, leased: Sequence[Job]) -> None:
    """Run ``_run_round`` as a task that nobody awaits. Results that cannot be stored are lost, and the leases expire."""
    try:
        await _run_round(db, delivery, leased)
    except Exception as failure:  # noqa: BLE001 - the edge of the worker: the database is unavailable; the leases expire
        log.error("jobs.round_failed", kind=leased[0].kind, **log_fields(failure))


async def _run_round(db: Database, delivery: JobDelivery, leased: Sequence[Job]) -> None:
    """Deliver the leased jobs of one partition. After all calls have ended, raises the first error from storing a
    result.
    """
    size = delivery.jobs_per_call
    calls = [leased[start : start + size] for start in range(0, len(leased), size)]
    results = await asyncio.gather(
        *(_deliver_call(db, delivery, jobs_of_call) for jobs_of_call in calls), return_exceptions=True
    )
    for failure in results:
        if failure is not None:
            raise failure


async def _deliver_call(db: Database, delivery: JobDelivery, jobs_of_call: Sequence[Job]) -> None:
    try:
        results = await delivery.deliver(jobs_of_call)
    except Failure as failure:
        if isinstance(failure.why, str):
            # The job stores only a code for it.
            log.warning(
                "jobs.delivery_failed", kind=jobs_of_call[0].kind, subject=jobs_of_call[0].subject, why=failure.why
            )
        results = [result_of(failure)] * len(jobs_of_call)
    except Exception as raised:  # noqa: BLE001 - the edge of the worker: an unexpected error, and the job must not be lost
        log.error("job.failed_unforeseen", kind=jobs_of_call[0].kind, subject=jobs_of_call[0].subject, exc_info=raised)
        results = [result_of_bug(raised, job.attempts, delivery.retry) for job in jobs_of_call]
    async with db.transaction() as tx:
        updates = [_update_of(tx.now, delivery, job, result) for job, result in zip(jobs_of_call, results, strict=True)]
        await leased_jobs.store_results(tx, updates)


def _update_of(now: Instant, delivery: JobDelivery, job: Job, result: Result) -> JobUpdate:
    match result:
        case Completed():
            return JobUpdate(job, JobState.COMPLETED, now, 0)
        case RetryLater(reason) | NotAttempted(reason):
            seconds = seconds_until_due(result, job.attempts, delivery.retry)
            log.warning(
                "job.postponed", kind=job.kind, subject=job.subject, seconds=round(seconds, 1), reason=str(reason)
            )
            attempts = job.attempts + isinstance(result, RetryLater)
            due_at = Instant(now + int(seconds * SECOND))
            return JobUpdate(job, JobState.DUE, due_at, attempts, reason.code, reason.params)
        case JobFailed(reason):
            log.error("job.failed", kind=job.kind, subject=job.subject, reason=str(reason))
            return JobUpdate(job, JobState.FAILED, now, job.attempts + 1, reason.code, reason.params)

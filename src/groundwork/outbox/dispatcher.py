"""Dispatcher: lease some due jobs, call the handler of each outside any transaction, store the result.

A handler is an async function of one job. Returning completes the job. A ``Failure`` is retried or fails as its kind
says (``groundwork.errors``); any other exception is retried a few times and then waits for an operator. A lease that
ends makes the row due again, so a handler must tolerate a second call for one revision.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Database
from groundwork.errors import Failure
from groundwork.outbox import retry
from groundwork.outbox.jobs import COLUMNS, Job, job_of
from groundwork.telemetry.logs import log

JobHandler = Callable[[Job], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class HandlerOptions:
    """How jobs of one kind are handled: by what, how many at a time, with how long a lease, and how they are retried."""

    handler: JobHandler
    batch: int = 20
    lease_seconds: float = 60.0
    policy: retry.RetryPolicy = retry.DEFAULT


# The guards stand in the outer statement too: two workers on PostgreSQL may choose the same rows, and the second
# sees the first one's lease only when its own row check runs again.
LEASE = f"""
    update debts set state = 'leased', lease = lease + 1, leased_until = :until
     where kind = :kind
       and ((state = 'due' and due_at <= :now) or (state = 'leased' and leased_until <= :now))
       and subject in (
           select subject from debts
            where kind = :kind
              and ((state = 'due' and due_at <= :now) or (state = 'leased' and leased_until <= :now))
            order by due_at, subject limit :limit)
    returning {COLUMNS}
"""

# A newer revision was enqueued while this one was being handled: the row is due again at that revision's time.
SETTLE = """
    update debts
       set state = case when revision > :revision then 'due' else 'paid' end,
           due_at = case when revision > :revision then due_at else :now end, attempts = 0, reason = '', leased_until = null
     where kind = :kind and subject = :subject and lease = :lease and state = 'leased'
"""

POSTPONE = """
    update debts set state = 'due', due_at = :due_at, attempts = attempts + 1, reason = :reason, leased_until = null
     where kind = :kind and subject = :subject and lease = :lease and state = 'leased'
"""

GIVE_UP = """
    update debts
       set state = case when revision > :revision then 'due' else 'given_up' end,
           due_at = :now, attempts = attempts + 1, reason = :reason, leased_until = null
     where kind = :kind and subject = :subject and lease = :lease and state = 'leased'
"""


async def run_once(db: Database, handlers: Mapping[str, HandlerOptions]) -> int:
    """Handle everything that is due now, one batch of each kind; returns how many jobs were taken."""
    taken = 0
    for kind, paying in handlers.items():
        jobs = await lease(db, kind, limit=paying.batch, seconds=paying.lease_seconds)
        await asyncio.gather(*(_pay(db, paying, job) for job in jobs))
        taken += len(jobs)
    return taken


async def run(
    db: Database,
    handlers: Mapping[str, HandlerOptions],
    stop: asyncio.Event,
    *,
    wake: asyncio.Event,
    idle_seconds: float = 1.0,
) -> None:
    """Handle jobs until ``stop`` is set; ``wake`` (set when this process commits a job) cuts the idle wait short."""
    while not stop.is_set():
        wake.clear()
        try:
            taken = await run_once(db, handlers)
        except Exception as failure:  # noqa: BLE001 - the edge of the worker: the store is away; the rows remain
            log.error("debts.lease_failed", exc_info=failure)
            taken = 0
        if taken == 0:
            await idle(stop, wake, idle_seconds)


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


async def lease(db: Database, kind: str, *, limit: int, seconds: float) -> list[Job]:
    """Take jobs of a kind that are due, or whose lease has ended."""
    async with db.transaction() as tx:
        rows = await tx.fetch(LEASE, kind=str(kind), now=tx.now, until=tx.now + int(seconds * SECOND), limit=limit)
    return [job_of(row) for row in rows]


async def _pay(db: Database, paying: HandlerOptions, job: Job) -> None:
    try:
        await paying.handler(job)
    except Failure as failure:
        if retry.is_worth_retrying(failure):
            await _postpone(db, paying, job, failure.why, retry.asked_seconds(failure))
        else:
            await _give_up(db, job, f"{type(failure).__name__}: {failure.why}")
    except Exception as failure:  # noqa: BLE001 - the edge of the worker: the kind is unknown, the debt must not be lost
        log.error("debt.failed_unforeseen", kind=job.kind, subject=job.subject, exc_info=failure)
        if job.attempts + 1 < paying.policy.unforeseen_tries:
            await _postpone(db, paying, job, type(failure).__name__, None)
        else:
            await _give_up(db, job, type(failure).__name__)
    else:
        async with db.transaction() as tx:
            await tx.execute(
                SETTLE, kind=job.kind, subject=job.subject, revision=job.revision, lease=job.lease, now=tx.now
            )


async def _postpone(db: Database, paying: HandlerOptions, job: Job, reason: str, asked: float | None) -> None:
    wait = retry.wait_seconds(
        job.attempts + 1,
        random.random(),  # noqa: S311 - spreads retries, guards nothing
        policy=paying.policy,
        asked_seconds=asked,
    )
    log.warning("debt.postponed", kind=job.kind, subject=job.subject, seconds=round(wait, 1), reason=reason)
    async with db.transaction() as tx:
        due_at = Instant(tx.now + int(wait * SECOND))
        await tx.execute(POSTPONE, kind=job.kind, subject=job.subject, lease=job.lease, due_at=due_at, reason=reason)


async def _give_up(db: Database, job: Job, reason: str) -> None:
    log.error("debt.given_up", kind=job.kind, subject=job.subject, reason=reason)
    async with db.transaction() as tx:
        await tx.execute(
            GIVE_UP,
            kind=job.kind,
            subject=job.subject,
            revision=job.revision,
            lease=job.lease,
            reason=reason,
            now=tx.now,
        )

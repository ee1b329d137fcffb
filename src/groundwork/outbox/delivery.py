"""How jobs of one kind are delivered, and the possible results of a delivery."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.errors import NOT_CALLED, Explanation, Failure, encode_explanation, reason_of
from groundwork.outbox import retry
from groundwork.outbox.jobs import CAUSE, Job
from groundwork.outbox.retry import DEFAULT_RETRY, RetryPolicy

# The code for an exception that is not a Failure.
UNFORESEEN: Final = "unforeseen"


@dataclass(frozen=True, slots=True)
class Completed:
    """There is nothing left to do for this revision."""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """The job failed and might succeed later. It is due again after a back-off of at least ``after_seconds``."""

    reason: Explanation
    after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class NotAttempted:
    """Nothing was tried, because the server is not called now (``NOT_CALLED``). The job is due again after
    ``after_seconds``, and no attempt is counted.
    """

    reason: Explanation
    after_seconds: float


@dataclass(frozen=True, slots=True)
class JobFailed:
    """The job cannot succeed, or it failed too often. It waits for an operator."""

    reason: Explanation


Result = Completed | RetryLater | NotAttempted | JobFailed
Deliver = Callable[[Sequence[Job]], Awaitable[Sequence[Result]]]
JobHandler = Callable[[Job], Awaitable[None]]

# Used if it is not known when the server may be called.
_NOT_CALLED_FOR_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class JobDelivery:
    """How jobs of one kind are delivered.

    ``deliver`` gets up to ``jobs_per_call`` jobs of one partition, the most urgent first, outside any transaction, and
    returns a result for each. If it raises, that is the result for all of them. The lease can end before it returns, so
    it must tolerate a second call for the same revision.

    ``jobs_per_lease``: how many jobs are leased at a time; their calls run concurrently. ``partitions_at_once``: at
    most this many partitions have a delivery in progress in one process.
    """

    deliver: Deliver
    jobs_per_call: int = 1
    jobs_per_lease: int = 20
    partitions_at_once: int = 50
    lease_seconds: float = 60.0
    retry: RetryPolicy = DEFAULT_RETRY


@dataclass(frozen=True, slots=True)
class Postponement:
    """Nothing can deliver the jobs of this kind now, for example because a setting is missing. Due jobs are put off
    together, without a lease, and no attempt is counted.
    """

    reason: Explanation
    seconds: float


Delivery = JobDelivery | Postponement


def one_job_per_call(
    handler: JobHandler,
    *,
    jobs_per_lease: int = 20,
    partitions_at_once: int = 1,
    lease_seconds: float = 60.0,
    retry: RetryPolicy = DEFAULT_RETRY,
) -> JobDelivery:
    """Return a delivery that calls ``handler`` once for each job. The calls for the jobs of one lease run at once. A job
    is completed when the handler returns.
    """

    async def deliver(jobs: Sequence[Job]) -> Sequence[Result]:
        for job in jobs:
            await handler(job)
        return [Completed()] * len(jobs)

    return JobDelivery(
        deliver,
        jobs_per_lease=jobs_per_lease,
        partitions_at_once=partitions_at_once,
        lease_seconds=lease_seconds,
        retry=retry,
    )


def stored_reason_of(failure: Failure) -> Explanation:
    """The reason that is stored for a job that raised this failure. If the failure has only a sentence, which belongs in
    the log, the code is its name or type.
    """
    if isinstance(failure.why, Explanation):
        return failure.why
    return Explanation(failure.name or type(failure).__name__, {CAUSE: encode_explanation(reason_of(failure))})


def result_of(failure: Failure) -> Result:
    """Return the result for a job whose delivery raised this failure, using the table of ``groundwork.errors``."""
    if isinstance(failure, NOT_CALLED):
        seconds = retry.retry_after_seconds(failure)
        return NotAttempted(stored_reason_of(failure), _NOT_CALLED_FOR_SECONDS if seconds is None else seconds)
    if retry.is_worth_retrying(failure):
        return RetryLater(stored_reason_of(failure), retry.retry_after_seconds(failure))
    return JobFailed(stored_reason_of(failure))


def result_of_bug(raised: Exception, attempts: int, policy: RetryPolicy) -> Result:
    """Return the result for a job whose handler raised an exception that is not a Failure.

    It is retried a few times; then an operator has to look at it. ``attempts`` is the number of earlier failures.
    """
    reason = Explanation(UNFORESEEN, {CAUSE: encode_explanation(reason_of(raised))})
    return RetryLater(reason) if attempts + 1 < policy.unforeseen_tries else JobFailed(reason)


def seconds_until_due(result: RetryLater | NotAttempted, attempts: int, policy: RetryPolicy) -> float:
    """Return the seconds until the job is due again, after ``attempts`` earlier failures."""
    if isinstance(result, NotAttempted):
        return result.after_seconds
    return retry.wait_seconds(
        attempts + 1,
        random.random(),  # noqa: S311 - jitter for retries, not a secret
        policy=policy,
        least_seconds=result.after_seconds,
    )

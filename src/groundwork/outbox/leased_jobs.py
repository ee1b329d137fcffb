"""What the dispatcher does with jobs: find kinds with due jobs, lease jobs, store the results.

A result is stored only under its lease. If another worker has leased the job since, the result changes nothing.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from groundwork.clock import Instant
from groundwork.database.pages import update_some
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import Explanation
from groundwork.outbox.jobs import COLUMNS, Job, JobState, Priority, job_of


@dataclass(frozen=True, slots=True)
class JobUpdate:
    """A leased job and its result: its next state, when it is due, and the number of failures of this revision."""

    job: Job
    state: JobState
    due_at: Instant
    attempts: int
    reason_code: str = ""
    reason_params: Mapping[str, object] = field(default_factory=dict)


# Each priority has its own subselect, so that an index finds the first jobs, however many are due.
_BY_PRIORITY: Final = " union all ".join(
    f"""
        select * from (
            select subject, partition, priority, due_at from outbox_jobs
             where kind = :kind and state = 'due' and priority = {priority.value} and due_at <= :now
               and partition not in :busy
             order by due_at, subject limit :limit) as p{priority.value}
    """
    for priority in Priority
)
_READY: Final = "((state = 'due' and due_at <= :now) or (state = 'leased' and leased_until <= :now))"

# The conditions are repeated in the outer statement: two workers on PostgreSQL can choose the same rows, and the second
# one sees the lease of the first only when its own row check runs again.
_LEASE = f"""
    with ready as (
        select subject, partition, row_number() over (order by priority, due_at, subject) as place from (
            {_BY_PRIORITY}
            union all
            select subject, partition, priority, due_at from outbox_jobs
             where kind = :kind and state = 'leased' and leased_until <= :now and partition not in :busy
        ) as due_or_expired)
    update outbox_jobs set state = 'leased', lease = lease + 1, leased_until = :until
     where kind = :kind and {_READY}
       and subject in (
           select subject from ready
            where partition in (select partition from ready group by partition order by min(place) limit :partitions)
            order by place limit :limit)
    returning {COLUMNS}
"""

# If a newer revision was enqueued during this delivery, the job is due again for it, independently of the result, at
# its own time, with its own attempts and without this reason. Only if this revision is to be retried, the newer one
# waits as long.
_STORE_RESULT = """
    update outbox_jobs
       set state = case when revision > :revision then 'due' else cast(:state as text) end,
           due_at = case when revision > :revision and cast(:state as text) <> 'due' then due_at
                         else cast(:due_at as bigint) end,
           attempts = case when revision > :revision then attempts else cast(:attempts as integer) end,
           reason_code = case when revision > :revision then reason_code else cast(:reason_code as text) end,
           reason_params = case when revision > :revision then reason_params else cast(:reason_params as text) end,
           leased_until = null
     where kind = :kind and subject = :subject and lease = :lease and state = 'leased'
"""


async def kinds_due(reader: Reader, kinds: Sequence[str]) -> list[str]:
    """Return which of these kinds have a job that is due or whose lease has expired, in the given order."""
    names = {f"k{number}": str(kind) for number, kind in enumerate(kinds)}
    rows = await reader.fetch(_kinds_due(len(kinds)), now=reader.now, **names)
    due = {row["kind"] for row in rows}
    return [kind for kind in kinds if str(kind) in due]


@functools.lru_cache(maxsize=64)
def _kinds_due(number: int) -> str:
    every = ", ".join(str(priority.value) for priority in Priority)
    due = f"state = 'due' and priority in ({every}) and due_at <= :now"
    return " union all ".join(
        f"select cast(:k{n} as text) as kind"
        f" where exists (select 1 from outbox_jobs where kind = :k{n} and {due})"
        f" or exists (select 1 from outbox_jobs where kind = :k{n} and state = 'leased' and leased_until <= :now)"
        for n in range(number)
    )


async def lease(
    tx: Transaction, kind: str, *, limit: int, partitions: int, until: Instant, busy: Sequence[str] = ()
) -> list[Job]:
    """Lease jobs of a kind that are due or whose lease has expired, the most urgent first, of at most this many
    ``partitions``. Skips ``busy`` partitions.
    """
    rows = await tx.fetch(
        _LEASE, kind=str(kind), now=tx.now, until=until, busy=list(busy), partitions=partitions, limit=limit
    )
    return _by_urgency(rows)


def _by_urgency(rows: Sequence[Row]) -> list[Job]:
    return sorted(map(job_of, rows), key=lambda one: (one.priority, one.due_at, one.subject))


async def postpone(tx: Transaction, kind: str, reason: Explanation, due_at: Instant) -> int:
    """Put off due jobs of a kind, also those whose lease has expired, at most as many as ``update_some``. Returns how
    many.
    """
    return await update_some(
        tx,
        "outbox_jobs",
        "state = 'due', lease = lease + 1, leased_until = null, due_at = :due_at, reason_code = :code, "
        "reason_params = :params",
        f"kind = :kind and {_READY}",
        kind=str(kind),
        now=tx.now,
        due_at=due_at,
        code=reason.code,
        params=_encode_params(reason.params),
    )


async def store_results(tx: Transaction, updates: Sequence[JobUpdate]) -> None:
    """Store the results of leased jobs. Jobs that another worker has leased since then are left unchanged."""
    await tx.execute_many(
        _STORE_RESULT,
        [
            {
                "kind": one.job.kind,
                "subject": one.job.subject,
                "revision": one.job.revision,
                "lease": one.job.lease,
                "state": one.state.value,
                "due_at": one.due_at,
                "attempts": one.attempts,
                "reason_code": one.reason_code,
                "reason_params": _encode_params(one.reason_params),
            }
            for one in updates
        ],
    )


def _encode_params(params: Mapping[str, object]) -> str:
    return msgspec.json.encode(params).decode() if params else ""

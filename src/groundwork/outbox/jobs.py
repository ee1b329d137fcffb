"""Queries on the outbox table ``outbox_jobs``: one row per (kind, subject), with the newest revision enqueued.
``leased_jobs`` has those of the dispatcher.

Enqueuing the same revision twice creates one job. A newer revision makes the row due again, whatever the state of the
older one. Each server that has an outbox creates the table in its own migrations.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final

import msgspec

from groundwork.clock import Instant
from groundwork.database.bulk import IDS_PER_STATEMENT, SqlWrite, execute_each
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import Explanation, FailureReason, decode_explanation
from groundwork.outbox.wakeup import wake_dispatchers

# Parameter of a reason whose code is the name or type of a failure: the failure's own reason, encoded by
# ``encode_explanation``.
CAUSE: Final = "cause"


class JobState(StrEnum):
    """State of a job. A ``failed`` job waits for an operator, and its reason is kept."""

    DUE = "due"
    LEASED = "leased"
    COMPLETED = "completed"
    FAILED = "failed"


class Priority(IntEnum):
    """Priority among the due jobs of a kind. It takes precedence over how long a job has been due."""

    FIRST = 0
    EARLY = 1
    NORMAL = 2


@dataclass(frozen=True, slots=True)
class Job:
    """One job. ``attempts`` counts earlier failures of this revision.

    ``partition`` groups jobs that are slow or fail together, for example by the address of a server; it can be empty.
    ``lease`` is the number of the lease under which the job was taken. ``reason_code`` and ``reason_params`` describe
    the last failure.
    """

    kind: str
    subject: str
    revision: int
    state: JobState
    attempts: int
    due_at: Instant
    lease: int
    partition: str = ""
    priority: Priority = Priority.NORMAL
    reason_code: str = ""
    reason_params: Mapping[str, object] = field(default_factory=dict)

    @property
    def why(self) -> Explanation | None:
        """The reason of the last failure, or None if the job has not failed."""
        cause = self.reason_params.get(CAUSE)
        if isinstance(cause, str):
            return decode_explanation(cause)
        if "sentence" in self.reason_params:
            # Stored by an earlier version, which had no code for this reason.
            return FailureReason.UNFORESEEN(error=self.reason_code)
        return Explanation(self.reason_code, self.reason_params) if self.reason_code else None


_INSERT_INTO: Final = """
    insert into outbox_jobs (kind, subject, revision, partition, priority, state, due_at, attempts, reason_code,
                             reason_params, lease, leased_until, enqueued_at)
"""
_SET_DUE_AGAIN: Final = """
           state = case when outbox_jobs.state = 'leased' then 'leased' else 'due' end,
           partition = excluded.partition, priority = excluded.priority, due_at = excluded.due_at, attempts = 0,
           reason_code = '', reason_params = '', enqueued_at = excluded.enqueued_at
"""
_IF_NEWER: Final = f"""
    on conflict (kind, subject) do update
       set revision = excluded.revision, {_SET_DUE_AGAIN}
     where excluded.revision > outbox_jobs.revision
"""
_NEW_ROW: Final = "'due', {due_at}, 0, '', '', 0, null, cast(:now as bigint)"
_NO_PARTITION_AND_NORMAL: Final = f"'', {Priority.NORMAL.value}"
ENQUEUE = f"""
    {_INSERT_INTO}
    select cast(:kind as text), given.subject, given.revision, given.partition, cast(:priority as smallint),
           {_NEW_ROW.format(due_at="given.due_at")}
      from each(subject text, revision bigint, partition text, due_at bigint) as given where 1 = 1
    {_IF_NEWER}
"""
ENQUEUE_ONE = f"""
    {_INSERT_INTO} values (:kind, :subject, :revision, :partition, :priority, 'due', :due_at, 0, '', '', 0, null, :now)
    {_IF_NEWER}
"""

# ``chosen`` is a subselect that contains each subject once, in order.
_ENQUEUE_SELECTED = f"""
    {_INSERT_INTO}
    select cast(:kind as text), chosen.subject, cast(:revision as bigint), {_NO_PARTITION_AND_NORMAL},
           {_NEW_ROW.format(due_at="cast(:due_at as bigint)")}
      from ({{}}) as chosen where 1 = 1
    {_IF_NEWER}
"""

# Two requests at the same instant, from clocks that differ, or from transactions that end in another order than they
# began must count as two requests.
_NEXT_REVISION: Final = f"""
    on conflict (kind, subject) do update
       set revision = case when excluded.revision > outbox_jobs.revision then excluded.revision
                           else outbox_jobs.revision + 1 end, {_SET_DUE_AGAIN}
"""
ENQUEUE_AGAIN = f"""
    {_INSERT_INTO}
    select cast(:kind as text), given.subject, cast(:now as bigint), {_NO_PARTITION_AND_NORMAL},
           {_NEW_ROW.format(due_at="cast(:due_at as bigint)")}
      from each(subject text) as given where 1 = 1
    {_NEXT_REVISION}
"""
_ENQUEUE_ONE_AGAIN: Final = f"""
    {_INSERT_INTO} values (:kind, :subject, :now, :partition, :priority, 'due', :now, 0, '', '', 0, null, :now)
    {_NEXT_REVISION}
"""
_ENQUEUE_SELECTED_AGAIN = f"""
    {_INSERT_INTO}
    select cast(:kind as text), chosen.subject, cast(:now as bigint), {{partition_and_priority}},
           {_NEW_ROW.format(due_at="cast(:now as bigint)")}
      from ({{subselect}}) as chosen where 1 = 1
    {_NEXT_REVISION}
"""

RENAME = """
    update outbox_jobs set subject = :after
     where kind = :kind and subject = :before and state = 'due'
       and not exists (select 1 from outbox_jobs k where k.kind = :kind and k.subject = :after)
"""
# A job that is currently leased is completed under its old subject.
COPY_COMPLETED = f"""
    {_INSERT_INTO}
    select kind, cast(:after as text), revision, partition, priority, 'completed', due_at, 0, '', '', 0, null, enqueued_at
      from outbox_jobs where kind = :kind and subject = :before and state in ('leased', 'completed')
        on conflict (kind, subject) do nothing
"""

COLUMNS = """kind, subject, revision, partition, priority, state, attempts, due_at, lease, reason_code, reason_params"""

FIND = f"select {COLUMNS} from outbox_jobs where kind = :kind and subject = :subject"

WITH_JOB = "select subject from outbox_jobs where kind = :kind and subject in :subjects order by subject"

UNCOMPLETED_AMONG = """
    select subject from outbox_jobs where kind = :kind and subject in :subjects and state <> 'completed'
"""

LIST = f"""
    select {COLUMNS} from outbox_jobs
     where state = :state and (kind = :kind or cast(:kind as text) = '')
         and (kind, subject) > (:after_kind, :after_subject)
     order by kind, subject limit :limit
"""

FAILED_FOR = f"""
    select {COLUMNS} from outbox_jobs
     where kind = :kind and state = 'failed' and reason_code = :reason_code order by due_at desc, subject limit :limit
"""

RETRY_NOW = """
    update outbox_jobs set state = 'due', due_at = :now, attempts = 0, reason_code = '', reason_params = ''
     where kind = :kind and subject = :subject and state in ('due', 'failed')
"""

FORGET = """
    delete from outbox_jobs
     where kind = :kind and subject = :subject and revision <= coalesce(cast(:revision as bigint), revision)
"""

FORGET_MANY = "delete from outbox_jobs where kind = :kind and subject in :subjects"

DROP = "delete from outbox_jobs where kind = :kind and subject = :subject and state in ('due', 'failed')"

COMPLETE_FAILED = """
    update outbox_jobs set state = 'completed', attempts = 0, reason_code = '', reason_params = ''
     where kind = :kind and subject in :subjects and state = 'failed'
"""

COUNT = """
    select kind, state, count(*) as n, min(due_at) as oldest from outbox_jobs where state <> 'completed'
     group by kind, state
"""


async def enqueue(
    tx: Transaction,
    kind: str,
    subject: str,
    revision: int = 1,
    *,
    partition: str = "",
    priority: Priority = Priority.NORMAL,
    due_at: Instant | None = None,
) -> None:
    """Enqueue a job. It is due now unless ``due_at`` is later. A revision that was completed is not enqueued again.

    A time is not a revision: a transaction that began earlier may end later, and its job would be ignored. Where the
    subject has no revision of its own, call ``enqueue_again``.
    """
    due_at = tx.now if due_at is None else due_at
    await enqueue_many(tx, kind, [(subject, revision, due_at)], partitions={subject: partition}, priority=priority)


async def enqueue_many(
    tx: Transaction,
    kind: str,
    subjects: Sequence[tuple[str, int, Instant]],
    *,
    partitions: Mapping[str, str] | None = None,
    priority: Priority = Priority.NORMAL,
) -> None:
    """Enqueue many (subject, revision, due_at) in one statement, ordered by subject, so that two writers do not
    deadlock.

    ``partitions`` maps subjects to partitions; the default is an empty partition.
    """
    newest = {subject: (revision, due_at) for subject, revision, due_at in sorted(subjects)}
    rows = [
        {
            "subject": subject,
            "revision": revision,
            "partition": "" if partitions is None else partitions.get(subject, ""),
            "due_at": due_at,
        }
        for subject, (revision, due_at) in newest.items()
    ]
    if rows:
        await execute_each(tx, ENQUEUE, rows, kind=str(kind), priority=priority.value, now=tx.now)
        tx.after_commit(wake_dispatchers)


async def enqueue_selected(
    tx: Transaction, kind: str, subselect: str, revision: int, *, due_at: Instant | None = None, **parameters: object
) -> None:
    """Enqueue any number of subjects in one statement that loads no rows.

    ``subselect`` is a select, written by us, that contains each ``subject`` once, in order.
    """
    await tx.execute(
        _ENQUEUE_SELECTED.format(subselect),
        kind=str(kind),
        revision=revision,
        due_at=tx.now if due_at is None else due_at,
        now=tx.now,
        **parameters,
    )
    tx.after_commit(wake_dispatchers)


async def enqueue_again(tx: Transaction, kind: str, subjects: Iterable[str], *, due_at: Instant | None = None) -> None:
    """Enqueue work that depends only on the current state (fetch, re-read, recheck).

    It is due now unless ``due_at`` is later, and due again if a handler is already working on it or has just done it.
    """
    rows = [{"subject": subject} for subject in sorted(set(subjects))]
    if rows:
        await execute_each(
            tx, ENQUEUE_AGAIN, rows, kind=str(kind), now=tx.now, due_at=tx.now if due_at is None else due_at
        )
        tx.after_commit(wake_dispatchers)


async def enqueue_again_among(tx: Transaction, kind: str, subjects: Collection[str]) -> None:
    """Do the same as ``enqueue_again`` for those of these subjects that have a job already, whatever its state."""
    if subjects:
        await enqueue_again_selected(tx, kind, WITH_JOB, subjects=sorted(subjects))


async def enqueue_again_selected(
    tx: Transaction, kind: str, subselect: str, *, has_partitions: bool = False, **parameters: object
) -> None:
    """Do the same as ``enqueue_again`` for any number of subjects, in one statement that loads no rows.

    ``subselect`` is a select, written by us, that contains each ``subject`` once, in order. ``has_partitions``: it also
    contains the ``partition`` and ``priority`` of each.
    """
    statement = _ENQUEUE_SELECTED_AGAIN.format(
        subselect=subselect,
        partition_and_priority="chosen.partition, chosen.priority" if has_partitions else _NO_PARTITION_AND_NORMAL,
    )
    await tx.execute(statement, kind=str(kind), now=tx.now, **parameters)
    tx.after_commit(wake_dispatchers)


def job_write(tx: Transaction, kind: str, subject: str, revision: int, *, due_at: Instant) -> SqlWrite:
    """The statement of ``enqueue``, to be executed together with the change that causes the job."""
    tx.after_commit(wake_dispatchers)
    return SqlWrite(
        ENQUEUE_ONE,
        {
            "kind": str(kind),
            "subject": subject,
            "revision": revision,
            "partition": "",
            "priority": Priority.NORMAL.value,
            "due_at": due_at,
            "now": tx.now,
        },
    )


def repeated_job_write(tx: Transaction, kind: str, subject: str, *, partition: str = "") -> SqlWrite:
    """The statement of ``enqueue_again`` for one subject, to be executed together with the change that causes the job."""
    tx.after_commit(wake_dispatchers)
    return SqlWrite(
        _ENQUEUE_ONE_AGAIN,
        {
            "kind": str(kind),
            "subject": subject,
            "partition": partition,
            "priority": Priority.NORMAL.value,
            "now": tx.now,
        },
    )


async def find(reader: Reader, kind: str, subject: str) -> Job | None:
    """Return the job of a subject, whatever its state."""
    row = await reader.fetch_one(FIND, kind=str(kind), subject=subject)
    return None if row is None else job_of(row)


async def uncompleted_among(reader: Reader, kind: str, subjects: Collection[str]) -> set[str]:
    """Return those of these subjects that have a job which is not completed: due, leased or failed."""
    if not subjects:
        return set()
    rows = await reader.fetch(UNCOMPLETED_AMONG, kind=str(kind), subjects=sorted(subjects))
    return {row["subject"] for row in rows}


async def in_state(
    reader: Reader, state: JobState, *, kind: str = "", after: tuple[str, str] = ("", ""), limit: int = 100
) -> list[Job]:
    """Return jobs in this state, of one kind or all kinds, in (kind, subject) order after the keyset ``after``."""
    rows = await reader.fetch(
        LIST, state=state.value, kind=str(kind), after_kind=after[0], after_subject=after[1], limit=limit
    )
    return [job_of(row) for row in rows]


async def failed_for(reader: Reader, kind: str, reason_code: str, *, limit: int) -> list[Job]:
    """Return the jobs of a kind that failed for this reason, the latest first."""
    rows = await reader.fetch(FAILED_FOR, kind=str(kind), reason_code=reason_code, limit=limit)
    return [job_of(row) for row in rows]


async def retry_now(tx: Transaction, kind: str, subject: str) -> bool:
    """Make a due or failed job due now, as if it had never failed. Returns False if there is none."""
    tx.after_commit(wake_dispatchers)
    return await tx.execute(RETRY_NOW, kind=str(kind), subject=subject, now=tx.now) == 1


async def drop(tx: Transaction, kind: str, subject: str) -> bool:
    """Delete a due or failed job that an operator does not want to run. Returns False if there is none."""
    return await tx.execute(DROP, kind=str(kind), subject=subject) == 1


async def complete_failed(tx: Transaction, kind: str, subjects: Sequence[str]) -> None:
    """Mark failed jobs as completed because they are no longer needed, so that no operator has to look at them."""
    if subjects:
        await tx.execute(COMPLETE_FAILED, kind=str(kind), subjects=list(subjects))


async def rename_many(tx: Transaction, kind: str, subjects: Sequence[tuple[str, str]]) -> None:
    """Change the subjects of jobs, given as (before, after). A due job is renamed unless there is a job for ``after``.
    What was done for ``before``, or is being done, counts as done for ``after``. Failed jobs keep their subject.
    """
    names = [{"kind": str(kind), "before": before, "after": after} for before, after in subjects]
    for statement in (COPY_COMPLETED, RENAME):
        await tx.execute_many(statement, names)


async def forget(tx: Transaction, kind: str, subject: str, *, revision: int | None = None) -> bool:
    """Delete a job because its subject no longer exists. With ``revision``, keep it if a newer one is enqueued."""
    return await tx.execute(FORGET, kind=str(kind), subject=subject, revision=revision) == 1


async def forget_many(tx: Transaction, kind: str, subjects: Collection[str]) -> None:
    """``forget`` for many subjects."""
    ordered = sorted(subjects)
    for start in range(0, len(ordered), IDS_PER_STATEMENT):
        await tx.execute(FORGET_MANY, kind=str(kind), subjects=ordered[start : start + IDS_PER_STATEMENT])


async def forget_completed(tx: Transaction, before: Instant) -> int:
    """Delete completed jobs that were enqueued before an instant, at most as many as ``delete_some``. Returns how many."""
    return await delete_some(tx, "outbox_jobs", "state = 'completed' and enqueued_at < :before", before=before)


async def counts(reader: Reader) -> list[tuple[str, JobState, int, Instant]]:
    """Return (kind, state, count, oldest due) of all jobs that are not completed, for metrics and the operator's page."""
    return [
        (row["kind"], JobState(row["state"]), row["n"], Instant(row["oldest"])) for row in await reader.fetch(COUNT)
    ]


async def oldest_due(reader: Reader, kind: str, *, before: Instant) -> Instant | None:
    """When the oldest due job of a kind was due, if that was before an instant."""
    (row,) = await reader.fetch(
        "select min(due_at) as oldest from outbox_jobs where kind = :kind and state = :state and due_at < :before",
        kind=str(kind),
        state=JobState.DUE,
        before=before,
    )
    return None if row["oldest"] is None else Instant(row["oldest"])


def job_of(row: Row) -> Job:
    """Convert a row of ``COLUMNS`` to a job."""
    return Job(
        kind=row["kind"],
        subject=row["subject"],
        revision=row["revision"],
        state=JobState(row["state"]),
        attempts=row["attempts"],
        due_at=Instant(row["due_at"]),
        lease=row["lease"],
        partition=row["partition"],
        priority=Priority(row["priority"]),
        reason_code=row["reason_code"],
        reason_params=msgspec.json.decode(row["reason_params"], type=dict[str, object]) if row["reason_params"] else {},
    )

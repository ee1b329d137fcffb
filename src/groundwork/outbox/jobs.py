"""Queries on the outbox table ``debts``: one row per (kind, subject), with the newest revision enqueued.

Enqueuing the same revision twice is one job; a newer revision makes the row due again, whatever the state of the older.
Each server that has an outbox creates the table in its own migrations.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from groundwork.clock import Instant
from groundwork.database.bulk import write_each
from groundwork.database.together import SqlWrite
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.outbox.wakeup import wake_dispatchers


class JobState(StrEnum):
    """``given_up``: failed; the job waits for an operator, and its reason is kept."""

    DUE = "due"
    LEASED = "leased"
    PAID = "paid"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Job:
    """One job. ``attempts`` counts earlier failures of this revision."""

    kind: str
    subject: str
    revision: int
    state: JobState
    attempts: int
    due_at: Instant
    reason: str
    lease: int


_INTO = "insert into debts (kind, subject, revision, state, due_at, attempts, reason, lease, leased_until, owed_at)"
_IF_NEWER = """
    on conflict (kind, subject) do update
       set revision = excluded.revision,
           state = case when debts.state = 'leased' then 'leased' else 'due' end,
           due_at = excluded.due_at, attempts = 0, reason = '', owed_at = excluded.owed_at
     where excluded.revision > debts.revision
"""
ENQUEUE = f"""
    {_INTO}
    select cast(:kind as text), given.subject, given.revision, 'due', given.due_at, 0, '', 0, null, cast(:now as bigint)
      from each(subject text, revision bigint, due_at bigint) as given where 1 = 1
    {_IF_NEWER}
"""
ENQUEUE_ONE = f"{_INTO} values (:kind, :subject, :revision, 'due', :due_at, 0, '', 0, null, :now) {_IF_NEWER}"

# ``chosen``: a subselect that names each subject once, in order.
_ENQUEUE_SELECTED = f"""
    {_INTO}
    select cast(:kind as text), chosen.subject, cast(:revision as bigint), 'due', cast(:due_at as bigint), 0, '', 0, null,
           cast(:now as bigint)
      from ({{}}) as chosen where 1 = 1
    {_IF_NEWER}
"""

# Two requests in the same instant, or by clocks that differ, are two requests.
ENQUEUE_AGAIN = f"""
    {_INTO}
    select cast(:kind as text), given.subject, cast(:now as bigint), 'due', cast(:due_at as bigint), 0, '', 0, null,
           cast(:now as bigint)
      from each(subject text) as given where 1 = 1
    on conflict (kind, subject) do update
       set revision = case when excluded.revision > debts.revision then excluded.revision else debts.revision + 1 end,
           state = case when debts.state = 'leased' then 'leased' else 'due' end,
           due_at = excluded.due_at, attempts = 0, reason = '', owed_at = excluded.owed_at
"""

# A job that is leased at this moment is completed under its old subject.
RENAME = """
    update debts set subject = :after
     where kind = :kind and subject = :before and state = 'due'
       and not exists (select 1 from debts k where k.kind = :kind and k.subject = :after)
"""

COLUMNS = "kind, subject, revision, state, attempts, due_at, reason, lease"

FIND = f"select {COLUMNS} from debts where kind = :kind and subject = :subject"

LIST = f"""
    select {COLUMNS} from debts
     where state = :state and (kind = :kind or cast(:kind as text) = '') and (kind, subject) > (:after_kind, :after_subject)
     order by kind, subject limit :limit
"""

WAKE = """
    update debts set state = 'due', due_at = :now, attempts = 0, reason = ''
     where kind = :kind and subject = :subject and state in ('due', 'given_up')
"""

FORGET = """
    delete from debts
     where kind = :kind and subject = :subject and revision <= coalesce(cast(:revision as bigint), revision)
"""

COMPLETE_FAILED = """
    update debts set state = 'paid', attempts = 0, reason = ''
     where kind = :kind and subject in :subjects and state = 'given_up'
"""

FORGET_COMPLETED = "delete from debts where state = 'paid' and owed_at < :before"

COUNT = "select kind, state, count(*) as n, min(due_at) as oldest from debts where state <> 'paid' group by kind, state"


async def enqueue(
    tx: Transaction, kind: str, subject: str, revision: int = 1, *, due_at: Instant | None = None
) -> None:
    """Enqueue a job; due now unless ``due_at`` is later. A revision that was completed is not enqueued again."""
    await enqueue_many(tx, kind, [(subject, revision, tx.now if due_at is None else due_at)])


async def enqueue_many(tx: Transaction, kind: str, owed: Sequence[tuple[str, int, Instant]]) -> None:
    """``enqueue`` for many (subject, revision, due_at) in one statement; in order of subjects, so that two writers do
    not deadlock.
    """
    newest: dict[str, tuple[int, Instant]] = {}
    for subject, revision, due_at in sorted(owed):
        newest[subject] = (revision, due_at)
    rows = [
        {"subject": subject, "revision": revision, "due_at": due_at} for subject, (revision, due_at) in newest.items()
    ]
    if rows:
        await write_each(tx, ENQUEUE, rows, kind=str(kind), now=tx.now)
        tx.after_commit(wake_dispatchers)


async def enqueue_selected(
    tx: Transaction, kind: str, chosen: str, revision: int, *, due_at: Instant | None = None, **parameters: object
) -> None:
    """``enqueue`` for any number of subjects, as one statement that loads no row.

    ``chosen``: a select of ours that names each ``subject`` once, in order.
    """
    await tx.execute(
        _ENQUEUE_SELECTED.format(chosen),
        kind=str(kind),
        revision=revision,
        due_at=tx.now if due_at is None else due_at,
        now=tx.now,
        **parameters,
    )
    tx.after_commit(wake_dispatchers)


async def enqueue_again(tx: Transaction, kind: str, subjects: Iterable[str]) -> None:
    """Enqueue work that depends on the present alone (fetch, re-read): due now, and once more if a handler has it
    already.
    """
    rows = [{"subject": subject} for subject in sorted(set(subjects))]
    if rows:
        await write_each(tx, ENQUEUE_AGAIN, rows, kind=str(kind), now=tx.now, due_at=tx.now)
        tx.after_commit(wake_dispatchers)


def enqueue_write(tx: Transaction, kind: str, subject: str, revision: int, *, due_at: Instant) -> SqlWrite:
    """The statement of ``enqueue``, to be written together with the change that causes the job."""
    tx.after_commit(wake_dispatchers)
    return SqlWrite(
        ENQUEUE_ONE, {"kind": str(kind), "subject": subject, "revision": revision, "due_at": due_at, "now": tx.now}
    )


async def find(reader: Reader, kind: str, subject: str) -> Job | None:
    """The job of a subject, whatever its state."""
    row = await reader.fetch_one(FIND, kind=str(kind), subject=subject)
    return None if row is None else job_of(row)


async def failed(reader: Reader, *, kind: str = "", after: tuple[str, str] = ("", ""), limit: int = 100) -> list[Job]:
    """Failed jobs, in (kind, subject) order after the keyset ``after``."""
    rows = await reader.fetch(
        LIST, state="given_up", kind=str(kind), after_kind=after[0], after_subject=after[1], limit=limit
    )
    return [job_of(row) for row in rows]


async def wake(tx: Transaction, kind: str, subject: str) -> bool:
    """Make a waiting or failed job due now; False when there is none."""
    tx.after_commit(wake_dispatchers)
    return await tx.execute(WAKE, kind=str(kind), subject=subject, now=tx.now) == 1


async def complete_failed(tx: Transaction, kind: str, subjects: Sequence[str]) -> None:
    """These jobs are no longer needed: complete those that failed, so that no operator has to look at them."""
    if subjects:
        await tx.execute(COMPLETE_FAILED, kind=str(kind), subjects=list(subjects))


async def rename_many(tx: Transaction, kind: str, subjects: Sequence[tuple[str, str]]) -> None:
    """Give jobs another subject (before, after), unless that subject has a job already."""
    await tx.execute_many(RENAME, [{"kind": str(kind), "before": before, "after": after} for before, after in subjects])


async def forget(tx: Transaction, kind: str, subject: str, *, revision: int | None = None) -> bool:
    """Delete a job: its subject is gone, or an operator decided so. ``revision``: not if a newer one is enqueued."""
    return await tx.execute(FORGET, kind=str(kind), subject=subject, revision=revision) == 1


async def forget_completed(tx: Transaction, before: Instant) -> int:
    """Delete completed jobs that were enqueued before an instant; returns how many."""
    return await tx.execute(FORGET_COMPLETED, before=before)


async def waiting(reader: Reader) -> list[tuple[str, JobState, int, Instant]]:
    """(kind, state, count, oldest due) of every job that is not completed, for metrics and the operator's page."""
    return [
        (row["kind"], JobState(row["state"]), row["n"], Instant(row["oldest"])) for row in await reader.fetch(COUNT)
    ]


def job_of(row: Row) -> Job:
    """A row of ``COLUMNS`` as a value."""
    return Job(
        row["kind"],
        row["subject"],
        row["revision"],
        JobState(row["state"]),
        row["attempts"],
        Instant(row["due_at"]),
        row["reason"],
        row["lease"],
    )

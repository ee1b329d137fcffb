"""Second run of a job, once every transaction has ended that was running when the job was enqueued.

A job applies a decision, for example a block. A transaction that had read the state before the decision may still
commit after the job has run, and neither sees the other. The second run sees everything that such transactions saved,
and they need no lock for it.
"""

from typing import Final

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Transaction
from groundwork.outbox.jobs import Job, enqueue

# Longer than any transaction. They are ended after two seconds, and those of a process that hangs after 20 more
# (``groundwork.database.postgres``). The rest is for clocks that differ.
LONGEST_TRANSACTION: Final = MINUTE


async def enqueue_second_run(tx: Transaction, job: Job) -> None:
    """Enqueue the second run. Called at the end of each run; does nothing once ``LONGEST_TRANSACTION`` has passed since
    the job was enqueued, as in the second run.

    The job was enqueued with ``jobs.enqueue_again``, so its revision is the time at which that happened, or slightly
    more.
    """
    due_at = Instant(job.revision + LONGEST_TRANSACTION)
    if tx.now < due_at:
        # The next revision is a microsecond later.
        await enqueue(tx, job.kind, job.subject, job.revision + 1, due_at=Instant(due_at + 1))

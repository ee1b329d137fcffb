"""Changes of any number of rows that follow from the change of one row, for example of the records of all members of a
group: at once if they are few, otherwise in pages, by a job (``JobKind.BULK_CHANGE``).

The job begins when the change that it follows from is stored. It can be repeated, and it finds rows that were added in
the meantime.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from groundwork.database.pages import last_key, run_in_pages
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job, enqueue_again
from openmeet.outbox import publications
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind

# Rows that are changed in one transaction.
CHANGED_AT_ONCE: Final = 500

# Changes the rows with these ids. Idempotent.
ChangeRows = Callable[[Transaction, Sequence[str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class BulkChange:
    """A change of all rows that belong to an owner. ``name`` is stored in jobs.

    ``select``: a select of ``id`` and ``key``, written by us. The key orders the rows of an owner, and an index finds the
    next ones. ``{owner}`` stands for the comparison with the owner.
    """

    name: str
    select: str
    change: ChangeRows


async def apply(tx: Transaction, bulk_change: BulkChange, owner_ids: Sequence[str]) -> bool:
    """Change the rows of these owners. Returns False if they are too many, and jobs change them later."""
    select = bulk_change.select.format(owner="in :owner_ids")
    rows = await tx.fetch(
        f"select id from ({select}) as found limit :limit", owner_ids=list(owner_ids), limit=CHANGED_AT_ONCE + 1
    )
    if len(rows) > CHANGED_AT_ONCE:
        await enqueue_again(tx, JobKind.BULK_CHANGE, [f"{bulk_change.name} {one}" for one in owner_ids])
        return False
    await bulk_change.change(tx, sorted(row["id"] for row in rows))
    return True


def bulk_change_handler(db: Database, bulk_changes: Iterable[BulkChange]) -> JobHandler:
    """Return the handler of ``JobKind.BULK_CHANGE``. The job's subject is the name of the change and the owner."""
    by_name = {one.name: one for one in bulk_changes}

    async def handle(job: Job) -> None:
        name, _, owner_id = job.subject.partition(" ")
        await run_in_pages(db, partial(_change_next, bulk_change=by_name[name], owner_id=owner_id))

    return handle


async def _change_next(tx: Transaction, after: str, *, bulk_change: BulkChange, owner_id: str) -> str | None:
    select = bulk_change.select.format(owner="= :owner_id")
    rows = await tx.fetch(
        f"select id, key from ({select}) as found where key > :after order by key limit :limit",
        owner_id=owner_id,
        after=after,
        limit=CHANGED_AT_ONCE,
    )
    await bulk_change.change(tx, sorted(row["id"] for row in rows))
    return last_key([row["key"] for row in rows], CHANGED_AT_ONCE)


def making_due(*kinds: PublicationKind, resets_write_count: bool = False) -> ChangeRows:
    """Return a function that makes the publications of these kinds due, as ``publications.make_due`` does."""

    async def make_due(tx: Transaction, subject_ids: Sequence[str]) -> None:
        for kind in kinds:
            await publications.make_due(tx, kind=kind, subject_ids=subject_ids, resets_write_count=resets_write_count)

    return make_due

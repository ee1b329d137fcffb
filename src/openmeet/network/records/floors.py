"""Locks on the floor of a repository: shared while versions are applied, exclusive when a repository read ends
(``records.seen``).

Without the lock, a read could find nothing changed while an older message is being applied concurrently. With the floor
above that message, every later correction would be ignored as history, and the older version would stay permanently.
SQLite has only one writer, which effectively holds all locks.
"""

from collections.abc import Iterable

from groundwork.database.transaction import Transaction

MAKE = """
    insert into repositories (did, epoch, floor_rev, status, stale_at, synced_at, updated_at)
    values (:did, 0, '', 'active', null, null, :now)
        on conflict (did) do nothing
"""
# A shared lock: any number of transactions can hold it.
HOLD = "select did from repositories where did in :dids order by did for share"
LOCK = "select did from repositories where did = :did for no key update"


async def create_row(tx: Transaction, did: str) -> None:
    """Create the row of a repository whose read begins, so that its floor can be locked."""
    await tx.execute(MAKE, did=did, now=tx.now)


async def hold(tx: Transaction, dids: Iterable[str]) -> None:
    """Lock the floors of these repositories, so that none is raised until the transaction ends. Take this lock before
    all others.
    """
    ordered = sorted(set(dids))
    if tx.engine != "sqlite" and ordered:
        await tx.fetch(HOLD, dids=ordered)


async def lock(tx: Transaction, did: str) -> None:
    """Lock the floor of a repository whose read has ended: earlier writers have committed, and later ones see the new
    floor.
    """
    await create_row(tx, did)
    if tx.engine != "sqlite":
        await tx.fetch(LOCK, did=did)

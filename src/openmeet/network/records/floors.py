"""The floor of a repository held while versions are taken over, and locked where a reading ends (``records.seen``).

Else a reading could find that nothing has changed while an older message is being applied beside it: with the floor above that message,
whatever comes behind it would be ignored as history, and the older version would stand for good. SQLite has one writer, which holds all.
"""

from collections.abc import Iterable

from groundwork.database.transaction import Transaction

MAKE = """
    insert into repositories (did, epoch, floor_rev, status, stale_at, synced_at, updated_at)
    values (:did, 0, '', 'active', null, null, :now)
        on conflict (did) do nothing
"""
# As many as like hold it side by side.
HOLD = "select did from repositories where did in :dids order by did for share"
LOCK = "select did from repositories where did = :did for no key update"


async def expect(tx: Transaction, did: str) -> None:
    """A reading of this repository begins: from now on there is a floor that can be held."""
    await tx.execute(MAKE, did=did, now=tx.now)


async def hold(tx: Transaction, dids: Iterable[str]) -> None:
    """No floor of these rises until the transaction ends. For whoever is about to put versions, before every other lock."""
    ordered = sorted(set(dids))
    if tx.engine != "sqlite" and ordered:
        await tx.fetch(HOLD, dids=ordered)


async def lock(tx: Transaction, did: str) -> None:
    """A reading has ended: what others were putting is committed by now, and what they put next is measured by the floor after it."""
    await expect(tx, did)
    if tx.engine != "sqlite":
        await tx.fetch(LOCK, did=did)

"""What waited for something that is here now: it is due at once, and looked at again by whoever pays it at this moment."""

from typing import Final

from groundwork.database.transaction import Transaction
from groundwork.outbox.bell import ring
from openmeet.outbox.publications import DUE_OR_MARKED, FORMER_OF, LEASED, SWITCHED_OFF, Kind

_SWITCHED_OFF: Final = f"""
    update publications
       set due_at = case when {LEASED} then due_at else :now end, looks_again = case when {LEASED} then 1 else looks_again end
     where kind in :kinds and ((state = 'retrying' and reason = :reason) or {LEASED})
"""
_WAITING_OF: Final = f"""
    update publications set {DUE_OR_MARKED} where user_id = :user_id and kind = :kind and (state = 'waiting' or {LEASED})
"""


async def wake_switched_off(tx: Transaction, kind: Kind) -> int:
    """Publishing this kind is switched on again: what waited for that is due now; how many."""
    tx.after_commit(ring)
    kinds = [kind, FORMER_OF.get(kind, kind)]
    return await tx.execute(_SWITCHED_OFF, kinds=kinds, reason=SWITCHED_OFF, now=tx.now)


async def wake_waiting_of(tx: Transaction, user_id: str, kind: Kind) -> int:
    """An account of this person has been read: what of theirs waited for that is decided now; how many."""
    tx.after_commit(ring)
    return await tx.execute(_WAITING_OF, user_id=user_id, kind=kind, now=tx.now)

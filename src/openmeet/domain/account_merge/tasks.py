"""What happens by the clock."""

from groundwork.clock import Instant
from groundwork.database.transaction import Database
from openmeet.domain.account_merge import queries
from openmeet.domain.account_merge.model import KEPT_FOR


async def forget_old_claims(db: Database) -> int:
    """Proofs without a yes, and what was joined long ago; how many."""
    async with db.transaction() as tx:
        return await queries.forget(tx, Instant(tx.now - KEPT_FOR))

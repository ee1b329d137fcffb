"""What happens by the clock."""

from groundwork.clock import Instant
from groundwork.database.transaction import Database
from openmeet.domain.webhooks import queries
from openmeet.domain.webhooks.model import KEPT


async def forget_old_deliveries(db: Database) -> int:
    """Messages that were settled a month ago are of no use any more."""
    async with db.transaction() as tx:
        return await queries.forget(tx, Instant(tx.now - KEPT))

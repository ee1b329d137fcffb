"""What happens by the clock."""

from groundwork.clock import HOUR, Instant
from groundwork.database.transaction import Database
from openmeet.domain.sign_in import queries


async def forget_expired(db: Database) -> int:
    """Drop sessions and challenges that no longer work."""
    async with db.transaction() as tx:
        return await queries.drop_expired(tx, Instant(tx.now - HOUR))

"""What happens by the clock."""

from groundwork.database.transaction import Database
from openmeet.events import queries


async def forget_expired_drafts(db: Database) -> int:
    """Drop drafts that nobody came back for."""
    async with db.transaction() as tx:
        return await queries.drop_expired_drafts(tx)

"""What happens by the clock."""

from groundwork.database.transaction import Database
from openmeet.domain.events import kept_forms


async def forget_expired_drafts(db: Database) -> int:
    """Drop drafts that nobody came back for."""
    async with db.transaction() as tx:
        return await kept_forms.drop_expired(tx)

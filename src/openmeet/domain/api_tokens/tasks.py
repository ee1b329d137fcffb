"""What happens by the clock."""

from groundwork.clock import Instant
from groundwork.database.transaction import Database
from openmeet.domain.api_tokens import queries
from openmeet.domain.api_tokens.tokens import SHOWN_AFTER_END


async def forget_old_access(db: Database) -> int:
    """Drop tokens that stopped working a while ago, and keys of requests that nobody repeats any more."""
    async with db.transaction() as tx:
        gone = await queries.drop_ended(tx, Instant(tx.now - SHOWN_AFTER_END))
        return gone + await queries.forget_requests(tx)

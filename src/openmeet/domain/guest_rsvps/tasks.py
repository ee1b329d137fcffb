"""What happens by the clock: addresses of people who have no account are not kept for longer than they are of use."""

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database
from openmeet.domain.events import co_host_queries
from openmeet.domain.groups import invitation_queries
from openmeet.domain.users import guests


async def forget_addresses(db: Database, kept_days: int) -> int:
    """Addresses of guests whose events are over, and of invitations that lead nowhere any more; how many were forgotten.

    ``kept_days`` 0: they are kept for good.
    """
    if not kept_days:
        return 0
    async with db.transaction() as tx:
        before = Instant(tx.now - kept_days * DAY)
        forgotten = await guests.forget_addresses(tx, before)
        forgotten += await invitation_queries.forget_addresses(tx, before)
        return forgotten + await co_host_queries.forget_addresses(tx, before)

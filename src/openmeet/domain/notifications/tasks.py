"""What happens by the clock."""

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database
from openmeet.domain.notifications import emails

# As long as it is known that their debts were paid: nothing asks for their contents afterwards.
SENT_MAILS_KEPT = 30 * DAY


async def forget_sent_mails(db: Database) -> int:
    """Drop which news went into which mail; the news stay."""
    async with db.transaction() as tx:
        return await emails.forget_closed(tx, Instant(tx.now - SENT_MAILS_KEPT))

"""Two people turn out to be one: what either wrote to guests, one person wrote."""

from groundwork.database.transaction import Transaction
from openmeet.domain.users.merge import hand_over
from openmeet.domain.users.model import UserId


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Messages that were sent, and those that wait for their time."""
    await hand_over(tx, "event_messages", "author_id", from_user, to_user)

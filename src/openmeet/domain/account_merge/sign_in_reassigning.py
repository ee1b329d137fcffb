"""Two people turn out to be one: whoever is signed in as either stays signed in."""

from groundwork.database.transaction import Transaction
from openmeet.domain.users.merge import hand_over
from openmeet.domain.users.model import UserId


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Sessions of the one are the other's: both were proven."""
    await hand_over(tx, "sessions", "user_id", from_user, to_user)

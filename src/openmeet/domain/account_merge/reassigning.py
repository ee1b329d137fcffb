"""Two people turn out to be one: what either brought from elsewhere, one person brought."""

from groundwork.database.transaction import Transaction
from openmeet.domain.users.merge import hand_over, hand_over_unique
from openmeet.domain.users.model import UserId


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Files, what became of their events (known once, by its uid), and who was invited by whom."""
    await hand_over(tx, "imports", "user_id", from_user, to_user)
    await hand_over_unique(tx, "imported_events", "user_id", ("uid",), from_user, to_user)
    await hand_over(tx, "imported_people", "invited_by", from_user, to_user)

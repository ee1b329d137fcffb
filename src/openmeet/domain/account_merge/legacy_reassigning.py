"""Two people turn out to be one, and one of them was imported from the older model: taking that back must not take the person away."""

from groundwork.database.transaction import Transaction
from openmeet.domain.users.model import UserId


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Who was imported is somebody who was here before, from now on."""
    await tx.execute(
        "update legacy_rows set new_id = :to_user, kind = 'known' where new_id = :from_user and kind in ('user', 'known')",
        from_user=from_user,
        to_user=to_user,
    )

"""Two people turn out to be one: what either looks for, both do."""

from groundwork.database.transaction import Transaction
from openmeet.domain.users.merge import hand_over_unique
from openmeet.domain.users.model import UserId


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    await hand_over_unique(tx, "saved_searches", "user_id", ("asked",), from_user, to_user)

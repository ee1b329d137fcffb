"""Two people turn out to be one: what either looks for, both do."""

from groundwork.database.transaction import Transaction
from openmeet.users.model import UserId
from openmeet.users.reassigning import hand_over_unique


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    await hand_over_unique(tx, "saved_searches", "user_id", ("asked",), from_user, to_user)

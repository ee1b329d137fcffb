"""Two people turn out to be one: whom either follows, and who follows either; nobody follows themselves."""

from groundwork.database.transaction import Transaction
from openmeet.domain.users.merge import hand_over_unique
from openmeet.domain.users.model import UserId


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    await tx.execute(
        "delete from person_followers where user_id in :both and followed_id in :both", both=[from_user, to_user]
    )
    await hand_over_unique(tx, "person_followers", "user_id", ("followed_id",), from_user, to_user)
    await hand_over_unique(tx, "person_followers", "followed_id", ("user_id",), from_user, to_user)

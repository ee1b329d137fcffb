"""People who were elsewhere before, and taking back those who never came here. All of it SQL of ``users``."""

from groundwork.database.transaction import Transaction
from openmeet.domain.users.model import UserId


async def erase(tx: Transaction, user_id: UserId) -> None:
    """Take somebody back who was imported. ForeignKeyViolated where something here is theirs."""
    await tx.execute("delete from users where id = :id", id=user_id)

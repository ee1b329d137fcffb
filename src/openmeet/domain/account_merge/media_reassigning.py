"""Two people turn out to be one: pictures that either put up are one person's."""

from groundwork.database.transaction import Transaction


async def reassign(tx: Transaction, from_user: str, to_user: str) -> None:
    """Pictures stay where they are shown; who may take them down is one person."""
    await tx.execute(
        "update pictures set user_id = :to_user where user_id = :from_user", from_user=from_user, to_user=to_user
    )

"""All SQL of rooms and messages."""

from groundwork.database.transaction import Transaction


async def reassign(tx: Transaction, from_user: str, to_user: str) -> None:
    """What a person said and where they are becomes another's. In a room with both, the one who stays keeps their place."""
    people = {"from_user": from_user, "to_user": to_user}
    await tx.execute(
        """
        delete from chat_members
         where user_id = :from_user and room_id in (select room_id from chat_members where user_id = :to_user)
        """,
        **people,
    )
    await tx.execute("update chat_members set user_id = :to_user where user_id = :from_user", **people)
    await tx.execute("update chat_messages set user_id = :to_user where user_id = :from_user", **people)
    await tx.execute("update chat_messages set removed_by = :to_user where removed_by = :from_user", **people)

"""Rows of one person become another's: what every room's ``reassign`` is made of. Names come from our code, never from input."""

from groundwork.database.transaction import Transaction
from openmeet.users.model import UserId


async def hand_over(tx: Transaction, table: str, column: str, from_user: UserId, to_user: UserId) -> None:
    """All rows that name the one name the other."""
    await tx.execute(
        f"update {table} set {column} = :to_user where {column} = :from_user", from_user=from_user, to_user=to_user
    )


async def hand_over_unique(
    tx: Transaction, table: str, column: str, keys: tuple[str, ...], from_user: UserId, to_user: UserId
) -> None:
    """The same where a person has one row per ``keys`` (none: one altogether): whoever stays keeps theirs."""
    same = " and ".join(["kept." + column + " = :to_user", *(f"kept.{key} = {table}.{key}" for key in keys)])
    await tx.execute(
        f"delete from {table} where {column} = :from_user and exists (select 1 from {table} kept where {same})",
        from_user=from_user,
        to_user=to_user,
    )
    await hand_over(tx, table, column, from_user, to_user)

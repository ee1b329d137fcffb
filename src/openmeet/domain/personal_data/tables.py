"""All tables, by name, and moving rows from one user to another."""

from collections.abc import Mapping
from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.domain.personal_data.accounts import ACCOUNT_TABLES
from openmeet.domain.personal_data.chat import CHAT_TABLES
from openmeet.domain.personal_data.content import CONTENT_TABLES
from openmeet.domain.personal_data.groups import GROUP_TABLES
from openmeet.domain.personal_data.messages import MESSAGE_TABLES
from openmeet.domain.personal_data.model import ColumnContent, OnErasure, StoredTable
from openmeet.domain.personal_data.network import NETWORK_TABLES
from openmeet.domain.users.model import UserId

ALL_TABLES: Final = (*ACCOUNT_TABLES, *MESSAGE_TABLES, *CONTENT_TABLES, *GROUP_TABLES, *CHAT_TABLES, *NETWORK_TABLES)
TABLES: Final[Mapping[str, StoredTable]] = {table.name: table for table in ALL_TABLES}


def tables_with_remaining_rows() -> tuple[StoredTable, ...]:
    """Tables with personal data whose rows stay when an account is deleted, or go only when they expire."""
    keeping = {OnErasure.KEEP, OnErasure.EMPTY, OnErasure.EXPIRE}
    return tuple(
        table
        for table in ALL_TABLES
        if (table.on_erasure in keeping or table.remaining_rows)
        and set(table.column_names()) - set(table.names_of(ColumnContent.PLAIN))
    )


def unique_with(table: str, column: str) -> tuple[str, ...] | None:
    """The columns with which a column that holds a user id is unique. None if it is not unique.

    Raises KeyError for a column that does not hold user ids.
    """
    for group in TABLES[table].columns:
        if column in group.names and group.content is ColumnContent.PERSON:
            return group.unique_with
    raise KeyError(f"{table}.{column} does not hold user ids")


async def hand_over(tx: Transaction, table: str, column: str, from_user: UserId, to_user: UserId) -> int:
    """Replace one user id by another in a column of a table. Returns the number of rows. Table and column names must
    come from our code.

    If the column is unique, the row of ``to_user`` is kept.
    """
    keys = unique_with(table, column)
    if keys is not None:
        same = " and ".join([f"kept.{column} = :to_user", *(f"kept.{key} = {table}.{key}" for key in keys)])
        await tx.execute(
            f"delete from {table} where {column} = :from_user and exists (select 1 from {table} kept where {same})",
            from_user=from_user,
            to_user=to_user,
        )
    return await tx.execute(
        f"update {table} set {column} = :to_user where {column} = :from_user", from_user=from_user, to_user=to_user
    )

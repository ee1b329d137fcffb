"""A row that is held until the transaction ends, asked for once: in a group of work each of which wants it, by the first."""

from collections.abc import Collection

from groundwork.database.postgres import PostgresTransaction
from groundwork.database.transaction import Transaction


async def hold(tx: Transaction, table: str, column: str, value: str) -> None:
    """Whoever else wants to hold or change this row waits; where there is none, nothing is held.

    The statement returns nothing of the row: what is decided from it is read afterwards. SQLite has one writer, which holds all.
    """
    if tx.engine == "sqlite":
        return
    row = (table, column, value)
    if isinstance(tx, PostgresTransaction) and row in tx.held:
        return
    found = await tx.fetch(f"select 1 as held from {table} where {column} = :value for no key update", value=value)
    if found and isinstance(tx, PostgresTransaction):
        tx.held.add(row)


async def hold_each(tx: Transaction, table: str, column: str, values: Collection[str]) -> None:
    """``hold`` for several rows, in the order of their primary key ``id``."""
    if tx.engine == "sqlite" or not values:
        return
    await tx.fetch(
        f"select id from {table} where {column} in :values order by id for no key update", values=sorted(values)
    )

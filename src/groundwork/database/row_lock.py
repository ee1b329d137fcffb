"""Row locks that are taken once per transaction, also when many pieces of work in it ask for the same row."""

from collections.abc import Collection

from groundwork.database.postgres import PostgresTransaction
from groundwork.database.transaction import Transaction


async def hold(tx: Transaction, table: str, column: str, value: str) -> None:
    """Lock the row until the transaction ends; no error where it does not exist.

    The statement returns nothing of the row: read it afterwards. SQLite has one writer, so there is nothing to lock.
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


async def take_turn(tx: Transaction, name: str) -> bool:
    """Take the lock with this name until the transaction ends; False where another transaction has it.

    For what is counted before it is done and has no row to lock: requests at the same moment would all find the same
    number. SQLite has one writer, so there it is always free.
    """
    if tx.engine == "sqlite":
        return True
    row = await tx.fetch_one(
        "select pg_catalog.pg_try_advisory_xact_lock(hashtextextended(:name, 0)) as held", name=name
    )
    return row is not None and bool(row["held"])

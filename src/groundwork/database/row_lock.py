"""Row locks that are taken at most once per transaction, even if several pieces of work in it request the same row, and
locks for what has no row yet.
"""

import asyncio
from collections.abc import Collection
from typing import Final

from groundwork.database.postgres import PostgresTransaction
from groundwork.database.transaction import Database, Transaction

# Transactions that locked or changed rows of a table, or looked for such rows, keep one of these locks on the table until
# they end.
_LOCKERS: Final = """
    select virtualtransaction as locker from pg_catalog.pg_locks
     where locktype = 'relation' and mode in ('RowShareLock', 'RowExclusiveLock') and pid <> pg_catalog.pg_backend_pid()
       and database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
       and relation = pg_catalog.to_regclass(:table)
"""
_BETWEEN_LOOKS_SECONDS: Final = 0.01


async def lock_row(tx: Transaction, table: str, column: str, value: str) -> None:
    """Lock a row until the transaction ends. It is not an error if the row does not exist.

    The statement returns nothing from the row, so read it afterwards. SQLite has only one writer and needs no lock.
    """
    if tx.engine == "sqlite":
        return
    row = (table, column, value)
    if isinstance(tx, PostgresTransaction) and row in tx.locked_rows:
        return
    rows = await tx.fetch(f"select 1 as locked from {table} where {column} = :value for no key update", value=value)
    if rows and isinstance(tx, PostgresTransaction):
        tx.locked_rows.add(row)


async def lock_rows(tx: Transaction, table: str, column: str, values: Collection[str]) -> None:
    """Do the same as ``lock_row`` for several rows, in the order of their primary key ``id``."""
    if tx.engine == "sqlite" or not values:
        return
    await tx.fetch(
        f"select id from {table} where {column} in :values order by id for no key update", values=sorted(values)
    )


async def take_turn(tx: Transaction, name: str) -> bool:
    """Try to take the lock with this name until the transaction ends. Returns False if another transaction has it.

    Used to count something before adding to it when there is no row to lock: concurrent requests would all see the same
    count. SQLite has only one writer, so there the lock is always free.
    """
    if tx.engine == "sqlite":
        return True
    row = await tx.fetch_one(
        "select pg_catalog.pg_try_advisory_xact_lock(hashtextextended(:name, 0)) as is_taken", name=name
    )
    return row is not None and bool(row["is_taken"])


async def wait_for_turn(tx: Transaction, name: str) -> None:
    """Like ``take_turn``, but wait until the lock is free. Take it before any row lock, to avoid deadlocks."""
    if tx.engine == "postgresql":
        await tx.fetch("select pg_catalog.pg_advisory_xact_lock(hashtextextended(:name, 0))", name=name)


async def wait_for_lockers(db: Database, table: str) -> None:
    """Wait until the other transactions end that have locked rows of this table (``for share``, ``for update``) or changed
    them, also those that found no such row. Later ones are not waited for and do not wait.

    After something was committed, whoever locked rows of the table before it was visible has ended. Transactions end
    within two seconds. SQLite has only one writer, so there nobody is waited for.
    """
    if db.engine == "sqlite":
        return
    earlier = await _lockers(db, table)
    while earlier:
        await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
        earlier &= await _lockers(db, table)


async def _lockers(db: Database, table: str) -> set[str]:
    async with db.reader() as reader:
        return {row["locker"] for row in await reader.fetch(_LOCKERS, table=table)}

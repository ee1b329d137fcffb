"""Work on any number of rows, divided into pages: each page has a transaction of its own, so that none is too long and
nobody waits for a lock until the end. After a crash the caller begins again, so the work on a page is idempotent.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from groundwork.database.transaction import Database, Engine, Reader, Transaction

_Key = TypeVar("_Key", bound=str)

# Works on the rows after this key, at first the empty text. Returns the last key of the page, None on the last page.
PageWork = Callable[[Transaction, str], Awaitable[str | None]]
# Reads at most this many keys after this one, in order.
ReadKeys = Callable[[Reader, str, int], Awaitable[Sequence[_Key]]]

# Keys that are read at once.
KEYS_AT_ONCE: Final = 500
# Rows that ``delete_some`` and ``update_some`` change.
ROWS_AT_ONCE: Final = 1000

# Rows are found by their place, because some tables have a primary key of several columns. A row of PostgreSQL that
# changes after its place was read has another place, and is left to the next call.
_SOME: Final[Mapping[Engine, str]] = {
    "sqlite": "{change} where rowid in (select rowid from {table} where {condition} limit :rows_at_once)",
    "postgresql": "{change} where ctid = any(array(select ctid from {table} where {condition} limit :rows_at_once))",
}


async def run_in_pages(db: Database, work: PageWork) -> None:
    """Run ``work`` for one page after the other, each in its own transaction."""
    after: str | None = ""
    while after is not None:
        async with db.transaction() as tx:
            after = await work(tx, after)


def last_key(keys: Sequence[str], limit: int) -> str | None:
    """The result of ``PageWork`` for a page with these keys, which were read with this limit."""
    return keys[-1] if len(keys) == limit else None


async def keys_in_pages(db: Database, read: ReadKeys[_Key]) -> AsyncIterator[_Key]:
    """Yield the keys that ``read`` finds. No reader is open meanwhile, so the caller can work on each."""
    after: str | None = ""
    while after is not None:
        async with db.reader() as reader:
            keys = await read(reader, after, KEYS_AT_ONCE)
        for key in keys:
            yield key
        after = last_key(keys, KEYS_AT_ONCE)


async def delete_some(tx: Transaction, table: str, condition: str, /, **parameters: object) -> int:
    """Delete rows of a table that satisfy a condition, written by us, but at most ``ROWS_AT_ONCE``. Returns how many."""
    return await _change_some(tx, f"delete from {table}", table, condition, parameters)


async def update_some(tx: Transaction, table: str, changes: str, condition: str, /, **parameters: object) -> int:
    """Like ``delete_some``, but make these changes (``column = value, …``), after which the condition is false."""
    return await _change_some(tx, f"update {table} set {changes}", table, condition, parameters)


async def change_in_pages(db: Database, change: Callable[[Transaction], Awaitable[int]]) -> int:
    """Run ``change``, which consists of calls of ``delete_some`` and ``update_some`` and returns the sum of their results,
    in one transaction after the other until nothing is left. Returns how many rows were changed.
    """
    total, changed = 0, ROWS_AT_ONCE
    while changed >= ROWS_AT_ONCE:
        async with db.transaction() as tx:
            changed = await change(tx)
        total += changed
    return total


async def _change_some(
    tx: Transaction, change: str, table: str, condition: str, parameters: Mapping[str, object]
) -> int:
    statement = _SOME[tx.engine].format(change=change, table=table, condition=condition)
    return await tx.execute(statement, **parameters, rows_at_once=ROWS_AT_ONCE)

"""Several writes in one round trip to a database server, which matters while others wait for a lock.

PostgreSQL runs them as one statement (``with … as (insert …)``), whose parts all see the rows from before it and must
not change the same row; an error undoes all. SQLite, which has no round trips, runs them one after another.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundwork.database import statements
from groundwork.database.postgres import PostgresTransaction
from groundwork.database.transaction import Transaction


@dataclass(frozen=True, slots=True)
class SqlWrite:
    """A statement that changes rows, and its parameters."""

    sql: str
    parameters: Mapping[str, object]


async def execute_together(tx: Transaction, writes: Sequence[SqlWrite]) -> None:
    """Run all of these; none may depend on what another did."""
    if not isinstance(tx, PostgresTransaction) or len(writes) < 2:
        for one in writes:
            await tx.execute(one.sql, **one.parameters)
        return
    parameters = {
        f"{name}_{number}": value for number, one in enumerate(writes) for name, value in one.parameters.items()
    }
    await tx.execute(_joined(tuple(one.sql for one in writes)), **parameters)


@functools.lru_cache(maxsize=256)
def _joined(parts: tuple[str, ...]) -> str:
    named = (f"write_{number} as ({statements.renamed(one, f'_{number}')})" for number, one in enumerate(parts))
    return f"with {', '.join(named)} select 1"

"""Count the statements that are executed, and the rows that they read and change."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Engine, Row, Transaction


class StatementCounter:
    """A transaction that counts its statements."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.statements = 0
        self.rows = 0
        self.changed = 0

    @property
    def engine(self) -> Engine:
        return self._tx.engine

    @property
    def now(self) -> Instant:
        return self._tx.now

    async def asked(self) -> None:
        """Called before each statement."""
        self.statements += 1

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]:
        await self.asked()
        rows = await self._tx.fetch(sql, **parameters)
        self.rows += len(rows)
        return rows

    async def fetch_one(self, sql: str, /, **parameters: object) -> Row | None:
        await self.asked()
        self.rows += 1
        return await self._tx.fetch_one(sql, **parameters)

    async def execute(self, sql: str, /, **parameters: object) -> int:
        await self.asked()
        changed = await self._tx.execute(sql, **parameters)
        self.changed += changed
        return changed

    async def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]], /) -> None:
        await self.asked()
        self.changed += len(rows)
        await self._tx.execute_many(sql, rows)

    def after_commit(self, call: Callable[[], None], /) -> None:
        self._tx.after_commit(call)


class CountingDatabase:
    """A database that counts what each of its transactions does. ``fails_in``: the number of the transaction that fails
    before it is committed.
    """

    def __init__(self, db: Database, *, fails_in: int | None = None) -> None:
        self._db, self._fails_in = db, fails_in
        self.transactions: list[StatementCounter] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._db.transaction() as tx:
            self.transactions.append(StatementCounter(tx))
            yield self.transactions[-1]
            if len(self.transactions) == self._fails_in:
                raise ConnectionError

    @property
    def most_statements(self) -> int:
        """The largest number of statements in one transaction."""
        return max(one.statements for one in self.transactions)

    @property
    def most_read(self) -> int:
        """The largest number of rows that one transaction read."""
        return max(one.rows for one in self.transactions)

    @property
    def most_changed(self) -> int:
        """The largest number of rows that one transaction changed."""
        return max(one.changed for one in self.transactions)

"""Count the statements that are executed and the rows that they read."""

from collections.abc import Callable, Mapping, Sequence

from groundwork.clock import Instant
from groundwork.database.transaction import Engine, Row, Transaction


class StatementCounter:
    """A transaction that counts its statements."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.statements = 0
        self.rows = 0

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
        return await self._tx.execute(sql, **parameters)

    async def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]], /) -> None:
        await self.asked()
        await self._tx.execute_many(sql, rows)

    def after_commit(self, call: Callable[[], None], /) -> None:
        self._tx.after_commit(call)

"""Transactions in which it is earlier than now, for what happened in the demo town before it was written."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Engine, Row, Transaction

P = ParamSpec("P")
T = TypeVar("T")


async def act_at(
    db: Database,
    at: Instant,
    action: Callable[Concatenate[Transaction, P], Coroutine[Any, Any, T]],
    *arguments: P.args,
    **named: P.kwargs,
) -> T:
    """Run one action in its own transaction, as if it were ``at``."""
    return await db.batch(lambda tx: action(EarlierTransaction(tx, at), *arguments, **named))


@dataclass(frozen=True, slots=True)
class EarlierTransaction:
    """A transaction with another ``now``."""

    tx: Transaction
    now: Instant

    @property
    def engine(self) -> Engine:
        return self.tx.engine

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]:
        return await self.tx.fetch(sql, **parameters)

    async def fetch_one(self, sql: str, /, **parameters: object) -> Row | None:
        return await self.tx.fetch_one(sql, **parameters)

    async def execute(self, sql: str, /, **parameters: object) -> int:
        return await self.tx.execute(sql, **parameters)

    async def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]], /) -> None:
        await self.tx.execute_many(sql, rows)

    def after_commit(self, call: Callable[[], None], /) -> None:
        self.tx.after_commit(call)

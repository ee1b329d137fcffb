"""Run a plain function on an asynchronous transaction, so that the same function works with both engines.

The function runs in a greenlet. Each database call switches to the coroutine that drives it, which awaits the driver
and switches back with the result. SQLAlchemy's asyncio extension uses the same technique.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]  # ships no types

from groundwork.clock import Instant
from groundwork.database.transaction import Row, Transaction, Writer

T = TypeVar("T")


class BridgedWriter:
    """A ``Writer`` over an asynchronous transaction. It can be used only inside ``run_plain``."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.is_over = False

    @property
    def now(self) -> Instant:
        return self._transaction.now

    def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]:
        return self._wait(lambda: self._transaction.fetch(sql, **parameters))

    def fetch_one(self, sql: str, /, **parameters: object) -> Row | None:
        return self._wait(lambda: self._transaction.fetch_one(sql, **parameters))

    def execute(self, sql: str, /, **parameters: object) -> int:
        return self._wait(lambda: self._transaction.execute(sql, **parameters))

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]], /) -> None:
        self._wait(lambda: self._transaction.execute_many(sql, rows))

    def after_commit(self, call: Callable[[], None], /) -> None:
        self._transaction.after_commit(call)

    def _wait(self, verb: Callable[[], Awaitable[T]]) -> T:
        parent = getcurrent().parent
        if self.is_over or parent is None:
            raise RuntimeError("a writer can be used only inside the function that it was passed to")
        result: T = parent.switch(verb())
        return result


async def run_plain(work: Callable[[Writer], T], transaction: Transaction) -> T:
    """Call ``work`` with a writer for the transaction and return its result."""
    writer = BridgedWriter(transaction)
    child = greenlet(work)
    try:
        step: Any = child.switch(writer)
        while not child.dead:
            try:
                step_result = await step
            except BaseException as failure:  # noqa: BLE001 - raised again inside the function, which may clean up
                step = child.throw(failure)
            else:
                step = child.switch(step_result)
    finally:
        writer.is_over = True
    result: T = step
    return result

"""The port: what a reader, a transaction and a database offer, whichever engine runs.

Statements carry named parameters (``:name``); values are always parameters. Rows leave as ``Row``, readable by column
name or position. A ``Transaction`` is interactive: only it may be awaited while it is open, and it is rolled back when
it has been open for two seconds. ``Database.write`` runs a plain function in one hop for hot paths.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import Any, Literal, Protocol, TypeVar

from groundwork.clock import Instant

T = TypeVar("T")

Engine = Literal["sqlite", "postgresql"]


class Row(Protocol):
    """One row, by column name or by position."""

    def __getitem__(self, key: Any, /) -> Any: ...

    def keys(self) -> Any: ...

    def __len__(self) -> int: ...


class Reader(Protocol):
    """Reads one consistent state; cannot write. ``now`` is the instant at which it was opened."""

    @property
    def now(self) -> Instant: ...

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]: ...

    async def fetch_one(self, sql: str, /, **parameters: object) -> Row | None: ...


class Transaction(Reader, Protocol):
    """Reads and writes that become durable together when the ``async with`` block ends, or not at all."""

    async def execute(self, sql: str, /, **parameters: object) -> int:
        """Run one statement; the number of rows it touched."""
        ...

    async def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]], /) -> None: ...

    def after_commit(self, call: Callable[[], None], /) -> None:
        """Call this (it must not raise or block) once the commit is durable: waking workers, filling caches."""
        ...


class Writer(Protocol):
    """What a plain function given to ``Database.write`` sees: the same verbs without ``await``."""

    @property
    def now(self) -> Instant: ...

    def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]: ...

    def fetch_one(self, sql: str, /, **parameters: object) -> Row | None: ...

    def execute(self, sql: str, /, **parameters: object) -> int: ...

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]], /) -> None: ...

    def after_commit(self, call: Callable[[], None], /) -> None: ...


class Database(Protocol):
    """One database: an SQLite file, or a schema of a PostgreSQL database."""

    @property
    def engine(self) -> Engine: ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction; leaving the block returns after the commit is durable. An exception rolls it back."""
        ...

    def reader(self) -> AbstractAsyncContextManager[Reader]: ...

    async def write(self, work: Callable[[Writer], T], /) -> T:
        """Run ``work`` in a transaction of its own, in one hop; returns its value after the commit is durable.

        Concurrent calls share one physical commit; a call that raises is rolled back alone.
        """
        ...

    async def close(self) -> None: ...


class ConstraintViolated(Exception):
    """The database refused a statement because of a constraint; ``constraint`` names it as far as the engine tells."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class UniqueViolated(ConstraintViolated):
    """A row with these values exists already."""


class ForeignKeyViolated(ConstraintViolated):
    """The row that this one refers to does not exist, or is still referred to."""


class CheckViolated(ConstraintViolated):
    """A value breaks a check or not-null constraint."""


class TransactionTooLong(Exception):
    """The transaction was open for more than two seconds and has been rolled back."""


_open_here: ContextVar[bool] = ContextVar("transaction_open", default=False)


def transaction_is_open() -> bool:
    """True inside ``async with db.transaction()`` of this task: the HTTP client refuses to be called then."""
    return _open_here.get()

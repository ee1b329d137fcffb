"""The port: what a reader, a transaction and a database offer, whichever engine runs.

Statements carry named parameters (``:name``); values are always parameters; ``in :names`` takes a list or tuple. Rows
leave as ``Row``, readable by column name or position. A ``Transaction`` is interactive: only it may be awaited while it
is open, and it is rolled back when it has been open for two seconds. ``Database.batch`` runs an async function over one:
many statements in one hop, or many callers that wait for one row. ``Database.write`` and ``Database.read`` run a plain
function in one hop for hot paths; on PostgreSQL a writing one is run again when it lost against a concurrent transaction.

A statement that fails dooms its transaction on both engines (PostgreSQL knows no other way): later statements raise, and
leaving the block raises the first failure. A race is settled by ``on conflict``, not by catching ``UniqueViolated``
inside the block. Constraints are never deferred: on SQLite one would surface in the COMMIT that others share.

Text with U+0000 or a lone surrogate and numbers beyond 64 bits raise InvalidInput. What the engines answer differently
is avoided in statements: a comparison as a value is a boolean on one and 0/1 on the other (write ``case``), ``sum`` of
a ``bigint`` is a decimal on PostgreSQL (write ``cast(sum(x) as bigint)``), ``like`` ignores case on SQLite only.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import Any, Literal, Protocol, TypeVar

from groundwork.clock import Instant
from groundwork.errors import Unavailable

T = TypeVar("T")

Engine = Literal["sqlite", "postgresql"]

# Message of InvalidInput on both engines: PostgreSQL stores neither, so SQLite must not.
UNSTORABLE_TEXT = "The text contains a character that cannot be stored (U+0000 or half of a surrogate pair)."
UNSTORABLE_NUMBER = "A number is too large to be stored."


class Row(Protocol):
    """One row, by column name or by position."""

    def __getitem__(self, key: Any, /) -> Any: ...

    def keys(self) -> Any: ...

    def __len__(self) -> int: ...


class Reader(Protocol):
    """Reads one consistent state; cannot write. ``now`` is the instant at which it was opened."""

    @property
    def now(self) -> Instant: ...

    @property
    def engine(self) -> Engine:
        """``sqlite`` or ``postgresql``: for the rare statement where the engines really differ."""
        ...

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


class PlainReader(Protocol):
    """What a plain function given to ``Database.read`` sees: the verbs of a reader without ``await``."""

    @property
    def now(self) -> Instant: ...

    def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]: ...

    def fetch_one(self, sql: str, /, **parameters: object) -> Row | None: ...


class Writer(PlainReader, Protocol):
    """What a plain function given to ``Database.write`` sees: the same verbs as a transaction's, without ``await``."""

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

    async def read(self, work: Callable[[PlainReader], T], /) -> T:
        """Run ``work`` over one consistent state in one hop: for a few rows, because on SQLite other short reads wait
        in between.

        Longer reads take a reader.
        """
        ...

    async def state(self) -> str:
        """A token of the committed contents. Two equal tokens of this object mean that every reader opened in between saw the
        same rows; a commit changes it. It may also change without one.
        """
        ...

    async def write(self, work: Callable[[Writer], T], /) -> T:
        """Run ``work`` in a transaction of its own, in one hop; returns its value after the commit is durable.

        Concurrent calls share one physical commit; a call that raises is rolled back alone.
        """
        ...

    async def batch(self, work: "Work[T]", /, *, key: str | None = None) -> T:
        """Run ``work`` in a transaction; returns its result after the commit is durable. An exception undoes this work
        alone.

        For many statements, or with a ``key`` for many callers that wait for one row: work with the same key runs in the
        order of its calls, several pieces in one transaction.

        ``work`` may await its transaction's verbs and nothing else, and may be called again, as with ``write``. It may run on
        another thread, in a copy of the caller's context (the request id in log lines), and may touch nothing shared
        besides the transaction.
        """
        ...

    async def close(self) -> None: ...


# What ``batch`` runs.
Work = Callable[[Transaction], Coroutine[Any, Any, T]]


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


class TransactionTooLong(Unavailable):
    """The transaction was open for more than two seconds and has been rolled back."""


class ReadTooLong(Unavailable):
    """The reader held its snapshot for too long and was closed, so that the write-ahead log can shrink: read pages
    instead.
    """


class TransactionConflict(Unavailable):
    """Lost against a concurrent transaction (deadlock, serialization failure); nothing was written, so retry."""


class DatabaseUnavailable(Unavailable):
    """The store cannot be used (disk full, locked by another process, connection lost, COMMIT refused)."""


class OpenMark:
    """Marks one open transaction; tasks started inside it see when it has ended."""

    __slots__ = ("is_open",)

    def __init__(self) -> None:
        self.is_open = True


_open_here: ContextVar[OpenMark | None] = ContextVar("open_transaction", default=None)


def transaction_is_open() -> bool:
    """True inside ``async with db.transaction()`` of this task: the HTTP client refuses to be called then."""
    mark = _open_here.get()
    return mark is not None and mark.is_open


def mark_open() -> OpenMark:
    """Mark that this task has a transaction open until ``is_open`` is set to false; for drivers."""
    mark = OpenMark()
    _open_here.set(mark)
    return mark


def require_none_open() -> None:
    """Raise if this task has a transaction open: a second one could wait for the first. For drivers."""
    if transaction_is_open():
        raise RuntimeError("only the open transaction may be awaited inside it")

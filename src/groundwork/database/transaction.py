"""The port: the interface of a reader, a transaction and a database, which is the same for both engines.

Statements have named parameters (``:name``), and values are always passed as parameters; ``in :names`` takes a list or
tuple. Rows are returned as ``Row``, readable by column name or position. A ``Transaction`` is interactive: only its own
methods may be awaited while it is open, and it is rolled back after two seconds. ``Database.batch`` runs an async
function in a transaction: many statements in one hop, or many callers that wait for one row. ``Database.write`` and
``Database.read`` run a plain function in one hop, for hot paths. On PostgreSQL, ``write`` runs its function again if it
lost against a concurrent transaction.

A statement that fails dooms its transaction on both engines, because PostgreSQL cannot work otherwise: later statements
raise, and leaving the block raises the first failure. Races are settled by ``on conflict``, not by catching
``UniqueViolated`` inside the block. Constraints are never deferred, because on SQLite one would surface in the COMMIT
that others share.

Text with U+0000 or a lone surrogate and numbers beyond 64 bits raise InvalidInput. Statements avoid expressions that
the engines evaluate differently: a comparison as a value is a boolean on one and 0/1 on the other (write ``case``),
``sum`` of a ``bigint`` is a decimal on PostgreSQL (write ``cast(sum(x) as bigint)``), and ``like`` ignores case on
SQLite only.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Literal, Protocol, TypeVar

from groundwork.clock import Instant
from groundwork.errors import Unavailable

T = TypeVar("T")

Engine = Literal["sqlite", "postgresql"]

# Message of InvalidInput on both engines. PostgreSQL can store neither, so SQLite must not store them.
UNSTORABLE_TEXT = "The text contains a character that cannot be stored (U+0000 or half of a surrogate pair)."
UNSTORABLE_NUMBER = "A number is too large to be stored."


class Row(Protocol):
    """One row, readable by column name or by position. Iterating over it yields the cells."""

    def __getitem__(self, key: Any, /) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...

    def keys(self) -> Any: ...

    def __len__(self) -> int: ...


class Reader(Protocol):
    """Reads one consistent state and cannot write. ``now`` is the instant at which it was opened."""

    @property
    def now(self) -> Instant: ...

    @property
    def engine(self) -> Engine:
        """``sqlite`` or ``postgresql``, for the rare statement where the engines really differ."""
        ...

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]: ...

    async def fetch_one(self, sql: str, /, **parameters: object) -> Row | None: ...


class Transaction(Reader, Protocol):
    """Reads and writes that become durable together when the ``async with`` block ends, or not at all."""

    async def execute(self, sql: str, /, **parameters: object) -> int:
        """Run one statement and return the number of rows that it changed."""
        ...

    async def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]], /) -> None: ...

    def after_commit(self, call: Callable[[], None], /) -> None:
        """Call this function once the commit is durable, for example to wake workers or fill caches. It must not raise
        or block.
        """
        ...


class PlainReader(Protocol):
    """The argument of a plain function given to ``Database.read``: the methods of a reader without ``await``."""

    @property
    def now(self) -> Instant: ...

    def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]: ...

    def fetch_one(self, sql: str, /, **parameters: object) -> Row | None: ...


class Writer(PlainReader, Protocol):
    """The argument of a plain function given to ``Database.write``: the methods of a transaction without ``await``."""

    def execute(self, sql: str, /, **parameters: object) -> int: ...

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, object]], /) -> None: ...

    def after_commit(self, call: Callable[[], None], /) -> None: ...


class Database(Protocol):
    """One database: an SQLite file, or a schema of a PostgreSQL database."""

    @property
    def engine(self) -> Engine: ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction. The block returns after the commit is durable. An exception rolls it back."""
        ...

    def reader(self, *, keeps_plans: bool = False) -> AbstractAsyncContextManager[Reader]:
        """Open a reader. ``keeps_plans`` is for many statements that each find a few rows by an index: PostgreSQL reuses
        generic plans. Leave it out for searches by words that strangers type, because the best plan depends on the words.
        """

    async def read(self, work: Callable[[PlainReader], T], /) -> T:
        """Run ``work`` on one consistent state in one hop.

        Use it for a few rows only, because on SQLite other short reads wait in the meantime. Longer reads use a reader.
        """
        ...

    async def state(self) -> str:
        """Return a token of the committed contents.

        If two tokens of this object are equal, every reader opened in between saw the same rows. A commit changes the
        token; it can also change without one.
        """
        ...

    async def write(self, work: Callable[[Writer], T], /) -> T:
        """Run ``work`` in its own transaction, in one hop. Returns its result after the commit is durable.

        Concurrent calls share one physical commit. A call that raises is rolled back without affecting the others.
        """
        ...

    async def batch(self, work: "Work[T]", /, *, key: str | None = None) -> T:
        """Run ``work`` in a transaction. Returns its result after the commit is durable. An exception undoes only this
        work.

        For many statements or, with a ``key``, for many callers that wait for the same row: work with the same key runs
        in the order of the calls, several pieces in one transaction.

        ``work`` may await only the methods of its transaction, and can be called more than once, as with ``write``. It
        can run on another thread, in a copy of the caller's context (the request id in log lines), and must not touch
        anything shared except the transaction.
        """
        ...

    async def close(self) -> None: ...


# The function that ``batch`` runs.
Work = Callable[[Transaction], Coroutine[Any, Any, T]]


class ConstraintViolated(Exception):
    """The database rejected a statement because of a constraint. ``constraint`` is its name, as far as the engine
    reports it.
    """

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class UniqueViolated(ConstraintViolated):
    """A row with these values already exists."""


class ForeignKeyViolated(ConstraintViolated):
    """The row that this one refers to does not exist, or other rows still refer to this one."""


class CheckViolated(ConstraintViolated):
    """A value breaks a check or not-null constraint."""


class TransactionTooLong(Unavailable):
    """The transaction was open for more than two seconds and has been rolled back."""


class ReadTooLong(Unavailable):
    """The reader held its snapshot for too long and was closed, so that the write-ahead log can shrink. Read in pages
    instead.
    """


class TransactionConflict(Unavailable):
    """Lost against a concurrent transaction (deadlock, serialization failure). Nothing was written, so retry."""


class DatabaseUnavailable(Unavailable):
    """The database cannot be used (disk full, locked by another process, connection lost, COMMIT rejected)."""

    is_outage = True


# Names of the failures above. The sentences of the database are for operators, so pages show their own.
DATABASE_FAILURES: Final = frozenset(
    kind.__name__ for kind in (TransactionTooLong, ReadTooLong, TransactionConflict, DatabaseUnavailable)
)


def run_after_commit(calls: Iterable[Callable[[], None]]) -> None:
    """Run the callbacks of a durable commit in order on the event loop. For drivers. They must not raise, but if one does,
    the others still run.
    """
    for call in calls:
        try:
            call()
        except Exception as failure:  # noqa: BLE001 - an edge: logged, because the commit is durable
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a call after the commit raised", "exception": failure}
            )

"""Everything in a database, table by table, read from one moment; and put into an empty one, of either engine.

For backups. Values are what the storage forms allow (integers, text, bytes, null), so what was read from one engine can be
loaded into the other. Tables come in an order in which each finds the rows that it refers to. Tables in which migrations
are counted are left out: the reader says the revision.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from groundwork.database import postgres_dump, sqlite_dump
from groundwork.database.open_ import POSTGRES, sqlite_path
from groundwork.database.table_order import DatabaseTable, Rows

__all__ = ["Contents", "DatabaseTable", "Loading", "Rows", "load_contents", "read_contents"]


class Contents(Protocol):
    """A database at one moment."""

    @property
    def tables(self) -> Sequence[DatabaseTable]: ...

    def rows(self, table: DatabaseTable) -> AsyncIterator[Rows]:
        """All rows of a table, some thousand at a time, in the order of its columns."""
        ...


class Loading(Protocol):
    """An empty database that is being filled; nothing of it stays unless its block ends well."""

    async def put(self, table: str, columns: Sequence[str], rows: Rows, /) -> None: ...


def read_contents(url: str, schema: str, scratch: Path) -> AbstractAsyncContextManager[Contents]:
    """The database at the moment of opening. ``scratch`` is a folder with room for a copy of an SQLite file."""
    if url.startswith(POSTGRES):
        return postgres_dump.reading(url, schema)
    return sqlite_dump.reading(sqlite_path(url, schema), scratch)


def load_contents(url: str, schema: str) -> AbstractAsyncContextManager[Loading]:
    """Fill a migrated database, in place of what migrations put there. Raises ValueError where references find nothing."""
    if url.startswith(POSTGRES):
        return postgres_dump.loading(url, schema)
    return sqlite_dump.loading(sqlite_path(url, schema))

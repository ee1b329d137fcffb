"""Read a whole database as one snapshot, table by table, and load it into an empty one of either engine.

For backups. Values are integers, text, bytes and null only, so a dump of one engine can be loaded into the other.
Tables come in the order of their foreign keys. Alembic's version tables are left out: the reader states the revision.
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
    """A snapshot of a database."""

    @property
    def tables(self) -> Sequence[DatabaseTable]: ...

    def rows(self, table: DatabaseTable) -> AsyncIterator[Rows]:
        """All rows of a table, a few thousand at a time, in the order of its columns."""
        ...


class Loading(Protocol):
    """An empty database that is being filled; rolled back unless its block ends without an error."""

    async def put(self, table: str, columns: Sequence[str], rows: Rows, /) -> None: ...


def read_contents(url: str, schema: str, scratch: Path) -> AbstractAsyncContextManager[Contents]:
    """A snapshot as of the moment of opening. ``scratch`` is a folder with room for a copy of an SQLite file."""
    if url.startswith(POSTGRES):
        return postgres_dump.reading(url, schema)
    return sqlite_dump.reading(sqlite_path(url, schema), scratch)


def load_contents(url: str, schema: str) -> AbstractAsyncContextManager[Loading]:
    """Fill a migrated database, replacing rows that migrations inserted. Raises ValueError for a foreign key without
    its row.
    """
    if url.startswith(POSTGRES):
        return postgres_dump.loading(url, schema)
    return sqlite_dump.loading(sqlite_path(url, schema))

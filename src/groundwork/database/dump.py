"""Read a whole database as one snapshot, table by table, and load it into an empty database of either engine.

Used for backups. Values are only integers, text, bytes and null, so a dump from one engine can be loaded into the
other. Tables are in the order of their foreign keys. Alembic's version tables are left out; the reader provides the
revision.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from groundwork.database import postgres_dump, sqlite_dump
from groundwork.database.open_ import POSTGRES, sqlite_path
from groundwork.database.table_order import DatabaseTable, Rows

__all__ = ["Contents", "DatabaseLoader", "DatabaseTable", "Rows", "load_contents", "read_contents"]


class Contents(Protocol):
    """A snapshot of a database."""

    @property
    def tables(self) -> Sequence[DatabaseTable]: ...

    def rows(self, table: DatabaseTable) -> AsyncIterator[Rows]:
        """Yield all rows of a table, a few thousand at a time, in the order of its columns."""
        ...


class DatabaseLoader(Protocol):
    """An empty database that is being filled. Rolled back if its block ends with an error."""

    async def put(self, table: str, columns: Sequence[str], rows: Rows, /) -> None: ...


def read_contents(url: str, schema: str, scratch: Path) -> AbstractAsyncContextManager[Contents]:
    """Open a snapshot of the current contents. ``scratch`` is a folder with room for a copy of an SQLite file.

    ``url`` and ``schema`` are those of ``open_database``.
    """
    if url.startswith(POSTGRES):
        return postgres_dump.reading(url, schema or "public")
    return sqlite_dump.reading(sqlite_path(url, schema), scratch)


def load_contents(url: str, schema: str) -> AbstractAsyncContextManager[DatabaseLoader]:
    """Fill a migrated database, replacing the rows that migrations inserted. Raises ValueError for a broken foreign
    key.
    """
    if url.startswith(POSTGRES):
        return postgres_dump.loading(url, schema or "public")
    return sqlite_dump.loading(sqlite_path(url, schema))

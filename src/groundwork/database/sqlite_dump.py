"""Dump of an SQLite file: copied page by page as one snapshot while others write, then read from the copy.

The copy holds one snapshot while it runs (some hundred megabytes a second). Without that, every commit would restart
the copy, and on a busy server it would never end. Writes made during the copy stay in the write-ahead log.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

from groundwork import private_file
from groundwork.database.migrate import VERSION_TABLE_PREFIX
from groundwork.database.sqlite_connection import translate_error
from groundwork.database.table_order import DERIVED_PREFIX, ROWS_AT_ONCE, DatabaseTable, Rows, in_order
from groundwork.threads import on_thread

# Interval at which the copy checks whether its caller was cancelled.
_PAGES_AT_ONCE = 4096


class SqliteContents:
    """The contents of a copy that nobody writes."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.tables = tables_of(self._connection)

    async def rows(self, table: DatabaseTable) -> AsyncIterator[Rows]:
        columns = ", ".join(f'"{column}"' for column in table.columns)
        cursor = await on_thread(self._connection.execute, f'select {columns} from "{table.name}"')
        try:
            while rows := await on_thread(cursor.fetchmany, ROWS_AT_ONCE):
                yield rows
        finally:
            # A cancelled reader can get here after the copy and its cursor were closed.
            with contextlib.suppress(sqlite3.ProgrammingError):
                cursor.close()

    def close(self) -> None:
        self._connection.close()


@asynccontextmanager
async def reading(path: Path, scratch: Path) -> AsyncIterator[SqliteContents]:
    """Open a copy of the current file. The copy is removed at the end of the block."""
    copy = scratch / "contents.db"
    try:
        # A thread that continued would leave a complete copy behind.
        await on_thread(copy_file, path, copy)
        contents = SqliteContents(copy)
        try:
            yield contents
        finally:
            contents.close()
    finally:
        for left in (copy, copy.with_name("contents.db-journal")):
            left.unlink(missing_ok=True)


def copy_file(path: Path, copy: Path) -> None:
    """Copy a database that might be in use. Raises the failures of ``transaction``."""
    copy.unlink(missing_ok=True)
    private_file.touch(copy)
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as source,
            closing(sqlite3.connect(copy, isolation_level=None)) as target,
        ):
            source.execute("begin")
            source.execute("select count(*) from sqlite_master").fetchone()
            source.backup(target, pages=_PAGES_AT_ONCE)
            # The copy is a single file without a write-ahead log: it is read once and then deleted or moved.
            target.execute("pragma journal_mode = delete").fetchone()
    except sqlite3.Error as failure:
        copy.unlink(missing_ok=True)
        raise translate_error(failure) from failure


def tables_of(connection: sqlite3.Connection) -> list[DatabaseTable]:
    """Return the tables of a file, in order."""
    names = [
        row[0]
        for row in connection.execute("select name from sqlite_master where type = 'table'")
        if not row[0].startswith(("sqlite_", VERSION_TABLE_PREFIX, DERIVED_PREFIX))
    ]
    columns = {name: [row[1] for row in connection.execute(f'pragma table_info("{name}")')] for name in names}
    references = [(name, row[2]) for name in names for row in connection.execute(f'pragma foreign_key_list("{name}")')]
    return in_order(columns, references)


class SqliteLoader:
    """A file that nobody else has open, being filled."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)

    def begin(self) -> None:
        self._connection.execute("pragma foreign_keys = off")
        self._connection.execute("begin immediate")
        for table in tables_of(self._connection):
            self._connection.execute(f'delete from "{table.name}"')

    async def put(self, table: str, columns: Sequence[str], rows: Rows, /) -> None:
        names = ", ".join(f'"{column}"' for column in columns)
        statement = f'insert into "{table}" ({names}) values ({", ".join("?" * len(columns))})'
        await on_thread(self._put, statement, rows)

    def _put(self, statement: str, rows: Rows) -> None:
        # The cursor is closed on this thread. If another thread released it, that would reset the statement, which the
        # connection already reuses for the next rows.
        self._connection.executemany(statement, rows).close()

    def commit(self) -> None:
        if broken := self._connection.execute("pragma foreign_key_check").fetchall():
            raise ValueError(f"{len(broken)} rows have a broken reference, in {broken[0][0]}")
        self._connection.execute("commit")

    def close(self) -> None:
        self._connection.close()


@asynccontextmanager
async def loading(path: Path) -> AsyncIterator[SqliteLoader]:
    """Load all rows in one transaction."""
    load = SqliteLoader(path)
    try:
        await on_thread(load.begin)
        yield load
        await on_thread(load.commit)
    except sqlite3.Error as failure:
        raise translate_error(failure) from failure
    finally:
        await asyncio.to_thread(load.close)

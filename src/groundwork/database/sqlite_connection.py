"""Opening SQLite files, running statements, and translating SQLite errors.

The mode is WAL with ``synchronous=FULL``: every COMMIT is on the disk before it returns. Foreign keys are on. Other
processes can write the same file (such as ``openmeet pds check`` while the server is running); the busy timeout waits
for them.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from groundwork.database import statements
from groundwork.database.transaction import (
    UNSTORABLE_NUMBER,
    UNSTORABLE_TEXT,
    CheckViolated,
    ConstraintViolated,
    DatabaseUnavailable,
    ForeignKeyViolated,
    TransactionTooLong,
    UniqueViolated,
)
from groundwork.errors import InvalidInput

BUSY_TIMEOUT_MS = 5000

# The types of values that SQLite stores.
_Stored = str | bytes | int | float | None

_UNIQUE = {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID"}
_CHECK = {"SQLITE_CONSTRAINT_CHECK", "SQLITE_CONSTRAINT_NOTNULL", "SQLITE_CONSTRAINT_DATATYPE"}
# Primary result codes (the low byte of the extended ones) that mean the store is at fault and not the statement.
_STORE_FAULTS = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_NOMEM,
}


def connect_writer(path: Path, *, waits_for_disk: bool = True) -> sqlite3.Connection:
    """Open (and create) the file for its only writer. Only the writer thread may use the connection.

    ``waits_for_disk``: whether COMMIT returns only when it is on the disk. Without that, a power failure can undo the
    last commits, but the file stays consistent.
    """
    connection = _connect(f"{path.absolute().as_uri()}?mode=rwc", cached_statements=1024)
    connection.execute("pragma journal_mode = wal").fetchall()
    connection.execute(f"pragma synchronous = {'full' if waits_for_disk else 'normal'}")
    connection.execute("pragma foreign_keys = on")
    connection.execute("pragma cache_size = -8000")
    # Deleted data is overwritten, because it may have been deleted at a person's request.
    connection.execute("pragma secure_delete = on").fetchall()
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open the file read-only; the writer must have opened it before."""
    connection = _connect(f"{path.absolute().as_uri()}?mode=ro", cached_statements=256)
    connection.execute("pragma query_only = on")
    connection.execute("pragma cache_size = -4000")
    return connection


def _connect(uri: str, *, cached_statements: int) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri,
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_TIMEOUT_MS / 1000,
        cached_statements=cached_statements,
    )
    connection.row_factory = sqlite3.Row
    # SQLite's own function knows only ASCII letters, so names with other letters would be found on PostgreSQL only.
    connection.create_function("lower", 1, _lower, deterministic=True)
    return connection


def _lower(value: _Stored) -> _Stored:
    return value.lower() if isinstance(value, str) else value


def fetch(connection: sqlite3.Connection, sql: str, parameters: Mapping[str, object]) -> list[sqlite3.Row]:
    """Run one statement and return all its rows."""
    return run(connection, sql, parameters).fetchall()


def execute(connection: sqlite3.Connection, sql: str, parameters: Mapping[str, object]) -> int:
    """Run one statement and return the number of rows that it changed."""
    cursor = run(connection, sql, parameters)
    if cursor.description is not None:
        return len(cursor.fetchall())
    return max(cursor.rowcount, 0)


def execute_many(connection: sqlite3.Connection, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run one statement for each mapping of values."""
    statement = statements.for_sqlite(sql)
    for row in rows:
        _require_fitting(statement, row)
    connection.executemany(statement.text, rows)


def run(connection: sqlite3.Connection, sql: str, parameters: Mapping[str, object]) -> sqlite3.Cursor:
    """Prepare (from the connection's cache) and start one statement."""
    statement = statements.for_sqlite(sql)
    _require_fitting(statement, parameters)
    if statement.lists:
        text, values = statements.spread(statement, parameters)
        return connection.execute(text, values)
    return connection.execute(statement.text, parameters)


# Errors that an operator can fix, as sentences.
_EXPLANATIONS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "its file or disk is read-only",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened",
    sqlite3.SQLITE_CORRUPT: "its file is damaged",
    sqlite3.SQLITE_NOTADB: "its file is not an SQLite database",
}


def _require_fitting(statement: statements.SqlStatement, parameters: Mapping[str, object]) -> None:
    if parameters.keys() != statement.name_set:
        statement.check(parameters)
    for value in parameters.values():
        # SQLite would store this text, but PostgreSQL would reject the same row.
        if type(value) is str and "\0" in value:
            raise InvalidInput("", UNSTORABLE_TEXT)


def translate_error(failure: BaseException) -> BaseException:
    """Translate an sqlite3 error to the port's error. Others, such as a syntax error, are returned unchanged."""
    if isinstance(failure, UnicodeEncodeError):
        return InvalidInput("", UNSTORABLE_TEXT)
    if isinstance(failure, OverflowError):
        return InvalidInput("", UNSTORABLE_NUMBER)
    if not isinstance(failure, sqlite3.Error):
        return failure
    name = getattr(failure, "sqlite_errorname", "")
    code = getattr(failure, "sqlite_errorcode", 0) & 0xFF
    translated: BaseException
    if code == sqlite3.SQLITE_CONSTRAINT:
        # "UNIQUE constraint failed: events.slug": SQLite reports only what follows the colon.
        constraint = str(failure).partition(": ")[2] or str(failure)
        if name in _UNIQUE:
            translated = UniqueViolated(constraint)
        elif name == "SQLITE_CONSTRAINT_FOREIGNKEY":
            translated = ForeignKeyViolated(constraint)
        elif name in _CHECK:
            translated = CheckViolated(constraint)
        else:
            translated = ConstraintViolated(constraint)
    elif code == sqlite3.SQLITE_INTERRUPT:
        translated = TransactionTooLong("the database took too long; nothing was saved")
    elif code in _STORE_FAULTS:
        why = _EXPLANATIONS.get(code, str(name or failure))
        translated = DatabaseUnavailable(f"the database cannot be used at the moment ({why})")
    else:
        return failure
    translated.__cause__ = failure
    return translated

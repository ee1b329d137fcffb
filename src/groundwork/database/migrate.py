"""Migrate a database to the revision that the code needs, creating the file, folder or schema first.

Each package has its own version table (``schema_revision_<package>``) in the schema, so several packages can share a
schema. An up-to-date database costs one query: Alembic is imported only when there is work. A database newer than the
code is left alone, because old code may run on a new schema; the log says so. A database from before the baseline is
rejected: its tables have other names, and no revision leads from them to the current ones.
"""

import asyncio
import contextlib
import importlib
import importlib.util
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Final

import asyncpg

from groundwork.database.connection_failures import CONNECTION_FAILURES, connection_failure
from groundwork.database.open_ import POSTGRES, sqlite_path
from groundwork.database.postgres import check_schema_name
from groundwork.database.transaction import DatabaseUnavailable
from groundwork.errors import Refused
from groundwork.telemetry.logs import log

_REVISION_FILE = re.compile(r"(\d{4})_\w+\.py")
VERSION_TABLE_PREFIX: Final = "schema_revision_"
# The names of the version tables before the baseline.
_PREFIX_BEFORE: Final = "alembic_version_"

# Importing Alembic takes a third of a second, which a start with an up-to-date database should not pay.
_RUNNER = "groundwork.database.alembic_run"


async def migrate(database_url: str, schema: str, package: str, *, to: str | None = None) -> None:
    """Apply the missing revisions of ``<package>/migrations/versions``. ``to`` is the last one to apply (default: all).

    On PostgreSQL each revision is a transaction; on SQLite all revisions together are one. Concurrent migrations wait
    for each other. Raises Refused for a database from before the baseline, DatabaseUnavailable if it cannot be reached,
    and the database's own error if a revision fails, in which case that revision is rolled back.
    """
    versions = versions_folder(package)
    found, newest = await current_revision(database_url, schema, package), head(versions)
    if found > newest:
        log.warning("database.newer_than_program", package=package, database=found, program=newest)
    if found >= (to or newest):
        return
    runner = importlib.import_module(_RUNNER)
    await asyncio.to_thread(runner.upgrade, database_url, schema, versions, version_table(package), to or "head")


async def migrate_apart(database_url: str, schema: str, package: str) -> None:
    """Run ``migrate`` in a separate process, for programs that run for months: Alembic's memory (30 MB) is freed when
    it exits.

    Errors of the process are ignored, because the caller then runs ``migrate``, which tries again and reports them.
    """
    if await current_revision(database_url, schema, package) >= head(versions_folder(package)):
        return
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, schema, package, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    # The URL can contain a password, so it is not passed on the command line, where every user of the machine could see
    # it.
    await child.communicate(database_url.encode())


def versions_folder(package: str) -> Path:
    """Return the folder with the Alembic revisions of a package. Raises ValueError for an unknown package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"there is no package {package}")
    return Path(spec.submodule_search_locations[0]) / "migrations" / "versions"


def version_table(package: str) -> str:
    """Return the name of the table that holds a package's revision."""
    return VERSION_TABLE_PREFIX + package.replace(".", "_")


def head(versions: Path) -> str:
    """Return the number of the newest revision file, or ``""`` if there is none."""
    numbers = [match[1] for path in versions.glob("*.py") if (match := _REVISION_FILE.fullmatch(path.name))]
    return max(numbers, default="")


async def current_revision(database_url: str, schema: str, package: str) -> str:
    """Return the database's revision, or ``""`` if it has none or does not exist yet. Raises Refused and
    DatabaseUnavailable as ``migrate`` does.
    """
    if database_url.startswith(POSTGRES):
        return await _current_in_postgres(database_url, check_schema_name(schema or "public"), package)
    return await asyncio.to_thread(_current_in_sqlite, sqlite_path(database_url, schema), package)


async def _current_in_postgres(url: str, schema: str, package: str) -> str:
    try:
        connection = await asyncpg.connect(url)
    except CONNECTION_FAILURES as failure:
        raise connection_failure(url, failure) from failure
    try:
        revision = await connection.fetchval(f'select max(version_num) from "{schema}"."{version_table(package)}"')
        return str(revision or "")
    except asyncpg.UndefinedTableError:
        if await connection.fetchval("select to_regclass($1)", f'"{schema}"."{_table_before(package)}"') is not None:
            raise _before_the_baseline(package) from None
        return ""
    finally:
        await connection.close()


def _current_in_sqlite(path: Path, package: str) -> str:
    if not path.exists():
        return ""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=5)) as connection:
            return _read_revision(connection, package)
    except sqlite3.Error as failure:
        raise DatabaseUnavailable(f"The SQLite file {path} of the database cannot be used: {failure}.") from failure


def _read_revision(connection: sqlite3.Connection, package: str) -> str:
    version_tables = connection.execute(
        "select name from sqlite_master where name in (?, ?)", (version_table(package), _table_before(package))
    )
    tables = {row[0] for row in version_tables}
    if version_table(package) in tables:
        revision = connection.execute(f"select max(version_num) from {version_table(package)}").fetchone()[0]
        return str(revision or "")
    if tables:
        raise _before_the_baseline(package)
    return ""


def _table_before(package: str) -> str:
    return _PREFIX_BEFORE + package.replace(".", "_")


def _before_the_baseline(package: str) -> Refused:
    return Refused(
        f"The database of {package} was made by a development version from before the first release and cannot be "
        "migrated. Start with an empty database."
    )


if __name__ == "__main__":
    asyncio.run(migrate(sys.stdin.read(), *sys.argv[1:3]))

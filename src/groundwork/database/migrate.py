"""Migrate a database to the revision that the code needs, creating file, folder or schema first.

Each package has its own version table (``alembic_version_<package>``) in the schema, so several packages may share one.
An up-to-date database costs one query: Alembic is imported only when there is work. A database newer than the code is
left alone, because old code may run beside a new schema.
"""

import asyncio
import importlib
import importlib.util
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import asyncpg

from groundwork.database.open_ import POSTGRES, sqlite_path
from groundwork.database.postgres import check_schema_name
from groundwork.database.transaction import DatabaseUnavailable

_REVISION_FILE = re.compile(r"(\d{4})_\w+\.py")
# Alembic takes a third of a second to import, which an up-to-date start must not pay.
_RUNNER = "groundwork.database.alembic_run"


async def migrate(database_url: str, schema: str, package: str, *, to: str | None = None) -> None:
    """Apply the missing revisions of ``<package>/migrations/versions``; ``to`` stops at one.

    On PostgreSQL each is a transaction, on SQLite all together are one. Concurrent migrations wait for each other.
    Raises DatabaseUnavailable where the database cannot be reached, and the database's own error where a revision
    fails; that revision is then rolled back.
    """
    versions = versions_folder(package)
    if await current_revision(database_url, schema, package) >= (to or head(versions)):
        return
    runner = importlib.import_module(_RUNNER)
    await asyncio.to_thread(runner.upgrade, database_url, schema, versions, version_table(package), to or "head")


async def migrate_apart(database_url: str, schema: str, package: str) -> None:
    """``migrate`` in a process of its own, for programs that run for months: Alembic's memory (30 MB) is given back.

    Errors are ignored here: :func:`migrate` tries again and says why.
    """
    if await current_revision(database_url, schema, package) >= head(versions_folder(package)):
        return
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, schema, package, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    # The URL may have a password: not on a command line, where every user of the machine sees it.
    await child.communicate(database_url.encode())


def versions_folder(package: str) -> Path:
    """The folder of a package's revisions."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"there is no package {package}")
    return Path(spec.submodule_search_locations[0]) / "migrations" / "versions"


def version_table(package: str) -> str:
    """The name of the table that holds a package's revision."""
    return "alembic_version_" + package.replace(".", "_")


def head(versions: Path) -> str:
    """The number of the newest revision file, ``""`` if there is none."""
    numbers = [match[1] for path in versions.glob("*.py") if (match := _REVISION_FILE.fullmatch(path.name))]
    return max(numbers, default="")


async def current_revision(database_url: str, schema: str, package: str) -> str:
    """The database's revision, ``""`` if it has none or does not exist yet."""
    table = version_table(package)
    if database_url.startswith(POSTGRES):
        return await _current_in_postgres(database_url, check_schema_name(schema or "public"), table)
    return await asyncio.to_thread(_current_in_sqlite, sqlite_path(database_url, schema), table)


async def _current_in_postgres(url: str, schema: str, table: str) -> str:
    try:
        connection = await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError) as failure:
        raise DatabaseUnavailable("the PostgreSQL server cannot be reached") from failure
    try:
        if await connection.fetchval("select to_regclass($1)", f'"{schema}"."{table}"') is None:
            return ""
        return str(await connection.fetchval(f'select max(version_num) from "{schema}"."{table}"') or "")
    finally:
        await connection.close()


def _current_in_sqlite(path: Path, table: str) -> str:
    if not path.exists():
        return ""
    connection = sqlite3.connect(path, timeout=5)
    try:
        found = connection.execute("select 1 from sqlite_master where name = ?", (table,)).fetchone()
        if found is None:
            return ""
        return str(connection.execute(f"select max(version_num) from {table}").fetchone()[0] or "")
    finally:
        connection.close()


if __name__ == "__main__":
    asyncio.run(migrate(sys.stdin.read(), *sys.argv[1:3]))

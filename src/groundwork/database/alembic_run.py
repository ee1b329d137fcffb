"""Run Alembic over a package's revisions. Imported only by ``migrate``, and only if a database is out of date.

Alembic keeps its current context in module globals, so only one run at a time is possible per process. Processes
exclude each other with an advisory lock on PostgreSQL and with the write lock on SQLite. On SQLite, all revisions run
in one transaction: otherwise another process could apply a revision between two of them, and this process, which has
read the old revision number, would apply it again.
"""

import asyncio
import sqlite3
import threading
import zlib
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from groundwork import private_file
from groundwork.database.open_ import POSTGRES, sqlite_path
from groundwork.database.postgres import check_schema_name
from groundwork.database.transaction import DatabaseUnavailable

# How long a process waits for another one that migrates the same file.
_TURN_SECONDS = 600
_DISK_FAILURES = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}

_ENVIRONMENT = Path(__file__).parent / "alembic_environment"

_one_at_a_time = threading.Lock()


def upgrade(database_url: str, schema: str, versions: Path, version_table: str, target: str) -> None:
    """Bring the database to a revision (``head`` is the newest). Blocks; call it in a thread without an event loop."""
    with _one_at_a_time:
        if database_url.startswith(POSTGRES):
            asyncio.run(
                _upgrade_postgres(database_url, check_schema_name(schema or "public"), versions, version_table, target)
            )
        else:
            _upgrade_sqlite(sqlite_path(database_url, schema), versions, version_table, target)


async def _upgrade_postgres(url: str, schema: str, versions: Path, version_table: str, target: str) -> None:
    address = "postgresql+asyncpg://" + url.partition("://")[2]
    engine = create_async_engine(
        address, poolclass=NullPool, connect_args={"server_settings": {"search_path": f'"{schema}"'}}
    )
    # pg_advisory_lock(key, key) takes two signed 32-bit numbers. The second is a hash of the schema's name.
    keys = [zlib.crc32(text.encode()) - 2**31 for text in ("openmeet.migrate", schema)]
    try:
        # The lock has its own connection, because each revision ends a transaction on the other one.
        async with engine.connect() as holder:
            await holder.exec_driver_sql(f"select pg_advisory_lock({keys[0]}, {keys[1]})")
            await holder.exec_driver_sql(f'create schema if not exists "{schema}"')
            await holder.commit()
            async with engine.connect() as connection:
                await connection.run_sync(_run, versions, version_table, target)
            await holder.exec_driver_sql(f"select pg_advisory_unlock({keys[0]}, {keys[1]})")
    finally:
        await engine.dispose()


def _upgrade_sqlite(path: Path, versions: Path, version_table: str, target: str) -> None:
    private_file.touch(path)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": _TURN_SECONDS})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    try:
        with engine.connect() as connection:
            _run(connection, versions, version_table, target)
    except DatabaseError as failure:
        # Errors that the module raises by itself have no code.
        if getattr(failure.orig, "sqlite_errorcode", 0) & 0xFF in _DISK_FAILURES:
            advice = "Check the free space, and that the disk works."
            raise DatabaseUnavailable(f"The database {path} cannot be written: {failure.orig}. {advice}") from failure
        raise
    finally:
        engine.dispose()


def _on_connect(connection: Any, _record: object) -> None:
    # this code issues BEGIN itself, because the driver would run DDL outside the transaction
    connection.isolation_level = None
    connection.execute("pragma journal_mode = wal").fetchall()
    connection.execute("pragma synchronous = full")
    # Foreign keys are off so that a revision can rebuild a table that others refer to. They are checked before each
    # commit instead.
    connection.execute("pragma foreign_keys = off")


def _on_begin(connection: Connection) -> None:
    connection.exec_driver_sql("begin immediate")


def _run(connection: Connection, versions: Path, version_table: str, target: str) -> None:
    config = Config(attributes={"connection": connection, "version_table": version_table})
    config.set_main_option("script_location", str(_ENVIRONMENT).replace("%", "%%"))
    config.set_main_option("version_locations", str(versions).replace("%", "%%"))
    # Separator for lists of folders. The default is a space, which can occur in the name of a folder.
    config.set_main_option("path_separator", "os")
    command.upgrade(config, target)
    connection.commit()

"""Temporary databases with empty tables, which are deleted afterwards."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from groundwork.clock import Clock, SystemClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from tests.databases import SERVER


@asynccontextmanager
async def on_sqlite(clock: Clock | None = None) -> AsyncIterator[Database]:
    """The platform's tables in a file."""
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        async with _opened(f"sqlite://{Path(folder) / 'openmeet.db'}", "", clock) as db:
            yield db


@asynccontextmanager
async def on_postgresql(schema: str, clock: Clock | None = None) -> AsyncIterator[Database]:
    """The platform's tables in a schema with this name, which is recreated."""
    connection = await asyncpg.connect(SERVER)
    try:
        await connection.execute(f'drop schema if exists "{schema}" cascade')
        async with _opened(SERVER, schema, clock) as db:
            yield db
        await connection.execute(f'drop schema if exists "{schema}" cascade')
    finally:
        await connection.close()


@asynccontextmanager
async def _opened(url: str, schema: str, clock: Clock | None) -> AsyncIterator[Database]:
    await migrate(url, schema, "openmeet")
    db = await open_database(url, schema=schema, clock=clock or SystemClock())
    try:
        yield db
    finally:
        await db.close()

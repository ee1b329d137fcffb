"""Backups of databases that a test restores in place, on both engines."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

from groundwork.database.transaction import Database
from tests.openmeet.deployment import Deployment

Restore = Callable[[], Awaitable[None]]
"""Restores the databases to what they contained at the time of the backup."""

_TABLES = """
    select table_name as name from information_schema.tables
     where table_schema = current_schema() and table_type = 'BASE TABLE'
"""


async def back_up(*databases: Database) -> Restore:
    """Back up these databases as they are now."""
    restores = [await _back_up(one) for one in databases]

    async def restore() -> None:
        for one in restores:
            await one()

    return restore


async def _back_up(db: Database) -> Restore:
    async with db.reader() as reader:
        is_sqlite = reader.engine == "sqlite"
        file = (await reader.fetch("pragma database_list"))[0]["file"] if is_sqlite else ""
    return _of_file(str(file)) if is_sqlite else await _of_schema(db)


def _of_file(file: str) -> Restore:
    copy = sqlite3.connect(":memory:", check_same_thread=False)
    with closing(sqlite3.connect(file)) as source:
        source.backup(copy)

    async def restore() -> None:
        with closing(sqlite3.connect(file)) as target:
            copy.backup(target)

    return restore


async def _of_schema(db: Database) -> Restore:
    rows: dict[str, Any] = {}
    async with db.reader() as reader:
        for table in await reader.fetch(_TABLES):
            name = table["name"]
            (all_rows,) = await reader.fetch(f"select cast(json_agg(t) as text) as rows from {name} t")
            rows[name] = all_rows["rows"]

    async def restore() -> None:
        async with db.transaction() as tx:
            # Turns off foreign keys and triggers, which would depend on the order of the tables.
            await tx.execute("set local session_replication_role = replica")
            for name in rows:
                await tx.execute(f"delete from {name}")
            for name, stored in rows.items():
                if stored is not None:
                    await tx.execute(
                        f"insert into {name} select * from json_populate_recordset(cast(null as {name}), cast(:rows as json))",
                        rows=stored,
                    )

    return restore


async def back_up_deployment(deployment: Deployment) -> Restore:
    """Back up a community and what the consumer knows of the stream. After restoring, the stream is read again from
    there.
    """
    restore = await back_up(deployment.db, deployment.consumer.db)

    async def restore_and_restart() -> None:
        await restore()
        deployment.consumer.delivering.recent.clear()  # as in a new process

    return restore_and_restart

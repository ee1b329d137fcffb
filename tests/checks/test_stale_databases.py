"""Databases that a killed run left on the PostgreSQL server are dropped; databases in use are kept."""

import asyncio
import sys

import asyncpg

from tests.stale_databases import drop_stale, name_of_own
from tests.timeouts import TIMEOUT_SECONDS


async def there(connection: asyncpg.Connection) -> set[str]:
    return {row["datname"] for row in await connection.fetch("select datname from pg_database")}


async def test_only_unused_databases_of_dead_processes_are_dropped(postgres_url: str):
    """Of four databases, only one is dropped: its process has ended and nobody is connected to it. The others have a
    connection, a living process or a different name.
    """
    # This process lives until everything is set up: a worker that starts meanwhile drops the databases of dead
    # processes.
    gone = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)
    left, used = f"openmeet_tests_{gone.pid}_left", f"openmeet_tests_{gone.pid}_used"
    own, other = name_of_own("own"), f"another_{gone.pid}"
    connection = await asyncpg.connect(postgres_url)
    try:
        for name in (left, used, own, other):
            await connection.execute(f'create database "{name}"')
        user = await asyncpg.connect(postgres_url, database=used)
        await gone.communicate(b"\n")
        async with asyncio.timeout(TIMEOUT_SECONDS):
            # A worker that starts meanwhile may hold the lock; then this call does nothing, and the worker drops the
            # database.
            while left in await there(connection):
                await drop_stale(postgres_url)
        assert {used, own, other} <= await there(connection)
        await user.close()
    finally:
        if gone.returncode is None:
            gone.kill()
            await gone.wait()
        for name in (left, used, own, other):
            await connection.execute(f'drop database if exists "{name}" with (force)')
        await connection.close()

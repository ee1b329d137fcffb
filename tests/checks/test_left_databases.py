"""What a killed run has left on the PostgreSQL server goes; what somebody uses stays."""

import asyncio
import sys

import asyncpg

from tests.left_databases import drop_left_behind, name_of_own
from tests.patience import PATIENCE_SECONDS


async def there(connection: asyncpg.Connection) -> set[str]:
    return {row["datname"] for row in await connection.fetch("select datname from pg_database")}


async def test_of_a_process_that_has_gone_and_nobody_uses(postgres_url: str):
    """Four databases: one of the dead, one of the dead that somebody is connected to, one of the living, one of another name."""
    # Alive until everything stands: a worker that begins meanwhile drops what the dead left.
    gone = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)
    left, used = f"openmeet_tests_{gone.pid}_left", f"openmeet_tests_{gone.pid}_used"
    own, other = name_of_own("own"), f"another_{gone.pid}"
    connection = await asyncpg.connect(postgres_url)
    try:
        for name in (left, used, own, other):
            await connection.execute(f'create database "{name}"')
        user = await asyncpg.connect(postgres_url, database=used)
        await gone.communicate(b"\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            # A worker that begins meanwhile may be at it: then nothing is done here, and it may be the one that drops it.
            while left in await there(connection):
                await drop_left_behind(postgres_url)
        assert {used, own, other} <= await there(connection)
        await user.close()
    finally:
        if gone.returncode is None:
            gone.kill()
            await gone.wait()
        for name in (left, used, own, other):
            await connection.execute(f'drop database if exists "{name}" with (force)')
        await connection.close()

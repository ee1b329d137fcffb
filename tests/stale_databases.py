"""Removes databases that killed test runs have left on a PostgreSQL server.

A database is named ``openmeet_tests_<process id>``, with an optional suffix. If that process exists, the database
belongs to a concurrent run and stays. A database that has a connection stays as well.
"""

import os
import re

import asyncpg

_NAME = re.compile(r"openmeet_tests_(\d+)(?:_.*)?")
# One worker at a time: when several start together, the others find nothing left to drop.
_LOCK = 0x6F70656E


def name_of_own(*more: object) -> str:
    """The name of this process's database."""
    return "_".join(str(part) for part in ("openmeet_tests", os.getpid(), *more))


def process_of(name: str) -> int | None:
    """The id of the process to which a database of this name belongs; None if it is not one of the tests."""
    found = _NAME.fullmatch(name)
    return None if found is None else int(found[1])


async def drop_stale(server: str) -> list[str]:
    """Drop the databases whose process has ended, and return their names."""
    connection = await asyncpg.connect(server)
    dropped: list[str] = []
    try:
        if not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):
            return dropped
        for row in await connection.fetch("select datname from pg_database order by datname"):
            name = row["datname"]
            if not _is_stale(name):
                continue
            try:
                await connection.execute(f'drop database if exists "{name}"')
            except asyncpg.ObjectInUseError:
                continue
            dropped.append(name)
    finally:
        await connection.close()
    return dropped


def _is_stale(name: str) -> bool:
    process = process_of(name)
    if process is None:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass  # somebody else's database, or the name has no process id
    return False

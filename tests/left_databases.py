"""Databases that killed runs of tests have left on a PostgreSQL server: whoever comes next takes them away.

The name says whose one is: ``openmeet_tests_<process id>``, perhaps with more behind it. One whose process is there belongs to a
run beside this one; one that somebody is connected to is left alone, whatever its name says.
"""

import os
import re

import asyncpg

_NAME = re.compile(r"openmeet_tests_(\d+)(?:_.*)?")
# One at a time: of workers that begin together the others have nothing left to do.
_LOCK = 0x6F70656E


def name_of_own(*more: object) -> str:
    """The name of a database of this process."""
    return "_".join(str(part) for part in ("openmeet_tests", os.getpid(), *more))


async def drop_left_behind(server: str) -> list[str]:
    """Drop those whose process has gone; their names."""
    connection = await asyncpg.connect(server)
    dropped: list[str] = []
    try:
        if not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):
            return dropped
        for row in await connection.fetch("select datname from pg_database order by datname"):
            name = row["datname"]
            if not _is_left_behind(name):
                continue
            try:
                await connection.execute(f'drop database if exists "{name}"')
            except asyncpg.ObjectInUseError:
                continue
            dropped.append(name)
    finally:
        await connection.close()
    return dropped


def _is_left_behind(name: str) -> bool:
    found = _NAME.fullmatch(name)
    if found is None:
        return False
    try:
        os.kill(int(found[1]), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass  # somebody else's, or no process id at all
    return False

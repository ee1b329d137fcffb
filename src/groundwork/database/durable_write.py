"""Durable write probe: find out whether a database still accepts writes."""

import asyncio
import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from groundwork.clock import SECOND
from groundwork.database.migrate import version_table
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Unavailable

# SQLite keeps a signed 32-bit number.
_LARGEST_VALUE: Final = 2**31 - 1
# The write-ahead log of SQLite keeps its allocated size, so a few pages can be written even if the disk is full.
LEAST_ROOM_BYTES: Final = 1024 * 1024
# What one commit of a record with some text writes to a large repository: tree nodes, indexes and the event.
COMMIT_BYTES: Final = 64 * 1024

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


async def write_durably(db: Database, package: str) -> None:
    """Commit a change to one page that nobody reads. ``package`` is the package whose migrations created the tables.

    For SQLite, a file of the size of a commit is also written next to the database and then removed. This finds quotas
    and blocks reserved for another user, which do not show up in the amount of free space.

    Raises Unavailable. The message gives the reason (``the disk is full``).
    """
    async with db.transaction() as tx:
        if db.engine == "sqlite":
            # A number in the file's header that SQLite leaves to applications. It must change, because an unchanged
            # value is not written at all.
            await tx.execute(f"pragma user_version = {tx.now // SECOND % _LARGEST_VALUE}")
            (database,) = await tx.fetch("pragma database_list")
        else:
            await _write_a_row(tx, package)
            return
    await asyncio.to_thread(_require_room, Path(database["file"]).parent)


def _require_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < LEAST_ROOM_BYTES:
        raise Unavailable(f"the disk is full: {free} bytes are left")
    try:
        # The file is unnamed if the system supports it, so that a process that crashes leaves nothing behind.
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            left = memoryview(os.urandom(COMMIT_BYTES))
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise Unavailable(f"the disk is full: no space for {COMMIT_BYTES} bytes") from error


async def _write_a_row(tx: Transaction, package: str) -> None:
    # PostgreSQL writes a new version of the row, and its log, before the commit returns.
    table = version_table(package)
    if not await tx.execute(f"update {table} set version_num = version_num"):
        raise Unavailable("the database has no tables")

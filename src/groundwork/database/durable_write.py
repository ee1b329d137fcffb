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

# SQLite keeps 32 bits of it, signed.
_MOST: Final = 2**31 - 1
# The log of an SQLite file keeps its allocated size, so a few pages can be written to a disk that is otherwise full.
LEAST_ROOM_BYTES: Final = 1024 * 1024
# What one commit of a record with some text writes to a large repository: tree nodes, indexes and event.
COMMIT_BYTES: Final = 64 * 1024

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


async def write_durably(db: Database, package: str) -> None:
    """Commit one changed page that nobody reads; ``package``: whose migrations made the tables.

    Beside an SQLite file a file of the size of a commit is written, too, and removed once it is on the disk: a quota,
    or blocks reserved for another user, show in no figure of free space.

    Raises Unavailable; the message says why (``the disk is full``).
    """
    async with db.transaction() as tx:
        if db.engine == "sqlite":
            # A number in the file's header that SQLite leaves to applications. A row whose value stays the same is not
            # written at all.
            await tx.execute(f"pragma user_version = {tx.now // SECOND % _MOST}")
            (place,) = await tx.fetch("pragma database_list")
        else:
            await _write_a_row(tx, package)
            return
    await asyncio.to_thread(_require_room, Path(place["file"]).parent)


def _require_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < LEAST_ROOM_BYTES:
        raise Unavailable(f"the disk is full: {free} bytes are left")
    try:
        # Unnamed where the system supports it, so that a process that dies leaves nothing behind.
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            left = memoryview(os.urandom(COMMIT_BYTES))
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise Unavailable(f"the disk is full: {COMMIT_BYTES} bytes found no room") from error


async def _write_a_row(tx: Transaction, package: str) -> None:
    # PostgreSQL writes a new version of the row, and its log, before the commit returns.
    table = version_table(package)
    if not await tx.execute(f"update {table} set version_num = version_num"):
        raise Unavailable("the database has lost its tables")

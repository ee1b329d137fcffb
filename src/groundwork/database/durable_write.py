"""A small durable write: what a probe does to find out whether a database still takes any."""

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
# The log of an SQLite file keeps the room that it once had, so a few pages can be written to a disk that is full for all else.
LEAST_ROOM_BYTES: Final = 1024 * 1024
# What one commit writes that puts a record with some text into a large repository: its nodes, indexes and event.
COMMIT_BYTES: Final = 64 * 1024

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


async def write_durably(db: Database, package: str) -> None:
    """Commit one changed page that nobody reads; ``package``: whose migrations made the tables.

    Beside an SQLite file as much as a commit takes is written, too, and gone again when it is on the disk: a quota, or blocks that are
    kept for somebody else, show in no figure of what is free.

    Raises Unavailable, the sentence says why (``the disk is full``).
    """
    async with db.transaction() as tx:
        if db.engine == "sqlite":
            # A number in the file's header that SQLite leaves to applications. A row that keeps its value is not written at all.
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
        # Without a name where the system can do that: nothing is left behind by whoever dies meanwhile.
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
    # PostgreSQL writes a new version of the row, and its log before the commit returns.
    table = version_table(package)
    if not await tx.execute(f"update {table} set version_num = version_num"):
        raise Unavailable("the database has lost its tables")

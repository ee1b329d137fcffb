"""Remove the data of deleted rows that SQLite keeps outside its tables, in word indexes and the write-ahead log.
PostgreSQL vacuums.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing

from groundwork.database.transaction import Database

# A checkpoint that waits for readers also blocks the writer, so each attempt waits only for a moment, and there are
# many attempts.
_WAIT_SECONDS = 0.025
_PAUSE_SECONDS = 0.1
_ATTEMPTS = 50


async def discard_deleted(db: Database, word_indexes: Sequence[str] = ()) -> bool:
    """Rewrite these FTS5 indexes and truncate the write-ahead log, so that the files no longer contain deleted rows.

    Pages of deleted rows in tables are overwritten anyway (``pragma secure_delete``). Returns False if readers with an
    old snapshot prevented the truncation for five seconds; the next call does it.
    """
    if db.engine != "sqlite":
        return True
    async with db.transaction() as tx:
        for name in word_indexes:
            await tx.execute(f"insert into {name} ({name}) values ('optimize')")
        (database,) = await tx.fetch("pragma database_list")
    for _ in range(_ATTEMPTS):
        if await asyncio.to_thread(_truncate_log, database["file"]):
            return True
        await asyncio.sleep(_PAUSE_SECONDS)
    return False


def _truncate_log(path: str) -> bool:
    with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
        try:
            ((is_busy, _, _),) = connection.execute("pragma wal_checkpoint(truncate)").fetchall()
        except sqlite3.OperationalError:
            return False  # another caller is doing this
    return not is_busy

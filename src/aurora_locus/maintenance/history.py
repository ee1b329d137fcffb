"""Table ``backups``: every backup that this server started, and its result. Only one runs at a time, over all
processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Database, Reader, Row, Writer
from groundwork.errors import Conflict, Explanation, Reason, encode_explanation, read_explanation

# A running backup sends a heartbeat every minute. If there was none for this long, its process has ended.
SILENCE = 10 * MINUTE

_COLUMNS = "id, state, started_at, ended_at, last_number, bytes, reason"
_LAST_GOOD = f"select {_COLUMNS} from backups where state = 'done' order by ended_at desc limit 1"
_NEWEST = f"select {_COLUMNS} from backups order by started_at desc, id desc limit :limit"
_BURY = """
    update backups set state = 'failed', ended_at = :now, reason = :reason
     where state = 'running' and heartbeat_at <= :silent_since
"""
_BEGIN = """
    insert into backups (id, state, started_at, heartbeat_at)
    select :id, 'running', :now, :now where not exists (select 1 from backups where state = 'running')
    on conflict do nothing
"""
_BEAT = "update backups set heartbeat_at = :now where id = :id and state = 'running'"
_END = """
    update backups set state = :state, ended_at = :now, last_number = :last_number, bytes = :bytes, reason = :reason
     where id = :id and state = 'running'
"""
_FORGET = "delete from backups where state <> 'running' and started_at < :before"
# In a restored database, the backup that it came from is still marked as running.
_NONE_RUNS = "update backups set state = 'failed', ended_at = :now, reason = :reason where state = 'running'"


class BackupReason(Reason):
    """Why a backup has no end of its own. The messages are in ``i18n/sentences.py``."""

    INTERRUPTED = "backup.interrupted"
    RESTORED_FROM_IT = "backup.restored_from_it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One backup. ``state`` is running, done or failed (for ``reason``); ``last_number`` is the sequence number of its
    newest event.
    """

    id: str
    state: str
    started_at: Instant
    ended_at: Instant | None
    last_number: int | None
    bytes: int | None
    reason: Explanation | None


async def last_backup(reader: Reader) -> Backup | None:
    """Return the newest verified backup; None if there is none."""
    row = await reader.fetch_one(_LAST_GOOD)
    return None if row is None else _backup(row)


async def newest(reader: Reader, limit: int = 20) -> Sequence[Backup]:
    """Return the most recently started backups, including failed ones."""
    return [_backup(row) for row in await reader.fetch(_NEWEST, limit=limit)]


async def begin(db: Database, backup: str) -> None:
    """Record the start of a backup. Raises Conflict while another one is running."""

    def work(w: Writer) -> int:
        reason = encode_explanation(BackupReason.INTERRUPTED)
        w.execute(_BURY, now=w.now, silent_since=w.now - SILENCE, reason=reason)
        return w.execute(_BEGIN, id=backup, now=w.now)

    if await db.write(work) != 1:
        raise Conflict("A backup is already running. Wait until it ends (ten minutes, if its process was killed).")


async def beat(db: Database, backup: str) -> None:
    """Record a heartbeat of a running backup."""
    await db.write(lambda w: w.execute(_BEAT, id=backup, now=w.now))


async def end(
    db: Database, backup: str, *, last_number: int | None = None, size: int = 0, reason: Explanation | None = None
) -> None:
    """Record how a backup ended: complete, or failed with a reason."""
    state, stored = "done" if reason is None else "failed", encode_explanation(reason)
    await db.write(
        lambda w: w.execute(_END, id=backup, state=state, now=w.now, last_number=last_number, bytes=size, reason=stored)
    )


async def delete_before(db: Database, before: Instant) -> None:
    """Delete the rows of backups made before this instant."""
    await db.write(lambda w: w.execute(_FORGET, before=before))


def fail_running(w: Writer) -> None:
    """Mark the running backup as failed. Called in a restored database."""
    w.execute(_NONE_RUNS, now=w.now, reason=encode_explanation(BackupReason.RESTORED_FROM_IT))


def _backup(row: Row) -> Backup:
    return Backup(
        id=row["id"],
        state=row["state"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        last_number=row["last_number"],
        bytes=row["bytes"],
        reason=read_explanation(row["reason"]),
    )

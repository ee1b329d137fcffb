"""Detect that a database was restored from a backup, and remember what time was lost.

The scheduler notes in every round, in the database and then in a file next to the ledger of deletions, that the
database is in use. A database that is behind its file was restored. Then a new period begins: what was committed after
the end of the previous period and before the beginning of the next one is missing here, but the network still has it
(``ingestion.restored_records``).
"""

from groundwork.clock import Instant, to_datetime
from groundwork.database.transaction import Database, Reader
from groundwork.outbox import jobs
from groundwork.telemetry.logs import log
from groundwork.uuid7 import new_id
from openmeet.domain.erasure.ledger import ErasureLedger
from openmeet.network.records import repository_state
from openmeet.outbox.kinds import JobKind

# The id of the first period identifies the database and its copies.
_NEWEST = """
    select (select min(id) from database_periods) as database_id, id, alive_at from database_periods
     order by began_at desc limit 1
"""

_BEGIN = "insert into database_periods (id, began_at, alive_at) values (:id, :at, :at)"

# The clock may go back.
_CONTINUE = "update database_periods set alive_at = :now where id = :id and alive_at < :now"

# The first period began without a restore.
_LAST_RESTORE = (
    "select max(began_at) as began_at from database_periods where id > (select min(id) from database_periods)"
)

_IN_GAP = """
    select 1 as found from database_periods p
      join database_periods n on n.began_at = (select min(x.began_at) from database_periods x
          where x.began_at > p.began_at)
     where p.alive_at < :latest and n.began_at >= :earliest limit 1
"""


async def note_in_use(db: Database, ledger: ErasureLedger) -> None:
    """Note that the database is in use. Call ``note_restore`` before."""
    async with db.transaction() as tx:
        newest = await tx.fetch_one(_NEWEST)
        if newest is None:
            database_id, alive_at = new_id(tx.now), tx.now
            await tx.execute(_BEGIN, id=database_id, at=tx.now)
        else:
            database_id, alive_at = newest["database_id"], Instant(max(newest["alive_at"], tx.now))
            await tx.execute(_CONTINUE, id=newest["id"], now=tx.now)
    # After the commit: a file that is ahead of its database would mean a restore.
    ledger.note_in_use(database_id, alive_at)


async def note_restore(db: Database, ledger: ErasureLedger) -> bool:
    """Begin a new period if the database is behind its file. Returns whether it is.

    The repositories of people here are read again, because what was known of them is outdated.
    """
    async with db.reader() as reader:
        newest = await reader.fetch_one(_NEWEST)
    last_used = None if newest is None else ledger.last_used(newest["database_id"])
    if newest is None or last_used is None or last_used <= newest["alive_at"]:
        return False
    async with db.transaction() as tx:
        # Read after the file, because another program may have noted since that the database is in use.
        newest = await tx.fetch_one(_NEWEST)
        if newest is None or last_used <= newest["alive_at"]:
            return False
        began_at = Instant(max(last_used, tx.now))
        await tx.execute(_BEGIN, id=new_id(began_at), at=began_at)
        unread = await repository_state.mark_own_unread(tx)
        await jobs.enqueue_again(tx, JobKind.RECONCILE, unread)
    log.warning(
        "database.restored",
        lost_from=to_datetime(Instant(newest["alive_at"])).isoformat(),
        lost_until=to_datetime(began_at).isoformat(),
    )
    return True


async def restored_at(reader: Reader) -> Instant | None:
    """Return when the database was last restored; None if it never was."""
    row = await reader.fetch_one(_LAST_RESTORE)
    return None if row is None or row["began_at"] is None else Instant(row["began_at"])


async def is_lost(reader: Reader, earliest: Instant, latest: Instant) -> bool:
    """Whether something that was committed between these instants may be missing because of a restore."""
    return await reader.fetch_one(_IN_GAP, earliest=earliest, latest=latest) is not None

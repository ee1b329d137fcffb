"""Repositories as far as they are read: status, epoch, the rev below which a version is history (the floor), and the revs
before which changes were missed.
"""

from collections.abc import Collection, Iterable

from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid, parse_tid
from groundwork.database.bulk import fetch_each
from groundwork.database.row_lock import wait_for_lockers
from groundwork.database.transaction import Database, Reader, Transaction
from openmeet.outbox import ingested_changes

CREATE_ROW = """
    insert into repositories (did, epoch, floor_rev, status, stale_at, synced_at, updated_at)
    values (:did, 0, '', 'active', null, null, :now)
        on conflict (did) do nothing
"""

MARK_STALE = """
    insert into repositories (did, epoch, floor_rev, status, stale_at, synced_at, updated_at)
    select given.did, 0, '', 'active', cast(:now as bigint), null, cast(:now as bigint)
        from each(did text) as given where 1 = 1
        on conflict (did) do update set stale_at = excluded.stale_at, updated_at = excluded.updated_at
"""

SET_STATUS = """
    update repositories set status = :status, stale_at = null, updated_at = :now where did = :did
"""

RAISE_FLOOR = """
    update repositories set floor_rev = :rev, synced_at = :now, updated_at = :now where did = :did and floor_rev < :rev
"""

NOTE_READ = "update repositories set synced_at = :now, updated_at = :now where did = :did"

MARK_OWN_UNREAD = """
    update repositories set synced_at = null, updated_at = :now
     where did in (select did from identities where kind in ('connected', 'custodial'))
    returning did
"""

NEW_EPOCH = """
    insert into repositories (did, epoch, floor_rev, status, stale_at, synced_at, updated_at)
    values (:did, 1, '', 'active', :now, null, :now)
        on conflict (did) do update
       set epoch = repositories.epoch + 1, floor_rev = '', missed_rev = '', stale_at = excluded.stale_at,
           updated_at = excluded.updated_at
"""

# Tombstones of this same read stay until the next read, because the stream may still deliver the deletion itself, which
# is then looked up here.
DROP_OLD_TOMBSTONES = "delete from records where did = :did and state = 'tombstone' and rev < :rev"


async def create_row(tx: Transaction, did: str) -> None:
    """Create the row of a repository, for example when its read begins, so that its floor can be locked."""
    await tx.execute(CREATE_ROW, did=did, now=tx.now)


async def mark_stale(tx: Transaction, dids: Iterable[str]) -> None:
    """Note that these accounts may have changed, so that their identities are refreshed."""
    await fetch_each(tx, MARK_STALE, [{"did": did} for did in sorted(set(dids))], now=tx.now)


async def set_status(tx: Transaction, did: str, status: str) -> None:
    """Store an account's status, as stated by its own PDS. The status can hide rows but does not change them."""
    await create_row(tx, did)
    await tx.execute(SET_STATUS, did=did, status=status, now=tx.now)


async def is_history(reader: Reader, did: str, rev: str) -> bool:
    """Whether a complete read of this repository, as of this rev or later, has been applied."""
    row = await reader.fetch_one("select floor_rev from repositories where did = :did", did=did)
    return row is not None and rev <= row["floor_rev"]


async def was_read(reader: Reader, did: str) -> bool:
    """Whether the repository was ever read completely."""
    row = await reader.fetch_one("select synced_at from repositories where did = :did", did=did)
    return row is not None and row["synced_at"] is not None


async def raise_floor(tx: Transaction, did: str, rev: str) -> None:
    """Note that a complete read as of ``rev`` was applied: delete older tombstones, and ignore older messages from now
    on.
    """
    await create_row(tx, did)
    await tx.execute(RAISE_FLOOR, did=did, rev=rev, now=tx.now)
    await tx.execute(DROP_OLD_TOMBSTONES, did=did, rev=rev)


async def note_read(tx: Transaction, did: str) -> None:
    """Note a read that was applied only in part or is unsigned. It does not have to be repeated soon, and the floor
    stays.
    """
    await create_row(tx, did)
    await tx.execute(NOTE_READ, did=did, now=tx.now)


async def mark_own_unread(tx: Transaction) -> list[str]:
    """Treat the repositories of people who use this site as if they had never been read; return their DIDs, in order."""
    return sorted(row["did"] for row in await tx.fetch(MARK_OWN_UNREAD, now=tx.now))


async def start_epoch(tx: Transaction, did: str) -> None:
    """Start a new epoch of a repository that was re-created with lower revs, after an operator confirmed that the new
    messages are newer.
    """
    await tx.execute(NEW_EPOCH, did=did, now=tx.now)
    await forget_missed(tx, did)
    await ingested_changes.start_epoch(tx, did)


async def erase(tx: Transaction, did: str) -> None:
    """Delete what is known about a repository, because its account was deleted."""
    await tx.execute("delete from repositories where did = :did", did=did)
    await forget_missed(tx, did)


# Below every rev: the rev that a read must reach is unknown, so any read closes the gap.
ANY_REV = "2222222222222"

NOTE = """
    insert into repositories (did, epoch, floor_rev, missed_rev, status, stale_at, synced_at, updated_at)
    select given.did, 0, '', given.rev, 'active', null, null, cast(:now as bigint)
      from each(did text, rev text) as given where 1 = 1
        on conflict (did) do update set missed_rev = excluded.missed_rev
     where excluded.missed_rev > repositories.missed_rev
"""

# Maximum per repository, so that an author who announces many copies but blocks reads cannot fill the table.
_MAX_REVS = 50
NOTE_EACH = """
    insert into repository_gaps (did, rev)
    select given.did, given.rev from each(did text, rev text) as given where 1 = 1
        on conflict (did, rev) do nothing
"""
NOTED = "select m.did, m.rev from each(did text) as given join repository_gaps m on m.did = given.did"

REACH = "update repositories set missed_rev = '' where did = :did and missed_rev <> '' and missed_rev <= :rev"


async def note_missed(tx: Transaction, missed: Iterable[tuple[Did, Tid | None]]) -> None:
    """Store that changes before these revs were missed; None if the rev is unknown."""
    newest: dict[str, str] = {}
    new_revs: set[tuple[Did, Tid]] = set()
    for did, rev in missed:
        newest[did] = max(newest.get(did, ""), rev or ANY_REV)
        new_revs |= set() if rev is None else {(did, rev)}
    await fetch_each(tx, NOTE, [{"did": did, "rev": rev} for did, rev in sorted(newest.items())], now=tx.now)
    await fetch_each(tx, NOTE_EACH, [{"did": did, "rev": rev} for did, rev in await _with_room(tx, new_revs)])


async def _with_room(tx: Transaction, missed: Collection[tuple[Did, Tid]]) -> list[tuple[Did, Tid]]:
    """Return the new revs that fit within the maximum, in order. The repository's row was written before this, which
    makes concurrent calls wait.
    """
    noted: dict[str, set[str]] = {did: set() for did, _ in missed}
    for row in await fetch_each(tx, NOTED, [{"did": did} for did in sorted(noted)]):
        noted[row["did"]].add(row["rev"])
    fitting = []
    for did, rev in sorted(missed):
        if rev not in noted[did] and len(noted[did]) < _MAX_REVS:
            noted[did].add(rev)
            fitting.append((did, rev))
    return fitting


async def note_read_up_to(tx: Transaction, did: Did, rev: Tid) -> None:
    """Note that a read as of ``rev`` has been applied, so changes missed before it are no longer missing."""
    await tx.execute(REACH, did=did, rev=rev)
    await tx.execute("delete from repository_gaps where did = :did and rev <= :rev", did=did, rev=rev)


async def forget_missed(tx: Transaction, did: str) -> None:
    """Delete the missed revs of a repository that starts anew, because they no longer apply."""
    await tx.execute("delete from repository_gaps where did = :did", did=did)


async def missed_revs(reader: Reader, did: Did) -> list[Tid]:
    """Return the known revs before which changes were missed, in order."""
    rows = await reader.fetch("select rev from repository_gaps where did = :did order by rev", did=did)
    return [parse_tid(row["rev"]) for row in rows]


async def is_behind(reader: Reader, did: Did) -> bool:
    """Whether changes of a repository were missed that no read has found yet."""
    row = await reader.fetch_one("select missed_rev from repositories where did = :did", did=did)
    return row is not None and row["missed_rev"] != ""


# Lock order: floor, RSVP records, event records, rows. Batches share the floor; the end of a read, and an erasure, take
# it alone.
#
# Without this lock, a read could find nothing changed while an older message is being applied concurrently. With the
# floor above that message, every later correction would be ignored as history, and the older version would stay
# permanently. An erasure could miss a record that is being applied. SQLite has only one writer, which effectively holds
# all locks.
LOCK_FLOORS_FOR_SHARE = "select did from repositories where did in :dids order by did for share"
LOCK_FLOOR = "select did from repositories where did = :did for no key update"


async def lock_floors_for_share(tx: Transaction, dids: Iterable[str]) -> None:
    """Lock the floors of these repositories, so that none is raised until the transaction ends. Take this lock before
    all others.
    """
    ordered = sorted(set(dids))
    if tx.engine != "sqlite" and ordered:
        await tx.fetch(LOCK_FLOORS_FOR_SHARE, dids=ordered)


async def lock_floor(tx: Transaction, did: str) -> None:
    """Lock the floor of a repository whose read has ended, or that is erased: earlier writers have committed, and later
    ones see the new floor.

    Writers do not wait for a row that is only created here. Create it in an earlier transaction, and then call
    ``wait_for_unlocked``.
    """
    await create_row(tx, did)
    if tx.engine != "sqlite":
        await tx.fetch(LOCK_FLOOR, did=did)


async def wait_for_unlocked(db: Database) -> None:
    """Wait for writers that began before a row was created, and therefore have not locked it. Call it between the
    transaction that creates the row and the one that locks it.
    """
    await wait_for_lockers(db, "repositories")

"""Repositories that must be read because something in them was missed: a mark that only a read which reaches far enough takes off.

A debt says that somebody should read; this says whether it helped. It outlives reads that find an old state or nobody at
home, and is a maximum of revs, so any order and repetition of hints and reads leaves what it should. Beside it stand these revs
themselves: what was missed may have been done before the first of them already.
"""

from collections.abc import Collection, Iterable

from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid, parse_tid
from groundwork.database.for_each import for_each
from groundwork.database.transaction import Reader, Transaction

# Less than every rev: how far a read must reach is not known, and any will do.
ANY_REV = "2222222222222"

NOTE = """
    insert into repositories (did, epoch, floor_rev, missed_rev, status, stale_at, synced_at, updated_at)
    select given.did, 0, '', given.rev, 'active', null, null, cast(:now as bigint)
      from each(did text, rev text) as given where 1 = 1
        on conflict (did) do update set missed_rev = excluded.missed_rev
     where excluded.missed_rev > repositories.missed_rev
"""

# So many of one repository are kept: who announces one copy after the other, and lets nobody read, fills nothing.
_MOST_REVS = 50
NOTE_EACH = """
    insert into missed_revs (did, rev)
    select given.did, given.rev from each(did text, rev text) as given where 1 = 1
        on conflict (did, rev) do nothing
"""
NOTED = "select m.did, m.rev from each(did text) as given join missed_revs m on m.did = given.did"

REACH = "update repositories set missed_rev = '' where did = :did and missed_rev <> '' and missed_rev <= :rev"


async def note(tx: Transaction, found: Iterable[tuple[Did, Tid | None]]) -> None:
    """Before these revs something was missed; None where nobody knows before which."""
    newest: dict[str, str] = {}
    known: set[tuple[Did, Tid]] = set()
    for did, rev in found:
        newest[did] = max(newest.get(did, ""), rev or ANY_REV)
        known |= set() if rev is None else {(did, rev)}
    await for_each(tx, NOTE, [{"did": did, "rev": rev} for did, rev in sorted(newest.items())], now=tx.now)
    await for_each(tx, NOTE_EACH, [{"did": did, "rev": rev} for did, rev in await _with_room(tx, known)])


async def _with_room(tx: Transaction, known: Collection[tuple[Did, Tid]]) -> list[tuple[Did, Tid]]:
    """Those of them that are new and find room, the first ones of each repository. Its row, noted before, keeps others waiting."""
    noted: dict[str, set[str]] = {did: set() for did, _ in known}
    for row in await for_each(tx, NOTED, [{"did": did} for did in sorted(noted)]):
        noted[row["did"]].add(row["rev"])
    fitting = []
    for did, rev in sorted(known):
        if rev not in noted[did] and len(noted[did]) < _MOST_REVS:
            noted[did].add(rev)
            fitting.append((did, rev))
    return fitting


async def reach(tx: Transaction, did: Did, rev: Tid) -> None:
    """A read as of ``rev`` has been applied."""
    await tx.execute(REACH, did=did, rev=rev)
    await tx.execute("delete from missed_revs where did = :did and rev <= :rev", did=did, rev=rev)


async def forget(tx: Transaction, did: str) -> None:
    """Revs of before say nothing about what comes."""
    await tx.execute("delete from missed_revs where did = :did", did=did)


async def before(reader: Reader, did: Did) -> list[Tid]:
    """The revs before which something was missed, in order, as far as they are known."""
    rows = await reader.fetch("select rev from missed_revs where did = :did order by rev", did=did)
    return [parse_tid(row["rev"]) for row in rows]


async def is_behind(reader: Reader, did: Did) -> bool:
    """Whether no read has reached what was missed."""
    row = await reader.fetch_one("select missed_rev from repositories where did = :did", did=did)
    return row is not None and row["missed_rev"] != ""

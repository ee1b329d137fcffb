"""Repositories that must be read because something in them was missed: a mark that only a read which reaches far enough takes off.

A debt says that somebody should read; this says whether it helped. It outlives reads that find an old state or nobody at
home, and is a maximum of revs, so any order and repetition of hints and reads leaves what it should.
"""

from collections.abc import Iterable

from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid
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

REACH = "update repositories set missed_rev = '' where did = :did and missed_rev <> '' and missed_rev <= :rev"


async def note(tx: Transaction, found: Iterable[tuple[Did, Tid | None]]) -> None:
    """Before these revs something was missed; None where nobody knows before which."""
    newest: dict[str, str] = {}
    for did, rev in found:
        newest[did] = max(newest.get(did, ""), rev or ANY_REV)
    await for_each(tx, NOTE, [{"did": did, "rev": rev} for did, rev in sorted(newest.items())], now=tx.now)


async def reach(tx: Transaction, did: Did, rev: Tid) -> None:
    """A read as of ``rev`` has been applied."""
    await tx.execute(REACH, did=did, rev=rev)


async def is_behind(reader: Reader, did: Did) -> bool:
    """Whether no read has reached what was missed."""
    row = await reader.fetch_one("select missed_rev from repositories where did = :did", did=did)
    return row is not None and row["missed_rev"] != ""

"""What reconciling found, kept for thirty days: what was repaired at once, and what still stands."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Transaction
from openmeet.network.ingestion.comparing import Discrepancy, Found

KEPT_FOR = 30 * DAY

PUT = """
    insert into discrepancies (uri, kind, did, found_at, seen_at, repaired_at, times)
    values (:uri, :kind, :did, :now, :now, :repaired_at, 1)
        on conflict (uri, kind) do update
       set found_at = case when discrepancies.repaired_at is null then discrepancies.found_at else excluded.found_at end,
           seen_at = excluded.seen_at, repaired_at = excluded.repaired_at, times = discrepancies.times + 1
"""

# What a later comparison did not find any more has mended itself.
MENDED = "update discrepancies set repaired_at = :now where did = :did and repaired_at is null and seen_at < :now"


@dataclass(frozen=True, slots=True)
class Noted:
    """A disagreement with its history. ``times``: how often it was found."""

    uri: str
    kind: Discrepancy
    found_at: Instant
    repaired_at: Instant | None
    times: int


async def note(tx: Transaction, did: str, repaired: Sequence[Found], standing: Sequence[Found]) -> None:
    """Write down one comparison of a repository."""
    for found, repaired_at in ((repaired, tx.now), (standing, None)):
        for one in found:
            await tx.execute(PUT, uri=one.uri, kind=one.kind.value, did=did, now=tx.now, repaired_at=repaired_at)
    await tx.execute(MENDED, did=did, now=tx.now)


async def counts(reader: Reader) -> dict[tuple[Discrepancy, bool], int]:
    """How many of each kind, by whether they are repaired."""
    rows = await reader.fetch(
        """
        select kind, case when repaired_at is null then 0 else 1 end as is_repaired, count(*) as n
          from discrepancies group by kind, case when repaired_at is null then 0 else 1 end
        """
    )
    return {(Discrepancy(row["kind"]), bool(row["is_repaired"])): int(row["n"]) for row in rows}


async def newest(reader: Reader, limit: int = 50) -> list[Noted]:
    """What still stands first, then what was repaired, the newest first."""
    rows = await reader.fetch(
        """
        select uri, kind, found_at, repaired_at, times from discrepancies
         order by case when repaired_at is null then 0 else 1 end, seen_at desc, uri, kind limit :limit
        """,
        limit=limit,
    )
    return [
        Noted(
            row["uri"],
            Discrepancy(row["kind"]),
            Instant(row["found_at"]),
            None if row["repaired_at"] is None else Instant(row["repaired_at"]),
            row["times"],
        )
        for row in rows
    ]


async def forget_old(tx: Transaction) -> int:
    """Drop what was repaired long ago."""
    return await tx.execute("delete from discrepancies where repaired_at < :before", before=tx.now - KEPT_FOR)


async def erase_of(tx: Transaction, did: str) -> None:
    """Erasure of a DID takes along what was found about its records."""
    await tx.execute("delete from discrepancies where did = :did", did=did)

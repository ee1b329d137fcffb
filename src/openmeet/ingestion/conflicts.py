"""What disagreed and what was chosen: the table that the host reads, and may reverse."""

from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from openmeet.ingestion.merge import Decision, Policy, Side

PUT = """
    insert into conflicts (uri, field, theirs_rev, base, ours, theirs, ours_revision, policy, result, decided_at,
                           reviewed_at)
    values (:uri, :field, :theirs_rev, :base, :ours, :theirs, :ours_revision, :policy, :result, :now, null)
        on conflict (uri, field, theirs_rev) do nothing
"""

LIST = """
    select uri, field, theirs_rev, base, ours, theirs, ours_revision, policy, result, decided_at, reviewed_at
      from conflicts where uri = :uri order by decided_at desc, field
"""

REVIEWED = "update conflicts set reviewed_at = :now where uri = :uri and field = :field and theirs_rev = :theirs_rev"

ERASE = "delete from conflicts where substr(uri, 1, length(:prefix)) = :prefix"


@dataclass(frozen=True, slots=True)
class Conflict:
    """One decision as kept."""

    uri: str
    theirs_rev: str
    ours_revision: int
    decision: Decision
    decided_at: Instant
    reviewed_at: Instant | None


async def keep(
    tx: Transaction, *, uri: str, theirs_rev: str, ours_revision: int, decisions: tuple[Decision, ...]
) -> None:
    """Write down each decision; the same message again writes nothing."""
    for decision in decisions:
        await tx.execute(
            PUT,
            uri=uri,
            field=decision.field,
            theirs_rev=theirs_rev,
            base=decision.base,
            ours=decision.ours,
            theirs=decision.theirs,
            ours_revision=ours_revision,
            policy=decision.policy.value,
            result=decision.result.value,
            now=tx.now,
        )


async def of_record(reader: Reader, uri: str) -> list[Conflict]:
    """Decisions about one record, newest first."""
    return [
        Conflict(
            row["uri"],
            row["theirs_rev"],
            row["ours_revision"],
            Decision(row["field"], row["base"], row["ours"], row["theirs"], Policy(row["policy"]), Side(row["result"])),
            Instant(row["decided_at"]),
            None if row["reviewed_at"] is None else Instant(row["reviewed_at"]),
        )
        for row in await reader.fetch(LIST, uri=uri)
    ]


async def mark_reviewed(tx: Transaction, *, uri: str, field: str, theirs_rev: str) -> None:
    """The host has looked at it."""
    await tx.execute(REVIEWED, uri=uri, field=field, theirs_rev=theirs_rev, now=tx.now)


async def erase_of(tx: Transaction, did: str) -> None:
    """Erasure of a DID takes the conflicts about its records along."""
    await tx.execute(ERASE, prefix=f"at://{did}/")

"""Counts of publications by state, for metrics and the operator's page, and which subjects have one."""

from collections.abc import Sequence

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.outbox.publications import PublicationKind, PublicationState

COUNT = "select kind, state, count(*) as n, min(due_at) as oldest from publications group by kind, state"


async def counts(reader: Reader) -> list[tuple[PublicationKind, PublicationState, int, Instant]]:
    """Rows of (kind, state, number of publications, oldest due time)."""
    return [
        (PublicationKind(row["kind"]), PublicationState(row["state"]), row["n"], Instant(row["oldest"]))
        for row in await reader.fetch(COUNT)
    ]


# Databases limit the number of parameters of one statement. SQLite's limit is the lowest, 32,766.
_AT_A_TIME = 1000


async def subjects_with_publication(
    reader: Reader, kind: PublicationKind, subject_ids: Sequence[str]
) -> frozenset[str]:
    """Which of these subjects have a publication, in any state."""
    subjects: set[str] = set()
    for start in range(0, len(subject_ids), _AT_A_TIME):
        rows = await reader.fetch(
            "select subject_id from publications where kind = :kind and subject_id in :ids order by subject_id",
            kind=kind,
            ids=list(subject_ids[start : start + _AT_A_TIME]),
        )
        subjects.update(row["subject_id"] for row in rows)
    return frozenset(subjects)

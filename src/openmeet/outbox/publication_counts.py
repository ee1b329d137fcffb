"""How many records stand how, for metrics and the operator's page."""

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.outbox.publications import PublicationKind, PublicationState

COUNT = "select kind, state, count(*) as n, min(due_at) as oldest from publications group by kind, state"


async def counts(reader: Reader) -> list[tuple[PublicationKind, PublicationState, int, Instant]]:
    """(kind, state, how many, oldest due)."""
    return [
        (PublicationKind(row["kind"]), PublicationState(row["state"]), row["n"], Instant(row["oldest"]))
        for row in await reader.fetch(COUNT)
    ]

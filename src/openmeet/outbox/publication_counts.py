"""How many records stand how, for metrics and the operator's page."""

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.outbox.publications import Kind, State

COUNT = "select kind, state, count(*) as n, min(due_at) as oldest from publications group by kind, state"


async def counts(reader: Reader) -> list[tuple[Kind, State, int, Instant]]:
    """(kind, state, how many, oldest due)."""
    return [
        (Kind(row["kind"]), State(row["state"]), row["n"], Instant(row["oldest"])) for row in await reader.fetch(COUNT)
    ]

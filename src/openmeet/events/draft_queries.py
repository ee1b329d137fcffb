"""All SQL of what is kept of a draft's form."""

from groundwork.database.transaction import Reader, Transaction
from openmeet.events.model import EventId


async def put_fields(tx: Transaction, event_id: EventId, fields: str) -> None:
    """What was typed, as ``submissions.pack`` writes it; empty for what is no draft any more."""
    await tx.execute("update events set draft_fields = :fields where id = :id", fields=fields, id=event_id)


async def fields(reader: Reader, event_id: EventId) -> str:
    row = await reader.fetch_one("select draft_fields from events where id = :id", id=event_id)
    return str(row["draft_fields"]) if row else ""


async def due(reader: Reader, limit: int) -> list[EventId]:
    """Drafts that are to be published by now, in the order of their times."""
    rows = await reader.fetch(
        "select id from events where publish_at <= :now and is_draft = 1 and deleted_at is null"
        " order by publish_at, id limit :limit",
        now=reader.now,
        limit=limit,
    )
    return [EventId(row["id"]) for row in rows]

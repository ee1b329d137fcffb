"""All SQL of what is kept of a draft's form."""

from collections.abc import Sequence

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events.model import EventId


async def put_fields(tx: Transaction, event_id: EventId, fields: str) -> None:
    """What was typed, as ``submissions.pack`` writes it; empty for what is no draft any more."""
    await tx.execute("update events set draft_fields = :fields where id = :id", fields=fields, id=event_id)


async def fields(reader: Reader, event_id: EventId) -> str:
    row = await reader.fetch_one("select draft_fields from events where id = :id", id=event_id)
    return str(row["draft_fields"]) if row else ""


async def fields_of(reader: Reader, event_ids: Sequence[EventId]) -> dict[EventId, str]:
    """``fields`` of several drafts in one statement."""
    if not event_ids:
        return {}
    rows = await reader.fetch("select id, draft_fields from events where id in :ids order by id", ids=sorted(event_ids))
    return {EventId(row["id"]): str(row["draft_fields"]) for row in rows}


async def due(reader: Reader, limit: int) -> list[EventId]:
    """Drafts that are to be published by now, in the order of their times."""
    rows = await reader.fetch(
        "select id from events where publish_at <= :now and is_draft = 1 and deleted_at is null"
        " order by publish_at, id limit :limit",
        now=reader.now,
        limit=limit,
    )
    return [EventId(row["id"]) for row in rows]

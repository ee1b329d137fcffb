"""SQL for unfinished forms: drafts, and events typed before signing in."""

from collections.abc import Sequence

from groundwork.clock import Instant
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Transaction
from groundwork.isolation import Position
from openmeet.domain.events.model import EventId


async def put_fields(tx: Transaction, event_id: EventId, fields: str) -> None:
    """Store typed fields in the format of ``submissions.pack``; empty once it is no longer a draft."""
    await tx.execute("update events set draft_fields = :fields where id = :id", fields=fields, id=event_id)


async def fields(reader: Reader, event_id: EventId) -> str:
    row = await reader.fetch_one("select draft_fields from events where id = :id", id=event_id)
    return str(row["draft_fields"]) if row else ""


async def fields_of(reader: Reader, event_ids: Sequence[EventId]) -> dict[EventId, str]:
    """The form fields of several drafts, in one query."""
    if not event_ids:
        return {}
    rows = await reader.fetch("select id, draft_fields from events where id in :ids order by id", ids=sorted(event_ids))
    return {EventId(row["id"]): str(row["draft_fields"]) for row in rows}


async def due(reader: Reader, after: Position, limit: int) -> list[tuple[int, EventId]]:
    """Drafts that are due for publication, in the order of their scheduled times."""
    rows = await reader.fetch(
        "select publish_at, id from events where publish_at <= :now and is_draft = 1 and deleted_at is null"
        " and (publish_at, id) > (cast(:after_at as bigint), :after_id) order by publish_at, id limit :limit",
        now=reader.now,
        after_at=after[0],
        after_id=after[1],
        limit=limit,
    )
    return [(int(row["publish_at"]), EventId(row["id"])) for row in rows]


async def put(tx: Transaction, token_hash: bytes, fields: str, expires_at: Instant) -> None:
    await tx.execute(
        """
        insert into event_drafts (token_hash, fields, created_at, expires_at)
        values (:token_hash, :fields, :now, :expires_at)
            on conflict (token_hash) do update set fields = excluded.fields, expires_at = excluded.expires_at
        """,
        token_hash=token_hash,
        fields=fields,
        now=tx.now,
        expires_at=expires_at,
    )


async def find(reader: Reader, token_hash: bytes) -> str | None:
    row = await reader.fetch_one(
        "select fields from event_drafts where token_hash = :token_hash and expires_at > :now",
        token_hash=token_hash,
        now=reader.now,
    )
    return str(row["fields"]) if row else None


async def drop(tx: Transaction, token_hash: bytes) -> None:
    await tx.execute("delete from event_drafts where token_hash = :token_hash", token_hash=token_hash)


async def drop_expired(tx: Transaction) -> int:
    return await delete_some(tx, "event_drafts", "expires_at <= :now", now=tx.now)

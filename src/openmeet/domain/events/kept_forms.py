"""All SQL of forms of an event that were filled in before signing in: kept for a while, found again by a token."""

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction


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
    return await tx.execute("delete from event_drafts where expires_at <= :now", now=tx.now)

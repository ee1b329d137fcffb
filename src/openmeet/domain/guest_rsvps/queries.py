"""The SQL of answers that wait for their confirmation."""

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events.model import EventId
from openmeet.domain.guest_rsvps.model import GuestAnswer, GuestAnswerId, Saying


async def insert(tx: Transaction, new: GuestAnswer) -> None:
    await tx.execute(
        "insert into guest_answers (id, event_id, email, display_name, said, created_at, expires_at, used_at)"
        " values (:id, :event_id, :email, :display_name, :said, :now, :expires_at, null)",
        id=new.id,
        event_id=new.event_id,
        email=new.email,
        display_name=new.display_name,
        said=msgspec.json.encode(new.saying).decode(),
        now=tx.now,
        expires_at=new.expires_at,
    )


async def find(reader: Reader, answer_id: GuestAnswerId) -> GuestAnswer | None:
    row = await reader.fetch_one(
        "select id, event_id, email, display_name, said, expires_at, used_at from guest_answers where id = :id",
        id=answer_id,
    )
    if row is None:
        return None
    return GuestAnswer(
        GuestAnswerId(row["id"]),
        EventId(row["event_id"]),
        row["email"],
        row["display_name"],
        msgspec.json.decode(row["said"], type=Saying),
        row["expires_at"],
        row["used_at"],
    )


async def use(tx: Transaction, answer_id: GuestAnswerId) -> None:
    await tx.execute("update guest_answers set used_at = :now where id = :id", now=tx.now, id=answer_id)


async def asked_since(reader: Reader, email: str, since: Instant) -> int:
    """How many letters this address was sent."""
    row = await reader.fetch_one(
        "select count(*) as n from guest_answers where email = :email and created_at > :since", email=email, since=since
    )
    return int(row["n"]) if row else 0


async def forget_expired(tx: Transaction) -> int:
    """Addresses that were never confirmed are not kept; those that were stand with their answers."""
    return await tx.execute("delete from guest_answers where expires_at <= :now", now=tx.now)

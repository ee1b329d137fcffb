"""SQL for imported events: their source fields, and erasing them."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events.model import EventId


@dataclass(frozen=True, slots=True)
class ImportedSource:
    """Source fields of an imported event. ``record`` is its URI and the DID of its repository, if it came from the
    network.
    """

    created_at: Instant | None = None
    matrix_room_id: str | None = None
    external_id: str | None = None
    external_source: str | None = None
    external_data: str | None = None
    record: tuple[str, str] | None = None


async def note(tx: Transaction, event_id: EventId, before: ImportedSource) -> None:
    """Store the source fields of an event that has just been stored."""
    await tx.execute(
        """
        update events
           set created_at = coalesce(:created_at, created_at), matrix_room_id = :matrix_room_id,
               external_id = :external_id, external_source = :external_source, external_data = :external_data
         where id = :id
        """,
        id=event_id,
        created_at=before.created_at,
        matrix_room_id=before.matrix_room_id,
        external_id=before.external_id,
        external_source=before.external_source,
        external_data=before.external_data,
    )
    if before.record is not None:
        uri, did = before.record
        await tx.execute(
            "update events set record_uri = :uri, record_did = :did, origin = 'network', is_published_by_policy = 0"
            " where id = :id",
            uri=uri,
            did=did,
            id=event_id,
        )


async def taken_slugs(reader: Reader, slugs: Sequence[str]) -> frozenset[str]:
    """Return which of these slugs are already used."""
    if not slugs:
        return frozenset()
    rows = await reader.fetch("select slug from events where slug in :slugs order by slug", slugs=list(slugs))
    return frozenset(row["slug"] for row in rows)


async def erase(tx: Transaction, event_ids: Sequence[EventId]) -> None:
    """Erase imported events. Everything that referred to them is already deleted."""
    await tx.execute_many("delete from events where id = :id", [{"id": one} for one in event_ids])

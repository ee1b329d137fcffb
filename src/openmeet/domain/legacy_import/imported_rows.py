"""SQL for the events and series that the import stored: the fields that they had at their source, and erasing them."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events.model import EventId
from openmeet.domain.notifications import fan_out
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import UserId


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


async def note_event_source(tx: Transaction, event_id: EventId, before: ImportedSource) -> None:
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


async def set_series_source(
    tx: Transaction,
    series_id: SeriesId,
    *,
    slug: str | None = None,
    split_from: SeriesId | None = None,
    group_id: str | None = None,
    matrix_room_id: str | None = None,
    created_at: Instant | None = None,
    external_id: str | None = None,
    external_source: str | None = None,
) -> None:
    """Set fields that an imported series had at its source. The slug is set only if no series has it."""
    await tx.execute(
        """
        update event_series
           set slug = case when exists (select 1 from event_series o where o.slug = :slug)
                           then slug else coalesce(:slug, slug) end,
               split_from = :split_from, group_id = :group_id, matrix_room_id = :matrix_room_id,
               created_at = coalesce(:created_at, created_at), external_id = :external_id,
               external_source = :external_source
         where id = :id
        """,
        id=series_id,
        slug=slug,
        split_from=split_from,
        group_id=group_id,
        matrix_room_id=matrix_room_id,
        created_at=created_at,
        external_id=external_id,
        external_source=external_source,
    )


async def follow_all(tx: Transaction, series_id: SeriesId, user_ids: Sequence[UserId]) -> None:
    """Make these people followers with notifications turned on."""
    await tx.execute_many(
        """
        insert into event_series_followers (series_id, user_id, notifications_enabled, created_at, updated_at)
        values (:series_id, :user_id, 1, :now, :now) on conflict (series_id, user_id) do nothing
        """,
        [{"series_id": series_id, "user_id": one, "now": tx.now} for one in user_ids],
    )


async def taken_event_slugs(reader: Reader, slugs: Sequence[str]) -> frozenset[str]:
    """Return which of these slugs are already used."""
    if not slugs:
        return frozenset()
    rows = await reader.fetch("select slug from events where slug in :slugs order by slug", slugs=list(slugs))
    return frozenset(row["slug"] for row in rows)


async def dates_of_series(reader: Reader, series_ids: Sequence[SeriesId]) -> list[str]:
    """Ids of all stored dates of these series."""
    rows = await reader.fetch("select id from events where series_id in :ids order by id", ids=list(series_ids))
    return [row["id"] for row in rows]


async def erase_events(tx: Transaction, event_ids: Sequence[EventId]) -> None:
    """Erase imported events. Everything that referred to them is already deleted."""
    await tx.execute_many("delete from events where id = :id", [{"id": one} for one in event_ids])


async def erase_series(tx: Transaction, series_ids: Sequence[SeriesId]) -> None:
    """Erase imported series. Their dates must have been erased before."""
    named = [{"id": one} for one in series_ids]
    for table in ("followers", "standing_rsvps", "offers", "undos"):
        await tx.execute_many(f"delete from event_series_{table} where series_id = :id", named)
    await fan_out.forget(tx, series_ids)
    await tx.execute_many("update event_series_undos set made = null where made = :id", named)
    await tx.execute_many("update event_series set split_from = null where split_from = :id", named)
    await tx.execute_many("delete from event_series where id = :id", named)

"""Series that are imported from an older installation: fields from their source, followers, and erasing them again."""

from collections.abc import Sequence

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.notifications import fan_out
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import UserId


async def set_source_fields(
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


async def dates_of(reader: Reader, series_ids: Sequence[SeriesId]) -> list[str]:
    """Ids of all stored dates of these series."""
    rows = await reader.fetch("select id from events where series_id in :ids order by id", ids=list(series_ids))
    return [row["id"] for row in rows]


async def erase(tx: Transaction, series_ids: Sequence[SeriesId]) -> None:
    """Erase imported series. Their dates must have been erased before."""
    named = [{"id": one} for one in series_ids]
    for table in ("followers", "standing_rsvps", "offers", "undos"):
        await tx.execute_many(f"delete from event_series_{table} where series_id = :id", named)
    await fan_out.forget(tx, series_ids)
    await tx.execute_many("update event_series_undos set made = null where made = :id", named)
    await tx.execute_many("update event_series set split_from = null where split_from = :id", named)
    await tx.execute_many("delete from event_series where id = :id", named)

"""SQL for what events get from the list of places (``town_positions``): positions and time zones."""

from collections.abc import Sequence

from groundwork.database.transaction import Reader, Transaction
from groundwork.geo_points import Spot
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import COLUMNS, event_of
from openmeet.domain.events.visibility import is_not_over


async def without_position(reader: Reader, limit: int) -> list[Event]:
    """Events with a town and no position whose town was not looked up yet."""
    rows = await reader.fetch(
        f"""
        select {COLUMNS} from events
         where place_x is null and derived_from = '' and locality <> '' and latitude = ''
           and place_audience = 'everyone' and mode <> 'online' and deleted_at is null and removed_at is null
         order by id limit :limit
        """,
        limit=limit,
    )
    return [event_of(row) for row in rows]


async def set_derived_positions(tx: Transaction, positions: Sequence[tuple[EventId, str, Spot | None]]) -> None:
    """Store the position of each event's town, or that the town is unknown, unless it has a position by now."""
    for event_id, town, place in positions:
        x, y, z = place or (None, None, None)
        await tx.execute(
            "update events set derived_from = :town, place_x = :x, place_y = :y, place_z = :z"
            " where id = :id and place_x is null and derived_from = ''",
            id=event_id,
            town=town,
            x=x,
            y=y,
            z=z,
        )


async def without_zone(reader: Reader, limit: int) -> list[tuple[Event, Spot]]:
    """Events with a position whose time zone nobody named and whose place was not looked up yet, with the position."""
    rows = await reader.fetch(
        f"""
        select {COLUMNS} from events
         where zone_source = 'unknown' and place_x is not null and is_all_day = 0 and series_id is null
           and deleted_at is null and removed_at is null
         order by id limit :limit
        """,
        limit=limit,
    )
    return [(event_of(row), (row["place_x"], row["place_y"], row["place_z"])) for row in rows]


async def set_zones(tx: Transaction, events: Sequence[Event]) -> None:
    """Store the zones of these events as a new revision, unless they were changed since they were read."""
    await tx.execute_many(
        """
        update events set time_zone = :time_zone, starts_local = :starts_local, zone_source = :source,
               revision = revision + 1, updated_at = :now
         where id = :id and revision = :revision and zone_source = 'unknown'
        """,
        [
            {
                "id": one.id,
                "revision": one.revision,
                "time_zone": one.time_zone,
                "starts_local": one.starts_local,
                "source": one.zone_source.value,
                "now": tx.now,
            }
            for one in events
        ],
    )


async def forget_missing_zones(tx: Transaction, limit: int) -> int:
    """Forget that no town was near these upcoming events. Return how many."""
    return await tx.execute(
        f"""
        update events set zone_source = 'unknown'
         where id in (select id from events
                       where zone_source = 'not_found' and {is_not_over("events")}
                       order by id limit :limit)
        """,
        now=tx.now,
        limit=limit,
    )


async def forget_unknown_towns(tx: Transaction, limit: int) -> int:
    """Forget that the towns of these upcoming events were looked up without success. Return how many."""
    return await tx.execute(
        f"""
        update events set derived_from = ''
         where id in (select id from events
                       where place_x is null and derived_from <> '' and {is_not_over("events")}
                       order by id limit :limit)
        """,
        now=tx.now,
        limit=limit,
    )

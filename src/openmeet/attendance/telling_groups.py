"""What happens by the clock: members and followers of a group hear of its new events, each event once."""

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Database, Transaction
from openmeet.attendance.seeing import seen_by_all
from openmeet.events.model import EventId
from openmeet.events.queries import lock_for_update
from openmeet.groups.following import listeners
from openmeet.notifications.actions import tell
from openmeet.notifications.model import Kind

# Time to mend what one sees only when the event is up; drafts and held events are none yet.
SETTLES_FOR = 5 * MINUTE
_UNTOLD = """
    select e.id from events e join groups g on g.id = e.group_id
     where g.deleted_at is null and e.updated_at <= :settled and e.over_at > :now
       and e.is_held = 0 and e.deleted_at is null and e.removed_at is null and e.status <> 'cancelled'
       and not exists (select 1 from group_events_told t where t.event_id = e.id)
       and (e.series_id is null or not exists (
             select 1 from events o join group_events_told t on t.event_id = o.id where o.series_id = e.series_id))
     order by e.starts_at, e.id
"""


async def tell_of_new_events(db: Database) -> int:
    """How many events were told of. One transaction per event; of a series the first date speaks for all."""
    async with db.reader() as reader:
        rows = await reader.fetch(_UNTOLD, now=reader.now, settled=Instant(reader.now - SETTLES_FOR))
    told = 0
    for row in rows:
        async with db.transaction() as tx:
            told += await _tell_of(tx, EventId(row["id"]))
    return told


async def _tell_of(tx: Transaction, event_id: EventId) -> bool:
    event = await lock_for_update(tx, event_id)
    if event is None or event.group is None:
        return False
    place = event.place_in_series
    if place is not None and await _is_told_of_series(tx, place.series_id):
        return False
    is_first = await tx.execute(
        "insert into group_events_told (event_id, told_at) values (:event_id, :now) on conflict (event_id) do nothing",
        event_id=event_id,
        now=tx.now,
    )
    if not is_first:
        return False
    people = [one for one in await listeners(tx, event.group.id) if one != event.author_id]
    seeing = await seen_by_all(tx, event, people)
    await tell(tx, seeing, Kind.GROUP_EVENT, event.id, 1, starts_at=event.starts_at)
    return True


async def _is_told_of_series(tx: Transaction, series_id: str) -> bool:
    row = await tx.fetch_one(
        "select 1 as told from events o join group_events_told t on t.event_id = o.id where o.series_id = :series_id",
        series_id=series_id,
    )
    return row is not None

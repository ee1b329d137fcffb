"""State of the notice by which members and followers of a group learn of a new event (``events.group_notice``)."""

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events.model import EventId
from openmeet.domain.events.visibility import is_hidden

# The condition of the index ``events_due_to_groups``, so that no other events are read.
_MAY_BE_ANNOUNCED = (
    "e.group_notice = 'due' and e.group_id is not null and e.is_held = 0 and e.deleted_at is null "
    "and e.removed_at is null"
)
SKIP_UNANNOUNCED = f"""
    update events set group_notice = 'skipped'
     where id in (
           select e.id from events e
            where {_MAY_BE_ANNOUNCED} and e.updated_at <= :unchanged_since
              and (e.over_at <= :now or e.series_id is not null and exists (
                    select 1 from events o where o.series_id = e.series_id and o.group_notice = 'sent')))
"""
DUE = f"""
    select e.id from events e join groups g on g.id = e.group_id
     where {_MAY_BE_ANNOUNCED} and e.updated_at <= :unchanged_since and g.deleted_at is null and e.over_at > :now
       and e.status <> 'cancelled' and not {is_hidden("e")}
     order by e.starts_at, e.id
"""
_MARK_SENT = """
    update events set group_notice = case when exists (
           select 1 from events o where o.series_id = events.series_id and o.group_notice = 'sent')
           then 'skipped' else 'sent' end
     where id = :event_id and group_notice = 'due' and group_id is not null returning group_notice
"""


async def mark_due(tx: Transaction, event_id: EventId) -> None:
    """Mark a locked event as not announced."""
    await tx.execute("update events set group_notice = 'due' where id = :id", id=event_id)


async def skip_unannounced(tx: Transaction, unchanged_since: Instant) -> None:
    """No one is notified of past events, or of any but the first date of a series. Recently changed events stay due."""
    await tx.execute(SKIP_UNANNOUNCED, now=tx.now, unchanged_since=unchanged_since)


async def due_events(reader: Reader, unchanged_since: Instant) -> list[EventId]:
    """The events to announce, the earliest first, without recently changed ones."""
    rows = await reader.fetch(DUE, now=reader.now, unchanged_since=unchanged_since)
    return [EventId(row["id"]) for row in rows]


async def mark_sent(tx: Transaction, event_id: EventId) -> bool:
    """Mark a locked event as announced. False if it is not due any more, or another date of its series was announced."""
    row = await tx.fetch_one(_MARK_SENT, event_id=event_id)
    return row is not None and row["group_notice"] == "sent"

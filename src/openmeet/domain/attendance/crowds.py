"""Notify attendees of an event change: a few in the same transaction, the rest in batches by an outbox job.

As for series (``series.notify``, decision 0048): recipients are read when they are notified, in order of their ids; the
content is kept as it was decided. Progress is stored with the notifications, so a handler that dies notifies nobody
twice (invariant 10). A later change waits until the fan-out of the earlier one is complete.
"""

from collections.abc import Collection
from typing import NewType

import msgspec

from groundwork.clock import Instant
from groundwork.database.one_hop import in_one_hop
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.outbox.dispatcher import JobHandler
from groundwork.outbox.jobs import Job, enqueue
from groundwork.uuid7 import new_id
from openmeet.domain.attendance.notify import CONCERNED, people_answering
from openmeet.domain.attendance.queries import IS_GUEST
from openmeet.domain.events.model import EventId
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.notifications.model import NotificationDetails, NotificationKind
from openmeet.domain.notifications.notify import tell
from openmeet.domain.users.model import UserId
from openmeet.outbox.kinds import JobKind

TellingId = NewType("TellingId", str)

# The same limit as for an action on a series: what one transaction may take.
AT_ONCE = 100
PIECE = 500

_NOBODY = UserId("")

_HEARD = f"""
    select h.event_id from event_hosts h where h.event_id in :event_ids and h.state = 'accepted'
    union
    select t.event_id from event_tellings t where t.event_id in :event_ids
    union
    select a.event_id from attendances a join users u on u.id = a.user_id
     where a.event_id in :event_ids and a.status in :concerned and (u.kind = 'person' or {IS_GUEST})
"""


class EventNotice(msgspec.Struct, frozen=True):
    """One change of an event. ``by``: who made it, and is not notified. ``starts_at``: the earlier start of a moved
    event.
    """

    kind: NotificationKind
    revision: int
    particulars: NotificationDetails
    by: UserId
    starts_at: Instant | None = None


async def tell_answering(tx: Transaction, event_id: EventId, telling: EventNotice) -> None:
    """Notify everyone whose RSVP to a locked event makes the change relevant, the first batch at once."""
    told_until: UserId | None = _NOBODY
    if await _oldest(tx, event_id) is None:
        told_until = await _tell_some(tx, event_id, telling, _NOBODY, AT_ONCE)
    if told_until is None:
        return
    left = TellingId(new_id(tx.now))
    await tx.execute(
        "insert into event_tellings (id, event_id, telling, told_until, created_at)"
        " values (:id, :event_id, :telling, :told_until, :now)",
        id=left,
        event_id=event_id,
        telling=msgspec.json.encode(telling).decode(),
        told_until=told_until,
        now=tx.now,
    )
    await enqueue(tx, JobKind.EVENT_NEWS, left)


async def heard_among(reader: Reader, event_ids: Collection[EventId]) -> set[EventId]:
    """Those of these events with recipients, or with a fan-out still running."""
    if not event_ids:
        return set()
    rows = await reader.fetch(_HEARD, event_ids=sorted(event_ids), concerned=[one.value for one in CONCERNED])
    return {EventId(row["event_id"]) for row in rows}


def event_news_handler(db: Database) -> JobHandler:
    """Handler of ``JobKind.EVENT_NEWS``; the subject is an event with an unfinished fan-out."""

    async def pay(job: Job) -> None:
        while await in_one_hop(db, lambda tx: _tell_on(tx, TellingId(job.subject))):
            pass

    return pay


async def _tell_on(tx: Transaction, telling_id: TellingId) -> bool:
    """Notify the next batch for the oldest change of the event; True while recipients are left."""
    row = await tx.fetch_one("select event_id from event_tellings where id = :id", id=telling_id)
    event = None if row is None else await lock_for_update(tx, EventId(row["event_id"]))
    owed = None if event is None else await _oldest(tx, event.id)
    if event is None or owed is None:
        return False
    owed_id, telling, told_until = owed
    now_until = await _tell_some(tx, event.id, telling, told_until, PIECE)
    if now_until is None:
        await tx.execute("delete from event_tellings where id = :id", id=owed_id)
        return owed_id != telling_id
    await tx.execute("update event_tellings set told_until = :until where id = :id", until=now_until, id=owed_id)
    return True


async def _tell_some(
    tx: Transaction, event_id: EventId, telling: EventNotice, after: UserId, limit: int
) -> UserId | None:
    """Notify one batch of people after ``after``; returns the last one, None when everyone is notified."""
    people = await people_answering(tx, [event_id], CONCERNED, after=after, limit=limit + 1)
    some = people[:limit]
    await tell(
        tx,
        [one for one in some if one != telling.by],
        telling.kind,
        event_id,
        telling.revision,
        telling.particulars,
        starts_at=telling.starts_at,
    )
    return None if len(people) <= limit else some[-1]


async def _oldest(reader: Reader, event_id: EventId) -> tuple[TellingId, EventNotice, UserId] | None:
    row = await reader.fetch_one(
        "select id, telling, told_until from event_tellings where event_id = :event_id order by created_at, id limit 1",
        event_id=event_id,
    )
    if row is None:
        return None
    return TellingId(row["id"]), msgspec.json.decode(row["telling"], type=EventNotice), UserId(row["told_until"])

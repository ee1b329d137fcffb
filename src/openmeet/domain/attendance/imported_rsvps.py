"""Imported RSVPs: store and erase them. No one is notified, no job is enqueued and no seats are recounted."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events.model import EventId
from openmeet.domain.users.model import UserId


@dataclass(frozen=True, slots=True)
class ImportedRsvp:
    """One RSVP as it was in the source. Waitlisted people keep their order."""

    event_id: EventId
    user_id: UserId
    status: AttendanceStatus
    answered_at: Instant


async def put(tx: Transaction, rsvps: Sequence[ImportedRsvp]) -> list[str | None]:
    """Store imported RSVPs in this order and return their ids. If the person already has an RSVP for that event, it
    stays and the id is None.
    """
    rows = []
    waiting = await _last_numbers(tx, [one.event_id for one in rsvps if one.status is AttendanceStatus.WAITLISTED])
    for one in rsvps:
        number = None
        if one.status is AttendanceStatus.WAITLISTED:
            number = waiting[one.event_id] = waiting.get(one.event_id, 0) + 1
        rows.append(
            {
                "id": new_id(tx.now),
                "event_id": one.event_id,
                "user_id": one.user_id,
                "status": one.status.value,
                "number": number,
                "answered_at": one.answered_at,
            }
        )
    await tx.execute_many(
        """
        insert into attendances (id, event_id, user_id, status, waitlist_number, source, revision, record_uri,
                                 created_at, answered_at, known_starts_at)
        values (:id, :event_id, :user_id, :status, :number, 'here', 1, null, :answered_at, :answered_at,
                (select starts_at from events where id = :event_id))
            on conflict (event_id, user_id) do nothing
        """,
        rows,
    )
    stored = await tx.fetch(
        "select id from attendances where id in :ids order by id", ids=[str(row["id"]) for row in rows]
    )
    stored_ids = frozenset(row["id"] for row in stored)
    return [str(row["id"]) if row["id"] in stored_ids else None for row in rows]


async def erase(tx: Transaction, attendance_ids: Sequence[str]) -> None:
    """Erase imported RSVPs."""
    await tx.execute_many("delete from attendances where id = :id", [{"id": one} for one in attendance_ids])


async def _last_numbers(reader: Reader, event_ids: Sequence[EventId]) -> dict[EventId, int]:
    """The last waitlist number of each of these events."""
    if not event_ids:
        return {}
    rows = await reader.fetch(
        "select event_id, max(waitlist_number) as last from attendances"
        " where event_id in :ids and waitlist_number is not null group by event_id order by event_id",
        ids=sorted(set(event_ids)),
    )
    return {EventId(row["event_id"]): row["last"] for row in rows}

"""RSVPs to an event whose records may be listed publicly."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance.model import (
    AttendanceId,
    AttendanceStatus,
    PendingFor,
)
from openmeet.domain.attendance.queries import IS_HIDDEN
from openmeet.domain.events.model import EventId
from openmeet.domain.users.model import UserId

# RSVPs that have a place, need none, or are foreign. Waitlisted people are only counted, because only they and the host
# should know that they got no place.
LISTED_STATUSES = (
    AttendanceStatus.ATTENDING,
    AttendanceStatus.ATTENDED,
    AttendanceStatus.INTERESTED,
    AttendanceStatus.PENDING,
)


@dataclass(frozen=True, slots=True)
class ListedRsvp:
    """One RSVP whose record may be listed publicly."""

    id: AttendanceId
    user_id: UserId
    record_uri: str
    status: AttendanceStatus
    answered_at: Instant


async def listed_rsvps(
    reader: Reader, event_id: EventId, after: tuple[Instant, str] | None, limit: int
) -> Sequence[ListedRsvp]:
    """Return a page of an event's RSVPs whose records may be listed publicly, after ``after`` (time of answer, id).

    RSVPs that only hosts can see (private, unapproved, of unknown status) and accounts that are inactive or blocked are
    left out.
    """
    after_clause = "" if after is None else "and (a.answered_at, a.id) > (cast(:after_at as bigint), :after_id)"
    values: dict[str, object] = {} if after is None else {"after_at": after[0], "after_id": after[1]}
    rows = await reader.fetch(
        f"""
        select a.id, a.user_id, a.record_uri, a.status, a.answered_at from attendances a
         where a.event_id = :event_id and a.record_uri is not null and a.is_private = 0 and a.status in :listed
           and coalesce(a.pending_for, '') not in :hidden and not {IS_HIDDEN} {after_clause}
         order by a.answered_at, a.id limit :limit
        """,
        event_id=event_id,
        listed=[status.value for status in LISTED_STATUSES],
        hidden=[PendingFor.APPROVAL.value, PendingFor.UNKNOWN_STATUS.value],
        limit=limit,
        **values,
    )
    return [
        ListedRsvp(
            AttendanceId(row["id"]),
            UserId(row["user_id"]),
            row["record_uri"],
            AttendanceStatus(row["status"]),
            Instant(row["answered_at"]),
        )
        for row in rows
    ]

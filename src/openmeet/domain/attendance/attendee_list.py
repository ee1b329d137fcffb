"""An event's attendees as everybody who may see the list sees them, and the RSVPs whose records may be listed publicly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance.invitation_queries import IS_UNANSWERED_INVITATION
from openmeet.domain.attendance.model import AttendanceId, AttendanceStatus, PendingFor
from openmeet.domain.attendance.queries import IS_GUEST, IS_HIDDEN
from openmeet.domain.attendance.rsvp_list import (
    BEFORE_WAITLIST,
    SHARED_COLUMNS,
    RsvpListCursor,
    RsvpListEntry,
    after_clause,
    entry_of,
)
from openmeet.domain.events.model import EventId
from openmeet.domain.users.model import UserId

# Statuses of ``public_rsvps``: with a place, without need of one, or not confirmed by a host. Waitlisted people are only
# counted, because only they and the host should know that they got no place.
PUBLIC_STATUSES = (
    AttendanceStatus.ATTENDING,
    AttendanceStatus.ATTENDED,
    AttendanceStatus.INTERESTED,
    AttendanceStatus.PENDING,
)

# Only hosts see requests that are not approved yet, and RSVP records with a status that we do not know.
_IS_FOR_HOSTS_ONLY: Final = f"coalesce(a.pending_for, '') in ('{PendingFor.APPROVAL}', '{PendingFor.UNCLEAR}')"


async def attendees(
    reader: Reader,
    event_id: EventId,
    statuses: Sequence[AttendanceStatus],
    *,
    limit: int,
    viewer: UserId | None = None,
    for_hosts: bool = False,
    after: RsvpListCursor | None = None,
) -> list[RsvpListEntry]:
    """List people of an event in these statuses, by time of answer, then waitlisted people in their order.

    ``after`` is the last RSVP of the previous page. Inactive accounts are left out. Lists that are not ``for_hosts`` also
    leave out people who do not want to be seen, guests, RSVPs that only hosts see (``_IS_FOR_HOSTS_ONLY``), and the
    waitlist, because it is private that somebody did not get a place. Everyone sees themselves (``viewer``).
    """
    is_seen, values = _is_seen_sql(viewer, for_hosts=for_hosts)
    parts = []
    for status in statuses:
        if _is_complete(status, after):
            continue
        after_condition, position = _after_in_status_sql(status, after)
        parts.append(_next_with_status_sql(status, is_seen, after_condition))
        values |= position
    if not parts:
        return []
    rows = await reader.fetch(
        f"select * from ({' union all '.join(parts)}) as found order by waitlist_number, answered_at, id limit :limit",
        event_id=event_id,
        limit=limit,
        **values,
    )
    return [entry_of(row) for row in rows]


def _is_seen_sql(viewer: UserId | None, *, for_hosts: bool) -> tuple[str, dict[str, object]]:
    """SQL condition for the RSVPs that the viewer of ``attendees`` may see, and its parameters."""
    if for_hosts:
        return "", {}
    sql = (
        f"and (a.user_id = :viewer or a.is_private = 0 and not {IS_GUEST}"
        f" and not {_IS_FOR_HOSTS_ONLY} and a.status <> 'waitlisted')"
    )
    return sql, {"viewer": viewer or ""}


def _is_complete(status: AttendanceStatus, after: RsvpListCursor | None) -> bool:
    """Whether the previous page ended after everyone with this status, because it ended on the waitlist."""
    is_on_waitlist = after is not None and after.waitlist_number > BEFORE_WAITLIST
    return is_on_waitlist and status is not AttendanceStatus.WAITLISTED


def _after_in_status_sql(status: AttendanceStatus, after: RsvpListCursor | None) -> tuple[str, dict[str, object]]:
    """SQL for the people of one status behind a position in the order of ``attendees``, and its parameters."""
    is_waitlist = status is AttendanceStatus.WAITLISTED
    if after is None:
        # Without this bound SQLite scans every row of the event for waitlist numbers.
        return (f"and a.waitlist_number > {BEFORE_WAITLIST}" if is_waitlist else ""), {}
    columns = ("a.waitlist_number", "a.answered_at", "a.id") if is_waitlist else ("a.answered_at", "a.id")
    return after_clause(columns, after)


def _next_with_status_sql(status: AttendanceStatus, is_seen: str, after_condition: str) -> str:
    """SQL for the next people of one status, in the order of its index. It reads only one page, however long the list."""
    order = "a.waitlist_number" if status is AttendanceStatus.WAITLISTED else "a.answered_at, a.id"
    return f"""
        select * from (
        select {SHARED_COLUMNS}, 0 as is_unanswered_invitation
          from attendances a join users u on u.id = a.user_id
         where a.event_id = :event_id and a.status = '{status.value}' and not {IS_HIDDEN}
           and not {IS_UNANSWERED_INVITATION} {is_seen} {after_condition}
         order by {order} limit :limit) as {status.value}"""


@dataclass(frozen=True, slots=True)
class PublicRsvp:
    """One RSVP whose record may be listed publicly."""

    id: AttendanceId
    user_id: UserId
    record_uri: str
    status: AttendanceStatus
    answered_at: Instant


async def public_rsvps(
    reader: Reader, event_id: EventId, after: tuple[Instant, str] | None, limit: int
) -> Sequence[PublicRsvp]:
    """Return a page of an event's RSVPs whose records may be listed publicly, after ``after`` (time
    of the answer, id).

    RSVPs that only hosts can see (private, unapproved, of unknown status) and accounts that are inactive or blocked are
    left out.
    """
    cursor = None if after is None else RsvpListCursor(BEFORE_WAITLIST, after[0], AttendanceId(after[1]))
    after_condition, values = after_clause(("a.answered_at", "a.id"), cursor)
    rows = await reader.fetch(
        f"""
        select a.id, a.user_id, a.record_uri, a.status, a.answered_at from attendances a
         where a.event_id = :event_id and a.record_uri is not null and a.is_private = 0 and a.status in :listed
           and not {_IS_FOR_HOSTS_ONLY} and not {IS_HIDDEN} {after_condition}
         order by a.answered_at, a.id limit :limit
        """,
        event_id=event_id,
        listed=[status.value for status in PUBLIC_STATUSES],
        limit=limit,
        **values,
    )
    return [
        PublicRsvp(
            AttendanceId(row["id"]),
            UserId(row["user_id"]),
            row["record_uri"],
            AttendanceStatus(row["status"]),
            Instant(row["answered_at"]),
        )
        for row in rows
    ]

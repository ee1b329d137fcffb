"""Who comes, as hosts and guests read it: page by page, with names and whether they still are somebody here."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row
from openmeet.attendance.model import AnswerMode, AttendanceId, AttendanceStatus, PendingFor, Source
from openmeet.attendance.queries import IS_GUEST, IS_HIDDEN
from openmeet.attendance.unheard import IS_UNHEARD
from openmeet.events.model import EventId
from openmeet.users.model import UserId, UserKind


@dataclass(frozen=True, slots=True)
class Attendee:
    """One person of an event's list, with the name to show. ``is_guest``: answered by e-mail, without an account."""

    attendance_id: AttendanceId
    user_id: UserId
    display_name: str
    kind: UserKind
    status: AttendanceStatus
    source: Source
    answered_at: Instant
    party: int = 1
    mode: AnswerMode | None = None
    pending_for: PendingFor | None = None
    is_private: bool = False
    is_guest: bool = False
    offered_until: Instant | None = None
    guest_names: tuple[str, ...] = ()
    invited_as: str = ""
    place: int = 0
    is_unheard: bool = False


async def attendees(
    reader: Reader,
    event_id: EventId,
    statuses: Sequence[AttendanceStatus],
    *,
    limit: int,
    viewer: UserId | None = None,
    with_private: bool = False,
    after: tuple[int, Instant, str] | None = None,
) -> list[Attendee]:
    """People of an event in these statuses, first answer first, those who wait in the order of the line.

    ``after``: place in the line, moment and id of the answer where the page before ended.
    Without those whose account is not active at the moment, and, but for hosts (``with_private``), without those who
    do not want to be seen: guests without an account among them. Who waits is the hosts' and their own (``viewer``) to know,
    everybody else reads how many: that somebody got no place is nothing they said to the town.
    """
    # Who asked to come and was not let in yet is nobody's to know.
    seen = (
        ""
        if with_private
        else f"and a.is_private = 0 and not {IS_GUEST} and coalesce(a.pending_for, '') <> 'approval'"
        " and (a.status <> 'waitlisted' or a.user_id = :viewer)"
    )
    behind = (
        ""
        if after is None
        else "and (coalesce(a.waitlist_number, 0), a.answered_at, a.id)"
        " > (cast(:place as bigint), cast(:answered_at as bigint), :id)"
    )
    rows = await reader.fetch(
        f"""
        select a.id, a.user_id, u.display_name, u.kind, a.status, a.source, a.answered_at, a.party, a.mode, a.pending_for,
               a.is_private, a.offered_until, a.guest_names, a.invited_as, coalesce(a.waitlist_number, 0) as place, 0 as is_unheard,
               case when {IS_GUEST} then 1 else 0 end as is_guest
          from attendances a join users u on u.id = a.user_id
         where a.event_id = :event_id and a.status in :wanted and not {IS_HIDDEN} and not {IS_UNHEARD} {seen} {behind}
         order by coalesce(a.waitlist_number, 0), a.answered_at, a.id limit :limit
        """,
        event_id=event_id,
        limit=limit,
        **({} if after is None else {"place": after[0], "answered_at": after[1], "id": after[2]}),
        wanted=[status.value for status in statuses],
        **({} if with_private else {"viewer": viewer or ""}),
    )
    return [attendee_of(row) for row in rows]


def attendee_of(row: Row) -> Attendee:
    """One row of a list."""
    return Attendee(
        AttendanceId(row["id"]),
        UserId(row["user_id"]),
        row["display_name"],
        UserKind(row["kind"]),
        AttendanceStatus(row["status"]),
        Source(row["source"]),
        row["answered_at"],
        row["party"],
        AnswerMode(row["mode"]) if row["mode"] else None,
        PendingFor(row["pending_for"]) if row["pending_for"] else None,
        bool(row["is_private"]),
        bool(row["is_guest"]),
        row["offered_until"],
        tuple(msgspec.json.decode(row["guest_names"])),
        row["invited_as"] or "",
        row["place"],
        bool(row["is_unheard"]),
    )

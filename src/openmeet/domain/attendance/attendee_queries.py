"""Who comes, as hosts and guests read it: page by page, with names and whether they still are somebody here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row
from openmeet.domain.attendance.model import AnswerMode, AttendanceId, AttendanceStatus, PendingFor, Source
from openmeet.domain.attendance.queries import IS_GUEST, IS_HIDDEN
from openmeet.domain.attendance.unheard import IS_UNHEARD
from openmeet.domain.events.model import EventId
from openmeet.domain.users.model import UserId, UserKind

_BEFORE_THE_LINE: Final = -(2**62)


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
    parts = [part for status in statuses if (part := _first_of(status, seen, after))]
    if not parts:
        return []
    sql = f"select * from ({' union all '.join(parts)}) as found order by place, answered_at, id limit :limit"
    place, answered_at, last = after or (0, Instant(0), "")
    possible = {"viewer": viewer or "", "place": place, "answered_at": answered_at, "id": last}
    asked = {name: value for name, value in possible.items() if f":{name}" in sql}
    rows = await reader.fetch(sql, event_id=event_id, limit=limit, **asked)
    return [attendee_of(row) for row in rows]


def _first_of(status: AttendanceStatus, seen: str, after: tuple[int, Instant, str] | None) -> str:
    """The first people of one status, read along an index of that status: a page of a crowd's list costs what a page costs.

    Who waits has a number in the line, nobody else; "" where the page before ended behind all of them.
    """
    waits = status is AttendanceStatus.WAITLISTED
    order = "a.waitlist_number" if waits else "a.answered_at, a.id"
    behind = ""
    if waits:
        # Without a bound SQLite looks for numbers in every row of the event.
        behind = f"and a.waitlist_number > {_BEFORE_THE_LINE if after is None else 'cast(:place as bigint)'}"
    elif after is not None:
        if after[0] > 0:
            return ""
        behind = "and (a.answered_at, a.id) > (cast(:answered_at as bigint), :id)"
    return f"""
        select * from (
        select a.id, a.user_id, u.display_name, u.kind, a.status, a.source, a.answered_at, a.party, a.mode, a.pending_for,
               a.is_private, a.offered_until, a.guest_names, a.invited_as, coalesce(a.waitlist_number, 0) as place, 0 as is_unheard,
               case when {IS_GUEST} then 1 else 0 end as is_guest
          from attendances a join users u on u.id = a.user_id
         where a.event_id = :event_id and a.status = '{status.value}' and not {IS_HIDDEN} and not {IS_UNHEARD} {seen} {behind}
         order by {order} limit :limit) as {status.value}"""


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

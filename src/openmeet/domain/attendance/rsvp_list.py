"""One RSVP of a list: its columns, its place in the order of lists, and cursors.

Lists begin with the RSVPs outside the waitlist, in the order in which they were given; then the waitlist follows in its
order.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Row
from openmeet.domain.attendance.invitation_queries import IS_UNANSWERED_INVITATION
from openmeet.domain.attendance.model import AttendanceId, AttendanceMode, AttendanceStatus, PendingFor, RsvpSource
from openmeet.domain.attendance.queries import IS_GUEST
from openmeet.domain.paging import packed, unpacked
from openmeet.domain.users.model import UserId, UserKind

# The number that the lists give to people who are not on the waitlist. It is less than every waitlist number, which can
# be negative.
BEFORE_WAITLIST: Final = -(10**17)

# The columns of ``entry_of`` that all lists read. Lists of attendees have no unanswered invitations, so they do not read
# ``is_unanswered_invitation``.
SHARED_COLUMNS: Final = f"""a.id, a.user_id, u.display_name, u.kind, a.status, a.source, a.answered_at, a.party, a.mode,
       a.pending_for, a.is_private, a.offered_until, a.guest_names, a.invited_as,
       coalesce(a.waitlist_number, {BEFORE_WAITLIST}) as waitlist_number,
       case when {IS_GUEST} then 1 else 0 end as is_guest"""
COLUMNS: Final = f"""{SHARED_COLUMNS},
       case when {IS_UNANSWERED_INVITATION} then 1 else 0 end as is_unanswered_invitation"""

_CURSOR = re.compile(r"(-?[0-9]{1,18})\.([0-9]{1,18})\.([0-9a-f-]{36})")


@dataclass(frozen=True, slots=True)
class RsvpListEntry:
    """One RSVP on a list, with its person's display name. ``is_guest``: they have no account
    (``queries.IS_GUEST``).
    """

    attendance_id: AttendanceId
    user_id: UserId
    display_name: str
    kind: UserKind
    status: AttendanceStatus
    source: RsvpSource
    answered_at: Instant
    party: int = 1
    mode: AttendanceMode | None = None
    pending_for: PendingFor | None = None
    is_private: bool = False
    is_guest: bool = False
    offered_until: Instant | None = None
    companion_names: tuple[str, ...] = ()
    invited_as: str = ""
    waitlist_number: int = BEFORE_WAITLIST
    is_unanswered_invitation: bool = False


@dataclass(frozen=True, slots=True)
class RsvpListCursor:
    """Position after the last row of a page."""

    waitlist_number: int
    answered_at: Instant
    attendance_id: AttendanceId


def entry_of(row: Row) -> RsvpListEntry:
    """Parse one row of a list."""
    return RsvpListEntry(
        attendance_id=AttendanceId(row["id"]),
        user_id=UserId(row["user_id"]),
        display_name=row["display_name"],
        kind=UserKind(row["kind"]),
        status=AttendanceStatus(row["status"]),
        source=RsvpSource(row["source"]),
        answered_at=row["answered_at"],
        party=row["party"],
        mode=AttendanceMode(row["mode"]) if row["mode"] else None,
        pending_for=PendingFor(row["pending_for"]) if row["pending_for"] else None,
        is_private=bool(row["is_private"]),
        is_guest=bool(row["is_guest"]),
        offered_until=row["offered_until"],
        companion_names=tuple(msgspec.json.decode(row["guest_names"])),
        invited_as=row["invited_as"] or "",
        waitlist_number=row["waitlist_number"],
        is_unanswered_invitation=bool(row["is_unanswered_invitation"]),
    )


# The parameters of ``after_clause``, in the order of lists. PostgreSQL does not know the types of numbers in a row.
_POSITION: Final = ("cast(:after_number as bigint)", "cast(:after_at as bigint)", ":after_id")


def after_clause(columns: Sequence[str], after: RsvpListCursor | None) -> tuple[str, dict[str, object]]:
    """The end of an SQL condition, for the RSVPs behind this position, and its parameters. ``columns`` are the SQL
    expressions by which the RSVPs are ordered: waitlist number, time of the answer and id, or only the last ones of
    these.
    """
    if after is None:
        return "", {}
    sql = f"and ({', '.join(columns)}) > ({', '.join(_POSITION[-len(columns) :])})"
    values = {"after_number": after.waitlist_number, "after_at": after.answered_at, "after_id": after.attendance_id}
    return sql, {name: value for name, value in values.items() if f":{name}" in sql}


def format_cursor(entry: RsvpListEntry) -> str:
    """The cursor after this RSVP."""
    return packed(f"{entry.waitlist_number}.{entry.answered_at}.{entry.attendance_id}")


def parse_cursor(text: str) -> RsvpListCursor | None:
    """Parse a cursor; None for an empty one. Raises InvalidInput (``InvalidCursor``)."""
    if not text:
        return None
    position = unpacked(_CURSOR, text)
    return RsvpListCursor(int(position[1]), Instant(int(position[2])), AttendanceId(position[3]))

"""The lists of answers that hosts work with: by status, with search, page by page; as rows of a file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from at_protocol.crypto import base64url
from at_protocol.failures import Malformed
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput
from openmeet.domain.attendance.attendee_queries import Attendee, attendee_of
from openmeet.domain.attendance.model import AnswerMode, AttendanceId, AttendanceStatus, PendingFor
from openmeet.domain.attendance.seating import NO_LIMITS, Limits, is_too_large
from openmeet.domain.attendance.status_words import STATUS_WORDS
from openmeet.domain.attendance.unheard import IS_UNHEARD
from openmeet.domain.events.model import EventId
from openmeet.domain.users.model import UserId

_COLUMNS = f"""a.id, a.user_id, u.display_name, u.kind, a.status, a.source, a.answered_at, a.party, a.mode, a.pending_for,
       a.is_private, a.offered_until, a.guest_names, a.invited_as, coalesce(a.waitlist_number, 0) as place,
       case when exists (select 1 from guests g where g.user_id = a.user_id) then 1 else 0 end as is_guest,
       case when {IS_UNHEARD} then 1 else 0 end as is_unheard"""

_CURSOR = re.compile(r"(-?[0-9]{1,18})\.([0-9]{1,18})\.([0-9a-f-]{36})")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which answers; ``q`` is part of a name or handle."""

    statuses: Sequence[AttendanceStatus]
    q: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended."""

    place: int
    answered_at: int
    attendance_id: str


@dataclass(frozen=True, slots=True)
class Line:
    """One answer as hosts see it, in words."""

    attendance_id: AttendanceId
    user_id: UserId
    name: str
    status: AttendanceStatus
    status_words: str
    party: int
    guest_names: tuple[str, ...]
    mode: AnswerMode | None
    pending_for: PendingFor | None
    is_guest: bool
    is_private: bool
    is_offered: bool
    is_named_by_address: bool


async def managed(
    reader: Reader, event_id: EventId, wanted: Wanted, after: Position | None, limit: int
) -> list[Attendee]:
    """Answers in order of the line and of arrival, also of people who are hidden from others."""
    search = ""
    values: dict[str, object] = {}
    if wanted.q:
        search = f"""and (lower(coalesce(a.invited_as, '')) like :q escape '!'
                    or not {IS_UNHEARD} and (
                       lower(u.display_name) like :q escape '!'
                    or lower(a.guest_names) like :q escape '!'
                    or exists (select 1 from identities i where i.user_id = u.id and lower(i.handle) like :q escape '!')))"""
        values["q"] = "%" + re.sub(r"([!%_])", r"!\1", wanted.q.lower()) + "%"
    behind = ""
    if after is not None:
        behind = """and (coalesce(a.waitlist_number, 0) > :place or (coalesce(a.waitlist_number, 0) = :place and
                    (a.answered_at > :answered_at or (a.answered_at = :answered_at and a.id > :last_id))))"""
        values |= {"place": after.place, "answered_at": after.answered_at, "last_id": after.attendance_id}
    rows = await reader.fetch(
        f"""
        select {_COLUMNS} from attendances a join users u on u.id = a.user_id
         where a.event_id = :event_id and a.status in :wanted {search} {behind}
         order by coalesce(a.waitlist_number, 0), a.answered_at, a.id limit :limit
        """,
        event_id=event_id,
        wanted=[status.value for status in wanted.statuses],
        limit=limit,
        **values,
    )
    return [attendee_of(row) for row in rows]


async def by_ids(reader: Reader, event_id: EventId, ids: Sequence[AttendanceId]) -> list[Attendee]:
    """These answers, as far as they are of this event."""
    if not ids:
        return []
    rows = await reader.fetch(
        f"select {_COLUMNS} from attendances a join users u on u.id = a.user_id"
        " where a.event_id = :event_id and a.id in :ids order by a.id",
        event_id=event_id,
        ids=list(ids),
    )
    return [attendee_of(row) for row in rows]


async def by_status(reader: Reader, event_id: EventId) -> dict[AttendanceStatus, int]:
    """How many answers there are in each status; of people, see ``queries.counts``."""
    rows = await reader.fetch(
        "select status, count(*) as n from attendances where event_id = :event_id group by status order by status",
        event_id=event_id,
    )
    return dict.fromkeys(AttendanceStatus, 0) | {AttendanceStatus(row["status"]): int(row["n"]) for row in rows}


def shown(one: Attendee, names: Mapping[UserId, str], limits: Limits = NO_LIMITS) -> Line:
    """An answer in words. Whom the host invited by an address is called by it until they have answered themselves.

    Also after the host has taken that back, or checked them in: otherwise a no to an address, or a yes, would say whose it is.
    """
    words = STATUS_WORDS[one.status]
    if one.status is AttendanceStatus.WAITLISTED and one.offered_until is not None:
        words = "a place is held"
    elif one.status is AttendanceStatus.WAITLISTED and is_too_large(limits, one):
        words = "waits with more people than there are places, and is passed"
    elif one.pending_for is PendingFor.APART:
        words = "answered from elsewhere"
    elif one.pending_for is PendingFor.UNCLEAR:
        words = "answered unclearly"
    return Line(
        one.attendance_id,
        one.user_id,
        one.invited_as if one.is_unheard else names[one.user_id],
        one.status,
        words,
        one.party,
        one.guest_names,
        one.mode,
        one.pending_for,
        # Either would say whether somebody with this address has an account here.
        one.is_guest and not one.is_unheard,
        one.is_private and not one.is_unheard,
        one.offered_until is not None,
        one.is_unheard,
    )


def pack(one: Attendee) -> str:
    """The cursor behind this answer."""
    return base64url.encode(f"{one.place}.{one.answered_at}.{one.attendance_id}".encode())


def unpack(text: str) -> Position | None:
    """The position; None for no cursor at all."""
    if not text:
        return None
    try:
        plain = base64url.decode(text).decode("ascii")
    except (Malformed, UnicodeDecodeError):
        plain = ""
    found = _CURSOR.fullmatch(plain)
    if found is None:
        raise InvalidInput("cursor", "This cursor was not made here; start again without one.", name="InvalidCursor")
    return Position(int(found[1]), int(found[2]), found[3])

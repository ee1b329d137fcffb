"""Lists of an event's RSVPs, in pages: attendees as everybody sees them, the table of the hosts, and the RSVPs whose
records may be listed publicly.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from groundwork.clock import Instant
from groundwork.database.like import escape_like, without_joiners, without_joiners_sql
from groundwork.database.transaction import Reader, Row
from openmeet.domain.attendance.invitation_queries import (
    IS_HIDDEN_FROM_HOSTS,
    IS_UNANSWERED_INVITATION,
    REMOVED_ADDRESS,
)
from openmeet.domain.attendance.model import AttendanceId, AttendanceMode, AttendanceStatus, PendingFor, RsvpSource
from openmeet.domain.attendance.moved_dates import smallest_move
from openmeet.domain.attendance.queries import IS_GUEST, IS_HIDDEN, awaits_decision_sql
from openmeet.domain.attendance.seats import NO_LIMITS, SeatLimits, is_too_large
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.paging import packed, unpacked
from openmeet.domain.users.model import UserId, UserKind
from openmeet.i18n.catalogue import LazyText, gettext, lazy, ngettext

STATUS_LABELS: Mapping[AttendanceStatus, LazyText] = {
    AttendanceStatus.ATTENDING: lazy("going"),
    AttendanceStatus.INTERESTED: lazy("maybe"),
    AttendanceStatus.DECLINED: lazy("not going"),
    AttendanceStatus.PENDING: lazy("waiting for the host"),
    AttendanceStatus.WAITLISTED: lazy("on the waitlist"),
    AttendanceStatus.INVITED: lazy("invited"),
    AttendanceStatus.REJECTED: lazy("declined"),
    AttendanceStatus.ATTENDED: lazy("checked in"),
}

# The number that the lists give to people who are not on the waitlist. It is less than every waitlist number, which can
# be negative.
_BEFORE_WAITLIST: Final = -(10**17)

# RSVPs that have a place, need none, or are foreign. Waitlisted people are only counted, because only they and the host
# should know that they got no place.
LISTED_STATUSES = (
    AttendanceStatus.ATTENDING,
    AttendanceStatus.ATTENDED,
    AttendanceStatus.INTERESTED,
    AttendanceStatus.PENDING,
)


# Only hosts see requests that are not approved yet, and RSVP records with a status that we do not know.
_IS_FOR_HOSTS_ONLY: Final = f"coalesce(a.pending_for, '') in ('{PendingFor.APPROVAL}', '{PendingFor.UNCLEAR}')"

_COLUMNS_OF_ALL: Final = f"""a.id, a.user_id, u.display_name, u.kind, a.status, a.source, a.answered_at, a.party, a.mode, a.pending_for,
       a.is_private, a.offered_until, a.guest_names, a.invited_as, coalesce(a.waitlist_number, {_BEFORE_WAITLIST}) as waitlist_number,
       case when {IS_GUEST} then 1 else 0 end as is_guest"""
_COLUMNS: Final = f"""{_COLUMNS_OF_ALL},
       case when {IS_UNANSWERED_INVITATION} then 1 else 0 end as is_unanswered_invitation"""
_CURSOR = re.compile(r"(-?[0-9]{1,18})\.([0-9]{1,18})\.([0-9a-f-]{36})")


@dataclass(frozen=True, slots=True)
class Attendee:
    """One person on an event's list, with a display name. ``is_guest`` is True if they answered by e-mail, without an
    account.
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
    guest_names: tuple[str, ...] = ()
    invited_as: str = ""
    waitlist_number: int = _BEFORE_WAITLIST
    is_unanswered_invitation: bool = False


@dataclass(frozen=True, slots=True)
class AttendeeCursor:
    """Position after the last row of a page."""

    waitlist_number: int
    answered_at: Instant
    attendance_id: AttendanceId


async def attendees(
    reader: Reader,
    event_id: EventId,
    statuses: Sequence[AttendanceStatus],
    *,
    limit: int,
    viewer: UserId | None = None,
    with_private: bool = False,
    after: AttendeeCursor | None = None,
) -> list[Attendee]:
    """List people of an event in these statuses, by time of answer, then waitlisted people in their order.

    ``after`` is the last RSVP of the previous page. Inactive accounts are left out. Except for hosts
    (``with_private``), so are people who do not want to be seen, including guests without an account, and RSVPs that
    only hosts see (``_IS_FOR_HOSTS_ONLY``). Others see only how many wait, because it is private that somebody did not
    get a place. Everyone sees themselves (``viewer``).
    """
    seen, values = _seen_by_sql(viewer, with_private=with_private)
    parts = []
    for status in statuses:
        if _is_complete(status, after):
            continue
        after_clause, position = _after_in_status(status, after)
        parts.append(_first_of_sql(status, seen, after_clause))
        values |= position
    if not parts:
        return []
    rows = await reader.fetch(
        f"select * from ({' union all '.join(parts)}) as found order by waitlist_number, answered_at, id limit :limit",
        event_id=event_id,
        limit=limit,
        **values,
    )
    return [attendee_of(row) for row in rows]


def _seen_by_sql(viewer: UserId | None, *, with_private: bool) -> tuple[str, dict[str, object]]:
    """SQL for the RSVPs that the viewer of ``attendees`` may see, and its parameters."""
    if with_private:
        return "", {}
    sql = (
        f"and (a.user_id = :viewer or a.is_private = 0 and not {IS_GUEST}"
        f" and not {_IS_FOR_HOSTS_ONLY} and a.status <> 'waitlisted')"
    )
    return sql, {"viewer": viewer or ""}


def _is_complete(status: AttendanceStatus, after: AttendeeCursor | None) -> bool:
    """Whether the previous page ended after everyone with this status, because it ended on the waitlist."""
    is_on_waitlist = after is not None and after.waitlist_number > _BEFORE_WAITLIST
    return is_on_waitlist and status is not AttendanceStatus.WAITLISTED


def _after_in_status(status: AttendanceStatus, after: AttendeeCursor | None) -> tuple[str, dict[str, object]]:
    """SQL for the people of one status behind a position in the order of ``attendees``, and its parameters."""
    is_waitlist = status is AttendanceStatus.WAITLISTED
    if after is None:
        # Without this bound SQLite scans every row of the event for waitlist numbers.
        return (f"and a.waitlist_number > {_BEFORE_WAITLIST}" if is_waitlist else ""), {}
    position: dict[str, object] = {"answered_at": after.answered_at, "last_id": after.attendance_id}
    if not is_waitlist:
        return "and (a.answered_at, a.id) > (cast(:answered_at as bigint), :last_id)", position
    sql = """and (a.waitlist_number, a.answered_at, a.id)
                      > (cast(:waitlist_number as bigint), cast(:answered_at as bigint), :last_id)"""
    return sql, position | {"waitlist_number": after.waitlist_number}


def _first_of_sql(status: AttendanceStatus, seen: str, after_clause: str) -> str:
    """SQL for the next people of one status, in the order of its index. It reads only one page, however long the list."""
    order = "a.waitlist_number" if status is AttendanceStatus.WAITLISTED else "a.answered_at, a.id"
    return f"""
        select * from (
        select {_COLUMNS_OF_ALL}, 0 as is_unanswered_invitation
          from attendances a join users u on u.id = a.user_id
         where a.event_id = :event_id and a.status = '{status.value}' and not {IS_HIDDEN}
           and not {IS_UNANSWERED_INVITATION} {seen} {after_clause}
         order by {order} limit :limit) as {status.value}"""


def attendee_of(row: Row) -> Attendee:
    """Parse one row of a list."""
    return Attendee(
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
        guest_names=tuple(msgspec.json.decode(row["guest_names"])),
        invited_as=row["invited_as"] or "",
        waitlist_number=row["waitlist_number"],
        is_unanswered_invitation=bool(row["is_unanswered_invitation"]),
    )


@dataclass(frozen=True, slots=True)
class AttendeeFilter:
    """Which RSVPs to list. ``search_words`` is part of a name or handle; empty for everybody."""

    statuses: Sequence[AttendanceStatus]
    search_words: str = ""


@dataclass(frozen=True, slots=True)
class AttendeeRow:
    """One RSVP as text, as hosts see it. ``is_named_by_address``: ``name`` is the address that a host invited."""

    attendance_id: AttendanceId
    user_id: UserId
    name: str
    status: AttendanceStatus
    status_words: str
    party: int
    guest_names: tuple[str, ...]
    mode: AttendanceMode | None
    pending_for: PendingFor | None
    is_guest: bool
    is_private: bool
    is_offered: bool
    is_named_by_address: bool


async def for_hosts(
    reader: Reader, event_id: EventId, attendee_filter: AttendeeFilter, after: AttendeeCursor | None, limit: int
) -> list[Attendee]:
    """The RSVPs that match the filter: those outside the waitlist in the order in which they were given, then the
    waitlist in its order. They include people who are hidden from other viewers, but nobody who is deleting their
    account.
    """
    search = ""
    values: dict[str, object] = {}
    if attendee_filter.search_words:
        search = f"""and (lower(coalesce(a.invited_as, '')) like :q escape '!'
                    or not {IS_UNANSWERED_INVITATION} and (
                       {without_joiners_sql("lower(u.display_name)")} like :q escape '!'
                    or {without_joiners_sql("lower(a.guest_names)")} like :q escape '!'
                    or exists (select 1 from identities i where i.user_id = u.id and lower(i.handle) like :q escape '!')))"""
        values["q"] = f"%{escape_like(without_joiners(attendee_filter.search_words.lower()))}%"
    after_clause, position = _after_in_hosts_order(after)
    rows = await reader.fetch(
        f"""
        select {_COLUMNS} from attendances a join users u on u.id = a.user_id
         where a.event_id = :event_id and a.status in :wanted and not {IS_HIDDEN_FROM_HOSTS} {search} {after_clause}
         order by coalesce(a.waitlist_number, {_BEFORE_WAITLIST}), a.answered_at, a.id limit :limit
        """,
        event_id=event_id,
        wanted=[status.value for status in attendee_filter.statuses],
        limit=limit,
        **values,
        **position,
    )
    return [attendee_of(row) for row in rows]


@dataclass(frozen=True, slots=True)
class RsvpPosition:
    """Where ``for_hosts`` lists an RSVP, and whether the RSVP responds to questions of the hosts."""

    cursor: AttendeeCursor
    has_responses: bool


async def positions_for_hosts(
    reader: Reader, event_id: EventId, after: AttendeeCursor | None, limit: int
) -> list[RsvpPosition]:
    """The next of all RSVPs that ``for_hosts`` lists, in its order."""
    after_clause, values = _after_in_hosts_order(after)
    rows = await reader.fetch(
        f"""
        select a.id, coalesce(a.waitlist_number, {_BEFORE_WAITLIST}) as waitlist_number, a.answered_at,
               case when a.replies <> '{{}}' then 1 else 0 end as has_responses
          from attendances a
         where a.event_id = :event_id and not {IS_HIDDEN_FROM_HOSTS} {after_clause}
         order by coalesce(a.waitlist_number, {_BEFORE_WAITLIST}), a.answered_at, a.id limit :limit
        """,
        event_id=event_id,
        limit=limit,
        **values,
    )
    return [
        RsvpPosition(
            AttendeeCursor(row["waitlist_number"], row["answered_at"], AttendanceId(row["id"])),
            bool(row["has_responses"]),
        )
        for row in rows
    ]


def _after_in_hosts_order(after: AttendeeCursor | None) -> tuple[str, dict[str, object]]:
    """SQL for the RSVPs behind a position in the order of ``for_hosts``, and its parameters."""
    if after is None:
        return "", {}
    sql = f"""and (coalesce(a.waitlist_number, {_BEFORE_WAITLIST}) > :waitlist_number or (coalesce(a.waitlist_number, {_BEFORE_WAITLIST}) = :waitlist_number and
                    (a.answered_at > :answered_at or (a.answered_at = :answered_at and a.id > :last_id))))"""
    return sql, {
        "waitlist_number": after.waitlist_number,
        "answered_at": after.answered_at,
        "last_id": after.attendance_id,
    }


async def join_requests(reader: Reader, event_ids: Sequence[EventId], limit: int) -> list[tuple[EventId, Attendee]]:
    """People who ask to join one of these events and are not hidden, those who have waited longest first."""
    if not event_ids:
        return []
    rows = await reader.fetch(
        f"""
        select {_COLUMNS}, a.event_id from attendances a join users u on u.id = a.user_id
         where a.event_id in :wanted and {awaits_decision_sql("a")} and not {IS_HIDDEN}
         order by a.answered_at, a.id limit :limit
        """,
        wanted=sorted(event_ids),
        limit=limit,
    )
    return [(EventId(row["event_id"]), attendee_of(row)) for row in rows]


async def by_ids(reader: Reader, event_id: EventId, ids: Sequence[AttendanceId]) -> list[Attendee]:
    """The RSVPs with these ids, except RSVPs to other events and of people who are deleting their account."""
    if not ids:
        return []
    rows = await reader.fetch(
        f"select {_COLUMNS} from attendances a join users u on u.id = a.user_id"
        f" where a.event_id = :event_id and a.id in :ids and not {IS_HIDDEN_FROM_HOSTS} order by a.id",
        event_id=event_id,
        ids=list(ids),
    )
    return [attendee_of(row) for row in rows]


async def count_by_status(reader: Reader, event_id: EventId) -> dict[AttendanceStatus, int]:
    """Number of RSVPs in each status, as ``for_hosts`` lists them. For numbers of people, see ``queries.counts``."""
    rows = await reader.fetch(
        f"select a.status, count(*) as n from attendances a where a.event_id = :event_id and not {IS_HIDDEN_FROM_HOSTS}"
        " group by a.status order by a.status",
        event_id=event_id,
    )
    return dict.fromkeys(AttendanceStatus, 0) | {AttendanceStatus(row["status"]): int(row["n"]) for row in rows}


# People going who answered before the event was moved and have not confirmed the new time since. Hosts are left out,
# because they know the new time.
_NEW_TIME_UNCONFIRMED = f"""
    a.event_id = :event_id and a.status = 'attending'
           and abs(a.known_starts_at - cast(:starts_at as bigint)) >= :smallest_move
           and a.user_id <> :author_id and not {IS_HIDDEN} and not exists (
               select 1 from event_co_hosts h where h.event_id = a.event_id and h.user_id = a.user_id and h.state = 'accepted')"""


async def count_new_time_unconfirmed(reader: Reader, event: Event) -> int:
    """The number of people going, except hosts, who have not confirmed the new time since the event was moved."""
    row = await reader.fetch_one(
        f"select cast(coalesce(sum(a.party), 0) as bigint) as people from attendances a where {_NEW_TIME_UNCONFIRMED}",
        **_new_time_values(event),
    )
    return int(row["people"]) if row else 0


async def new_time_unconfirmed_among(reader: Reader, event: Event, ids: Sequence[AttendanceId]) -> set[AttendanceId]:
    """Those of these RSVPs whose people are going, are no hosts, and have not confirmed the new time since the event was
    moved.
    """
    if not ids:
        return set()
    rows = await reader.fetch(
        f"select a.id from attendances a where a.id in :ids and {_NEW_TIME_UNCONFIRMED} order by a.id",
        ids=list(ids),
        **_new_time_values(event),
    )
    return {AttendanceId(row["id"]) for row in rows}


def _new_time_values(event: Event) -> dict[str, object]:
    return {
        "event_id": event.id,
        "starts_at": event.starts_at,
        "smallest_move": smallest_move(event),
        "author_id": event.author_id,
    }


def new_time_sentence(going: int, unconfirmed: int) -> str:
    """Return the sentence that says how many of the people going have confirmed the new time; empty if nobody needs to
    confirm it.
    """
    if not unconfirmed:
        return ""
    if unconfirmed >= going:
        return gettext("Nobody has confirmed the new time yet.")
    return ngettext(
        "%(confirmed)s of %(number)s have confirmed the new time.",
        "%(confirmed)s of %(number)s have confirmed the new time.",
        going,
        confirmed=going - unconfirmed,
    )


def row_of(attendee: Attendee, names: Mapping[UserId, str], limits: SeatLimits = NO_LIMITS) -> AttendeeRow:
    """One RSVP as a row of a list, in words. Somebody who was invited by address is shown by that address until they
    answer, even after a host revoked the invitation or checked them in. Anything else, such as the names of their
    guests, would reveal the owner of the address. People without an account who answer without a name are shown by that
    address, too.
    """
    words = str(STATUS_LABELS[attendee.status])
    if attendee.status is AttendanceStatus.WAITLISTED and attendee.offered_until is not None:
        words = gettext("a place is held")
    elif attendee.status is AttendanceStatus.WAITLISTED and is_too_large(limits, attendee):
        words = gettext("more people than there are places, so others move up first")
    elif attendee.pending_for is PendingFor.UNCONFIRMED:
        words = gettext("needs confirmation: from another app, late, or not a member")
    elif attendee.pending_for is PendingFor.UNCLEAR:
        words = gettext("unclear answer")
    return AttendeeRow(
        attendance_id=attendee.attendance_id,
        user_id=attendee.user_id,
        name=_name_of(attendee, names),
        status=attendee.status,
        status_words=words,
        party=attendee.party,
        guest_names=() if attendee.is_unanswered_invitation else attendee.guest_names,
        mode=attendee.mode,
        pending_for=attendee.pending_for,
        # Either value would reveal whether this address has a local account.
        is_guest=attendee.is_guest and not attendee.is_unanswered_invitation,
        is_private=attendee.is_private and not attendee.is_unanswered_invitation,
        is_offered=attendee.offered_until is not None,
        is_named_by_address=attendee.is_unanswered_invitation,
    )


def _name_of(attendee: Attendee, names: Mapping[UserId, str]) -> str:
    is_nameless = attendee.is_guest and not attendee.display_name and attendee.invited_as not in {"", REMOVED_ADDRESS}
    return attendee.invited_as if attendee.is_unanswered_invitation or is_nameless else names[attendee.user_id]


def format_cursor(attendee: Attendee) -> str:
    """The cursor after this RSVP."""
    return packed(f"{attendee.waitlist_number}.{attendee.answered_at}.{attendee.attendance_id}")


def parse_cursor(text: str) -> AttendeeCursor | None:
    """Parse a cursor; None for an empty one. Raises InvalidInput (``InvalidCursor``)."""
    if not text:
        return None
    position = unpacked(_CURSOR, text)
    return AttendeeCursor(int(position[1]), Instant(int(position[2])), AttendanceId(position[3]))


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
           and not {_IS_FOR_HOSTS_ONLY} and not {IS_HIDDEN} {after_clause}
         order by a.answered_at, a.id limit :limit
        """,
        event_id=event_id,
        listed=[status.value for status in LISTED_STATUSES],
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

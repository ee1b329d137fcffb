"""Merge the RSVPs of two accounts, or of two events: at most one per person and event remains. No seat is lost.

If both accounts replied, the later reply counts. If both replies are the same, the better status is kept: a place is
better than the waitlist. A host decision (rejected, checked in) takes precedence over both replies; an invitation is
not a reply. A person who confirmed a new time with either account is not asked again.

An invitation by address that was not answered is not merged with another RSVP. It goes to a stand-in (``invitations``), so
that hosts do not learn who owns the address.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.attendance import proofs, queries, registration, rules, seats, waitlist
from openmeet.domain.attendance.calendar_entries import CALENDAR_ENTRY_SENT
from openmeet.domain.attendance.invitation_queries import IS_UNANSWERED_INVITATION
from openmeet.domain.attendance.model import Attendance, AttendanceStatus
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import several
from openmeet.domain.users import guests
from openmeet.domain.users.model import UserId
from openmeet.outbox import publication_moves, publications
from openmeet.outbox.publication_status import subjects_with_publication

# The better status of two RSVPs with the same reply has the greater rank. Other statuses have rank 0.
_STATUS_RANK = {AttendanceStatus.ATTENDING: 3, AttendanceStatus.WAITLISTED: 2, AttendanceStatus.PENDING: 1}
# Decisions of hosts come before all replies (rank 0), and these before an invitation without a reply.
_DECISION_RANK = {AttendanceStatus.REJECTED: 2, AttendanceStatus.ATTENDED: 1, AttendanceStatus.INVITED: -1}

# The merged RSVP gets the history of both. Entries are merged by age, except that the last entry of the kept RSVP stays
# last, because it says how the merged RSVP is now.
_MERGE_HISTORY: Final = """
    update attendance_history set attendance_id = :kept, revision = (
        select coalesce(max(k.revision), 0) from attendance_history k
         where k.attendance_id = :kept and k.id < attendance_history.id
           and k.revision < (select max(l.revision) from attendance_history l where l.attendance_id = :kept))
     where attendance_id = :dropped
"""

_UNANSWERED_ADDRESSES: Final = (
    f"select a.id, a.invited_as from attendances a where a.id in :ids and {IS_UNANSWERED_INVITATION}"
)

_EVENTS_OF: Final = """
    select id from events where id in (
        select event_id from attendances where user_id = :user_id
        union select id from events where author_id = :user_id
        union select event_id from event_co_hosts where user_id = :user_id)
     order by id
"""


async def lock_events(tx: Transaction, from_user: UserId) -> list[EventId]:
    """Lock the events that the merged account answered or hosts, in order of their ids, as everywhere before RSVPs are
    changed: an RSVP to such an event locks the event, and then refers to the account as attendee or host.
    """
    # SQLite has a single writer and no row locks.
    lock = "for update" if tx.engine == "postgresql" else ""
    return [EventId(row["id"]) for row in await tx.fetch(_EVENTS_OF + lock, user_id=from_user)]


async def events_of(reader: Reader, user_id: UserId) -> list[EventId]:
    """Events that the account answered or hosts, in order of their ids."""
    return [EventId(row["id"]) for row in await reader.fetch(_EVENTS_OF, user_id=user_id)]


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> int:
    """Move all RSVPs of ``from_user`` to ``to_user`` and return how many. The caller has called ``lock_events``."""
    dropped = await _merge_rsvps(tx, await _rsvps_to_same_events(tx, from_user, to_user))
    people = {"from_user": from_user, "to_user": to_user}
    # The seat stays taken and only its owner changes, so these events need no recount.
    moved = await tx.execute("update attendances set user_id = :to_user where user_id = :from_user", **people)
    await tx.execute("update attendance_history set actor_id = :to_user where actor_id = :from_user", **people)
    # A dropped RSVP gives back its seats, or no longer holds up smaller parties behind it on the waitlist.
    events_to_fill = [one.event_id for one in dropped if one.holds_seat or one.status is AttendanceStatus.WAITLISTED]
    await waitlist.fill_seats_of_each(tx, await several(tx, events_to_fill))
    return moved + len(dropped)


async def _rsvps_to_same_events(
    reader: Reader, from_user: UserId, to_user: UserId
) -> list[tuple[Attendance, Attendance]]:
    """For each event that both accounts answered, the RSVPs of the merged and of the remaining account."""
    rows = await reader.fetch(
        f"select {queries.COLUMNS} from attendances where user_id in :people order by event_id",
        people=[from_user, to_user],
    )
    rsvps: dict[EventId, dict[UserId, Attendance]] = {}
    for one in map(queries.attendance_of, rows):
        rsvps.setdefault(one.event_id, {})[one.user_id] = one
    return [(both[from_user], both[to_user]) for both in rsvps.values() if len(both) == 2]  # both accounts answered


@dataclass(frozen=True, slots=True)
class _MergedPair:
    """Two RSVPs that become one: the one that is kept, the other, and the account to which the kept one belongs then."""

    kept: Attendance
    dropped: Attendance
    user_id: UserId


def _merged_pair(first: Attendance, second: Attendance) -> _MergedPair:
    """Decide which of the two RSVPs is kept. It belongs to the person of the second one."""
    is_first_kept = _precedence(first, second) > _precedence(second, first)
    kept, dropped = (first, second) if is_first_kept else (second, first)
    return _MergedPair(kept, dropped, second.user_id)


async def _merge_rsvps(tx: Transaction, pairs: Sequence[tuple[Attendance, Attendance]]) -> list[Attendance]:
    """Merge each pair into one RSVP of the person of its second one, except unanswered invitations by address. Return the
    RSVPs that were dropped.
    """
    merged = await _separate_unanswered_addresses(tx, [_merged_pair(first, second) for first, second in pairs])
    await tx.execute_many(
        _MERGE_HISTORY,
        [{"kept": pair.kept.id, "dropped": pair.dropped.id} for pair in merged],
    )
    await proofs.move_to_kept_rsvps(tx, [(pair.kept.id, pair.dropped.id) for pair in merged])
    # If a calendar entry was sent for either RSVP, the remaining RSVP is marked as having an entry, so that the entry
    # is cancelled when it ends.
    await tx.execute_many(
        "update attendances set calendar_entry = :sent where id = :kept and exists ("
        "select 1 from attendances d where d.id = :dropped and d.calendar_entry = :sent)",
        [{"kept": pair.kept.id, "dropped": pair.dropped.id, "sent": CALENDAR_ENTRY_SENT} for pair in merged],
    )
    await tx.execute_many("delete from attendances where id = :id", [{"id": pair.dropped.id} for pair in merged])
    await tx.execute_many(
        "update attendances set user_id = :to_user, record_uri = :record_uri, revision = :revision,"
        " is_private = :is_private, known_starts_at = case when cast(:other_known as bigint) ="
        " (select e.starts_at from events e where e.id = attendances.event_id) then :other_known else known_starts_at end"
        " where id = :id",
        [
            {
                "id": pair.kept.id,
                "to_user": pair.user_id,
                "record_uri": pair.kept.record_uri or pair.dropped.record_uri,
                "revision": _revision_after_both(pair),
                "is_private": int(pair.kept.is_private or pair.dropped.is_private),
                "other_known": pair.dropped.known_starts_at if _is_same_reply(pair.kept, pair.dropped) else None,
            }
            for pair in merged
        ],
    )
    with_publication = await subjects_with_publication(
        tx, publications.PublicationKind.RSVP, [rsvp.id for pair in merged for rsvp in (pair.kept, pair.dropped)]
    )
    subjects = [
        publication_moves.MergedSubjects(
            pair.kept.id, pair.dropped.id, pair.user_id, _revision_after_both(pair), pair.kept.answered_at
        )
        for pair in merged
        if not with_publication.isdisjoint({pair.kept.id, pair.dropped.id})
    ]
    await publication_moves.merge_subjects(tx, publications.PublicationKind.RSVP, subjects)
    return [pair.dropped for pair in merged]


async def _separate_unanswered_addresses(tx: Transaction, pairs: Sequence[_MergedPair]) -> list[_MergedPair]:
    """Give each unanswered invitation by address to a stand-in, unless both RSVPs of the pair are invitations of the same
    address. Return the other pairs.

    If they were merged, the address would disappear from the host's list, or the list would show a name instead.
    """
    if not pairs:
        return []
    ids = [rsvp.id for pair in pairs for rsvp in (pair.kept, pair.dropped)]
    address_of = {row["id"]: row["invited_as"] for row in await tx.fetch(_UNANSWERED_ADDRESSES, ids=ids)}
    merged: list[_MergedPair] = []
    for pair in pairs:
        if address_of.get(pair.kept.id) == address_of.get(pair.dropped.id):
            merged.append(pair)
            continue
        invitation = pair.dropped if pair.dropped.id in address_of else pair.kept
        stand_in = await guests.make(tx, display_name="", email=None)
        await tx.execute(
            "update attendances set user_id = :user_id, is_private = 1 where id = :id",
            user_id=stand_in,
            id=invitation.id,
        )
        await publication_moves.move_to_user(tx, publications.PublicationKind.RSVP, [invitation.id], stand_in)
    return merged


def _revision_after_both(pair: _MergedPair) -> int:
    """A revision greater than both published ones, so that the publication is checked again."""
    return max(pair.kept.revision, pair.dropped.revision) + 1


def _precedence(one: Attendance, other: Attendance) -> tuple[int, int, int]:
    """Sort key of one of two RSVPs; the greater one is kept. Decisions of hosts come first, then the later reply. If both
    replies are the same, the better status is kept.
    """
    rank = _STATUS_RANK.get(one.status, 0)
    return _DECISION_RANK.get(one.status, 0), rank if _is_same_reply(one, other) else one.answered_at, one.answered_at


def _is_same_reply(one: Attendance, other: Attendance) -> bool:
    return rules.record_status_of(one.status) is rules.record_status_of(other.status)


async def has_no_limits(reader: Reader, event: Event) -> bool:
    """Whether the event has no capacity limit. Only then can ``merge_events`` merge another event into it, because it
    counts no seats.
    """
    return seats.limits_of(await registration.registration_of(reader, event)).is_unlimited


async def merge_events(tx: Transaction, dropped: EventId, kept: EventId) -> list[UserId]:
    """Move the RSVPs of event ``dropped`` to ``kept``. Both rows are locked. Return the people who had answered both."""
    rows = await tx.fetch(
        f"select {queries.COLUMNS} from attendances where event_id in :ids order by user_id", ids=[dropped, kept]
    )
    rsvps: dict[UserId, dict[EventId, Attendance]] = {}
    for one in map(queries.attendance_of, rows):
        rsvps.setdefault(one.user_id, {})[one.event_id] = one
    both = [user_id for user_id, own_rsvps in rsvps.items() if len(own_rsvps) == 2]  # answered both events
    await _merge_rsvps(tx, [(rsvps[user_id][dropped], rsvps[user_id][kept]) for user_id in both])
    for table in ("attendances", "attendance_history"):
        await tx.execute(f"update {table} set event_id = :kept where event_id = :dropped", kept=kept, dropped=dropped)
    return both

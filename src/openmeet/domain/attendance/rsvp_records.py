"""Apply new, changed and deleted RSVP records to the RSVPs of their authors, one at a time, and store which record an RSVP
has. Also restores a reply that a record replaced, and erases the RSVPs of erased events and repositories.

``rsvp_records_in_bulk`` applies many records at once. Functions that count seats lock the event row first.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from groundwork.clock import Instant
from groundwork.database.bulk import IDS_PER_STATEMENT, fetch_each
from groundwork.database.transaction import Reader, Transaction, TransactionConflict
from groundwork.errors import NotFound
from openmeet.domain.attendance import locked_event, queries, registration, rsvp_changes, rules, waitlist
from openmeet.domain.attendance.actions import relationship_of, relationship_of_record_author
from openmeet.domain.attendance.calendar_entries import calendar_end_writes
from openmeet.domain.attendance.event_changes import make_rsvp_records_due
from openmeet.domain.attendance.locked_event import LockedEvent
from openmeet.domain.attendance.model import (
    Attendance,
    AttendanceId,
    AttendanceStatus,
    ChangeChannel,
    RecordedRsvp,
    RsvpSource,
)
from openmeet.domain.attendance.notify import notify_hosts, notify_of_foreign_rsvps
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.rsvp_changes import RsvpChange
from openmeet.domain.attendance.rsvp_details import RsvpDetails
from openmeet.domain.attendance.rules import EventRelationship
from openmeet.domain.attendance.transitions import ACTION_OF_RECORD, AttendanceAction
from openmeet.domain.events.event_access import may_answer_from_network
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.users.model import User, UserId, UserKind
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.domain.validation import GeneralReason
from openmeet.outbox import publications

# Returns whether an RSVP record (by URI) counts and refers to an event record (by URI). Passed in as an argument
# because records belong to the network package.
RefersToEvent = Callable[[Reader, str, str | None], Awaitable[bool]]

# RSVPs erased at once. Each takes about ten statements.
ERASED_AT_ONCE: Final = 100


async def apply_from_network(tx: Transaction, record: RecordedRsvp) -> Attendance | None:
    """Apply a person's RSVP record without enqueueing a new one.

    Returns None and applies nothing if the person could not see the event without the RSVP: an RSVP lets its person see
    a private event, and anyone can write a record (invariant 3). There is one decision per person and event, so a
    repeated message neither takes a seat away nor assigns a second one.
    """
    locked = await locked_event.lock_by_id(tx, record.event_id, record.user_id)
    user = await user_by_id(tx, record.user_id)
    if locked is None:
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    if user is None:
        raise TransactionConflict("this person’s account was merged with another one in between")
    event, event_registration, rsvp = locked.event, locked.event_registration, locked.rsvp
    if not rules.rsvp_gives_access(rsvp) and not await may_answer_from_network(tx, event, user.id):
        return None
    # Somebody who may not come can still write a record. The record is applied as "not going".
    may_come = not locked.is_unwelcome and await _may_still_see(tx, event, user.id)
    action = ACTION_OF_RECORD[record.status] if may_come else AttendanceAction.SHUT_OUT
    relationship = await relationship_of_record_author(tx, locked, user)
    details = replace(rsvp_changes.details_of(rsvp), mode=rsvp_changes.mode_for_record_reply(event, rsvp))
    if rsvp is None or rsvp.record_uri != record.record_uri:
        await queries.detach_records(tx, {record.record_uri})
    rsvp, has_room = await _end_expired_offers_and_check_room(tx, locked, action, relationship, details)
    decision = rules.decide(
        event_registration, rsvp, action, relationship=relationship, has_room=has_room, asked_at=tx.now
    )
    saved = rsvp
    if saved is None or (saved.status, saved.pending_for) != (decision.status, decision.pending_for):
        change = RsvpChange(
            event,
            user.id,
            rsvp,
            decision,
            details,
            source=RsvpSource.NETWORK,
            through=ChangeChannel.NETWORK,
            actor_id=None,
            answered_at=record.first_seen_at,
            knows_start=True,
            record_uri=record.record_uri,
        )
        saved = await _save_change_by_record(tx, locked, change, user, relationship)
    if saved.record_uri != record.record_uri:
        await queries.set_record(tx, saved.id, record.record_uri)
    if rsvp_changes.may_move_waitlist(rsvp, saved):
        await waitlist.fill_seats(tx, event_registration)
    return saved


async def _may_still_see(tx: Transaction, event: Event, user_id: UserId) -> bool:
    """Whether somebody who has replied may see the event. People who have left its group, for example, may not."""
    return await may_answer_from_network(tx, event, user_id, has_rsvp_access=True)


async def _end_expired_offers_and_check_room(
    tx: Transaction,
    locked: LockedEvent,
    action: AttendanceAction,
    relationship: EventRelationship,
    details: RsvpDetails,
) -> tuple[Attendance | None, bool]:
    """``rsvp_changes.end_expired_offers_and_check_room`` for a record that asks for seats. For others there is no room.

    There can be very many foreign RSVPs. Unconfirmed RSVPs take no seat, so seats are not counted for them.
    """
    if not rules.record_asks_for_seat(locked.event_registration, locked.rsvp, action, relationship):
        return locked.rsvp, False
    return await rsvp_changes.end_expired_offers_and_check_room(
        tx, locked.event_registration, locked.rsvp, details, usage=locked.seats
    )


async def _save_change_by_record(
    tx: Transaction, locked: LockedEvent, change: RsvpChange, user: User, relationship: EventRelationship
) -> Attendance:
    """Save the change that an RSVP record made, and notify the hosts."""
    event = change.event
    # A person without a local account never got a calendar e-mail.
    email_writes = (
        () if user.kind is UserKind.SHADOW else calendar_end_writes(tx, event, user.id, change.before, change.decision)
    )
    saved = await rsvp_changes.save_decision(tx, change, enqueues_record=False, extra_writes=email_writes)
    if (
        rules.foreign_policy_withholds_seat(locked.event_registration, relationship)
        and saved.status is AttendanceStatus.PENDING
    ):
        await notify_of_foreign_rsvps(tx, event)
    elif event.author_id != user.id:
        await notify_hosts(tx, event, locked.hosts, user.id, saved.status)
    return saved


async def restore_reply(
    tx: Transaction, attendance_id: AttendanceId, status: AttendanceStatus, *, answered_at: Instant
) -> int:
    """Restore a reply that was given on this site at ``answered_at`` and has been replaced since. Enqueue its record
    and return its revision.

    Other people may have taken the seats in the meantime, so "going" takes a seat only if one is free. The deadline is
    compared with ``answered_at``. Somebody who may no longer come, because they are blocked or can no longer see the
    event, is not going; as when they were shut out, their record is changed only in the second case
    (``reevaluation.end_rsvp``). Raises NotFound.
    """
    unlocked = await queries.by_id(tx, attendance_id)
    locked = await locked_event.lock_by_id(tx, unlocked.event_id, unlocked.user_id) if unlocked else None
    if locked is None or locked.rsvp is None:
        raise NotFound(AttendanceReason.NO_SUCH_ANSWER)
    may_see = await _may_still_see(tx, locked.event, locked.rsvp.user_id)
    may_come = may_see and not locked.is_unwelcome
    action = ACTION_OF_RECORD[rules.record_status_of(status)] if may_come else AttendanceAction.SHUT_OUT
    change = await _restored_change(tx, locked, locked.rsvp, action, answered_at)
    saved = await rsvp_changes.save_decision(tx, change, enqueues_record=may_come or not may_see)
    if rsvp_changes.may_move_waitlist(change.before, saved):
        await waitlist.fill_seats(tx, locked.event_registration)
    return saved.revision


async def _restored_change(
    tx: Transaction, locked: LockedEvent, rsvp: Attendance, action: AttendanceAction, answered_at: Instant
) -> RsvpChange:
    """The change that a restored reply makes, as if it were given at ``answered_at`` and seats were taken now. If it asks
    for seats, expired offers end first.
    """
    event_registration, details, has_room = locked.event_registration, rsvp_changes.details_of(rsvp), False
    if action is AttendanceAction.NETWORK_GOING:
        rsvp_now, has_room = await rsvp_changes.end_expired_offers_and_check_room(
            tx, event_registration, rsvp, details, usage=locked.seats
        )
        rsvp = rsvp_now or rsvp
    relationship = await relationship_of(tx, event_registration, rsvp.user_id)
    decision = rules.decide(
        event_registration, rsvp, action, relationship=relationship, has_room=has_room, asked_at=answered_at
    )
    return RsvpChange(
        locked.event,
        rsvp.user_id,
        rsvp,
        decision,
        details,
        source=RsvpSource.HERE,
        through=ChangeChannel.NETWORK,
        actor_id=None,
        answered_at=answered_at,
        edited_at=answered_at,
    )


async def apply_late_deletion(tx: Transaction, attendance_id: AttendanceId) -> None:
    """Decline an RSVP whose record was deleted after the reply was given. The deletion has become known only now."""
    event, rsvp = await _lock_event_of(tx, attendance_id)
    if event is not None and rsvp is not None:
        await _change_without_record(tx, event, rsvp)


async def _lock_event_of(tx: Transaction, attendance_id: AttendanceId) -> tuple[Event | None, Attendance | None]:
    """Lock the event of this RSVP, then read the RSVP again, because it may have changed before the lock."""
    unlocked = await queries.by_id(tx, attendance_id)
    event = await lock_for_update(tx, unlocked.event_id) if unlocked else None
    return event, await queries.by_id(tx, attendance_id)


async def apply_deletion_from_network(tx: Transaction, *, record_uri: str) -> AttendanceId | None:
    """Set the RSVP whose record was deleted, and no other, to ``declined`` (invariant 9). Return its id, or None if the
    record is unknown.
    """
    unlocked = await queries.by_record_uri(tx, record_uri)
    event = await lock_for_update(tx, unlocked.event_id) if unlocked else None
    # Read again, because the RSVP may have changed before the event was locked.
    rsvp = await queries.by_record_uri(tx, record_uri)
    if event is None or rsvp is None:
        return None
    await queries.set_record(tx, rsvp.id, None)
    await _change_without_record(tx, event, rsvp)
    return rsvp.id


async def erase_next(tx: Transaction, did: str, after: tuple[str, str]) -> tuple[str, str] | None:
    """Erase the next RSVPs that are known only from a repository that was deleted with its account, and free their
    seats. People with a local account keep the RSVPs they gave on this site.

    ``after``: the result of the call before, or two empty texts. Returns None once all are erased.
    """
    rsvps = await queries.erasable(tx, did, after=after, limit=ERASED_AT_ONCE)
    for unlocked in rsvps:
        event, rsvp = await _lock_event_of(tx, unlocked.id)
        user = await user_by_id(tx, rsvp.user_id) if rsvp else None
        if event is None or rsvp is None or user is None:
            continue
        if user.kind is UserKind.SHADOW:
            await queries.delete(tx, rsvp.id)
            await waitlist.fill_seats(tx, await registration.registration_of(tx, event))
        else:
            await queries.set_record(tx, rsvp.id, None)
            if rsvp.source is not RsvpSource.HERE:
                await _change_without_record(tx, event, rsvp)
    return (rsvps[-1].event_id, rsvps[-1].id) if len(rsvps) == ERASED_AT_ONCE else None


async def _change_without_record(tx: Transaction, event: Event, rsvp: Attendance) -> None:
    """Change the status of an RSVP whose record no longer exists."""
    decision = rules.decide_without_record(rsvp)
    if decision.status is rsvp.status:
        return
    user = await user_by_id(tx, rsvp.user_id)
    has_no_account = user is None or user.kind is UserKind.SHADOW
    saved = await rsvp_changes.save_decision(
        tx,
        RsvpChange(
            event,
            rsvp.user_id,
            rsvp,
            decision,
            rsvp_changes.details_of(rsvp),
            source=RsvpSource.NETWORK,
            through=ChangeChannel.NETWORK,
            actor_id=None,
            answered_at=tx.now,
        ),
        enqueues_record=False,
        extra_writes=() if has_no_account else calendar_end_writes(tx, event, rsvp.user_id, rsvp, decision),
    )
    if rsvp_changes.may_move_waitlist(rsvp, saved):
        await waitlist.fill_seats(tx, await registration.registration_of(tx, event))


async def store_record_uri(
    tx: Transaction, attendance_id: AttendanceId, *, uri: str, event_uri: str | None, refers_to_event: RefersToEvent
) -> None:
    """Store the URI of the RSVP record. ``event_uri`` is the URI of the event record it refers to.

    The publication is enqueued again if the event has another record by now or is no longer public.
    """
    rsvp = await queries.by_id(tx, attendance_id)
    if rsvp is not None and not await _has_other_effective_record(tx, rsvp, uri, event_uri, refers_to_event):
        await queries.detach_records(tx, {uri})
        await queries.set_record(tx, attendance_id, uri)
    event = None if rsvp is None else await event_by_id(tx, rsvp.event_id)
    if event is not None and (
        event.record_uri != event_uri or event.deleted_at is not None or not rules.are_rsvps_publishable(event)
    ):
        await publications.make_due(tx, kind=publications.PublicationKind.RSVP, subject_ids=[attendance_id])


async def _has_other_effective_record(
    reader: Reader, rsvp: Attendance, uri: str, event_uri: str | None, refers_to_event: RefersToEvent
) -> bool:
    """Whether the RSVP came from another record by the same person about the same event record, and that record still
    counts. Only that person may delete it.
    """
    if rsvp.source is not RsvpSource.NETWORK or rsvp.record_uri is None or rsvp.record_uri == uri:
        return False
    return await refers_to_event(reader, rsvp.record_uri, event_uri)


async def forget_record(tx: Transaction, attendance_id: AttendanceId) -> None:
    """Clear the record URI because the RSVP no longer has a record."""
    await queries.set_record(tx, attendance_id, None)


# For people without an account, only the record is known, and that is kept. An erased event has no list on which they
# could be shown.
_FORGET_PEOPLE_WITHOUT_ACCOUNT = """
    delete from attendances
     where event_id in (select given.id from each(id text) as given)
       and user_id in (select u.id from users u where u.kind = 'shadow')
"""

# Another event may be created under the same URI later, and these records would then refer to it.
_FORGET_RECORDS = """
    update attendances set record_uri = null
     where record_uri is not null and event_id in (select given.id from each(id text) as given)
"""


async def erase_rsvps_to(tx: Transaction, event_ids: Sequence[EventId]) -> None:
    """Delete the RSVPs of people without an account to events that are about to be erased. People with an account keep
    theirs, without a record; whether their records stay published is decided again.
    """
    rows = [{"id": event_id} for event_id in sorted(event_ids)]
    # ``execute_each`` takes no subselects.
    await fetch_each(tx, _FORGET_PEOPLE_WITHOUT_ACCOUNT, rows)
    await fetch_each(tx, _FORGET_RECORDS, rows)
    for start in range(0, len(rows), IDS_PER_STATEMENT):
        await make_rsvp_records_due(tx, sorted(event_ids)[start : start + IDS_PER_STATEMENT])

"""Decide and save a person's reply to an event. Callers hold the lock on the event row and have checked that the person can reply."""

from collections.abc import Sequence

from groundwork.database.bulk import SqlWrite
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import queries, rules, save_rsvp
from openmeet.domain.attendance.model import Attendance
from openmeet.domain.attendance.notify import host_notification_writes, notify_hosts
from openmeet.domain.attendance.response_details import ResponseDetails
from openmeet.domain.attendance.rules import EventRelationship, RsvpDecision
from openmeet.domain.attendance.save_rsvp import LockedEvent, RsvpChange
from openmeet.domain.attendance.transitions import AttendanceAction


async def decide(
    tx: Transaction,
    locked: LockedEvent,
    action: AttendanceAction,
    relationship: EventRelationship,
    details: ResponseDetails,
) -> tuple[Attendance | None, RsvpDecision]:
    """Return the caller's current RSVP and the decision about the reply. Raises Refused if there is not enough room."""
    event, mine, registration_settings = locked.event, locked.mine, locked.registration_settings
    has_room = action is AttendanceAction.GOING and await save_rsvp.expire_offers_and_check_room(
        tx, event, registration_settings, mine, details, known=locked.seats
    )
    # If offers have just expired, this RSVP may have moved, either off the waitlist or to its head.
    mine = await queries.by_id(tx, mine.id) if mine is not None and locked.seats.has_expired_offers else mine
    decided = rules.decide(
        event, registration_settings, mine, action, relationship=relationship, has_room=has_room, now=tx.now
    )
    save_rsvp.require_room_for_change(mine, decided, details, has_room=has_room, now=tx.now)
    return mine, decided


async def save(
    tx: Transaction,
    locked: LockedEvent,
    change: RsvpChange,
    *,
    notifies_hosts: bool,
    extra_writes: Sequence[SqlWrite],
) -> Attendance:
    """Save the caller's reply, enqueue its record and notify the hosts if the status changed."""
    event, mine, person, status = change.event, change.mine, change.user_id, change.decided.status
    notifies = notifies_hosts and event.author_id != person and (mine is None or mine.status is not status)
    notification_writes = await host_notification_writes(tx, event, locked.hosts, person, status) if notifies else ()
    saved = await save_rsvp.save_decision(
        tx,
        change,
        enqueues_new_record=True,
        has_webhooks=locked.has_webhooks,
        last_number=locked.seats.last_number,
        extra_writes=[*(notification_writes or ()), *extra_writes],
    )
    if mine is not None and (
        mine.status is not saved.status
        or mine.is_private is not saved.is_private
        or mine.skips_record is not saved.skips_record
    ):
        await save_rsvp.enqueue_record(tx, saved)
    if notification_writes is None:  # needs more than one statement, see ``host_notification_writes``
        await notify_hosts(tx, event, locked.hosts, person, saved.status)
    return saved

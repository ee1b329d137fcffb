"""Decide and save a person's reply to an event. Callers hold the lock on the event row and have checked that the person can reply."""

from collections.abc import Sequence

from groundwork.database.bulk import SqlWrite
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import queries, rules, save_rsvp
from openmeet.domain.attendance.model import Attendance
from openmeet.domain.attendance.notify import host_notification_writes, notify_hosts
from openmeet.domain.attendance.rsvp_details import RsvpDetails
from openmeet.domain.attendance.rules import EventRelationship, RsvpDecision
from openmeet.domain.attendance.save_rsvp import LockedEvent, RsvpChange
from openmeet.domain.attendance.transitions import AttendanceAction


async def decide(
    tx: Transaction,
    locked: LockedEvent,
    action: AttendanceAction,
    relationship: EventRelationship,
    details: RsvpDetails,
) -> tuple[Attendance | None, RsvpDecision]:
    """Return the caller's current RSVP and the decision about the reply. Raises Refused if there is not enough room."""
    event, rsvp, registration_settings = locked.event, locked.rsvp, locked.registration_settings
    has_room = action is AttendanceAction.GOING and await save_rsvp.expire_offers_and_check_room(
        tx, event, registration_settings, rsvp, details, usage=locked.seats
    )
    # If offers have just expired, this RSVP may have moved, either off the waitlist or to its head.
    rsvp = await queries.by_id(tx, rsvp.id) if rsvp is not None and locked.seats.has_expired_offers else rsvp
    decision = rules.decide(
        event, registration_settings, rsvp, action, relationship=relationship, has_room=has_room, now=tx.now
    )
    save_rsvp.require_room_for_change(rsvp, decision, details, has_room=has_room, now=tx.now)
    return rsvp, decision


async def save(
    tx: Transaction,
    locked: LockedEvent,
    change: RsvpChange,
    *,
    notifies_hosts: bool,
    extra_writes: Sequence[SqlWrite],
) -> Attendance:
    """Save the caller's reply, enqueue its record and notify the hosts if the status changed."""
    event, before, person, status = change.event, change.before, change.user_id, change.decision.status
    notifies = notifies_hosts and event.author_id != person and (before is None or before.status is not status)
    notification_writes = await host_notification_writes(tx, event, locked.hosts, person, status) if notifies else ()
    saved = await save_rsvp.save_decision(
        tx,
        change,
        enqueues_new_record=True,
        has_webhooks=locked.has_webhooks,
        last_number=locked.seats.last_number,
        extra_writes=[*(notification_writes or ()), *extra_writes],
    )
    if before is not None and (
        before.status is not saved.status
        or before.is_private is not saved.is_private
        or before.skips_record is not saved.skips_record
    ):
        await save_rsvp.enqueue_record(tx, saved)
    if notification_writes is None:  # needs more than one statement, see ``host_notification_writes``
        await notify_hosts(tx, event, locked.hosts, person, saved.status)
    return saved

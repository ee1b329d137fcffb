"""Reply to an event: whether the reply is accepted, the decision and its effects. The event row is locked first, because
seats are counted.
"""

from collections.abc import Sequence
from dataclasses import replace

from groundwork.database.bulk import SqlWrite
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import NotFound, Refused
from openmeet.domain.attendance import locked_event, queries, rsvp_changes, rules, seats, waitlist
from openmeet.domain.attendance.calendar_entries import calendar_email_writes
from openmeet.domain.attendance.locked_event import LockedEvent
from openmeet.domain.attendance.model import (
    ALL_NOTIFICATIONS,
    NO_REPLY_DETAILS,
    Attendance,
    ChangeChannel,
    ReplyDetails,
    ReplyNotifications,
    RsvpReply,
    RsvpSource,
)
from openmeet.domain.attendance.notify import host_notification_writes, hosts_of, notify_hosts
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.attendance.rsvp_changes import RsvpChange
from openmeet.domain.attendance.rsvp_details import RsvpDetails, merge_details
from openmeet.domain.attendance.rules import EventRelationship, RsvpDecision
from openmeet.domain.attendance.transitions import ACTION_OF_REPLY, AttendanceAction
from openmeet.domain.events.event_access import may_see
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.groups.model import INSIDE
from openmeet.domain.groups.queries import role_in
from openmeet.domain.users.model import Caller, User, UserId, UserKind
from openmeet.domain.validation import GeneralReason


async def answer(
    tx: Transaction,
    caller: Caller,
    slug: EventSlug,
    reply: RsvpReply,
    reply_details: ReplyDetails = NO_REPLY_DETAILS,
    *,
    through: ChangeChannel = ChangeChannel.PAGE,
    notifications: ReplyNotifications = ALL_NOTIFICATIONS,
    is_standing_rsvp: bool = False,
) -> Attendance:
    """Record the caller's reply, notify the hosts and enqueue the caller's RSVP record.

    If the event is full, the caller joins the end of the waitlist; if they were offered a place, they take it.
    Repeating a reply changes nothing, unless the event was moved since: then it confirms the new time. Declining is
    possible until the event is removed. ``is_standing_rsvp`` is as in ``rules.require_open``.

    Raises NotFound (no such event, or not visible to the caller), Refused (cancelled, over, closed, removed, no place
    for more people, or not possible for this person: blocked, rejected, checked in, not a member) and InvalidForm (a
    registration field is missing or invalid).
    """
    locked = await locked_event.lock_by_slug(tx, slug, caller.user_id)
    if locked is None:
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    event, event_registration = locked.event, locked.event_registration
    action = ACTION_OF_REPLY[reply]
    relationship = await _require_may_reply(tx, caller, locked, action, is_standing_rsvp=is_standing_rsvp)
    previous = locked.rsvp or await _latest_rsvp_in_series(tx, event_registration, caller)
    is_going = action is AttendanceAction.GOING
    has_seats = locked.rsvp is not None and locked.rsvp.is_seated
    details = merge_details(event_registration, previous, reply_details, is_going=is_going, has_seats=has_seats)
    rsvp, decision = await _end_expired_offers_and_decide(tx, locked, action, relationship, details)
    if rsvp is not None and not rsvp_changes.is_changed(event, rsvp, decision, details):
        return rsvp
    change = RsvpChange(
        event,
        caller.user_id,
        rsvp,
        decision,
        details,
        source=RsvpSource.HERE,
        through=through,
        actor_id=caller.user_id,
        answered_at=tx.now if rsvp is None or rules.changes_status(rsvp, decision) else rsvp.answered_at,
        knows_start=True,
    )
    saved = await _save(
        tx,
        locked,
        change,
        notifies_hosts=notifications.hosts,
        extra_writes=calendar_email_writes(tx, event, caller, rsvp, decision) if notifications.calendar_email else (),
    )
    if rsvp_changes.may_move_waitlist(rsvp, saved):
        await waitlist.fill_seats(tx, event_registration)
        return await queries.by_id(tx, saved.id) or saved
    return saved


async def relationship_of(
    reader: Reader, event_registration: EventRegistration, user_id: UserId | None
) -> EventRelationship:
    """Return how a user with a local account relates to the event. ``user_id`` is None if nobody is signed in."""
    if user_id is None:
        return EventRelationship()
    return EventRelationship(
        is_host=user_id in await hosts_of(reader, event_registration.event),
        is_member=await _membership_if_needed(reader, event_registration, user_id),
    )


async def relationship_of_record_author(reader: Reader, locked: LockedEvent, user: User) -> EventRelationship:
    """Return how the author of an RSVP record relates to the event, with or without a local account."""
    is_shadow = user.kind is UserKind.SHADOW
    is_looked_up = is_shadow or locked.event_registration.settings.is_members_only
    is_in_group = await is_member(reader, locked.event, user.id) if is_looked_up else None
    return EventRelationship(
        is_host=user.id in locked.hosts, is_member=is_in_group, is_foreign=is_shadow and not is_in_group
    )


async def _membership_if_needed(reader: Reader, event_registration: EventRegistration, user_id: UserId) -> bool | None:
    """Whether the person is in the group; None if the event is open to others, so that this does not matter."""
    if not event_registration.settings.is_members_only:
        return None
    return await is_member(reader, event_registration.event, user_id)


async def is_member(reader: Reader, event: Event, user_id: UserId) -> bool:
    """Whether the person is in the event's group."""
    return event.group is not None and await role_in(reader, event.group.id, user_id) in INSIDE


async def _require_may_reply(
    tx: Transaction, caller: Caller, locked: LockedEvent, action: AttendanceAction, *, is_standing_rsvp: bool
) -> EventRelationship:
    """Check that the caller can reply, and return their relationship to the event. Raises NotFound, Refused."""
    event, rsvp = locked.event, locked.rsvp
    # A person with an RSVP can always decline, even if they can no longer see the event.
    is_declining = action is AttendanceAction.DECLINE and rules.rsvp_gives_access(rsvp)
    # Events are hidden by moderators only for a time, and a standing RSVP is applied only once.
    seen = replace(event, is_hidden=False) if is_standing_rsvp else event
    if not is_declining and not await may_see(tx, seen, caller.user_id, has_rsvp_access=rules.rsvp_gives_access(rsvp)):
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    if event.is_gone:
        raise Refused(AttendanceReason.EVENT_REMOVED, name="EventRemoved")
    if locked.is_unwelcome and action is not AttendanceAction.DECLINE:
        raise Refused(AttendanceReason.NOT_WELCOME, name="NotWelcome")
    relationship = EventRelationship(
        is_host=caller.user_id in locked.hosts,
        is_member=await _membership_if_needed(tx, locked.event_registration, caller.user_id),
    )
    rules.require_open(locked.event_registration, rsvp, action, relationship, tx.now, is_standing_rsvp=is_standing_rsvp)
    return relationship


async def _latest_rsvp_in_series(
    reader: Reader, event_registration: EventRegistration, caller: Caller
) -> Attendance | None:
    """The caller's most recent RSVP with "going" to any date of the series. Their first reply to another date keeps its
    details, with the party reduced to what this event allows.
    """
    position = event_registration.event.position_in_series
    if position is None:
        return None
    attendance = await queries.latest_in_series(reader, position.series_id, caller.user_id)
    if attendance is None:
        return None
    most = seats.largest_party(seats.limits_of(event_registration), attendance.mode)
    return replace(
        attendance, party=min(attendance.party, event_registration.settings.max_party, most or attendance.party)
    )


async def _end_expired_offers_and_decide(
    tx: Transaction,
    locked: LockedEvent,
    action: AttendanceAction,
    relationship: EventRelationship,
    details: RsvpDetails,
) -> tuple[Attendance | None, RsvpDecision]:
    """Return the caller's current RSVP and the decision about the reply. If the reply asks for seats, expired offers end
    first, which may change the RSVP. Raises Refused if there is not enough room.
    """
    event_registration, rsvp, has_room = locked.event_registration, locked.rsvp, False
    if action is AttendanceAction.GOING:
        rsvp, has_room = await rsvp_changes.end_expired_offers_and_check_room(
            tx, event_registration, rsvp, details, usage=locked.seats
        )
    decision = rules.decide(
        event_registration, rsvp, action, relationship=relationship, has_room=has_room, asked_at=tx.now
    )
    rsvp_changes.require_room_for_change(rsvp, decision, details, has_room=has_room, now=tx.now)
    return rsvp, decision


async def _save(
    tx: Transaction, locked: LockedEvent, change: RsvpChange, *, notifies_hosts: bool, extra_writes: Sequence[SqlWrite]
) -> Attendance:
    """Save the caller's reply, and enqueue its record if that changes. Notify the hosts if the status changes."""
    event, before, person, status = change.event, change.before, change.user_id, change.decision.status
    changes_status = rules.changes_status(before, change.decision)
    notifies = notifies_hosts and event.author_id != person and changes_status
    notification_writes = await host_notification_writes(tx, event, locked.hosts, person, status) if notifies else ()
    changes_record = before is None or (
        changes_status
        or before.is_private is not change.details.is_private
        or before.skips_record is not change.details.skips_record
    )
    saved = await rsvp_changes.save_decision(
        tx,
        change,
        enqueues_record=changes_record,
        has_webhooks=locked.has_webhooks,
        last_waitlist_number=locked.seats.last_waitlist_number,
        extra_writes=[*(notification_writes or ()), *extra_writes],
    )
    if notification_writes is None:  # not possible in one batch, see ``host_notification_writes``
        await notify_hosts(tx, event, locked.hosts, person, saved.status)
    return saved

"""Reply to an event: whether the reply is accepted, the decision and its effects. The event row is locked first, because
seats are counted.
"""

from collections.abc import Sequence
from dataclasses import replace

from groundwork.database.bulk import SqlWrite
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import NotFound, Refused
from openmeet.domain.attendance import queries, rules, save_rsvp, seats, waitlist
from openmeet.domain.attendance.calendar_entries import calendar_email_writes
from openmeet.domain.attendance.model import (
    NO_REPLY_DETAILS,
    Attendance,
    ChangeChannel,
    ReplyDetails,
    RsvpReply,
    RsvpSource,
)
from openmeet.domain.attendance.notify import host_notification_writes, hosts_of, notify_hosts
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import EventWithSettings
from openmeet.domain.attendance.rsvp_details import RsvpDetails, merge_details
from openmeet.domain.attendance.rules import EventRelationship, RsvpDecision
from openmeet.domain.attendance.save_rsvp import LockedEvent, RsvpChange
from openmeet.domain.attendance.transitions import ACTION_OF_REPLY, AttendanceAction
from openmeet.domain.events.event_access import may_see
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.groups.model import INSIDE
from openmeet.domain.groups.queries import role_in
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.validation import GeneralReason


async def answer(
    tx: Transaction,
    caller: Caller,
    slug: EventSlug,
    reply: RsvpReply,
    reply_details: ReplyDetails = NO_REPLY_DETAILS,
    *,
    through: ChangeChannel = ChangeChannel.PAGE,
    notifies_hosts: bool = True,
    sends_calendar_email: bool = True,
) -> Attendance:
    """Record the caller's reply, notify the hosts and enqueue the caller's RSVP record.

    If the event is full, the caller joins the end of the waitlist; if they were offered a place, they take it.
    Repeating a reply changes nothing, unless the event was moved since: then it confirms the new time. Withdrawing is
    always possible.

    ``notifies_hosts`` is False for a reply that the hosts already know about, ``sends_calendar_email`` for one of many
    replies at once and for one that another e-mail confirms.

    Raises NotFound (no such event, or not visible to the caller), Refused (cancelled, over, closed, removed, no place
    for more people) and InvalidForm (a registration field is missing or invalid).
    """
    locked = await save_rsvp.lock_for_reply(tx, slug, caller.user_id)
    if locked is None:
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    event, with_settings = locked.event, locked.with_settings
    action = ACTION_OF_REPLY[reply]
    relationship = await _require_may_reply(tx, caller, locked, action)
    previous = locked.rsvp or await _rsvp_to_last_date(tx, with_settings, caller)
    is_going = action is AttendanceAction.GOING
    details = merge_details(with_settings, previous, reply_details, is_going=is_going)
    rsvp, decision = await _decide(tx, locked, action, relationship, details)
    if rsvp is not None and not save_rsvp.is_changed(event, rsvp, decision, details):
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
        answered_at=rsvp.answered_at if rsvp and rsvp.status is decision.status else tx.now,
        is_reply=True,
    )
    saved = await _save(
        tx,
        locked,
        change,
        notifies_hosts=notifies_hosts,
        extra_writes=calendar_email_writes(tx, event, caller, rsvp, decision) if sends_calendar_email else (),
    )
    if save_rsvp.may_move_waitlist(rsvp, saved):
        await waitlist.fill(tx, with_settings)
        return await queries.by_id(tx, saved.id) or saved
    return saved


async def relationship_of(
    reader: Reader, with_settings: EventWithSettings, user_id: UserId | None
) -> EventRelationship:
    """Return how a user with a local account relates to the event. ``user_id`` is None if nobody is signed in."""
    if user_id is None:
        return EventRelationship()
    return EventRelationship(
        is_host=user_id in await hosts_of(reader, with_settings.event),
        is_member=with_settings.settings.is_members_only and await is_member(reader, with_settings.event, user_id),
    )


async def is_member(reader: Reader, event: Event, user_id: UserId) -> bool:
    """Whether the person is in the event's group."""
    return event.group is not None and await role_in(reader, event.group.id, user_id) in INSIDE


async def _require_may_reply(
    tx: Transaction, caller: Caller, locked: LockedEvent, action: AttendanceAction
) -> EventRelationship:
    """Check that the caller can reply, and return their relationship to the event. Raises NotFound, Refused."""
    event, rsvp = locked.event, locked.rsvp
    # A person can always withdraw an existing RSVP, even if they can no longer see the event.
    is_withdrawing = action is AttendanceAction.DECLINE and rules.rsvp_gives_access(rsvp)
    if not is_withdrawing and not await may_see(
        tx, event, caller.user_id, has_rsvp_access=rules.rsvp_gives_access(rsvp)
    ):
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    if event.is_gone:
        raise Refused(AttendanceReason.EVENT_REMOVED, name="EventRemoved")
    if locked.is_unwelcome and action is not AttendanceAction.DECLINE:
        raise Refused(AttendanceReason.NOT_WELCOME, name="NotWelcome")
    relationship = EventRelationship(
        is_host=caller.user_id in locked.hosts,
        is_member=locked.with_settings.settings.is_members_only and await is_member(tx, event, caller.user_id),
    )
    rules.require_open(locked.with_settings, rsvp, action, relationship, tx.now)
    return relationship


async def _rsvp_to_last_date(reader: Reader, with_settings: EventWithSettings, caller: Caller) -> Attendance | None:
    """The caller's most recent RSVP in the same series, whose details a first reply to the next date keeps."""
    place = with_settings.event.place_in_series
    if place is None:
        return None
    attendance = await queries.latest_in_series(reader, place.series_id, caller.user_id)
    if attendance is None:
        return None
    most = seats.largest_party(seats.limits_of(with_settings), attendance.mode)
    return replace(attendance, party=min(attendance.party, with_settings.settings.max_party, most or attendance.party))


async def _decide(
    tx: Transaction,
    locked: LockedEvent,
    action: AttendanceAction,
    relationship: EventRelationship,
    details: RsvpDetails,
) -> tuple[Attendance | None, RsvpDecision]:
    """Return the caller's current RSVP and the decision about the reply. Raises Refused if there is not enough room."""
    with_settings, rsvp = locked.with_settings, locked.rsvp
    has_room = action is AttendanceAction.GOING and await save_rsvp.expire_offers_and_check_room(
        tx, with_settings, rsvp, details, usage=locked.seats
    )
    # If offers have just expired, this RSVP may have moved, either off the waitlist or to its head.
    rsvp = await queries.by_id(tx, rsvp.id) if rsvp is not None and locked.seats.has_expired_offers else rsvp
    decision = rules.decide(with_settings, rsvp, action, relationship=relationship, has_room=has_room, now=tx.now)
    save_rsvp.require_room_for_change(rsvp, decision, details, has_room=has_room, now=tx.now)
    return rsvp, decision


async def _save(
    tx: Transaction, locked: LockedEvent, change: RsvpChange, *, notifies_hosts: bool, extra_writes: Sequence[SqlWrite]
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

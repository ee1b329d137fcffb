"""RSVP actions: answer, withdraw, apply RSVP records, free seats. Functions that count seats lock the event row first."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction, TransactionConflict
from groundwork.errors import NotFound, Refused
from openmeet.domain.attendance import notify, queries, registration, replies, rules, save_rsvp, waitlist
from openmeet.domain.attendance.audience import ATTENDEES, EventNotice
from openmeet.domain.attendance.model import (
    NO_REPLY_DETAILS,
    Attendance,
    AttendanceId,
    AttendanceStatus,
    ChangeChannel,
    ReplyDetails,
    RsvpRecordStatus,
    RsvpReply,
    RsvpSource,
)
from openmeet.domain.attendance.notify import (
    change_payload,
    earlier_start,
    hosts_of,
    notify_hosts,
    notify_of_foreign,
)
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import ForeignAnswers, RegistrationSettings
from openmeet.domain.attendance.rsvp_details import RsvpDetails, merge_details
from openmeet.domain.attendance.rules import EventRelationship
from openmeet.domain.attendance.save_rsvp import LockedEvent, RsvpChange
from openmeet.domain.attendance.transitions import (
    ACTION_OF_RECORD,
    ACTION_OF_REPLY,
    AttendanceAction,
)
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.events.seeing import may_answer_from_network, may_see
from openmeet.domain.groups.model import INSIDE
from openmeet.domain.groups.queries import role_in
from openmeet.domain.notifications import fan_out
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.kinds import DatesChanged, NotificationKind
from openmeet.domain.users.model import Caller, User, UserId, UserKind
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.outbox import publications

# Returns whether an RSVP record (by URI) counts and refers to an event record (by URI). Passed in as an argument
# because records belong to the network package.
RefersToEvent = Callable[[Reader, str, str | None], Awaitable[bool]]


async def answer(
    tx: Transaction,
    caller: Caller,
    slug: EventSlug,
    reply: RsvpReply,
    reply_details: ReplyDetails = NO_REPLY_DETAILS,
    *,
    through: ChangeChannel = ChangeChannel.PAGE,
    notifies_hosts: bool = True,
    is_single: bool = True,
) -> Attendance:
    """Record the caller's reply, notify the hosts and enqueue the caller's RSVP record.

    If the event is full, the caller joins the end of the waitlist; if they were offered a place, they take it.
    Repeating a reply changes nothing, unless the event was moved since: then it confirms the new time. Withdrawing is
    always possible.

    ``notifies_hosts`` is False for a reply that the hosts already know about. ``is_single`` is False if this is one of
    many replies at once or another e-mail covers it; then no calendar e-mail is sent.

    Raises NotFound (no such event, or not visible to the caller), Refused (cancelled, over, closed, removed, no place
    for more people) and InvalidForm (a registration field is missing or invalid).
    """
    locked = await save_rsvp.lock_for_reply(tx, slug, caller.user_id)
    if locked is None:
        raise NotFound(AttendanceReason.NO_SUCH_EVENT)
    event, registration_settings = locked.event, locked.registration_settings
    action = ACTION_OF_REPLY[reply]
    relationship = await _require_may_reply(tx, caller, locked, action)
    previous = locked.rsvp or await _rsvp_to_last_date(tx, event, registration_settings, caller)
    is_going = action is AttendanceAction.GOING
    details = merge_details(event, registration_settings, previous, reply_details, is_going=is_going)
    rsvp, decision = await replies.decide(tx, locked, action, relationship, details)
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
    saved = await replies.save(
        tx,
        locked,
        change,
        notifies_hosts=notifies_hosts,
        extra_writes=notify.calendar_email(tx, event, caller, rsvp, decision) if is_single else (),
    )
    if save_rsvp.may_move_waitlist(rsvp, saved):
        await waitlist.fill(tx, event, registration_settings)
        return await queries.by_id(tx, saved.id) or saved
    return saved


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
        raise NotFound(AttendanceReason.NO_SUCH_EVENT)
    if event.is_gone:
        raise Refused(AttendanceReason.EVENT_REMOVED, name="EventRemoved")
    if locked.is_unwelcome and action is not AttendanceAction.DECLINE:
        raise Refused(AttendanceReason.NOT_WELCOME, name="NotWelcome")
    relationship = EventRelationship(
        is_host=caller.user_id in locked.hosts,
        is_member=await is_member(tx, event, locked.registration_settings, caller.user_id),
    )
    rules.require_open(event, locked.registration_settings, rsvp, action, relationship, tx.now)
    return relationship


async def apply_from_network(
    tx: Transaction,
    *,
    event_id: EventId,
    user_id: UserId,
    record_uri: str,
    answer: RsvpRecordStatus,
    first_seen: Instant,
) -> Attendance | None:
    """Apply a person's RSVP record without enqueueing a new one. ``first_seen`` is when the record was first seen;
    RSVPs are ordered by it.

    Returns None and applies nothing if the person could not see the event without the RSVP: an RSVP lets its person see
    a private event, and anyone can write a record (invariant 3). There is one decision per person and event, so a
    repeated message neither takes a seat away nor assigns a second one.
    """
    locked = await save_rsvp.lock_for_record(tx, event_id, user_id)
    user = await user_by_id(tx, user_id)
    if locked is None:
        raise NotFound(AttendanceReason.NO_SUCH_EVENT)
    if user is None:
        raise TransactionConflict("this person was joined with another row of theirs")
    event, rsvp, registration_settings = locked.event, locked.rsvp, locked.registration_settings
    if not rules.rsvp_gives_access(rsvp) and not await may_answer_from_network(tx, event, user_id):
        return None
    # A person whom the host or a moderator has blocked can still write a record. The record is applied as "not going".
    action = AttendanceAction.NETWORK_NOT_GOING if locked.is_unwelcome else ACTION_OF_RECORD[answer]
    relationship = await _relationship_of_record_author(tx, locked, user)
    details = replace(save_rsvp.stored_details(rsvp), mode=save_rsvp.mode_for_record_reply(event, rsvp))
    if rsvp is None or rsvp.record_uri != record_uri:
        await queries.detach_records(tx, {record_uri})
    has_room = await _has_room_for_record(tx, locked, action, relationship, details)
    if rsvp is not None and locked.seats.has_expired_offers:
        rsvp = await queries.by_id(tx, rsvp.id)
    decision = rules.decide(
        event, registration_settings, rsvp, action, relationship=relationship, has_room=has_room, now=tx.now
    )
    saved = rsvp
    if saved is None or (saved.status, saved.pending_for) != (decision.status, decision.pending_for):
        change = RsvpChange(
            event,
            user_id,
            rsvp,
            decision,
            details,
            source=RsvpSource.NETWORK,
            through=ChangeChannel.NETWORK,
            actor_id=None,
            answered_at=first_seen,
            is_reply=True,
            record_uri=record_uri,
        )
        saved = await _save_change_by_record(tx, locked, change, user, relationship)
    if saved.record_uri != record_uri:
        await queries.set_record(tx, saved.id, record_uri)
    if save_rsvp.may_move_waitlist(rsvp, saved):
        await waitlist.fill(tx, event, registration_settings)
    return saved


async def _relationship_of_record_author(tx: Transaction, locked: LockedEvent, user: User) -> EventRelationship:
    """Return how the author of an RSVP record relates to the event, with or without a local account."""
    is_shadow = user.kind is UserKind.SHADOW
    is_in_group = await is_member(tx, locked.event, locked.registration_settings, user.id, always=is_shadow)
    return EventRelationship(
        is_host=user.id in locked.hosts, is_member=is_in_group, is_foreign=is_shadow and not is_in_group
    )


def _is_uncounted(locked: LockedEvent, relationship: EventRelationship) -> bool:
    """Whether the host's settings for foreign RSVPs say that this person's RSVP takes no seat by itself."""
    policy = locked.registration_settings.foreign_on(locked.event)
    return relationship.is_foreign and policy is not ForeignAnswers.COUNT


async def _has_room_for_record(
    tx: Transaction,
    locked: LockedEvent,
    action: AttendanceAction,
    relationship: EventRelationship,
    details: RsvpDetails,
) -> bool:
    """Whether the RSVP record asks for seats and there are enough for the whole party.

    There can be very many foreign RSVPs. RSVPs that are kept apart take no seat, so seats are not counted for them.
    """
    is_kept_apart = _is_uncounted(locked, relationship) and not rules.needs_no_approval(locked.rsvp, relationship)
    if is_kept_apart or not rules.record_asks_for_seat(action, locked.rsvp):
        return False
    return await save_rsvp.expire_offers_and_check_room(
        tx, locked.event, locked.registration_settings, locked.rsvp, details, usage=locked.seats
    )


async def _save_change_by_record(
    tx: Transaction, locked: LockedEvent, change: RsvpChange, user: User, relationship: EventRelationship
) -> Attendance:
    """Save the change that an RSVP record made, and notify the hosts."""
    event = change.event
    # A person without a local account never got a calendar e-mail.
    email_writes = (
        ()
        if user.kind is UserKind.SHADOW
        else notify.calendar_end_email(tx, event, user.id, change.before, change.decision)
    )
    saved = await save_rsvp.save_decision(tx, change, extra_writes=email_writes)
    if _is_uncounted(locked, relationship) and saved.status is AttendanceStatus.PENDING:
        await notify_of_foreign(tx, event)
    elif event.author_id != user.id:
        await notify_hosts(tx, event, locked.hosts, user.id, saved.status)
    return saved


async def restore_reply(
    tx: Transaction, attendance_id: AttendanceId, status: AttendanceStatus, *, answered_at: Instant
) -> int:
    """Restore a reply that was given on this site at ``answered_at`` and has been replaced since. Enqueue its record
    and return its revision.

    Other people may have taken the seats in the meantime, so "going" takes a seat only if one is free. The deadline is
    compared with ``answered_at``. Raises NotFound.
    """
    event, rsvp = await _lock_event_of(tx, attendance_id)
    if event is None or rsvp is None:
        raise NotFound(AttendanceReason.NO_SUCH_ANSWER)
    registration_settings = await registration.of_event(tx, event)
    action, details = ACTION_OF_RECORD[rules.record_status_of(status)], save_rsvp.stored_details(rsvp)
    has_room = action is AttendanceAction.NETWORK_GOING and await save_rsvp.expire_offers_and_check_room(
        tx, event, registration_settings, rsvp, details
    )
    rsvp = await queries.by_id(tx, attendance_id) or rsvp
    decision = rules.decide(
        event,
        registration_settings,
        rsvp,
        action,
        relationship=await relationship_of(tx, event, registration_settings, rsvp.user_id),
        has_room=has_room,
        now=answered_at,
    )
    saved = await save_rsvp.save_decision(
        tx,
        RsvpChange(
            event,
            rsvp.user_id,
            rsvp,
            decision,
            details,
            source=RsvpSource.HERE,
            through=ChangeChannel.NETWORK,
            actor_id=None,
            answered_at=answered_at,
        ),
    )
    await save_rsvp.enqueue_record(tx, saved, edited_at=answered_at)
    if save_rsvp.may_move_waitlist(rsvp, saved):
        await waitlist.fill(tx, event, registration_settings)
    return saved.revision


async def withdraw_after_late_deletion(tx: Transaction, attendance_id: AttendanceId) -> None:
    """Withdraw an RSVP whose record was deleted after the reply was given. The deletion has become known only now."""
    event, rsvp = await _lock_event_of(tx, attendance_id)
    if event is not None and rsvp is not None:
        await _record_deleted(tx, event, rsvp)


async def _lock_event_of(tx: Transaction, attendance_id: AttendanceId) -> tuple[Event | None, Attendance | None]:
    """Lock the event of this RSVP, then read the RSVP again, because it may have changed before the lock."""
    unlocked = await queries.by_id(tx, attendance_id)
    event = await lock_for_update(tx, unlocked.event_id) if unlocked else None
    return event, await queries.by_id(tx, attendance_id)


async def withdraw_from_network(tx: Transaction, *, record_uri: str) -> AttendanceId | None:
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
    await _record_deleted(tx, event, rsvp)
    return rsvp.id


async def erase_from(tx: Transaction, did: str) -> None:
    """Erase the RSVPs that are known only from a repository that was deleted with its account, and free their seats.

    People with a local account keep the RSVPs they gave on this site.
    """
    for one in await queries.erasable(tx, did):
        event = await lock_for_update(tx, one.event_id)
        user = await user_by_id(tx, one.user_id)
        if event is None or user is None:
            continue
        if user.kind is UserKind.SHADOW:
            await queries.delete(tx, one.id)
            await waitlist.fill(tx, event, await registration.of_event(tx, event))
        else:
            await queries.set_record(tx, one.id, None)
            if one.source is not RsvpSource.HERE:
                await _record_deleted(tx, event, one)


async def _record_deleted(tx: Transaction, event: Event, rsvp: Attendance) -> None:
    """Change the status of an RSVP whose record no longer exists."""
    decision = rules.without_record(rsvp)
    if decision.status is rsvp.status:
        return
    user = await user_by_id(tx, rsvp.user_id)
    is_stranger = user is None or user.kind is UserKind.SHADOW
    saved = await save_rsvp.save_decision(
        tx,
        RsvpChange(
            event,
            rsvp.user_id,
            rsvp,
            decision,
            save_rsvp.stored_details(rsvp),
            source=RsvpSource.NETWORK,
            through=ChangeChannel.NETWORK,
            actor_id=None,
            answered_at=tx.now,
        ),
        extra_writes=() if is_stranger else notify.calendar_end_email(tx, event, rsvp.user_id, rsvp, decision),
    )
    if save_rsvp.may_move_waitlist(rsvp, saved):
        await waitlist.fill(tx, event, await registration.of_event(tx, event))


async def announce_change(
    tx: Transaction, event: Event, kind: NotificationKind[DatesChanged], *, by: UserId, before: Event | None = None
) -> None:
    """Notify everyone affected by a change of the event, co-hosts included, and fill seats that became free.

    ``by`` is the person who made the change; they are not notified. ``before`` is the event before the change; it
    provides the old times of an event that was moved.
    """
    about, starts_at = change_payload(before, event), earlier_start(before, event)
    hosts = [user_id for user_id in await hosts_of(tx, event) if user_id != by]
    await notifications.notify(tx, kind, event.id, hosts, about, revision=event.revision, starts_at=starts_at)
    notice = EventNotice(kind.name, event.revision, about, by, starts_at)
    await fan_out.start(tx, ATTENDEES, event, notice)
    await waitlist.fill(tx, event, await registration.of_event(tx, event))


async def fill_freed_seats(tx: Transaction, changed: Sequence[tuple[Event, Event]]) -> None:
    """Fill the seats that became free when dates of a series changed. The dates are locked. ``changed`` has pairs of
    (before, after).
    """
    freed = [
        after
        for before, after in changed
        if (before.content.capacity, before.status, before.is_gone)
        != (after.content.capacity, after.status, after.is_gone)
    ]
    await waitlist.fill_several(tx, freed)


async def restore_rsvps_of(tx: Transaction, events: Sequence[Event]) -> None:
    """Enqueue the RSVP records of restored events and fill free seats. The events are locked."""
    await recheck_rsvp_records(tx, [event.id for event in events])
    await waitlist.fill_several(tx, events)


async def recheck_rsvp_records(tx: Transaction, event_ids: Sequence[EventId]) -> None:
    """Recheck the RSVP records of events whose own record, audience or existence changed. Whether each is published is
    decided when its job is leased.
    """
    if event_ids:
        rsvps_of_events = "select id from attendances where event_id in :event_ids"
        kind = publications.PublicationKind.RSVP
        await publications.recheck_where(tx, kind=kind, subselect=rsvps_of_events, event_ids=list(event_ids))


async def store_record_uri(
    tx: Transaction, attendance_id: AttendanceId, *, uri: str, about: str | None, refers_to_event: RefersToEvent
) -> None:
    """Store the URI of the RSVP record. ``about`` is the URI of the event record it refers to.

    The publication is enqueued again if the event has another record by now or is no longer public.
    """
    rsvp = await queries.by_id(tx, attendance_id)
    if rsvp is not None and not await _has_other_effective_record(tx, rsvp, uri, about, refers_to_event):
        await queries.detach_records(tx, {uri})
        await queries.set_record(tx, attendance_id, uri)
    event = None if rsvp is None else await event_by_id(tx, rsvp.event_id)
    if event is not None and (
        event.record_uri != about or event.deleted_at is not None or not rules.are_rsvps_publishable(event)
    ):
        await publications.recheck(tx, kind=publications.PublicationKind.RSVP, subject_ids=[attendance_id])


async def _has_other_effective_record(
    reader: Reader, rsvp: Attendance, uri: str, about: str | None, refers_to_event: RefersToEvent
) -> bool:
    """Whether the RSVP came from another record by the same person about the same event record, and that record still
    counts. Only that person may delete it.
    """
    if rsvp.source is not RsvpSource.NETWORK or rsvp.record_uri is None or rsvp.record_uri == uri:
        return False
    return await refers_to_event(reader, rsvp.record_uri, about)


async def forget_record(tx: Transaction, attendance_id: AttendanceId) -> None:
    """Clear the record URI because the RSVP no longer has a record."""
    await queries.set_record(tx, attendance_id, None)


async def relationship_of(
    reader: Reader, event: Event, registration_settings: RegistrationSettings, user_id: UserId | None
) -> EventRelationship:
    """Return how a user with a local account relates to the event. ``user_id`` is None if nobody is signed in."""
    if user_id is None:
        return EventRelationship()
    return EventRelationship(
        is_host=user_id in await hosts_of(reader, event),
        is_member=await is_member(reader, event, registration_settings, user_id),
    )


async def is_member(
    reader: Reader, event: Event, registration_settings: RegistrationSettings, user_id: UserId, *, always: bool = False
) -> bool:
    """Whether the person is a member of the event's group. Queried only for events that are open to members only,
    unless ``always``.
    """
    if event.group is None or not (registration_settings.is_members_only or always):
        return False
    return await role_in(reader, event.group.id, user_id) in INSIDE


async def _rsvp_to_last_date(
    reader: Reader, event: Event, registration_settings: RegistrationSettings, caller: Caller
) -> Attendance | None:
    """The caller's most recent RSVP in the same series, to prefill the form of the next date."""
    if event.place_in_series is None:
        return None
    found = await queries.latest_in_series(reader, event.place_in_series.series_id, caller.user_id)
    if found is None:
        return None
    most = rules.largest_party(rules.limits_of(event, registration_settings), found.mode)
    return replace(found, party=min(found.party, registration_settings.max_party, most or found.party))

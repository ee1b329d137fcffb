"""Host decisions on RSVPs: approve, reject, give a place, restore, add, check in. For inviting, see
``invitations``. The event row is locked first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, assert_never

from groundwork.clock import Instant
from groundwork.database.bulk import execute_together
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import InvalidForm, NotFound, Refused
from openmeet.domain.attendance import (
    check_in_times,
    history,
    invitation_queries,
    queries,
    registration,
    rsvp_changes,
    rules,
    seats,
    waitlist,
)
from openmeet.domain.attendance.model import (
    MAX_PARTY,
    SEATED_STATUSES,
    Attendance,
    AttendanceId,
    AttendanceMode,
    AttendanceStatus,
    ChangeChannel,
    HistoryEntry,
    PendingFor,
    ReplyDetails,
)
from openmeet.domain.attendance.notify import notify_people
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import DEFAULT_SETTINGS, EventRegistration
from openmeet.domain.attendance.rsvp_changes import RsvpChange
from openmeet.domain.attendance.rsvp_details import RsvpDetails, merge_details
from openmeet.domain.attendance.rules import EventRelationship, RsvpDecision
from openmeet.domain.attendance.transitions import TRANSITIONS, AttendanceAction, AttendanceTransition
from openmeet.domain.events import event_access
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.permissions import EventPermission, may
from openmeet.domain.events.queries import by_slug, lock_by_slug
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.event_kinds import Approval, Rejection
from openmeet.domain.notifications.model import NotificationKind, P, Payload, ShownTime
from openmeet.domain.users import guests
from openmeet.domain.users.model import MAX_NAME, Caller, UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.markdown import is_visible, one_line

# Decisions in one transaction, which holds the lock on the event. On PostgreSQL they take about half a second.
DECIDED_AT_ONCE: Final = 500


class HostDecision(StrEnum):
    """What a host can decide about several RSVPs at once. Pages and the API use these values, so rejecting is ``remove``
    there.
    """

    APPROVE = "approve"
    GIVE_PLACE = "place"
    REJECT = "remove"


@dataclass(frozen=True, slots=True)
class DecisionCounts:
    """Result of a decision about several RSVPs. ``restored``: rejected ones that ``approve`` restored. ``first_at`` and
    ``last_at``: the instants of the first and the last transaction of an approval, which can be undone
    (``approval_undo``); None for other decisions.
    """

    seated: int = 0
    waiting: int = 0
    rejected: int = 0
    restored: int = 0
    first_at: Instant | None = None
    last_at: Instant | None = None


async def find_hosted_event(reader: Reader, caller: Caller, slug: EventSlug) -> Event:
    """The event, for a host who decides about its RSVPs. Raises NotFound, and Forbidden for people who only see it."""
    return await _require_host(reader, caller, await by_slug(reader, slug))


async def lock_hosted_event(tx: Transaction, caller: Caller, slug: EventSlug) -> Event:
    """Like ``find_hosted_event``, with the event row locked."""
    return await _require_host(tx, caller, await lock_by_slug(tx, slug))


async def lock_for_admission(tx: Transaction, caller: Caller, slug: EventSlug) -> Event:
    """Like ``lock_hosted_event``, for decisions that let people in. Raises Refused (``EventCancelled``) if nobody can
    come.

    Hosts can still reject people, because an RSVP lets them see a private event, and undo that.
    """
    event = await lock_hosted_event(tx, caller, slug)
    if event.is_cancelled or event.is_gone:
        raise Refused(AttendanceReason.EVENT_CANCELLED, name="EventCancelled")
    return event


async def may_host(reader: Reader, event: Event, caller: Caller | None) -> bool:
    """Whether the caller may decide about the RSVPs of an event, as its author or as a co-host."""
    if caller is None:
        return False
    return may(await event_access.role_of(reader, event, caller.user_id), EventPermission.DECIDE_ANSWERS)


async def decide(
    tx: Transaction, caller: Caller, slug: EventSlug, decision: HostDecision, ids: Sequence[AttendanceId]
) -> DecisionCounts:
    """Decide about at most ``DECIDED_AT_ONCE`` RSVPs. RSVPs that were already decided stay as they are. Raises NotFound,
    Forbidden and Refused.
    """
    match decision:
        case HostDecision.APPROVE:
            return await approve(tx, caller, slug, ids)
        case HostDecision.GIVE_PLACE:
            return await give_places(tx, caller, slug, ids)
        case HostDecision.REJECT:
            return await reject(tx, caller, slug, ids)
        case _:
            assert_never(decision)


async def approve(tx: Transaction, caller: Caller, slug: EventSlug, ids: Sequence[AttendanceId]) -> DecisionCounts:
    """Approve these RSVPs in order of arrival. If there is no free seat, they join the waitlist. RSVPs with an unclear
    status stay as they are. Raises Refused (``EventCancelled``).

    Rejected RSVPs of people who had not asked to come, or were already checked in, are restored: for example, they are
    invited again. If they were invited by address, a place would also reveal to the host who owns the address.
    """
    event = await lock_for_admission(tx, caller, slug)
    rsvps = await _rsvps_to_change(tx, event, ids, AttendanceAction.APPROVE)
    rejected = [one.id for one in rsvps if one.status is AttendanceStatus.REJECTED]
    to_restore = await invitation_queries.unanswered_among(tx, rejected)
    to_restore |= await history.rejected_to_restore(tx, rejected)
    for one in rejected:
        if one in to_restore:
            await restore(tx, caller, slug, one)
    counts = await _approve(tx, event, caller.user_id, [one for one in rsvps if one.id not in to_restore])
    return replace(counts, restored=len(to_restore))


async def approve_all(db: Database, caller: Caller, slug: EventSlug) -> DecisionCounts:
    """Approve everyone who waits for a decision, in order of arrival. Raises Refused (``EventCancelled``).

    Thousands do not fit into one transaction. If a transaction fails, those before it stay approved.
    """
    counts = DecisionCounts()
    while True:
        async with db.transaction() as tx:
            approved = await approve_next(tx, caller, slug)
        counts = DecisionCounts(
            counts.seated + approved.seated,
            counts.waiting + approved.waiting,
            first_at=counts.first_at or approved.first_at,
            last_at=approved.last_at or counts.last_at,
        )
        if approved.seated + approved.waiting < DECIDED_AT_ONCE:
            return counts


async def approve_next(tx: Transaction, caller: Caller, slug: EventSlug) -> DecisionCounts:
    """Approve the next ``DECIDED_AT_ONCE`` who wait for a decision. RSVPs with an unclear status are left out."""
    event = await lock_for_admission(tx, caller, slug)
    return await _approve(tx, event, caller.user_id, await queries.next_to_approve(tx, event.id, limit=DECIDED_AT_ONCE))


async def _approve(tx: Transaction, event: Event, actor_id: UserId, rsvps: Sequence[Attendance]) -> DecisionCounts:
    if not rsvps:
        return DecisionCounts()
    event_registration = await registration.registration_of(tx, event)
    allocation = await rsvp_changes.end_expired_offers_and_begin_allocation(tx, event_registration)
    changes: list[RsvpChange] = []
    for rsvp in rsvps:
        change = _change_by_host_action(
            event, rsvp, AttendanceAction.APPROVE, actor_id, has_room=allocation.has_room(rsvp), now=tx.now
        )
        is_seated = change.decision.status in SEATED_STATUSES
        allocation = allocation.with_seated(rsvp) if is_seated else allocation.with_waiting(rsvp)
        changes.append(change)
    saved = await rsvp_changes.save_and_enqueue_records(tx, changes)
    seated, waiting = [one for one in saved if one.is_seated], [one for one in saved if not one.is_seated]
    await notify_approved(tx, event, seated)
    if waiting:
        await waitlist.fill_seats(tx, event_registration)
        # People who were offered a seat just now are notified only of the offer.
        waitlisted = await queries.in_order_of_arrival(
            tx, event.id, [AttendanceStatus.WAITLISTED], [one.id for one in waiting]
        )
        await notify_approved(tx, event, [one for one in waitlisted if one.offered_until is None])
    return DecisionCounts(len(seated), len(waiting), first_at=tx.now, last_at=tx.now)


async def give_places(tx: Transaction, caller: Caller, slug: EventSlug, ids: Sequence[AttendanceId]) -> DecisionCounts:
    """Give places to these waitlisted people, in the order of the waitlist, even if others have waited longer. Those for
    whom no place is free become first on the waitlist, so that they get the next one, for example when the host raises
    the limit (invariant 4).

    Raises Refused (``EventCancelled``).
    """
    event = await lock_for_admission(tx, caller, slug)
    event_registration = await registration.registration_of(tx, event)
    limits = seats.limits_of(event_registration)
    await waitlist.end_expired_offers(tx, event)
    arrived = await queries.in_order_of_arrival(tx, event.id, [AttendanceStatus.WAITLISTED], ids)
    chosen = sorted(arrived, key=lambda one: one.waitlist_number or 0)
    held = await queries.seats_by_mode(tx, event.id)
    changes: list[RsvpChange] = []
    waiting: list[Attendance] = []
    for rsvp in chosen:
        if rsvp.offered_until is None:
            if not seats.fits(limits, held, rsvp.party, rsvp.mode):
                waiting.append(rsvp)
                continue
            held = held.plus(rsvp.party, rsvp.mode)
        changes.append(_change_by_host_action(event, rsvp, AttendanceAction.MOVE_UP, caller.user_id, now=tx.now))
    seated = await rsvp_changes.save_and_enqueue_records(tx, changes)
    new_first_number = await waitlist.first_number(tx, event.id) - len(waiting)
    numbered = [replace(one, waitlist_number=number) for number, one in enumerate(waiting, new_first_number)]
    await queries.save_many(tx, numbered)
    await notify_of_decision(tx, event, seated, event_kinds.MOVED_UP, Payload())
    await waitlist.fill_seats(tx, event_registration)
    return DecisionCounts(len(seated), len(waiting))


async def reject(tx: Transaction, caller: Caller, slug: EventSlug, ids: Sequence[AttendanceId]) -> DecisionCounts:
    """Reject these RSVPs, whatever their status, and give their seats to the waitlist. People invited to all dates of a
    series are not invited to any further ones. ``restore`` undoes both.
    """
    event = await lock_hosted_event(tx, caller, slug)
    chosen = await _rsvps_to_change(tx, event, ids, AttendanceAction.REJECT)
    if any(one.user_id == event.author_id for one in chosen):
        raise Refused(AttendanceReason.HOST_CANNOT_BE_REMOVED, name="NotYourself")
    changes = [
        _change_by_host_action(event, one, AttendanceAction.REJECT, caller.user_id, now=tx.now) for one in chosen
    ]
    rejected = await rsvp_changes.save_and_enqueue_records(tx, changes)
    await notify_of_decision(tx, event, rejected, event_kinds.ANSWER_REJECTED, _rejection_payload(event))
    if rejected and event.position_in_series is not None:
        await invitation_queries.end(tx, event.position_in_series.series_id, [one.user_id for one in rejected])
    if rejected:
        await waitlist.fill_seats(tx, await registration.registration_of(tx, event))
    return DecisionCounts(rejected=len(rejected))


async def restore(tx: Transaction, caller: Caller, slug: EventSlug, attendance_id: AttendanceId) -> Attendance:
    """Undo a rejection. If another person has the seat by now, the rejected person becomes first on the waitlist. If the
    rejection ended their invitation to all dates of the series, they are invited to further ones again.

    They are notified only if they were notified of the rejection, and not once the event is cancelled.
    """
    event = await lock_hosted_event(tx, caller, slug)
    rsvp = await _rsvp_of(tx, event, attendance_id)
    if rsvp.status is not AttendanceStatus.REJECTED:
        return rsvp
    rejection = await history.latest_change_to(tx, rsvp.id, AttendanceStatus.REJECTED)
    was_notified = not await notifications.withdraw(tx, rsvp.user_id, event_kinds.ANSWER_REJECTED, event.id)
    saved = await _restore_status(tx, event, caller.user_id, rsvp, rejection, AttendanceStatus.DECLINED)
    if rejection is not None and event.position_in_series is not None:
        series_id = event.position_in_series.series_id
        await invitation_queries.resume(tx, series_id, rsvp.user_id, ended_at=rejection.changed_at)
    comes = saved.is_seated or (saved.status is AttendanceStatus.WAITLISTED and saved.offered_until is None)
    if was_notified and comes and not event.is_cancelled:
        await notify_approved(tx, event, [saved])
    return saved


async def _restore_status(
    tx: Transaction,
    event: Event,
    actor_id: UserId,
    rsvp: Attendance,
    change: HistoryEntry | None,
    otherwise: AttendanceStatus,
) -> Attendance:
    """Restore the status before this change; ``otherwise`` if it is unknown. People who were waitlisted or whose seat is
    taken become first on the waitlist.
    """
    before = (change and change.before) or otherwise
    event_registration = await registration.registration_of(tx, event)
    status, waitlist_number = before, None
    if before in {AttendanceStatus.ATTENDING, AttendanceStatus.ATTENDED, AttendanceStatus.WAITLISTED}:
        _, has_room = await rsvp_changes.end_expired_offers_and_check_room(
            tx, event_registration, rsvp, rsvp_changes.details_of(rsvp)
        )
        if before is AttendanceStatus.WAITLISTED or not has_room:
            status, waitlist_number = AttendanceStatus.WAITLISTED, await waitlist.first_number(tx, event.id) - 1
    pending_for = None
    if status is AttendanceStatus.PENDING:
        # Entries from before this was stored have none.
        pending_for = (change and change.before_pending_for) or PendingFor.APPROVAL
    restored = replace(rsvp, status=status, waitlist_number=waitlist_number, pending_for=pending_for)
    saved = await queries.save(tx, restored)
    entry_write = history.entry_write(tx, rsvp, saved, through=ChangeChannel.HOST, actor_id=actor_id)
    await execute_together(tx, [rsvp_changes.record_enqueue_write(tx, saved), entry_write])
    await history.enqueue_webhooks(tx, event, saved)
    await waitlist.fill_seats(tx, event_registration)
    return await queries.by_id(tx, saved.id) or saved


async def add(
    tx: Transaction, caller: Caller, slug: EventSlug, name: str, *, party: int = 1, mode: AttendanceMode | None = None
) -> Attendance:
    """Add somebody by name who has told the host that they are coming. Raises Refused (``EventFull``,
    ``EventCancelled``), InvalidForm.
    """
    event = await lock_for_admission(tx, caller, slug)
    display_name = _checked_name(name)
    event_registration = await registration.registration_of(tx, event)
    any_party = replace(DEFAULT_SETTINGS, max_party=MAX_PARTY)
    details = merge_details(
        EventRegistration(event, any_party), None, ReplyDetails(party=party, mode=mode), is_going=False
    )
    _, has_room = await rsvp_changes.end_expired_offers_and_check_room(tx, event_registration, None, details)
    decision = rules.decide(
        event_registration,
        None,
        AttendanceAction.ADD,
        relationship=EventRelationship(),
        has_room=has_room,
        asked_at=tx.now,
    )
    user_id = await guests.make(tx, display_name=display_name, email=None)
    private_details = replace(details, is_private=True)
    change = RsvpChange(
        event, user_id, None, decision, private_details, through=ChangeChannel.HOST, actor_id=caller.user_id
    )
    return await rsvp_changes.save_decision(tx, change, enqueues_record=True)


async def check_in(tx: Transaction, caller: Caller, slug: EventSlug, attendance_id: AttendanceId) -> Attendance:
    """Check a person in, with their party. Idempotent. Raises NotFound, Refused (full, rejected,
    ``EventCancelled``, ``CheckInClosed``).
    """
    event = await lock_for_admission(tx, caller, slug)
    rsvp = await _rsvp_of(tx, event, attendance_id)
    if rsvp.status is AttendanceStatus.ATTENDED:
        return rsvp
    check_in_times.require_check_in_time(event, tx.now)
    event_registration = await registration.registration_of(tx, event)
    # This person's offer may be among those that have just expired. In that case they are no longer on the waitlist.
    rsvp_now, has_room = await rsvp_changes.end_expired_offers_and_check_room(
        tx, event_registration, rsvp, rsvp_changes.details_of(rsvp)
    )
    rsvp = rsvp_now or rsvp
    if rsvp.status is AttendanceStatus.REJECTED:
        raise Refused(AttendanceReason.YOU_REJECTED_IT, name="AnswerRejected")
    # Raises Refused if there is no room. Otherwise the person has arrived, so the result is known.
    rules.decide(
        event_registration,
        rsvp,
        AttendanceAction.CHECK_IN,
        relationship=EventRelationship(),
        has_room=has_room,
        asked_at=tx.now,
    )
    checked_in = RsvpDecision(AttendanceStatus.ATTENDED)
    details = rsvp_changes.details_of(rsvp)
    if rsvp.status is AttendanceStatus.INVITED and not await history.has_reply(tx, rsvp.id):
        # They came without a reply, so they agreed neither to be listed nor to have a record published.
        details = replace(details, is_private=True)
    saved = await rsvp_changes.save_decision(
        tx, change_by_host(event, rsvp, checked_in, details, caller.user_id), enqueues_record=True
    )
    if rsvp_changes.may_move_waitlist(rsvp, saved):
        await waitlist.fill_seats(tx, event_registration)
    return saved


async def undo_check_in(tx: Transaction, caller: Caller, slug: EventSlug, attendance_id: AttendanceId) -> Attendance:
    """Undo a mistaken check-in: restore the earlier status, even if they were only waitlisted or interested."""
    event = await lock_hosted_event(tx, caller, slug)
    rsvp = await _rsvp_of(tx, event, attendance_id)
    if rsvp.status is not AttendanceStatus.ATTENDED:
        return rsvp
    arrival = await history.latest_change_to(tx, rsvp.id, AttendanceStatus.ATTENDED)
    if arrival is not None and arrival.before is AttendanceStatus.INVITED and not await history.has_reply(tx, rsvp.id):
        # The check-in hid them. Their own reply is shown like any other.
        rsvp = replace(rsvp, is_private=await guests.find(tx, rsvp.user_id) is not None)
    return await _restore_status(tx, event, caller.user_id, rsvp, arrival, AttendanceStatus.ATTENDING)


async def _require_host(reader: Reader, caller: Caller, event: Event | None) -> Event:
    visible = await event_access.require_visible(reader, event, caller.user_id)
    await event_access.require_permission(reader, visible, caller.user_id, EventPermission.DECIDE_ANSWERS)
    return visible


async def _rsvp_of(tx: Transaction, event: Event, attendance_id: AttendanceId) -> Attendance:
    attendance = await queries.by_id(tx, attendance_id)
    if attendance is None or attendance.event_id != event.id:
        raise NotFound(AttendanceReason.NO_SUCH_ANSWER)
    return attendance


async def _rsvps_to_change(
    tx: Transaction, event: Event, ids: Sequence[AttendanceId], action: AttendanceAction
) -> list[Attendance]:
    """Those of these RSVPs that the action changes, in order of arrival, without those decided in the meantime.

    Hosts can reject everybody whom they see in their list, but let in nobody who is hidden from other people or whose
    status is unclear. Raises NotFound if there is only one id and it does not belong to this event.
    """
    if len(ids) == 1:
        await _rsvp_of(tx, event, ids[0])
    statuses = [status for status in AttendanceStatus if TRANSITIONS[action][status] is not AttendanceTransition.KEEP]
    is_rejection = action is AttendanceAction.REJECT
    found = await queries.in_order_of_arrival(tx, event.id, statuses, ids, with_hidden=is_rejection)
    return [one for one in found if is_rejection or one.pending_for is not PendingFor.UNCLEAR]


async def apply_host_action(
    tx: Transaction,
    event: Event,
    rsvp: Attendance,
    action: AttendanceAction,
    actor_id: UserId,
    *,
    has_room: bool = False,
) -> Attendance:
    """Apply a host's action to an RSVP of a locked event. Raises Refused and NotFound, like ``rules.decide``."""
    change = _change_by_host_action(event, rsvp, action, actor_id, has_room=has_room, now=tx.now)
    return await rsvp_changes.save_decision(tx, change, enqueues_record=True)


def _change_by_host_action(
    event: Event,
    rsvp: Attendance,
    action: AttendanceAction,
    actor_id: UserId,
    *,
    has_room: bool = False,
    now: Instant,
) -> RsvpChange:
    """The change that a host's action makes. Raises Refused and NotFound, like ``rules.decide``."""
    # The default settings, because the event's own (deadline, approval, members only) do not bind its hosts.
    decision = rules.decide(
        EventRegistration(event), rsvp, action, relationship=EventRelationship(), has_room=has_room, asked_at=now
    )
    change = change_by_host(event, rsvp, decision, rsvp_changes.details_of(rsvp), actor_id)
    return replace(change, is_approved=action is AttendanceAction.APPROVE)


def change_by_host(
    event: Event, rsvp: Attendance, decision: RsvpDecision, details: RsvpDetails, actor_id: UserId
) -> RsvpChange:
    """A decision of the host ``actor_id`` about an existing RSVP, to be saved."""
    return RsvpChange(event, rsvp.user_id, rsvp, decision, details, through=ChangeChannel.HOST, actor_id=actor_id)


async def notify_of_decision(
    tx: Transaction,
    event: Event,
    rsvps: Sequence[Attendance],
    kind: NotificationKind[P],
    payload: P,
    *,
    by: UserId | None = None,
) -> None:
    """Notify each person of a host's decision, except the author of the event. ``by``: the host who invites them."""
    others = [one for one in rsvps if one.user_id != event.author_id]
    sources = [event.author_id, *([by] if by else [])]
    await notify_people(tx, event, others, kind, payload, sources=sources)


async def notify_approved(tx: Transaction, event: Event, people: Sequence[Attendance]) -> None:
    """Notify each of these people that a host approved their RSVP, and of its status now."""
    for status in dict.fromkeys(one.status for one in people):
        with_status = [one for one in people if one.status is status]
        await notify_of_decision(tx, event, with_status, event_kinds.ANSWER_APPROVED, Approval(answer=status.value))


def _rejection_payload(event: Event) -> Rejection:
    """Payload with the title and time of the event as they are now. The notification shows these, because people who can
    no longer see a private event must not learn of later changes.
    """
    starts = None if event.starts_at is None else ShownTime(event.starts_at, event.time_zone, event.is_all_day)
    return Rejection(title=event.title, starts=starts)


def _checked_name(text: str) -> str:
    name = one_line(text)
    if not is_visible(name):
        raise InvalidForm({"name": AttendanceReason.NAME_NEEDED})
    if len(name) > MAX_NAME:
        raise InvalidForm({"name": GeneralReason.NAME_TOO_LONG(most=MAX_NAME)})
    return name

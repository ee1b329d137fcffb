"""Decisions about an RSVP: who may reply and until when, the resulting status, whether it may be public. Pure.

The status table is in ``transitions``; this module applies an event's settings. ``seats`` says what fits.
"""

from dataclasses import dataclass
from typing import assert_never

from groundwork.clock import Instant
from groundwork.errors import NotFound, Refused
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, PendingFor, RsvpRecordStatus
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import EventRegistration, ForeignRsvpPolicy
from openmeet.domain.attendance.transitions import TRANSITIONS, AttendanceAction, AttendanceTransition
from openmeet.domain.events.model import Event, RecordOrigin
from openmeet.domain.events.publication import allows_rsvp_records
from openmeet.domain.events.values import Visibility


@dataclass(frozen=True, slots=True)
class EventRelationship:
    """How a person relates to an event. ``is_member``: they are in its group; None if that was not looked up, because it
    does not decide. ``is_foreign``: they never signed in to this site and are not in its group.
    """

    is_host: bool = False
    is_member: bool | None = False
    is_foreign: bool = False


@dataclass(frozen=True, slots=True)
class RsvpDecision:
    """The new status of an RSVP, and why it takes no seat yet if that is PENDING."""

    status: AttendanceStatus
    pending_for: PendingFor | None = None


def changes_status(before: Attendance | None, after: Attendance | RsvpDecision) -> bool:
    """Whether a reply changed the status of the RSVP, or why it takes no seat yet: a person whose reply was unclear, or
    who was not confirmed, asks to join now, and the RSVP is pending as before, but for another reason.
    """
    return before is None or (before.status, before.pending_for) != (after.status, after.pending_for)


def rsvp_gives_access(rsvp: Attendance | None) -> bool:
    """Whether this RSVP lets its person see a private event (``events.event_access``). Every RSVP does, except a rejected
    one.
    """
    return rsvp is not None and rsvp.status is not AttendanceStatus.REJECTED


def are_rsvps_publishable(event: Event) -> bool:
    """Whether RSVPs to the event may be public, which requires that the event is fully public and accepts public RSVPs.

    An event from a foreign repository is public through its record, even if it asks not to be listed.
    """
    if event.visibility is Visibility.PUBLIC:
        return allows_rsvp_records(event)
    return (
        event.visibility is Visibility.UNLISTED
        and event.origin is RecordOrigin.NETWORK
        and event.record_uri is not None
    )


def require_open(
    event_registration: EventRegistration,
    rsvp: Attendance | None,
    action: AttendanceAction,
    relationship: EventRelationship,
    now: Instant,
    *,
    is_standing_rsvp: bool = False,
) -> None:
    """Raise Refused if the event does not accept this reply.

    Declining is always possible. Nobody can answer an event that is cancelled or over. The other limits, such as
    members only, do not apply to hosts, to people who are interested only, and to those who have a place or an offer.

    ``is_standing_rsvp``: a standing RSVP is applied to a new date. It is accepted even if the date was cancelled or
    hidden by moderators meanwhile, in case the date is reinstated or shown again.
    """
    event = event_registration.event
    if action is AttendanceAction.DECLINE:
        return
    if event.is_cancelled and not is_standing_rsvp:
        raise Refused(AttendanceReason.EVENT_CANCELLED, name="EventCancelled")
    if event.is_over(now):
        raise Refused(AttendanceReason.EVENT_OVER, name="EventOver")
    if (
        action is AttendanceAction.INTERESTED
        or relationship.is_host
        or (rsvp is not None and (rsvp.is_seated or rsvp.has_offer(now)))
    ):
        return
    if is_closed_to_nonmember(event_registration, relationship):
        raise Refused(AttendanceReason.MEMBERS_ONLY, name="MembersOnly")
    closes_at = event_registration.closes_at
    if closes_at is not None and closes_at <= now:
        raise Refused(AttendanceReason.ANSWERS_CLOSED, name="AnswersClosed")


def is_closed_to_nonmember(event_registration: EventRegistration, relationship: EventRelationship) -> bool:
    """Whether only members of the event's group can answer, and this person is none."""
    if not (event_registration.settings.is_members_only and event_registration.event.group is not None):
        return False
    if relationship.is_member is None:
        raise ValueError("membership decides here, but was not looked up")
    return not relationship.is_member


def decide(
    event_registration: EventRegistration,
    rsvp: Attendance | None,
    action: AttendanceAction,
    *,
    relationship: EventRelationship,
    has_room: bool,
    asked_at: Instant,
) -> RsvpDecision:
    """Return the resulting status. ``has_room``: there is room for the whole party without overtaking anyone on the
    waitlist. ``asked_at``: when somebody asked for this, which the deadline is compared with. Raises Refused, NotFound.
    """
    transition = TRANSITIONS[action][rsvp.status if rsvp else None]
    unchanged = RsvpDecision(rsvp.status, rsvp.pending_for) if rsvp else None
    seat_or_waitlist = RsvpDecision(AttendanceStatus.ATTENDING if has_room else AttendanceStatus.WAITLISTED)
    match transition:
        case AttendanceTransition.KEEP if unchanged is not None:
            return unchanged
        case AttendanceTransition.ACCEPT_OFFER if rsvp is not None and unchanged is not None:
            # An offer is for a party of a certain size. There may be no room for a larger one (invariant 4).
            return RsvpDecision(AttendanceStatus.ATTENDING) if has_room else unchanged
        case AttendanceTransition.SEAT_IF_UNCLEAR if (
            unchanged is not None and unchanged.pending_for is not PendingFor.UNCLEAR
        ):
            return unchanged
        case AttendanceTransition.SEAT | AttendanceTransition.SEAT_IF_UNCLEAR:
            pending_for = _pending_for(event_registration, rsvp, action, relationship, asked_at)
            return RsvpDecision(AttendanceStatus.PENDING, pending_for) if pending_for else seat_or_waitlist
        case AttendanceTransition.APPROVE_AND_SEAT if rsvp is not None and rsvp.pending_for is PendingFor.UNCLEAR:
            # The person has not said that they come, so nobody can let them in.
            return RsvpDecision(rsvp.status, rsvp.pending_for)
        case AttendanceTransition.APPROVE_AND_SEAT:
            return seat_or_waitlist
        case AttendanceTransition.SEAT_OR_REFUSE:
            if not has_room:
                raise Refused(AttendanceReason.EVENT_FULL, name="EventFull")
            return RsvpDecision(AttendanceStatus.ATTENDING)
        case AttendanceTransition.PENDING_UNCLEAR:
            return RsvpDecision(AttendanceStatus.PENDING, PendingFor.UNCLEAR)
        case (
            AttendanceTransition.ATTENDING
            | AttendanceTransition.INTERESTED
            | AttendanceTransition.DECLINED
            | AttendanceTransition.INVITED
            | AttendanceTransition.REJECTED
        ):
            return RsvpDecision(AttendanceStatus(transition.value))
        case AttendanceTransition.REFUSE_REJECTED:
            raise Refused(AttendanceReason.REJECTED_BY_HOST, name="AnswerRejected")
        case AttendanceTransition.REFUSE_CHECKED_IN:
            raise Refused(AttendanceReason.CHECKED_IN, name="CheckedIn")
        case (
            AttendanceTransition.NO_ANSWER
            | AttendanceTransition.RESTORE_PREVIOUS
            | AttendanceTransition.KEEP
            | AttendanceTransition.ACCEPT_OFFER
        ):
            # ``host_decisions`` decides RESTORE_PREVIOUS from the history. Without an RSVP there is nothing to keep or
            # to take.
            raise NotFound(AttendanceReason.NO_SUCH_ANSWER)
        case _:
            assert_never(transition)


def foreign_policy_withholds_seat(event_registration: EventRegistration, relationship: EventRelationship) -> bool:
    """Whether the event's policy for foreign RSVPs gives this person no seat until a host decides."""
    return relationship.is_foreign and event_registration.foreign_policy is not ForeignRsvpPolicy.COUNT


def record_asks_for_seat(
    event_registration: EventRegistration,
    rsvp: Attendance | None,
    action: AttendanceAction,
    relationship: EventRelationship,
) -> bool:
    """Whether this action of an RSVP record asks for a seat, so that the free seats must be counted. ``decide`` may still
    keep the RSVP pending.
    """
    if foreign_policy_withholds_seat(event_registration, relationship) and not _hosts_have_agreed(rsvp, relationship):
        return False
    seating = (AttendanceTransition.SEAT, AttendanceTransition.SEAT_IF_UNCLEAR)
    return TRANSITIONS[action][rsvp.status if rsvp else None] in seating


def decide_without_record(rsvp: Attendance) -> RsvpDecision:
    """Return the decision after the RSVP's record was deleted. The event's settings and capacity do not matter."""
    transition = TRANSITIONS[AttendanceAction.NETWORK_GONE][rsvp.status]
    if transition is AttendanceTransition.KEEP:
        return RsvpDecision(rsvp.status, rsvp.pending_for)
    return RsvpDecision(AttendanceStatus(transition.value))


def record_status_of(status: AttendanceStatus) -> RsvpRecordStatus:
    """The status of an RSVP record with this reply, regardless of capacity and approval. A status that is no reply
    (invited, rejected) counts as going.
    """
    match status:
        case AttendanceStatus.DECLINED:
            return RsvpRecordStatus.NOT_GOING
        case AttendanceStatus.INTERESTED:
            return RsvpRecordStatus.INTERESTED
        case _:
            return RsvpRecordStatus.GOING


def _hosts_have_agreed(rsvp: Attendance | None, relationship: EventRelationship) -> bool:
    """Whether a host has already agreed that this person comes: hosts themselves, people approved before, invited
    people.
    """
    return relationship.is_host or (
        rsvp is not None and (rsvp.approved_at is not None or rsvp.status is AttendanceStatus.INVITED)
    )


def _pending_for(
    event_registration: EventRegistration,
    rsvp: Attendance | None,
    action: AttendanceAction,
    relationship: EventRelationship,
    asked_at: Instant,
) -> PendingFor | None:
    """Why an RSVP takes no seat until somebody decides about it; None if it needs no decision."""
    if _hosts_have_agreed(rsvp, relationship):
        return None
    if action is not AttendanceAction.GOING:
        # The reply is a record. On this site, ``require_open`` would refuse such a reply; the record exists already, so
        # it stays unconfirmed.
        closes_at = event_registration.closes_at
        is_closed = closes_at is not None and closes_at <= asked_at
        policy = event_registration.foreign_policy if relationship.is_foreign else ForeignRsvpPolicy.COUNT
        if (
            policy is ForeignRsvpPolicy.UNCONFIRMED
            or is_closed
            or is_closed_to_nonmember(event_registration, relationship)
        ):
            return PendingFor.UNCONFIRMED
        if policy is ForeignRsvpPolicy.APPROVE:
            return PendingFor.APPROVAL
    return PendingFor.APPROVAL if event_registration.settings.needs_approval else None

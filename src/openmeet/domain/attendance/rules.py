"""Decisions about an RSVP: who may reply and until when, the resulting status, which RSVPs are publishable, moved
events, seats by mode, waitlist order, offers, check-in time. Pure.

The status table is in ``transitions``; this module applies an event's settings and capacity.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, assert_never

from groundwork.clock import DAY, HOUR, MINUTE, Instant
from groundwork.errors import NotFound, Refused, Why
from openmeet.domain.attendance.model import (
    AnswerMode,
    Attendance,
    AttendanceStatus,
    PendingFor,
    RsvpRecordStatus,
)
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import ForeignAnswers, RegistrationSettings
from openmeet.domain.attendance.transitions import TABLE, AttendanceAction, AttendanceTransition
from openmeet.domain.events.model import Event, RecordOrigin
from openmeet.domain.events.publication import takes_answers
from openmeet.domain.events.values import Mode, Visibility
from openmeet.i18n import formatting
from openmeet.recurrence import wall_time


@dataclass(frozen=True, slots=True)
class EventRelationship:
    """How a person relates to an event. ``is_foreign`` is True if they never signed in to this site, are not in its
    group and were not invited.
    """

    is_host: bool = False
    is_member: bool = False
    is_foreign: bool = False


@dataclass(frozen=True, slots=True)
class RsvpDecision:
    """The new status of an RSVP, and why it takes no seat yet if that is PENDING."""

    status: AttendanceStatus
    pending_for: PendingFor | None = None


def rsvp_gives_access(rsvp: Attendance | None) -> bool:
    """Whether this RSVP lets its person see a private event (``events.seeing``). Every RSVP does, except a rejected
    one.
    """
    return rsvp is not None and rsvp.status is not AttendanceStatus.REJECTED


def are_rsvps_publishable(event: Event) -> bool:
    """Whether RSVPs to the event may be public, which requires that the event is fully public and accepts public RSVPs.

    An event from a foreign repository is public through its record, even if it asks not to be listed.
    """
    if event.visibility is Visibility.PUBLIC:
        return takes_answers(event)
    return (
        event.visibility is Visibility.UNLISTED
        and event.origin is RecordOrigin.NETWORK
        and event.record_uri is not None
    )


def require_open(
    event: Event,
    registration_settings: RegistrationSettings,
    rsvp: Attendance | None,
    action: AttendanceAction,
    relationship: EventRelationship,
    now: Instant,
) -> None:
    """Raise Refused if the event does not accept this reply. Withdrawing is always possible, and attendees keep their
    place.
    """
    if action is AttendanceAction.DECLINE:
        return
    if event.is_cancelled:
        raise Refused(AttendanceReason.EVENT_CANCELLED, name="EventCancelled")
    if event.is_over(now):
        raise Refused(AttendanceReason.EVENT_OVER, name="EventOver")
    if (
        action is AttendanceAction.INTERESTED
        or relationship.is_host
        or (rsvp is not None and (rsvp.is_seated or rsvp.has_offer(now)))
    ):
        return
    if registration_settings.is_members_only and event.group is not None and not relationship.is_member:
        raise Refused(AttendanceReason.MEMBERS_ONLY, name="MembersOnly")
    closes_at = registration_closes_at(event, registration_settings)
    if closes_at is not None and closes_at <= now:
        raise Refused(AttendanceReason.ANSWERS_CLOSED, name="AnswersClosed")


def decide(
    event: Event,
    registration_settings: RegistrationSettings,
    rsvp: Attendance | None,
    action: AttendanceAction,
    *,
    relationship: EventRelationship,
    has_room: bool,
    now: Instant,
) -> RsvpDecision:
    """Return the resulting status. ``has_room``: there is room for the whole party without overtaking anyone on the
    waitlist. Raises Refused, NotFound.
    """
    transition = TABLE[action][rsvp.status if rsvp else None]
    unchanged = RsvpDecision(rsvp.status, rsvp.pending_for) if rsvp else None
    seat_or_waitlist = RsvpDecision(AttendanceStatus.ATTENDING if has_room else AttendanceStatus.WAITLISTED)
    match transition:
        case AttendanceTransition.KEEP if unchanged is not None:
            return unchanged
        case AttendanceTransition.ACCEPT_OFFER if rsvp is not None and unchanged is not None:
            # An offer is for a party of a certain size. There may be no room for a larger one (invariant 4).
            return RsvpDecision(AttendanceStatus.ATTENDING) if has_room else unchanged
        case AttendanceTransition.SEAT_IF_UNKNOWN if (
            unchanged is not None and unchanged.pending_for is not PendingFor.UNKNOWN
        ):
            return unchanged
        case AttendanceTransition.SEAT | AttendanceTransition.SEAT_IF_UNKNOWN:
            pending_for = _pending_for(event, registration_settings, rsvp, action, relationship, now)
            return RsvpDecision(AttendanceStatus.PENDING, pending_for) if pending_for else seat_or_waitlist
        case AttendanceTransition.APPROVE_AND_SEAT:
            return seat_or_waitlist
        case AttendanceTransition.SEAT_OR_REFUSE:
            if not has_room:
                raise Refused(AttendanceReason.EVENT_FULL, name="EventFull")
            return RsvpDecision(AttendanceStatus.ATTENDING)
        case AttendanceTransition.PENDING:
            return RsvpDecision(AttendanceStatus.PENDING, PendingFor.UNKNOWN)
        case (
            AttendanceTransition.ATTENDING
            | AttendanceTransition.INTERESTED
            | AttendanceTransition.DECLINED
            | AttendanceTransition.INVITED
            | AttendanceTransition.REJECTED
        ):
            return RsvpDecision(AttendanceStatus(transition.value))
        case AttendanceTransition.REFUSE_REJECTED:
            raise Refused(AttendanceReason.DECLINED_BY_HOST, name="AnswerRejected")
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


def is_moved_since(event: Event, known_starts_at: Instant | None) -> bool:
    """Whether the event starts at a different time than the person knew when they answered. False again once it is
    moved back.
    """
    if known_starts_at is None or event.starts_at is None:
        return False
    return abs(event.starts_at - known_starts_at) >= smallest_move(event)


def smallest_move(event: Event) -> int:
    """The smallest change of the start that counts as a move. An all-day event moves by at least a day, whatever its
    time zone.
    """
    return DAY // 2 if event.is_all_day else 1


def record_asks_for_seat(action: AttendanceAction, rsvp: Attendance | None) -> bool:
    """Whether this action of an RSVP record gives the person a seat if there is room."""
    seating = (AttendanceTransition.SEAT, AttendanceTransition.SEAT_IF_UNKNOWN)
    return TABLE[action][rsvp.status if rsvp else None] in seating


def without_record(rsvp: Attendance) -> RsvpDecision:
    """The status after the RSVP's record was deleted, whatever the event's settings and capacity."""
    transition = TABLE[AttendanceAction.NETWORK_GONE][rsvp.status]
    if transition is AttendanceTransition.KEEP:
        return RsvpDecision(rsvp.status, rsvp.pending_for)
    return RsvpDecision(AttendanceStatus(transition.value))


def record_status_of(status: AttendanceStatus) -> RsvpRecordStatus:
    """The status in the person's RSVP record. It says what they replied, regardless of capacity and approval."""
    match status:
        case AttendanceStatus.DECLINED:
            return RsvpRecordStatus.NOT_GOING
        case AttendanceStatus.INTERESTED:
            return RsvpRecordStatus.INTERESTED
        case _:
            return RsvpRecordStatus.GOING


def needs_no_approval(rsvp: Attendance | None, relationship: EventRelationship) -> bool:
    """Whether a host has already agreed that this person comes: hosts themselves, people approved before, invited
    people.
    """
    return relationship.is_host or (
        rsvp is not None and (rsvp.approved_at is not None or rsvp.status is AttendanceStatus.INVITED)
    )


def _pending_for(
    event: Event,
    registration_settings: RegistrationSettings,
    rsvp: Attendance | None,
    action: AttendanceAction,
    relationship: EventRelationship,
    now: Instant,
) -> PendingFor | None:
    """Why an RSVP takes no seat until somebody decides about it; None if it needs no decision."""
    if needs_no_approval(rsvp, relationship):
        return None
    if action is not AttendanceAction.GOING:
        # Replies given on this site are refused (``require_open``), but this record already exists, so it is kept apart
        # as pending.
        closes_at = registration_closes_at(event, registration_settings)
        is_closed = closes_at is not None and closes_at <= now
        shuts_out = registration_settings.is_members_only and event.group is not None and not relationship.is_member
        policy = registration_settings.foreign_on(event) if relationship.is_foreign else ForeignAnswers.COUNT
        if policy is ForeignAnswers.APART or is_closed or shuts_out:
            return PendingFor.APART
        if policy is ForeignAnswers.APPROVE:
            return PendingFor.APPROVAL
    return PendingFor.APPROVAL if registration_settings.needs_approval else None


# How long a seat is offered: one day; in the last two days, half of the remaining time, but long enough to be noticed.
OFFER_LIFE = DAY
SHORTEST_OFFER = 30 * MINUTE

# How long before the start smaller parties may overtake larger ones on the waitlist.
LAST_CALL = DAY


@dataclass(frozen=True, slots=True)
class SeatLimits:
    """Capacity in total and for each of the two modes; None means no limit."""

    total: int | None = None
    of_mode: Mapping[AnswerMode, int] = field(default_factory=dict)

    @property
    def is_unlimited(self) -> bool:
        """Whether there is no limit at all."""
        return self.total is None and not self.of_mode


NO_LIMITS = SeatLimits()


class HasParty(Protocol):
    """Anyone with a party size and a mode."""

    @property
    def party(self) -> int: ...

    @property
    def mode(self) -> AnswerMode | None: ...


@dataclass(frozen=True, slots=True)
class SeatsTaken:
    """Seats taken or offered, by mode."""

    by_mode: Mapping[AnswerMode | None, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.by_mode.values())

    def of(self, mode: AnswerMode) -> int:
        """Seats of one mode. RSVPs without a mode count as in person."""
        without_mode = self.by_mode.get(None, 0) if mode is AnswerMode.IN_PERSON else 0
        return self.by_mode.get(mode, 0) + without_mode

    def plus(self, party: int, mode: AnswerMode | None) -> "SeatsTaken":
        """The seats with one more party (or one less, if negative)."""
        return SeatsTaken({**self.by_mode, mode: self.by_mode.get(mode, 0) + party})


def limits_of(event: Event, registration_settings: RegistrationSettings) -> SeatLimits:
    """The limits of an event. Limits per mode apply only to hybrid events."""
    if event.content.mode is not Mode.HYBRID:
        return SeatLimits(event.content.capacity)
    limits = {
        AnswerMode.IN_PERSON: registration_settings.limit_in_person,
        AnswerMode.ONLINE: registration_settings.limit_online,
    }
    return SeatLimits(event.content.capacity, {mode: limit for mode, limit in limits.items() if limit is not None})


def fits(limits: SeatLimits, held: SeatsTaken, party: int, mode: AnswerMode | None) -> bool:
    """Whether there are seats for the whole party."""
    if limits.total is not None and held.total + party > limits.total:
        return False
    how = mode or AnswerMode.IN_PERSON
    limit = limits.of_mode.get(how)
    return limit is None or held.of(how) + party <= limit


def largest_party(limits: SeatLimits, mode: AnswerMode | None) -> int | None:
    """The largest party that the event could ever seat; None means any size."""
    both = (limits.total, limits.of_mode.get(mode or AnswerMode.IN_PERSON))
    return min((limit for limit in both if limit is not None), default=None)


def is_too_large(limits: SeatLimits, party: HasParty) -> bool:
    """Whether this party would not fit even if it were alone, because a limit was lowered since they answered."""
    most = largest_party(limits, party.mode)
    return most is not None and party.party > most


def are_exceeded(limits: SeatLimits, held: SeatsTaken) -> bool:
    """Whether more seats are held than exist, because a limit was lowered."""
    if limits.total is not None and held.total > limits.total:
        return True
    return any(held.of(mode) > limit for mode, limit in limits.of_mode.items())


def is_exceeded_for(limits: SeatLimits, held: SeatsTaken, mode: AnswerMode | None) -> bool:
    """Whether more seats are held than exist in total or of this mode."""
    return not fits(limits, held, 0, mode)


def is_last_call(event: Event, now: Instant) -> bool:
    """Whether the start is so near that smaller parties may overtake larger ones, because a free seat would otherwise
    stay empty.
    """
    return event.starts_at is not None and event.starts_at - now <= LAST_CALL


def next_up(
    limits: SeatLimits, held: SeatsTaken, waitlist: Iterable[Attendance], *, allows_overtaking: bool
) -> list[Attendance]:
    """The waitlisted parties that get seats now, in waitlist order. A party that can never fit does not hold up the
    others.

    With ``allows_overtaking``, smaller parties may overtake larger ones that do not fit.
    """
    parties_to_seat: list[Attendance] = []
    full_modes: set[AnswerMode] = set()
    for one in waitlist:
        how = one.mode or AnswerMode.IN_PERSON
        if how in full_modes or is_too_large(limits, one):
            continue
        if fits(limits, held, one.party, one.mode):
            held = held.plus(one.party, one.mode)
            parties_to_seat.append(one)
        elif allows_overtaking:
            continue
        elif fits(SeatLimits(limits.total), held, one.party, None):
            # Only this mode is full, so people of the other mode do not have to wait.
            full_modes.add(how)
        else:
            break
    return parties_to_seat


def overtakes_nobody(
    limits: SeatLimits, held: SeatsTaken, first: Iterable[Attendance], mode: AnswerMode | None
) -> bool:
    """Whether a person can take a seat now without overtaking anybody. ``first`` has the head of each mode’s waitlist;
    none of them fits now.
    """
    how = mode or AnswerMode.IN_PERSON
    others = SeatLimits(limits.total)
    return all((one.mode or AnswerMode.IN_PERSON) is not how and fits(others, held, one.party, None) for one in first)


def offer_until(event: Event, now: Instant) -> Instant:
    """When an offer made now expires. Never later than the end of the event."""
    left = OFFER_LIFE if event.starts_at is None else (event.starts_at - now) // 2
    until = Instant(now + max(SHORTEST_OFFER, min(OFFER_LIFE, left)))
    return until if event.over_at is None else min(until, event.over_at)


def merged_by_number(waitlists: Sequence[Sequence[Attendance]]) -> list[Attendance]:
    """Merge several waitlists, in order of their numbers."""
    return sorted((one for waitlist in waitlists for one in waitlist), key=lambda one: one.waitlist_number or 0)


def registration_closes_at(event: Event, registration_settings: RegistrationSettings) -> Instant | None:
    """Registration deadline; None means until the end of the event."""
    if registration_settings.closes_hours_before is None or event.starts_at is None:
        return None
    return Instant(event.starts_at - registration_settings.closes_hours_before * HOUR)


# One day, because badges are handed out the evening before and the staff may be in another time zone.
CHECK_IN_OPENS_BEFORE = DAY
CHECK_IN_CLOSES_AFTER = 7 * DAY


def why_check_in_is_closed(event: Event, now: Instant) -> Why | None:
    """Why check-in is closed now and when it opens; None while it is open."""
    if event.starts_at is None or event.over_at is None:
        return AttendanceReason.CHECK_IN_NEEDS_DATE()
    if now < event.starts_at - CHECK_IN_OPENS_BEFORE:
        opens = Instant(event.starts_at - CHECK_IN_OPENS_BEFORE)
        return AttendanceReason.CHECK_IN_NOT_YET(opens=_check_in_times(event, opens, now))
    if now > event.over_at + CHECK_IN_CLOSES_AFTER:
        closed = Instant(event.over_at + CHECK_IN_CLOSES_AFTER)
        return AttendanceReason.CHECK_IN_OVER(closed=_check_in_times(event, closed, now))
    return None


def require_check_in_time(event: Event, now: Instant) -> None:
    """Raise Refused (``CheckInClosed``) outside the check-in time."""
    if why := why_check_in_is_closed(event, now):
        raise Refused(why, name="CheckInClosed")


def _check_in_times(event: Event, at: Instant, now: Instant) -> str:
    local, today = wall_time.local_of(at, event.time_zone), wall_time.local_of(now, event.time_zone).date()
    return f"{formatting.span(local, None, today)}, {formatting.zone_label(local, event.time_zone)}"

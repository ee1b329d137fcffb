"""Where an answer leads: ``transitions`` says what follows, here the event's settings and its places are asked. Pure."""

from dataclasses import dataclass
from typing import assert_never

from groundwork.clock import Instant
from groundwork.errors import NotFound, Refused
from openmeet.domain.attendance import seating
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, NetworkAnswer, PendingFor
from openmeet.domain.attendance.registration import ForeignAnswers, Joining
from openmeet.domain.attendance.transitions import TABLE, Act, Outcome
from openmeet.domain.events.model import Event, Origin, Visibility
from openmeet.domain.events.promotion import takes_answers


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stands towards the event. ``is_foreign``: never signed in here, is no member, was not invited."""

    is_host: bool = False
    is_member: bool = False
    is_foreign: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """A status, and why it is pending where it is."""

    status: AttendanceStatus
    pending_for: PendingFor | None = None


def is_invited(mine: Attendance | None) -> bool:
    """Whether somebody's row at an event lets them see it, private as it may be (``events.rules.may_see``)."""
    return mine is not None and mine.status is not AttendanceStatus.REJECTED


def may_answers_be_public(event: Event) -> bool:
    """Whether answers to the event may stand where everybody reads: only to what is public in full and takes them there.

    An event of somebody else's repository is public with its record, also where that asks not to be listed.
    """
    if event.visibility is Visibility.PUBLIC:
        return takes_answers(event)
    return event.visibility is Visibility.UNLISTED and event.origin is Origin.NETWORK and event.record_uri is not None


def must_be_open(
    event: Event, joining: Joining, mine: Attendance | None, act: Act, standing: Standing, now: Instant
) -> None:
    """Refused where the event takes no such answer. Withdrawing is always possible, and who is in stays in."""
    if act is Act.DECLINE:
        return
    if event.is_cancelled:
        raise Refused("This event is cancelled.", name="EventCancelled")
    if event.is_over(now):
        raise Refused("This event is over.", name="EventOver")
    if act is Act.INTERESTED or standing.is_host or (mine is not None and (mine.is_seated or mine.has_offer(now))):
        return
    if joining.is_members_only and event.group is not None and not standing.is_member:
        raise Refused("Only members of its group can come to this event.", name="MembersOnly")
    closes_at = seating.closes_at(event, joining)
    if closes_at is not None and closes_at <= now:
        raise Refused("The time to answer is over.", name="AnswersClosed")


def decide(
    event: Event,
    joining: Joining,
    mine: Attendance | None,
    act: Act,
    *,
    standing: Standing,
    has_room: bool,
    now: Instant,
) -> Decided:
    """Where this leads. ``has_room``: for the whole party, without passing anybody who waits. Raises Refused, NotFound."""
    outcome = TABLE[act][mine.status if mine else None]
    as_it_is = Decided(mine.status, mine.pending_for) if mine else None
    match outcome:
        case Outcome.KEEP if as_it_is is not None:
            return as_it_is
        case Outcome.TAKE if mine is not None and as_it_is is not None:
            # An offer is for as many as it was made to: for them there is room, for more of them there may be none (invariant 4).
            return Decided(AttendanceStatus.ATTENDING) if has_room else as_it_is
        case Outcome.CLEAR_UP if as_it_is is not None and as_it_is.pending_for is not PendingFor.UNCLEAR:
            return as_it_is
        case Outcome.SEAT | Outcome.CLEAR_UP:
            apart = _pending_for(event, joining, mine, act, standing, now)
            return Decided(AttendanceStatus.PENDING, apart) if apart else _placed(has_room=has_room)
        case Outcome.ADMIT:
            return _placed(has_room=has_room)
        case Outcome.DOOR:
            if not has_room:
                raise Refused("There is no free place. Raise the limit first.", name="EventFull")
            return Decided(AttendanceStatus.ATTENDING)
        case Outcome.PENDING:
            return Decided(AttendanceStatus.PENDING, PendingFor.UNCLEAR)
        case Outcome.ATTENDING | Outcome.INTERESTED | Outcome.DECLINED | Outcome.INVITED | Outcome.REJECTED:
            return Decided(AttendanceStatus(outcome.value))
        case Outcome.TURNED_DOWN:
            raise Refused("The host has declined your answer to this event.", name="AnswerRejected")
        case Outcome.IS_THERE:
            raise Refused("You are checked in at this event.", name="CheckedIn")
        case Outcome.NO_ANSWER | Outcome.BACK | Outcome.KEEP | Outcome.TAKE:
            # BACK is decided from the history, by ``managing``; nobody keeps or takes what they do not have.
            raise NotFound("There is no such answer.")
        case _:
            assert_never(outcome)


def without_record(mine: Attendance) -> Decided:
    """Where the deletion of its record leaves an answer, whatever the event's settings and places are."""
    outcome = TABLE[Act.NETWORK_GONE][mine.status]
    if outcome is Outcome.KEEP:
        return Decided(mine.status, mine.pending_for)
    return Decided(AttendanceStatus(outcome.value))


def said_by(status: AttendanceStatus) -> NetworkAnswer:
    """The word behind a status; where the host has the last word (seats, approval), what the person had said."""
    match status:
        case AttendanceStatus.DECLINED:
            return NetworkAnswer.NOT_GOING
        case AttendanceStatus.INTERESTED:
            return NetworkAnswer.INTERESTED
        case _:
            return NetworkAnswer.GOING


def _placed(*, has_room: bool) -> Decided:
    return Decided(AttendanceStatus.ATTENDING if has_room else AttendanceStatus.WAITLISTED)


def _pending_for(
    event: Event, joining: Joining, mine: Attendance | None, act: Act, standing: Standing, now: Instant
) -> PendingFor | None:
    """Why an answer takes no place before somebody has decided; None where nobody needs to."""
    if standing.is_host or (
        mine is not None and (mine.approved_at is not None or mine.status is AttendanceStatus.INVITED)
    ):
        return None
    if act is not Act.GOING:
        # What a person here is refused, a record is not: it is there, and shown apart.
        closes_at = seating.closes_at(event, joining)
        is_closed = closes_at is not None and closes_at <= now
        shuts_out = joining.is_members_only and event.group is not None and not standing.is_member
        policy = joining.foreign_on(event) if standing.is_foreign else ForeignAnswers.COUNT
        if policy is ForeignAnswers.APART or is_closed or shuts_out:
            return PendingFor.APART
        if policy is ForeignAnswers.APPROVE:
            return PendingFor.APPROVAL
    return PendingFor.APPROVAL if joining.needs_approval else None

"""What an answer leads to: seats, the waitlist, answers that take no place yet. Pure."""

from typing import assert_never

from groundwork.clock import Instant
from groundwork.errors import Refused
from openmeet.attendance.model import SEATED, Attendance, AttendanceStatus, NetworkAnswer, Reply
from openmeet.events.model import Event, Origin, Visibility
from openmeet.events.promotion import BY_LEVEL, Reach


def is_invited(mine: Attendance | None) -> bool:
    """Whether somebody's row at an event lets them see it, private as it may be (``events.rules.may_see``)."""
    return mine is not None and mine.status is not AttendanceStatus.REJECTED


def has_free_seat(event: Event, taken: int) -> bool:
    """Whether one more person can be seated; events without a limit always have room."""
    return event.capacity is None or taken < event.capacity


def may_answers_be_public(event: Event) -> bool:
    """Whether answers to the event may stand where everybody reads: only to public ones, whose group does not hold them back.

    An event of somebody else's repository is public with its record, also where that asks not to be listed.
    """
    if event.visibility is Visibility.PUBLIC:
        return event.group is None or BY_LEVEL[event.group.promotion_level] is Reach.FULL
    return event.visibility is Visibility.UNLISTED and event.origin is Origin.NETWORK and event.record_uri is not None


def status_for(event: Event, mine: Attendance | None, reply: Reply, *, taken: int, now: Instant) -> AttendanceStatus:
    """Where an answer given here leads. ``taken``: seats held by anybody, the person included.

    Withdrawing is always possible; everything else needs an event that will happen. Raises Refused.
    """
    if reply is Reply.DECLINED:
        return AttendanceStatus.DECLINED
    if event.is_cancelled:
        raise Refused("This event is cancelled.", name="EventCancelled")
    if event.is_over(now):
        raise Refused("This event is over.", name="EventOver")
    if mine is not None and mine.status is AttendanceStatus.REJECTED:
        raise Refused("The host has declined your answer to this event.", name="AnswerRejected")
    if reply is Reply.INTERESTED:
        return AttendanceStatus.INTERESTED
    if mine is not None and (mine.status in SEATED or mine.status is AttendanceStatus.WAITLISTED):
        return mine.status
    return AttendanceStatus.ATTENDING if has_free_seat(event, taken) else AttendanceStatus.WAITLISTED


def status_from_network(
    event: Event, mine: Attendance | None, answer: NetworkAnswer, *, taken: int, is_shadow: bool
) -> AttendanceStatus:
    """Where an RSVP record leads.

    On an event with a limit the ``going`` of somebody who never signed in here takes no place: it is ``pending`` and
    shown apart. Who has a seat or a place in the line keeps it when the same answer comes again.
    """
    match answer:
        case NetworkAnswer.NOT_GOING:
            return AttendanceStatus.DECLINED
        case NetworkAnswer.INTERESTED:
            return AttendanceStatus.INTERESTED
        case NetworkAnswer.OTHER:
            return AttendanceStatus.PENDING
        case NetworkAnswer.GOING:
            kept = (*SEATED, AttendanceStatus.WAITLISTED, AttendanceStatus.REJECTED)
            if mine is not None and mine.status in kept:
                return mine.status
            if event.capacity is None:
                return AttendanceStatus.ATTENDING
            if is_shadow:
                return AttendanceStatus.PENDING
            return AttendanceStatus.ATTENDING if has_free_seat(event, taken) else AttendanceStatus.WAITLISTED
        case _:
            assert_never(answer)


def said_by(status: AttendanceStatus) -> NetworkAnswer:
    """The word behind a status; where the host has the last word (seats, approval), what the person had said."""
    match status:
        case AttendanceStatus.DECLINED:
            return NetworkAnswer.NOT_GOING
        case AttendanceStatus.INTERESTED:
            return NetworkAnswer.INTERESTED
        case _:
            return NetworkAnswer.GOING


def frees_seat(before: AttendanceStatus | None, after: AttendanceStatus) -> bool:
    """Whether somebody who waits may move up after this change."""
    return before in SEATED and after not in SEATED

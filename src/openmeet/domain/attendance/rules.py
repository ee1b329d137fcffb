"""Decisions about an RSVP: where it leads, how many places there are for whom, when check-in is open. Pure.

``transitions`` says what may follow what; here the event's settings and its places are asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, assert_never

from groundwork.clock import DAY, HOUR, MINUTE, Instant
from groundwork.errors import NotFound, Refused
from openmeet.domain.attendance.model import AnswerMode, Attendance, AttendanceStatus, NetworkAnswer, PendingFor
from openmeet.domain.attendance.registration import ForeignAnswers, RegistrationSettings
from openmeet.domain.attendance.transitions import TABLE, AttendanceAction, AttendanceTransition
from openmeet.domain.events.model import Event, Mode, RecordOrigin, Visibility
from openmeet.domain.events.publication import takes_answers
from openmeet.i18n import formatting
from openmeet.recurrence import wall_time


@dataclass(frozen=True, slots=True)
class Eligibility:
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
    return (
        event.visibility is Visibility.UNLISTED
        and event.origin is RecordOrigin.NETWORK
        and event.record_uri is not None
    )


def must_be_open(
    event: Event,
    joining: RegistrationSettings,
    mine: Attendance | None,
    act: AttendanceAction,
    standing: Eligibility,
    now: Instant,
) -> None:
    """Refused where the event takes no such answer. Withdrawing is always possible, and who is in stays in."""
    if act is AttendanceAction.DECLINE:
        return
    if event.is_cancelled:
        raise Refused("This event is cancelled.", name="EventCancelled")
    if event.is_over(now):
        raise Refused("This event is over.", name="EventOver")
    if (
        act is AttendanceAction.INTERESTED
        or standing.is_host
        or (mine is not None and (mine.is_seated or mine.has_offer(now)))
    ):
        return
    if joining.is_members_only and event.group is not None and not standing.is_member:
        raise Refused("Only members of its group can come to this event.", name="MembersOnly")
    closes_at = registration_closes_at(event, joining)
    if closes_at is not None and closes_at <= now:
        raise Refused("The time to answer is over.", name="AnswersClosed")


def decide(
    event: Event,
    joining: RegistrationSettings,
    mine: Attendance | None,
    act: AttendanceAction,
    *,
    standing: Eligibility,
    has_room: bool,
    now: Instant,
) -> Decided:
    """Where this leads. ``has_room``: for the whole party, without passing anybody who waits. Raises Refused, NotFound."""
    outcome = TABLE[act][mine.status if mine else None]
    as_it_is = Decided(mine.status, mine.pending_for) if mine else None
    match outcome:
        case AttendanceTransition.KEEP if as_it_is is not None:
            return as_it_is
        case AttendanceTransition.TAKE if mine is not None and as_it_is is not None:
            # An offer is for as many as it was made to: for them there is room, for more of them there may be none (invariant 4).
            return Decided(AttendanceStatus.ATTENDING) if has_room else as_it_is
        case AttendanceTransition.CLEAR_UP if as_it_is is not None and as_it_is.pending_for is not PendingFor.UNCLEAR:
            return as_it_is
        case AttendanceTransition.SEAT | AttendanceTransition.CLEAR_UP:
            apart = _pending_for(event, joining, mine, act, standing, now)
            return Decided(AttendanceStatus.PENDING, apart) if apart else _placed(has_room=has_room)
        case AttendanceTransition.ADMIT:
            return _placed(has_room=has_room)
        case AttendanceTransition.DOOR:
            if not has_room:
                raise Refused("There is no free place. Raise the limit first.", name="EventFull")
            return Decided(AttendanceStatus.ATTENDING)
        case AttendanceTransition.PENDING:
            return Decided(AttendanceStatus.PENDING, PendingFor.UNCLEAR)
        case (
            AttendanceTransition.ATTENDING
            | AttendanceTransition.INTERESTED
            | AttendanceTransition.DECLINED
            | AttendanceTransition.INVITED
            | AttendanceTransition.REJECTED
        ):
            return Decided(AttendanceStatus(outcome.value))
        case AttendanceTransition.TURNED_DOWN:
            raise Refused("The host has declined your answer to this event.", name="AnswerRejected")
        case AttendanceTransition.IS_THERE:
            raise Refused("You are checked in at this event.", name="CheckedIn")
        case (
            AttendanceTransition.NO_ANSWER
            | AttendanceTransition.BACK
            | AttendanceTransition.KEEP
            | AttendanceTransition.TAKE
        ):
            # BACK is decided from the history, by ``managing``; nobody keeps or takes what they do not have.
            raise NotFound("There is no such answer.")
        case _:
            assert_never(outcome)


def without_record(mine: Attendance) -> Decided:
    """Where the deletion of its record leaves an answer, whatever the event's settings and places are."""
    outcome = TABLE[AttendanceAction.NETWORK_GONE][mine.status]
    if outcome is AttendanceTransition.KEEP:
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
    event: Event,
    joining: RegistrationSettings,
    mine: Attendance | None,
    act: AttendanceAction,
    standing: Eligibility,
    now: Instant,
) -> PendingFor | None:
    """Why an answer takes no place before somebody has decided; None where nobody needs to."""
    if standing.is_host or (
        mine is not None and (mine.approved_at is not None or mine.status is AttendanceStatus.INVITED)
    ):
        return None
    if act is not AttendanceAction.GOING:
        # What a person here is refused, a record is not: it is there, and shown apart.
        closes_at = registration_closes_at(event, joining)
        is_closed = closes_at is not None and closes_at <= now
        shuts_out = joining.is_members_only and event.group is not None and not standing.is_member
        policy = joining.foreign_on(event) if standing.is_foreign else ForeignAnswers.COUNT
        if policy is ForeignAnswers.APART or is_closed or shuts_out:
            return PendingFor.APART
        if policy is ForeignAnswers.APPROVE:
            return PendingFor.APPROVAL
    return PendingFor.APPROVAL if joining.needs_approval else None


# How long an offered seat is held: a day, later half of the time that is left, and never less than somebody needs to see it.
OFFER_LIFE = DAY
SHORTEST_OFFER = 30 * MINUTE

# From when on smaller parties may pass bigger ones.
LAST_CALL = DAY


@dataclass(frozen=True, slots=True)
class SeatLimits:
    """How many people can take part: in all, and in each of the two ways; None is no limit."""

    total: int | None = None
    of_mode: Mapping[AnswerMode, int] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether everybody gets in."""
        return self.total is None and not self.of_mode


NO_LIMITS = SeatLimits()


class HasParty(Protocol):
    """Somebody, with how many people, in which way."""

    @property
    def party(self) -> int: ...

    @property
    def mode(self) -> AnswerMode | None: ...


@dataclass(frozen=True, slots=True)
class SeatsTaken:
    """Seats that are taken or offered, by how their people take part."""

    by_mode: Mapping[AnswerMode | None, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.by_mode.values())

    def of(self, mode: AnswerMode) -> int:
        """Who did not say how takes part in person."""
        unsaid = self.by_mode.get(None, 0) if mode is AnswerMode.IN_PERSON else 0
        return self.by_mode.get(mode, 0) + unsaid

    def plus(self, party: int, mode: AnswerMode | None) -> "SeatsTaken":
        """One more party (or, negative, one less)."""
        return SeatsTaken({**self.by_mode, mode: self.by_mode.get(mode, 0) + party})


def limits_of(event: Event, joining: RegistrationSettings) -> SeatLimits:
    """The limits of an event; those of the two ways count where it is held in both."""
    if event.mode is not Mode.HYBRID:
        return SeatLimits(event.capacity)
    limits = {AnswerMode.IN_PERSON: joining.limit_in_person, AnswerMode.ONLINE: joining.limit_online}
    return SeatLimits(event.capacity, {mode: limit for mode, limit in limits.items() if limit is not None})


def fits(limits: SeatLimits, held: SeatsTaken, party: int, mode: AnswerMode | None) -> bool:
    """Whether there are seats for the whole party."""
    if limits.total is not None and held.total + party > limits.total:
        return False
    how = mode or AnswerMode.IN_PERSON
    limit = limits.of_mode.get(how)
    return limit is None or held.of(how) + party <= limit


def most_together(limits: SeatLimits, mode: AnswerMode | None) -> int | None:
    """The largest party that this event would ever have seats for; None is any."""
    both = (limits.total, limits.of_mode.get(mode or AnswerMode.IN_PERSON))
    return min((limit for limit in both if limit is not None), default=None)


def is_too_large(limits: SeatLimits, one: HasParty) -> bool:
    """Whether there would be no seats for this party if everybody else stayed away: a limit was lowered since they answered."""
    most = most_together(limits, one.mode)
    return most is not None and one.party > most


def places_words(there_are: int, mode: AnswerMode | None) -> str:
    """``There are 3 places``; of a way of taking part its own."""
    places = "is 1 place" if there_are == 1 else f"are {there_are} places"
    return f"There {places}" + {None: "", AnswerMode.IN_PERSON: " in person", AnswerMode.ONLINE: " online"}[mode]


def are_exceeded(limits: SeatLimits, held: SeatsTaken) -> bool:
    """Whether more is held than there is, because a limit was lowered."""
    if limits.total is not None and held.total > limits.total:
        return True
    return any(held.of(mode) > limit for mode, limit in limits.of_mode.items())


def is_last_call(event: Event, now: Instant) -> bool:
    """Whether the start is so near that an empty seat would stay empty."""
    return event.starts_at is not None and event.starts_at - now <= LAST_CALL


def next_up(limits: SeatLimits, held: SeatsTaken, line: Iterable[Attendance], *, lets_past: bool) -> list[Attendance]:
    """Who of the line, in its order, gets a seat now. A party for which there are too few seats at all holds up nobody."""
    chosen: list[Attendance] = []
    stuck: set[AnswerMode] = set()
    for one in line:
        how = one.mode or AnswerMode.IN_PERSON
        if how in stuck or is_too_large(limits, one):
            continue
        if fits(limits, held, one.party, one.mode):
            held = held.plus(one.party, one.mode)
            chosen.append(one)
        elif lets_past:
            continue
        elif fits(SeatLimits(limits.total), held, one.party, None):
            # Only this way of taking part is full: who takes part in the other one is not kept waiting by it.
            stuck.add(how)
        else:
            break
    return chosen


def passes_nobody(limits: SeatLimits, held: SeatsTaken, first: Iterable[Attendance], mode: AnswerMode | None) -> bool:
    """Whether somebody who takes a seat now is nobody's better: ``first`` are next in their lines, and do not fit."""
    how = mode or AnswerMode.IN_PERSON
    others = SeatLimits(limits.total)
    return all((one.mode or AnswerMode.IN_PERSON) is not how and fits(others, held, one.party, None) for one in first)


def offer_until(event: Event, now: Instant) -> Instant:
    """When an offer made now ends; not after the event."""
    left = OFFER_LIFE if event.starts_at is None else (event.starts_at - now) // 2
    until = Instant(now + max(SHORTEST_OFFER, min(OFFER_LIFE, left)))
    return until if event.over_at is None else min(until, event.over_at)


def first_of(lines: Sequence[Sequence[Attendance]]) -> list[Attendance]:
    """Several lines as one, in the order in which people came."""
    return sorted((one for line in lines for one in line), key=lambda one: one.waitlist_number or 0)


def registration_closes_at(event: Event, joining: RegistrationSettings) -> Instant | None:
    """Until when people may say that they come; None is until it is over."""
    if joining.closes_hours_before is None or event.starts_at is None:
        return None
    return Instant(event.starts_at - joining.closes_hours_before * HOUR)


# The eve of an event: badges are handed out, and the zone of whoever does that is another one.
OPENS_BEFORE = DAY
CLOSES_AFTER = 7 * DAY


def check_in_closed_words(event: Event, now: Instant) -> str:
    """Why nobody is checked in now, and when they are; empty where they are."""
    if event.starts_at is None or event.over_at is None:
        return "Check-in opens a day before the start, and this event has no date yet."
    if now < event.starts_at - OPENS_BEFORE:
        return (
            f"Check-in opens a day before the start: {_check_in_times(event, Instant(event.starts_at - OPENS_BEFORE))}."
        )
    if now > event.over_at + CLOSES_AFTER:
        return f"Check-in closed a week after the end: {_check_in_times(event, Instant(event.over_at + CLOSES_AFTER))}."
    return ""


def must_be_checking_in(event: Event, now: Instant) -> None:
    """Refused (``CheckInClosed``) before and after that time."""
    if why := check_in_closed_words(event, now):
        raise Refused(why, name="CheckInClosed")


def _check_in_times(event: Event, at: Instant) -> str:
    local = wall_time.local_of(at, event.time_zone)
    return f"{formatting.span(local, None)}, {formatting.zone_words(local, event.time_zone)}"

"""The answer bar: which state it has for one person now, and which actions it offers. Pure.

The event page, lists, e-mails and the API call ``answer_bar_of``; its texts are in ``answer_texts``. Replies are
offered only if ``rules`` accepts them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.clock import DAY, MINUTE, Instant
from groundwork.errors import NotFound, Refused
from openmeet.domain.attendance import moved_dates, rules
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, PendingFor, RsvpReply
from openmeet.domain.attendance.registration import DEFAULT_SETTINGS, EventRegistration, RegistrationSettings
from openmeet.domain.attendance.rules import EventRelationship
from openmeet.domain.attendance.transitions import ACTION_OF_REPLY
from openmeet.domain.events.model import Event
from openmeet.domain.events.time_and_place import local_time
from openmeet.domain.events.values import Mode

# How long before the start the bar begins to offer the join link.
_JOIN_BEFORE = 15 * MINUTE


class AnswerState(StrEnum):
    """States of the bar, most urgent first. The API returns these values."""

    NOT_PUBLISHED = "not_published"
    CANCELLED = "cancelled"
    OVER = "over"
    NEEDS_DECISIONS = "needs_decisions"
    HOSTING = "hosting"
    REJECTED = "rejected"
    NOT_WELCOME = "not_welcome"
    CHECKED_IN = "checked_in"
    JOIN_NOW = "join_now"
    TODAY = "today"
    MOVED = "moved"
    GOING = "going"
    PLACE_HELD = "place_held"
    WAITLISTED = "waitlisted"
    REQUESTED = "requested"
    UNCONFIRMED = "unconfirmed"
    MEMBERS_ONLY = "members_only"
    CLOSED = "closed"
    MAYBE = "maybe"
    DECLINED = "declined"
    OFFER_EXPIRED = "offer_expired"
    INVITED = "invited"
    APPROVAL = "approval"
    FULL = "full"
    OPEN = "open"


class AnswerAction(StrEnum):
    """A button of the bar. The first three post the reply of the same name; the others are links."""

    GOING = "going"
    INTERESTED = "interested"
    DECLINED = "declined"
    CHANGE = "change"
    TICKET = "ticket"
    DIRECTIONS = "directions"
    JOIN = "join"
    NEXT_DATE = "next_date"
    ASK_HOSTS = "ask_hosts"
    SEE_GROUP = "see_group"
    DECIDE = "decide"
    CHECK_IN = "check_in"
    INVITE = "invite"
    EDIT = "edit"
    THANK = "thank"
    COPY = "copy"
    PHOTOS = "photos"


class GoingOutcome(StrEnum):
    """The outcome of replying "going" now."""

    PLACE = "place"
    REQUEST = "request"
    WAITLIST = "waitlist"
    HELD_PLACE = "held_place"


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """The two buttons of one state, each with actions to offer instead if the person cannot use the preferred one.
    ``shows_answer`` is True if the primary button shows the state instead of changing it.
    """

    primary: AnswerAction | None = None
    secondary: AnswerAction | None = None
    shows_answer: bool = False
    instead_of_primary: tuple[AnswerAction, ...] = ()
    instead_of_secondary: tuple[AnswerAction, ...] = ()


_Action = AnswerAction
ROW_OF_STATE: Final[Mapping[AnswerState, AnswerRow]] = {
    AnswerState.NOT_PUBLISHED: AnswerRow(),
    AnswerState.CANCELLED: AnswerRow(_Action.NEXT_DATE, _Action.DECLINED),
    AnswerState.OVER: AnswerRow(
        _Action.THANK,
        _Action.PHOTOS,
        instead_of_primary=(_Action.NEXT_DATE,),
        instead_of_secondary=(_Action.DECLINED, _Action.COPY),
    ),
    AnswerState.NEEDS_DECISIONS: AnswerRow(_Action.DECIDE, _Action.CHECK_IN, instead_of_secondary=(_Action.EDIT,)),
    AnswerState.HOSTING: AnswerRow(_Action.CHECK_IN, _Action.EDIT, instead_of_primary=(_Action.INVITE,)),
    AnswerState.REJECTED: AnswerRow(_Action.ASK_HOSTS),
    AnswerState.NOT_WELCOME: AnswerRow(None, _Action.DECLINED),
    AnswerState.CHECKED_IN: AnswerRow(_Action.TICKET, _Action.PHOTOS),
    AnswerState.JOIN_NOW: AnswerRow(_Action.JOIN, _Action.CHANGE),
    AnswerState.TODAY: AnswerRow(_Action.TICKET, _Action.DIRECTIONS, instead_of_secondary=(_Action.CHANGE,)),
    AnswerState.MOVED: AnswerRow(_Action.GOING, _Action.DECLINED),
    AnswerState.GOING: AnswerRow(_Action.GOING, _Action.CHANGE, shows_answer=True),
    AnswerState.PLACE_HELD: AnswerRow(_Action.GOING, _Action.DECLINED),
    AnswerState.WAITLISTED: AnswerRow(_Action.GOING, _Action.DECLINED, shows_answer=True),
    AnswerState.REQUESTED: AnswerRow(_Action.GOING, _Action.DECLINED, shows_answer=True),
    AnswerState.UNCONFIRMED: AnswerRow(_Action.GOING, _Action.DECLINED, shows_answer=True),
    AnswerState.MEMBERS_ONLY: AnswerRow(_Action.SEE_GROUP),
    AnswerState.CLOSED: AnswerRow(_Action.ASK_HOSTS),
    AnswerState.MAYBE: AnswerRow(_Action.GOING, _Action.DECLINED),
    AnswerState.DECLINED: AnswerRow(_Action.GOING, _Action.INTERESTED),
    AnswerState.OFFER_EXPIRED: AnswerRow(_Action.GOING, _Action.DECLINED),
    AnswerState.INVITED: AnswerRow(_Action.GOING, _Action.DECLINED),
    AnswerState.APPROVAL: AnswerRow(_Action.GOING, _Action.INTERESTED),
    AnswerState.FULL: AnswerRow(_Action.GOING, _Action.INTERESTED),
    AnswerState.OPEN: AnswerRow(_Action.GOING, _Action.INTERESTED),
}


# Neither a host nor a member of the group.
STRANGER: Final = EventRelationship()


@dataclass(frozen=True, slots=True)
class AnswerBarInput:
    """Everything that the state depends on: an event, a person's RSVP to it, the time, and more.

    ``is_hosting``: they decide about answers, and the bar offers that. It is False where hosts answer for themselves,
    although ``relationship.is_host`` is True. ``is_welcome``: neither the host nor a moderator has blocked them, and the
    group has not banned them.
    ``is_full``: a new answer joins the waitlist. ``pending_people``: number of people waiting for a decision.
    ``pending_rsvps``: number of their answers, each of which can be for several people.
    ``has_missed_offer``: a place was held for them, and they did not take it in time. ``may_join``: they may use the
    link to join online. ``has_directions``: they know where it is. ``sees_photos``: they may see and add photos of it
    (``photos.access``).
    """

    event: Event
    rsvp: Attendance | None
    now: Instant
    registration_settings: RegistrationSettings = DEFAULT_SETTINGS
    relationship: EventRelationship = STRANGER
    is_hosting: bool = False
    is_welcome: bool = True
    is_full: bool = False
    pending_people: int = 0
    pending_rsvps: int = 0
    has_missed_offer: bool = False
    may_join: bool = False
    has_directions: bool = False
    may_edit: bool = False
    may_message: bool = False
    has_next_date: bool = False
    sees_group: bool = False
    sees_photos: bool = False

    @property
    def event_registration(self) -> EventRegistration:
        return EventRegistration(self.event, self.registration_settings)


@dataclass(frozen=True, slots=True)
class AnswerBar:
    """The bar for one person. ``replies`` are all replies that the event accepts from them now, with or without a
    button in the bar.

    ``shows_answer`` is True if ``primary`` shows the RSVP they gave. ``current_reply`` is the reply behind their RSVP,
    unless the event was moved since.
    """

    state: AnswerState
    primary: AnswerAction | None
    secondary: AnswerAction | None
    shows_answer: bool
    going_outcome: GoingOutcome
    replies: tuple[RsvpReply, ...]
    current_reply: RsvpReply | None

    @property
    def others(self) -> tuple[RsvpReply, ...]:
        """Replies that have no button in the bar."""
        shown = {self.primary, self.secondary}
        return tuple(one for one in self.replies if AnswerAction(one.value) not in shown)


REPLY_OF_STATUS: Final[Mapping[AttendanceStatus, RsvpReply]] = {
    AttendanceStatus.ATTENDING: RsvpReply.GOING,
    AttendanceStatus.ATTENDED: RsvpReply.GOING,
    AttendanceStatus.WAITLISTED: RsvpReply.GOING,
    AttendanceStatus.PENDING: RsvpReply.GOING,
    AttendanceStatus.INTERESTED: RsvpReply.INTERESTED,
    AttendanceStatus.DECLINED: RsvpReply.DECLINED,
}


def answer_bar_of(bar_input: AnswerBarInput) -> AnswerBar:
    """Return the state and those of its buttons that this person can use."""
    state = _state_of(bar_input)
    row = ROW_OF_STATE[state]
    replies = (
        tuple(reply for reply in RsvpReply if _accepts_reply(bar_input, reply))
        if state is not AnswerState.NOT_PUBLISHED
        else ()
    )
    primary, secondary = [
        next((one for one in actions if one is not None and _is_usable(bar_input, one, replies)), None)
        for actions in ((row.primary, *row.instead_of_primary), (row.secondary, *row.instead_of_secondary))
    ]
    rsvp = bar_input.rsvp
    must_reply_again = (
        rsvp is None
        or rsvp.has_offer(bar_input.now)
        or state is AnswerState.MOVED
        or rsvp.pending_for is PendingFor.UNCLEAR
    )
    current_reply = None if rsvp is None or must_reply_again else REPLY_OF_STATUS.get(rsvp.status)
    return AnswerBar(state, primary, secondary, row.shows_answer, outcome_of_going(bar_input), replies, current_reply)


def outcome_of_going(bar_input: AnswerBarInput) -> GoingOutcome:
    """The outcome of replying "going" now, by the same rules that decide about the reply. PLACE also if it would be
    refused: then the bar offers no such button.
    """
    rsvp = bar_input.rsvp
    if rsvp is not None and rsvp.has_offer(bar_input.now):
        return GoingOutcome.HELD_PLACE
    try:
        decision = rules.decide(
            bar_input.event_registration,
            rsvp,
            ACTION_OF_REPLY[RsvpReply.GOING],
            relationship=bar_input.relationship,
            has_room=not bar_input.is_full,
            asked_at=bar_input.now,
        )
    except (Refused, NotFound):
        return GoingOutcome.PLACE
    if decision.status is AttendanceStatus.PENDING:
        return GoingOutcome.REQUEST
    return GoingOutcome.WAITLIST if decision.status is AttendanceStatus.WAITLISTED else GoingOutcome.PLACE


def _state_of(bar_input: AnswerBarInput) -> AnswerState:
    event, rsvp, now = bar_input.event, bar_input.rsvp, bar_input.now
    if event.is_draft or event.is_held:
        return AnswerState.NOT_PUBLISHED
    if event.is_cancelled:
        return AnswerState.CANCELLED
    if event.is_over(now):
        return AnswerState.OVER
    if bar_input.is_hosting:
        return AnswerState.NEEDS_DECISIONS if bar_input.pending_people else AnswerState.HOSTING
    if rsvp is not None and rsvp.status is AttendanceStatus.REJECTED:
        return AnswerState.REJECTED
    if rsvp is not None and rsvp.is_seated:
        return _state_when_seated(bar_input, rsvp)
    if not bar_input.is_welcome:
        return AnswerState.NOT_WELCOME
    if rsvp is not None and rsvp.has_offer(now):
        return AnswerState.PLACE_HELD
    if rsvp is not None and _asks_about_new_time(bar_input, rsvp):
        return AnswerState.MOVED
    if rsvp is not None and rsvp.status is AttendanceStatus.WAITLISTED:
        return AnswerState.WAITLISTED
    if rsvp is not None and rsvp.pending_for is PendingFor.UNCLEAR:
        # Hosts cannot approve it, so the person is asked like somebody who has not replied.
        rsvp = None
    if rsvp is not None and rsvp.status is AttendanceStatus.PENDING:
        return AnswerState.REQUESTED if rsvp.pending_for is PendingFor.APPROVAL else AnswerState.UNCONFIRMED
    if not _accepts_reply(bar_input, RsvpReply.GOING):
        is_members_only = rules.is_closed_to_nonmember(bar_input.event_registration, bar_input.relationship)
        return AnswerState.MEMBERS_ONLY if is_members_only else AnswerState.CLOSED
    if bar_input.has_missed_offer:
        return AnswerState.OFFER_EXPIRED
    if rsvp is not None:
        return _STATE_OF_STATUS[rsvp.status]
    return _STATE_WITHOUT_RSVP[outcome_of_going(bar_input)]


_STATE_OF_STATUS: Final[Mapping[AttendanceStatus, AnswerState]] = {
    AttendanceStatus.INTERESTED: AnswerState.MAYBE,
    AttendanceStatus.DECLINED: AnswerState.DECLINED,
    AttendanceStatus.INVITED: AnswerState.INVITED,
}

_STATE_WITHOUT_RSVP: Final[Mapping[GoingOutcome, AnswerState]] = {
    GoingOutcome.PLACE: AnswerState.OPEN,
    GoingOutcome.REQUEST: AnswerState.APPROVAL,
    GoingOutcome.WAITLIST: AnswerState.FULL,
}


# Statuses of people who are going or are waiting for a place.
_GOING_OR_WAITING: Final = (AttendanceStatus.ATTENDING, AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING)


def _asks_about_new_time(bar_input: AnswerBarInput, rsvp: Attendance) -> bool:
    """Whether the event was moved after they answered and has not started yet. RSVPs from other apps that the host has
    not decided about do not count.
    """
    starts_at = bar_input.event.starts_at
    return (
        rsvp.status in _GOING_OR_WAITING
        and rsvp.pending_for in {None, PendingFor.APPROVAL}
        and starts_at is not None
        and bar_input.now < starts_at
        and moved_dates.is_moved_since(bar_input.event, rsvp.known_starts_at)
    )


def _state_when_seated(bar_input: AnswerBarInput, rsvp: Attendance) -> AnswerState:
    event, now = bar_input.event, bar_input.now
    starts_at = event.starts_at
    if starts_at is not None and bar_input.may_join and now >= starts_at - _JOIN_BEFORE and _is_online(event, rsvp):
        return AnswerState.JOIN_NOW
    if rsvp.status is AttendanceStatus.ATTENDED:
        return AnswerState.CHECKED_IN
    if _asks_about_new_time(bar_input, rsvp):
        return AnswerState.MOVED
    if is_visited_today(event, now):
        return AnswerState.TODAY
    return AnswerState.GOING


def _is_online(event: Event, rsvp: Attendance) -> bool:
    return event.content.mode is Mode.ONLINE or (rsvp.mode is not None and rsvp.mode.value == Mode.ONLINE.value)


def is_visited_today(event: Event, now: Instant) -> bool:
    """Whether people come to the event today: it has a place, and has started or starts today in its own time zone.

    An event of several days is visited on each of them.
    """
    starts_at = event.starts_at
    if starts_at is None or event.content.mode is Mode.ONLINE:
        return False
    if now >= starts_at:
        return True
    starts_on, today = (local_time(event, at).date() for at in (starts_at, now))
    return starts_at - now < DAY and starts_on == today


def _accepts_reply(bar_input: AnswerBarInput, reply: RsvpReply) -> bool:
    """Whether the event accepts this reply from this person now. If the event is cancelled or over, or they are not
    welcome, only a person with an RSVP can decline.
    """
    action = ACTION_OF_REPLY[reply]
    if reply is RsvpReply.DECLINED:
        is_answered = bar_input.rsvp is not None and bar_input.rsvp.status is not AttendanceStatus.DECLINED
        if not is_answered and (
            bar_input.event.is_cancelled or bar_input.event.is_over(bar_input.now) or not bar_input.is_welcome
        ):
            return False
    elif not bar_input.is_welcome:
        return False
    try:
        rules.require_open(
            bar_input.event_registration,
            bar_input.rsvp,
            action,
            bar_input.relationship,
            bar_input.now,
        )
        rules.decide(
            bar_input.event_registration,
            bar_input.rsvp,
            action,
            relationship=bar_input.relationship,
            has_room=not bar_input.is_full,
            asked_at=bar_input.now,
        )
    except (Refused, NotFound):
        return False
    # After a rejection no further reply is accepted.
    return bar_input.rsvp is None or bar_input.rsvp.status is not AttendanceStatus.REJECTED


def _is_usable(bar_input: AnswerBarInput, action: AnswerAction, replies: tuple[RsvpReply, ...]) -> bool:
    match action:
        case AnswerAction.GOING | AnswerAction.INTERESTED | AnswerAction.DECLINED:
            return RsvpReply(action.value) in replies
        case AnswerAction.CHANGE:
            return bool(replies)
        case AnswerAction.DIRECTIONS:
            return bar_input.has_directions
        case AnswerAction.NEXT_DATE:
            return bar_input.has_next_date
        case AnswerAction.ASK_HOSTS:
            return bar_input.may_message
        case AnswerAction.SEE_GROUP:
            return bar_input.sees_group
        case AnswerAction.PHOTOS:
            return bar_input.sees_photos
        case AnswerAction.CHECK_IN:
            return is_visited_today(bar_input.event, bar_input.now)
        case AnswerAction.THANK:
            return bar_input.is_hosting
        case AnswerAction.COPY:
            return bar_input.is_hosting and not bar_input.has_next_date
        case AnswerAction.EDIT:
            return bar_input.may_edit
        case AnswerAction.INVITE:
            # Nobody but its author can open a hidden event, so an invitation would lead to an error page.
            return not bar_input.event.is_hidden
        case AnswerAction.TICKET | AnswerAction.JOIN | AnswerAction.DECIDE:
            return True

"""Texts of the answer bar: one sentence per state and button labels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from groundwork.clock import MINUTE
from openmeet.domain.attendance.answer_bar import AnswerAction, AnswerBar, AnswerBarInput, AnswerState, GoingOutcome
from openmeet.domain.attendance.model import Attendance, AttendanceMode, AttendanceStatus, PendingFor, RsvpReply
from openmeet.domain.attendance.moved_dates import ALL_DATES, MovedDates
from openmeet.domain.attendance.registration import EventRegistration, RegistrationSettings
from openmeet.domain.attendance.seats import is_too_large, largest_party, limits_of
from openmeet.domain.events import time_and_place
from openmeet.domain.events.model import Event
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import LazyText, gettext, lazy, ngettext

REPLY_LABELS: Final[Mapping[RsvpReply, LazyText]] = {
    RsvpReply.GOING: lazy("I’m going"),
    RsvpReply.INTERESTED: lazy("Maybe"),
    RsvpReply.DECLINED: lazy("Can’t go"),
}

_GOING_LABELS: Final[Mapping[GoingOutcome, LazyText]] = {
    GoingOutcome.PLACE: lazy("I’m going"),
    GoingOutcome.REQUEST: lazy("Ask to join"),
    GoingOutcome.WAITLIST: lazy("Join waitlist"),
    GoingOutcome.HELD_PLACE: lazy("Take the place"),
}

# The label of the first button if it shows the state.
_STATE_LABELS: Final[Mapping[AnswerState, LazyText]] = {
    AnswerState.GOING: lazy("Going"),
    AnswerState.WAITLISTED: lazy("On the waitlist"),
    AnswerState.REQUESTED: lazy("Request sent"),
    AnswerState.UNCONFIRMED: lazy("Not confirmed yet"),
}

# Labels of "going" for people who have said so and are waiting.
_STAY_LABELS: Final[Mapping[AnswerState, LazyText]] = {
    AnswerState.WAITLISTED: lazy("Stay on the waitlist"),
    AnswerState.REQUESTED: lazy("Keep my request"),
    AnswerState.UNCONFIRMED: lazy("Keep my answer"),
}

# Labels of "declined" for people who already answered, or give up a place.
_DECLINE_LABELS: Final[Mapping[AnswerState, LazyText]] = {
    AnswerState.CANCELLED: lazy("Withdraw my answer"),
    AnswerState.OVER: lazy("Withdraw my answer"),
    AnswerState.NOT_WELCOME: lazy("Withdraw my answer"),
    AnswerState.PLACE_HELD: lazy("Give up the place"),
    AnswerState.WAITLISTED: lazy("Leave"),
    AnswerState.REQUESTED: lazy("Withdraw"),
    AnswerState.UNCONFIRMED: lazy("Withdraw"),
}

_LINK_LABELS: Final[Mapping[AnswerAction, LazyText]] = {
    AnswerAction.CHANGE: lazy("Change"),
    AnswerAction.TICKET: lazy("Show ticket"),
    AnswerAction.DIRECTIONS: lazy("Directions"),
    AnswerAction.JOIN: lazy("Join online"),
    AnswerAction.NEXT_DATE: lazy("See next date"),
    AnswerAction.ASK_HOSTS: lazy("Message the host"),
    AnswerAction.SEE_GROUP: lazy("See the group"),
    AnswerAction.CHECK_IN: lazy("Check in"),
    AnswerAction.INVITE: lazy("Invite people"),
    AnswerAction.EDIT: lazy("Edit"),
    AnswerAction.THANK: lazy("Thank the guests"),
    AnswerAction.COPY: lazy("Host it again"),
    AnswerAction.PHOTOS: lazy("Photos"),
}

# Sentences of the states that need no figures.
_FIXED_SENTENCES: Final[Mapping[AnswerState, LazyText]] = {
    AnswerState.NOT_PUBLISHED: lazy("People can answer once it’s published."),
    AnswerState.REJECTED: lazy("The host has declined your answer."),
    AnswerState.NOT_WELCOME: lazy("You can’t answer this event."),
    AnswerState.CHECKED_IN: lazy("You’re checked in."),
    AnswerState.MEMBERS_ONLY: lazy("Only members of its group can come."),
    AnswerState.MAYBE: lazy("You said maybe."),
    AnswerState.DECLINED: lazy("You said you can’t go."),
    AnswerState.OFFER_EXPIRED: lazy("The place is no longer held for you."),
    AnswerState.INVITED: lazy("You’re invited."),
}

_PAST_ANSWER_SENTENCES: Final[Mapping[AttendanceStatus, LazyText]] = {
    AttendanceStatus.ATTENDING: lazy("You were going."),
    AttendanceStatus.ATTENDED: lazy("You were there."),
    AttendanceStatus.INTERESTED: lazy("You had said maybe."),
    AttendanceStatus.PENDING: lazy("You had asked to join."),
    AttendanceStatus.WAITLISTED: lazy("You were on the waitlist."),
    AttendanceStatus.INVITED: lazy("You were invited."),
}


@dataclass(frozen=True, slots=True)
class AnswerFigures:
    """Numbers and names used in the sentences. ``host`` is a name, or empty if the sentence says "the host".

    ``people_ahead`` is the number of people ahead on the waitlist, ``waiting`` is the number of all people on the
    waitlist, ``going`` is the number of people going, and ``taken`` is the number of places taken, including those that
    are held for somebody.
    """

    host: str = ""
    people_ahead: int = 0
    waiting: int = 0
    going: int = 0
    taken: int = 0


NO_FIGURES = AnswerFigures()


def label_of(bar: AnswerBar, action: AnswerAction, pending_rsvps: int = 0, next_date: str = "") -> str:
    """Return the label of a button of the bar. ``next_date``: the date to which the button for it leads, in words."""
    match action:
        case AnswerAction.NEXT_DATE if next_date:
            return gettext("Next: %(when)s", when=next_date)
        case AnswerAction.GOING:
            return str(_STATE_LABELS[bar.state]) if bar.shows_answer else reply_label(bar, RsvpReply.GOING)
        case AnswerAction.INTERESTED:
            return str(REPLY_LABELS[RsvpReply.INTERESTED])
        case AnswerAction.DECLINED:
            return str(_DECLINE_LABELS.get(bar.state, REPLY_LABELS[RsvpReply.DECLINED]))
        case AnswerAction.DECIDE:
            return ngettext("Review %(number)s request", "Review %(number)s requests", pending_rsvps)
        case _:
            return str(_LINK_LABELS[action])


def button_labels(bar: AnswerBar, pending_rsvps: int) -> list[str]:
    """Return the labels of the buttons of the bar, the main one first."""
    return [label_of(bar, one, pending_rsvps) for one in (bar.primary, bar.secondary) if one is not None]


def reply_label(bar: AnswerBar, reply: RsvpReply) -> str:
    """Return the label of a reply in a list of all replies."""
    if bar.state is AnswerState.MOVED and reply is RsvpReply.GOING:
        return gettext("Still works")
    if reply is not RsvpReply.GOING:
        return str(REPLY_LABELS[reply])
    return str(_STAY_LABELS.get(bar.state, _GOING_LABELS[bar.going_outcome]))


def reply_labels(bar: AnswerBar, moved: MovedDates | None) -> dict[str, str]:
    """Return the replies with their labels, for somebody who does not see the answer bar. With ``moved``, the first one
    confirms all these dates.
    """
    labels = {reply.value: reply_label(bar, reply) for reply in bar.replies}
    if moved is None:
        return labels
    if RsvpReply.GOING.value in labels:
        labels[RsvpReply.GOING.value] = gettext("Only this date works")
    return {ALL_DATES: confirm_all_label(moved.count)} | labels


def confirm_all_label(count: int) -> str:
    """Return the label of the button that confirms the new times of several dates of a series."""
    return ngettext("The date still works", "All %(number)s dates still work", count)


def sentence_of(bar: AnswerBar, bar_input: AnswerBarInput, figures: AnswerFigures = NO_FIGURES) -> str:
    """Return the sentence of the bar; empty if the buttons need no explanation."""
    event, rsvp = bar_input.event, bar_input.rsvp
    match bar.state:
        case AnswerState.CANCELLED:
            return _ended_sentence(gettext("This event is cancelled."), rsvp)
        case AnswerState.OVER:
            return _ended_sentence(gettext("This event is over."), rsvp)
        case AnswerState.NEEDS_DECISIONS:
            return ngettext(
                "%(number)s person is waiting for you.",
                "%(number)s people are waiting for you.",
                bar_input.pending_people,
            )
        case AnswerState.HOSTING:
            return _seats_sentence(event, figures)
        case AnswerState.JOIN_NOW | AnswerState.TODAY:
            return _today_sentence(bar_input)
        case AnswerState.MOVED:
            return _moved_sentence(bar_input)
        case AnswerState.GOING:
            return going_sentence(rsvp)
        case AnswerState.PLACE_HELD | AnswerState.WAITLISTED:
            return _waiting_sentence(bar_input, figures.people_ahead)
        case AnswerState.REQUESTED | AnswerState.UNCONFIRMED:
            return _asked_sentence(bar_input, figures.host)
        case AnswerState.CLOSED:
            return _closed_sentence(bar_input)
        case AnswerState.APPROVAL:
            return _approval_sentence(bar_input.registration_settings, figures.host)
        case AnswerState.FULL:
            return _full_sentence(figures.waiting)
        case AnswerState.OPEN:
            return _question_sentence(bar_input.registration_settings, figures.host)
        case _:
            return str(_FIXED_SENTENCES[bar.state])


_STILL_WAITS: Final[Mapping[AttendanceStatus, LazyText]] = {
    AttendanceStatus.WAITLISTED: lazy("You’re on the waitlist."),
    AttendanceStatus.PENDING: lazy("The host hasn’t decided yet."),
}


def _moved_sentence(bar_input: AnswerBarInput) -> str:
    moved = gettext("Moved since you answered: now %(when)s.", when=time_and_place.short_start_label(bar_input.event))
    waits = None if bar_input.rsvp is None else _STILL_WAITS.get(bar_input.rsvp.status)
    return moved if waits is None else f"{moved} {waits}"


def time_before_move_sentence(bar_input: AnswerBarInput) -> str:
    """Return the sentence with the event's start at the time when they answered."""
    starts_at = None if bar_input.rsvp is None else bar_input.rsvp.known_starts_at
    before = replace(bar_input.event, starts_at=starts_at)
    return gettext("It was %(when)s.", when=time_and_place.start_label(before, bar_input.now))


def past_answer_sentence(rsvp: Attendance | None) -> str:
    """Return the sentence about their answer once the event is cancelled or over; empty without an answer."""
    return "" if rsvp is None else str(_PAST_ANSWER_SENTENCES.get(rsvp.status, ""))


def _ended_sentence(first: str, rsvp: Attendance | None) -> str:
    past_answer = past_answer_sentence(rsvp)
    return f"{first} {past_answer}" if past_answer else first


def _seats_sentence(event: Event, figures: AnswerFigures) -> str:
    places, going = event.content.capacity, figures.going
    if places is not None:
        return ngettext(
            "%(taken)s of %(number)s place taken.", "%(taken)s of %(number)s places taken.", places, taken=figures.taken
        )
    return ngettext("%(number)s going.", "%(number)s going.", going) if going else gettext("Nobody is going yet.")


def _today_sentence(bar_input: AnswerBarInput) -> str:
    event = bar_input.event
    if event.starts_at is None or event.is_all_day:
        return gettext("You’re going. It’s today.")
    starts = time_and_place.local_time(event, event.starts_at)
    if event.starts_at <= bar_input.now:
        return gettext("Started %(ago)s.", ago=formatting.ago(event.starts_at, bar_input.now))
    return gettext("You’re going. Starts at %(time)s.", time=formatting.clock(starts))


def going_sentence(rsvp: Attendance | None) -> str:
    """Return the sentence that says they are going and with how many companions."""
    companions = 0 if rsvp is None else rsvp.party - 1
    if not companions:
        return gettext("You’re going.")
    return ngettext("You’re going with %(number)s guest.", "You’re going with %(number)s guests.", companions)


def _full_sentence(waiting: int) -> str:
    if not waiting:
        return gettext("Full. Nobody is on the waitlist yet.")
    return ngettext("Full, %(number)s on the waitlist.", "Full, %(number)s on the waitlist.", waiting)


def _approval_sentence(registration_settings: RegistrationSettings, host: str) -> str:
    number = len(registration_settings.questions)
    if not number:
        return gettext("%(host)s approves every guest.", host=host or gettext("The host"))
    return ngettext(
        "%(host)s approves every guest and asks %(number)s question.",
        "%(host)s approves every guest and asks %(number)s questions.",
        number,
        host=host or gettext("The host"),
    )


def _question_sentence(registration_settings: RegistrationSettings, host: str) -> str:
    number = len(registration_settings.questions)
    if not number:
        return ""
    return ngettext(
        "%(host)s asks %(number)s question.",
        "%(host)s asks %(number)s questions.",
        number,
        host=host or gettext("The host"),
    )


def _asked_sentence(bar_input: AnswerBarInput, host: str) -> str:
    rsvp = bar_input.rsvp
    if rsvp is None or rsvp.pending_for is not PendingFor.APPROVAL:
        return gettext("You don’t have a place yet. The host hasn’t confirmed your answer.")
    # An e-mail with this sentence is sent right after the answer, and read later.
    if bar_input.now - rsvp.answered_at < MINUTE:
        if host:
            return gettext("You asked to join. %(host)s hasn’t decided yet.", host=host)
        return gettext("You asked to join. The host hasn’t decided yet.")
    when_asked = formatting.ago(rsvp.answered_at, bar_input.now)
    if host:
        return gettext("You asked to join %(when)s. %(host)s hasn’t decided yet.", when=when_asked, host=host)
    return gettext("You asked to join %(when)s. The host hasn’t decided yet.", when=when_asked)


def _closed_sentence(bar_input: AnswerBarInput) -> str:
    at = bar_input.event_registration.closes_at
    if at is None:
        return gettext("This event takes no answers.")
    local, now = (time_and_place.local_time(bar_input.event, one) for one in (at, bar_input.now))
    when = formatting.day_and_time(formatting.short_day(local, now.date()), local)
    return gettext("Answers closed on %(when)s.", when=when)


def _waiting_sentence(bar_input: AnswerBarInput, people_ahead: int) -> str:
    rsvp = bar_input.rsvp
    if rsvp is None:
        return ""
    return (
        _held_sentence(bar_input, rsvp)
        or _too_large_sentence(bar_input.event_registration, rsvp)
        or (
            ngettext(
                "You’re on the waitlist, with %(number)s person before you.",
                "You’re on the waitlist, with %(number)s people before you.",
                people_ahead,
            )
            if people_ahead
            else gettext("You’re next on the waitlist.")
        )
    )


def _held_sentence(bar_input: AnswerBarInput, rsvp: Attendance) -> str:
    """Return the sentence that says a place is held and until when; empty if no place is held."""
    if rsvp.offered_until is None or not rsvp.has_offer(bar_input.now):
        return ""
    event = bar_input.event
    until = time_and_place.local_time(event, rsvp.offered_until)
    return ngettext(
        "A place is held for you until %(until)s.",
        "%(number)s places are held for you until %(until)s.",
        rsvp.party,
        until=(
            f"{formatting.day_and_time(formatting.short_day(until), until)},"
            f" {formatting.zone_label(until, time_and_place.zone_shown(event))}"
        ),
    )


def _too_large_sentence(event_registration: EventRegistration, rsvp: Attendance) -> str:
    """Return the sentence for a party that is larger than the lowered limit and so will get no place; empty if the
    party can still get one.
    """
    limits = limits_of(event_registration)
    most = largest_party(limits, rsvp.mode)
    if most is None or not is_too_large(limits, rsvp):
        return ""
    # A limit that is too small for the party means at least two people, so the plural is always right.
    match rsvp.mode:
        case None:
            return ngettext(
                "There’s only %(number)s place, but you’re %(party)s people. Answer again with fewer people.",
                "There are only %(number)s places, but you’re %(party)s people. Answer again with fewer people.",
                most,
                party=rsvp.party,
            )
        case AttendanceMode.IN_PERSON:
            return ngettext(
                "There’s only %(number)s place in person, but you’re %(party)s people. Answer again with fewer people.",
                "There are only %(number)s places in person, but you’re %(party)s people. Answer again with fewer "
                "people.",
                most,
                party=rsvp.party,
            )
        case AttendanceMode.ONLINE:
            return ngettext(
                "There’s only %(number)s place online, but you’re %(party)s people. Answer again with fewer people.",
                "There are only %(number)s places online, but you’re %(party)s people. Answer again with fewer people.",
                most,
                party=rsvp.party,
            )

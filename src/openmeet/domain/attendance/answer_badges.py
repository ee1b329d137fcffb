"""Badges of events: the one that a list shows next to each event, and those for one person's answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from openmeet.domain.attendance.answer_bar import AnswerBar, AnswerBarInput, AnswerState, GoingOutcome, answer_bar_of
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events.model import RecordOrigin
from openmeet.i18n.catalogue import LazyText, lazy, ngettext


@dataclass(frozen=True, slots=True)
class Badge:
    """A text and its tone: ``info``, ``good``, ``hold``, ``warn`` or ``plain``. ``icon`` names an icon; empty for none."""

    words: str | LazyText
    tone: str
    icon: str = ""


_YOU_ARE_GOING = Badge(lazy("You’re going"), "good")
_BADGES: Final[Mapping[AnswerState, Badge]] = {
    AnswerState.NOT_PUBLISHED: Badge(lazy("Draft"), "plain"),
    AnswerState.CANCELLED: Badge(lazy("Cancelled"), "warn"),
    AnswerState.HOSTING: Badge(lazy("You host this"), "info", "person"),
    AnswerState.CHECKED_IN: Badge(lazy("You’re checked in"), "good"),
    AnswerState.JOIN_NOW: _YOU_ARE_GOING,
    AnswerState.TODAY: _YOU_ARE_GOING,
    AnswerState.MOVED: Badge(lazy("You’re going, new time"), "hold"),
    AnswerState.GOING: _YOU_ARE_GOING,
    AnswerState.PLACE_HELD: Badge(lazy("A place is held for you"), "hold"),
    AnswerState.WAITLISTED: Badge(lazy("On the waitlist"), "hold"),
    AnswerState.REQUESTED: Badge(lazy("Request sent"), "hold"),
    AnswerState.UNCONFIRMED: Badge(lazy("Not confirmed yet"), "hold"),
    AnswerState.CLOSED: Badge(lazy("Answers closed"), "plain"),
    AnswerState.MEMBERS_ONLY: Badge(lazy("Members only"), "plain"),
    AnswerState.MAYBE: Badge(lazy("You said maybe"), "plain"),
    AnswerState.OFFER_EXPIRED: Badge(lazy("Place no longer held"), "plain"),
    AnswerState.INVITED: Badge(lazy("You’re invited"), "hold"),
    AnswerState.APPROVAL: Badge(lazy("By approval"), "hold"),
    AnswerState.FULL: Badge(lazy("Full"), "plain"),
}

# For people who are not going yet.
_NEW_TIME: Final = Badge(lazy("New time"), "hold")

_PAST_ANSWER_BADGES: Final[Mapping[AttendanceStatus, LazyText]] = {
    AttendanceStatus.ATTENDING: lazy("You were going"),
    AttendanceStatus.ATTENDED: lazy("You were there"),
}

FREE: Final = Badge(lazy("Free"), "plain")

# States that are the same for everyone, or that the viewer knows anyway.
_GENERAL: Final = frozenset(
    {AnswerState.APPROVAL, AnswerState.FULL, AnswerState.CLOSED, AnswerState.MEMBERS_ONLY, AnswerState.HOSTING}
)
# The page of an event says these elsewhere.
_SAID_ON_PAGE: Final = frozenset(
    {
        AnswerState.NOT_PUBLISHED,
        AnswerState.CANCELLED,
        AnswerState.OVER,
        AnswerState.HOSTING,
        AnswerState.NEEDS_DECISIONS,
        AnswerState.CLOSED,
        AnswerState.INVITED,
        AnswerState.FULL,
    }
)


def badge_in_list(
    bar_input: AnswerBarInput,
    bar: AnswerBar,
    *,
    status: str = "",
    sync: str = "",
    origin: Badge | None = None,
    is_own_list: bool = False,
    shows_waitlist: bool = False,
    has_more_dates: bool = False,
) -> Badge | None:
    """The badge of an event in a list, the most useful that applies: the person's own answer or task, then a change of
    the event, then the sync status, then who can come, then that it comes from another app, then that it is free, and
    last its series or group.

    ``status`` is a status of the event that differs from the usual one, ``origin`` the badge of its app, series or
    group. With ``is_own_list``, the person hosts all events of the list. With ``shows_waitlist``, the number of people on
    the waitlist is next to the badge, which says that the event is full. With ``has_more_dates``, the link to the other
    dates of the series takes the place of the badge, unless the badge is about the person, a change, or who can come.
    """
    event = bar_input.event
    answer = own_badge_of(bar_input) if bar.state is AnswerState.OVER else badge_of(bar, bar_input.pending_rsvps)
    if bar.state is AnswerState.NOT_PUBLISHED and not event.is_draft:
        answer = None
    if bar.state is AnswerState.HOSTING and is_own_list:
        answer = None
    if bar.state is AnswerState.FULL and shows_waitlist:
        answer = None
    candidates = (
        None if bar.state in _GENERAL else answer,
        Badge(status, "hold") if status and not event.is_cancelled else None,
        Badge(sync, "plain") if sync else None,
        answer,
    )
    less_useful = (
        origin if event.origin is not RecordOrigin.HERE else None,
        FREE if event.content.tickets.is_free and bar.state is not AnswerState.OVER else None,
        origin,
    )
    return next((one for one in (*candidates, *(() if has_more_dates else less_useful)) if one is not None), None)


def badges_on_page(bar_input: AnswerBarInput, bar: AnswerBar) -> list[Badge]:
    """The badges above the title of an event: the person's answer, or who can come, and whether it is free."""
    answer = None if bar.state in _SAID_ON_PAGE else badge_of(bar)
    is_over = bar.state in {AnswerState.CANCELLED, AnswerState.OVER}
    free = FREE if bar_input.event.content.tickets.is_free and not is_over else None
    return [one for one in (answer, free) if one is not None]


def badge_of(bar: AnswerBar, pending_rsvps: int = 0) -> Badge | None:
    """Return the badge for a state, or None if there is nothing to say. ``pending_rsvps``: how many requests are waiting,
    each of which can be for several people.
    """
    if bar.state is AnswerState.NEEDS_DECISIONS:
        return Badge(ngettext("%(number)s request", "%(number)s requests", pending_rsvps), "hold")
    if bar.state is AnswerState.MOVED and bar.going_outcome is not GoingOutcome.PLACE:
        return _NEW_TIME
    return _BADGES.get(bar.state)


def own_badge_of(bar_input: AnswerBarInput) -> Badge | None:
    """Return the badge for the person's own answer alone; None without one, and for "can’t go"."""
    if bar_input.rsvp is None or bar_input.rsvp.status in {AttendanceStatus.DECLINED, AttendanceStatus.REJECTED}:
        return None
    if bar_input.event.is_cancelled:
        return None
    bar = answer_bar_of(replace(bar_input, is_hosting=False))
    past_answer = _PAST_ANSWER_BADGES.get(bar_input.rsvp.status) if bar.state is AnswerState.OVER else None
    return Badge(past_answer, "plain") if past_answer is not None else badge_of(bar)

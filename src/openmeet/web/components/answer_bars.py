"""The answer bar in every state, for the component page. Built by the same code as on real pages."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from groundwork.clock import DAY, HOUR, MINUTE, Instant
from openmeet.domain.attendance.answer_bar import AnswerAction, AnswerBarInput, AnswerState
from openmeet.domain.attendance.answer_texts import AnswerFigures
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, PendingFor, RsvpSource
from openmeet.domain.attendance.registration import DEFAULT, RegistrationQuestion, RegistrationSettings
from openmeet.domain.attendance.rules import RsvpDecision
from openmeet.domain.attendance.save_rsvp import new_rsvp, stored_details
from openmeet.domain.events.content import Content
from openmeet.domain.events.edits import blank_event
from openmeet.domain.events.model import Event, EventStatus, GroupOfEvent
from openmeet.domain.events.values import Mode
from openmeet.domain.groups.model import GroupId, GroupVisibility, PromotionLevel
from openmeet.domain.users.model import UserId
from openmeet.web.events.answer_view import AnswerBarView, answer_bar_view

_FIGURES: Final = AnswerFigures(host="Eva", waiting_before=2, waiting=4, going=6, taken=6)
_PATHS: Final[Mapping[AnswerAction, str]] = dict.fromkeys(AnswerAction, "#answers")
_ASKS: Final = RegistrationSettings(needs_approval=True, questions=(RegistrationQuestion("q", "What do you eat?"),))
_CLOSED: Final = RegistrationSettings(closes_hours_before=5 * 24)
_MEMBERS: Final = RegistrationSettings(is_members_only=True)
_GROUP: Final = GroupOfEvent(GroupId("g"), GroupVisibility.PUBLIC, PromotionLevel.PUBLIC)

_S = AttendanceStatus


def answer_bars(now: Instant) -> list[AnswerBarView]:
    """One bar per ``AnswerState``."""
    return [answer_bar_view(bar_input, _FIGURES, _PATHS) for bar_input in _bar_inputs(now).values()]


def _bar_inputs(now: Instant) -> Mapping[AnswerState, AnswerBarInput]:
    soon, tonight, lately = (_sample_event(now, after) for after in (3 * DAY, HOUR, -DAY))
    online = replace(tonight, content=Content("Lightning talks", mode=Mode.ONLINE), starts_at=Instant(now - 4 * MINUTE))
    cancelled = replace(soon, status=EventStatus.CANCELLED)
    going, waiting, requested = (
        _sample_rsvp(soon, status, now) for status in (_S.ATTENDING, _S.WAITLISTED, _S.PENDING)
    )
    invited, maybe, declined = (_sample_rsvp(soon, status, now) for status in (_S.INVITED, _S.INTERESTED, _S.DECLINED))

    def bar_input(
        event: Event, own_rsvp: Attendance | None = None, settings: RegistrationSettings = DEFAULT
    ) -> AnswerBarInput:
        return AnswerBarInput(event, own_rsvp, now, settings, may_message=True, sees_group=True, may_edit=True)

    return {
        AnswerState.NOT_PUBLISHED: bar_input(replace(soon, is_draft=True, is_held=True)),
        AnswerState.CANCELLED: replace(bar_input(cancelled, going), has_next_date=True),
        AnswerState.OVER: replace(bar_input(lately), has_next_date=True),
        AnswerState.NEEDS_DECISIONS: replace(bar_input(soon), is_hosting=True, people_asking=8, requests=8),
        AnswerState.HOSTING: replace(bar_input(soon), is_hosting=True),
        AnswerState.TURNED_DOWN: bar_input(soon, _sample_rsvp(soon, _S.REJECTED, now)),
        AnswerState.NOT_WELCOME: replace(bar_input(soon, maybe), is_welcome=False),
        AnswerState.CHECKED_IN: bar_input(tonight, _sample_rsvp(tonight, _S.ATTENDED, now)),
        AnswerState.JOIN_NOW: replace(bar_input(online, going), may_join=True),
        AnswerState.TODAY: replace(bar_input(tonight, _sample_rsvp(tonight, _S.ATTENDING, now)), has_directions=True),
        AnswerState.MOVED: bar_input(soon, replace(going, known_starts_at=Instant(now + 2 * DAY))),
        AnswerState.GOING: bar_input(soon, replace(going, party=2)),
        AnswerState.PLACE_HELD: bar_input(soon, replace(waiting, offered_until=Instant(now + HOUR))),
        AnswerState.WAITLISTED: replace(bar_input(soon, waiting), is_full=True),
        AnswerState.REQUESTED: bar_input(soon, replace(requested, pending_for=PendingFor.APPROVAL), _ASKS),
        AnswerState.UNCONFIRMED: bar_input(soon, replace(requested, pending_for=PendingFor.FOREIGN)),
        AnswerState.MEMBERS_ONLY: bar_input(replace(soon, group=_GROUP), None, _MEMBERS),
        AnswerState.CLOSED: bar_input(soon, None, _CLOSED),
        AnswerState.MAYBE: bar_input(soon, maybe),
        AnswerState.DECLINED: bar_input(soon, declined),
        AnswerState.INVITED: bar_input(soon, invited),
        AnswerState.APPROVAL: bar_input(soon, None, _ASKS),
        AnswerState.FULL: replace(bar_input(soon), is_full=True),
        AnswerState.OPEN: bar_input(soon),
    }


def _sample_event(now: Instant, after: int) -> Event:
    """A two-hour event that starts this long after now."""
    blank = blank_event(now, "Supper club", UserId("eva"))
    starts_at = Instant(now + after)
    return replace(
        blank,
        content=Content("Supper club", capacity=12),
        starts_at=starts_at,
        ends_at=Instant(starts_at + 2 * HOUR),
        time_zone="Europe/Berlin",
    )


def _sample_rsvp(event: Event, status: AttendanceStatus, now: Instant) -> Attendance:
    answered_at = Instant(now - DAY)
    decided, details = RsvpDecision(status), stored_details(None)
    return new_rsvp(now, event, UserId("ben"), decided, details, source=RsvpSource.HERE, answered_at=answered_at)

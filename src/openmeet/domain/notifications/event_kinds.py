"""Kinds of notifications about events, series and RSVPs, the most important first."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from groundwork.clock import Instant
from openmeet.domain.notifications.conditions import (
    SubjectState,
    if_decided,
    if_going,
    if_not_gone,
    if_not_only_cancelled,
    is_coming,
)
from openmeet.domain.notifications.model import (
    ModerationPayload,
    NotificationKind,
    NotificationTopic,
    Payload,
    RecurrenceSummary,
    ShownTime,
    SubjectType,
    Urgency,
    each,
)


class DatesChanged(Payload, frozen=True):
    """The changes that an action made to a date, and to others of its series.

    ``started`` and ``starts``: old and new start of a moved date; a new date has only ``starts``. ``was_at`` and
    ``is_at``: old and new place as text, empty for none; either both are set or neither. ``was_in`` and ``is_in``:
    their countries, as codes if known, because each recipient reads the country in their own language. ``is_near``: the
    exact place changed, in a text that not everybody may read. ``parts``: names of the other changed fields, and
    ``end``. ``more``: number of further dates. ``others``: their next starts (the new ones if moved). ``others_moved``:
    whether each of them was moved. ``repeats``: the new recurrence, if it changed. ``reason``: why a series is paused.
    ``is_going``: the recipient has a standing RSVP.
    """

    started: ShownTime | None = None
    starts: ShownTime | None = None
    was_at: str | None = None
    is_at: str | None = None
    was_in: str = ""
    is_in: str = ""
    is_near: bool = False
    parts: tuple[str, ...] = ()
    more: int = 0
    others: tuple[ShownTime, ...] = ()
    others_moved: bool = False
    repeats: RecurrenceSummary | None = None
    reason: str = ""
    is_going: bool = False

    @property
    def is_move(self) -> bool:
        """Whether time or place changed."""
        return self.starts is not None or self.is_at is not None or self.is_near

    def is_retimed(self, starts_at: Instant | None) -> bool:
        """Whether the start is now different from the one before the change."""
        return self.started is not None and starts_at is not None and self.started.at != starts_at

    def is_elsewhere(self, place: tuple[str, str]) -> bool:
        """Whether the place (``Venue.line_and_country``) is now different from the one before the change."""
        return self.was_at is not None and (self.was_at, self.was_in) != place


class NewAnswer(Payload, frozen=True):
    """Payload of "somebody answered". ``answer``: the status of their RSVP."""

    answer: str = ""


class Approval(Payload, frozen=True):
    """Payload of "a host approved your RSVP". ``answer``: the status of the RSVP after the approval."""

    answer: str = ""


class Rejection(Payload, frozen=True):
    """Payload of "your request was declined": the event as the person knew it, for people who may no longer see it.

    ``title`` is empty for everybody else.
    """

    title: str = ""
    starts: ShownTime | None = None


class InvitationReceived(Payload, frozen=True):
    """Payload of "you are invited". ``more``: further dates of the series."""

    more: int = 0


class HostMessageReceived(Payload, frozen=True):
    """Payload of a message from a host. ``text``: the text of the message."""

    text: str = ""


class HandOver(Payload, frozen=True):
    """Payload of a step in an ownership transfer of an event or a series.

    ``step``: a constant of ``events.ownership``; empty for the offer of a series.
    """

    step: str = ""


class CoHostAnswered(Payload, frozen=True):
    """Payload of an answer to a co-host invitation. ``person_id`` is None if somebody declined an invitation by e-mail,
    because the host must not learn whose the address is. ``is_for_series``: the answer is about all dates of a series.
    """

    is_accepted: bool = False
    is_for_series: bool = False


class SearchMatch(Payload, frozen=True):
    """Payload of a match of a saved search. ``search_name`` is the search's name at that time."""

    search_id: str | None = None
    search_name: str = ""


class PhotosAdded(Payload, frozen=True):
    """Payload of "somebody added photos". ``is_host``: the recipient hosted the event."""

    is_host: bool = False


def _newest_dates(payloads: Sequence[DatesChanged]) -> Sequence[DatesChanged]:
    """Merge by keeping the newest, with the latest new recurrence."""
    repeats = next((one.repeats for one in reversed(payloads) if one.repeats), None)
    return [msgspec.structs.replace(payloads[-1], repeats=repeats)]


def _net_change(payloads: Sequence[DatesChanged]) -> Sequence[DatesChanged]:
    """Merge into one change, from the time and place last announced to the present ones."""
    (last,) = _newest_dates(payloads)
    started = next((one.started for one in payloads if one.started is not None), None)
    moved = next((one for one in payloads if one.was_at is not None), last)
    is_near = any(one.is_near for one in payloads)
    return [msgspec.structs.replace(last, started=started, was_at=moved.was_at, was_in=moved.was_in, is_near=is_near)]


def _is_move(payload: DatesChanged) -> bool:
    """Whether the change is worth an e-mail: a new time or place is, a corrected description is not."""
    return payload.is_move


def _most_dates(payloads: Sequence[InvitationReceived]) -> Sequence[InvitationReceived]:
    return [msgspec.structs.replace(payloads[-1], more=max(one.more for one in payloads))]


def _is_useful(payload: DatesChanged, state: SubjectState) -> bool:
    """Whether the news still matters: it does not if this date is over, unless other dates changed with it."""
    return bool(payload.others) or not state.is_over


def _if_gone(payload: DatesChanged, state: SubjectState) -> bool:
    return state.is_gone and _is_useful(payload, state)


def _if_cancelled(payload: DatesChanged, state: SubjectState) -> bool:
    return state.is_cancelled and not state.is_gone and _is_useful(payload, state)


def _if_back(payload: DatesChanged, state: SubjectState) -> bool:
    return state.takes_place and _is_useful(payload, state)


def _if_moved(payload: DatesChanged, state: SubjectState) -> bool:
    """False if the event was moved and then moved back."""
    has_moved = payload.is_retimed(state.starts_at) or payload.is_elsewhere(state.place) or payload.is_near
    return is_coming(payload, state) and has_moved


def _if_last_status(kind: str) -> Callable[[DatesChanged, SubjectState], bool]:
    """Make a condition that is false if the series was paused and resumed again in the same e-mail."""

    def is_last(payload: DatesChanged, state: SubjectState) -> bool:
        both = [one for one in state.together if one in {"series_paused", "series_resumed"}]
        return both[0] == both[-1] == kind and if_not_only_cancelled(payload, state)

    return is_last


def _if_record_is_deleted(_: Payload, state: SubjectState) -> bool:
    return state.takes_place and state.is_record_deleted


def _if_offered(payload: Payload, state: SubjectState) -> bool:
    return is_coming(payload, state) and state.has_offer


def _if_waiting_again(payload: Payload, state: SubjectState) -> bool:
    """Whether to mention a withdrawn offer: not if the same e-mail contains the offer, because the person never
    received it.
    """
    return is_coming(payload, state) and state.is_waiting and "seat_offered" not in state.together


def _if_approved(payload: Approval, state: SubjectState) -> bool:
    is_news = state.is_going and "moved_up" not in state.together
    return is_coming(payload, state) and (is_news or state.is_waiting)


def _if_rejected(payload: Rejection, state: SubjectState) -> bool:
    return is_coming(payload, state) and state.is_rejected


def _if_invited(payload: InvitationReceived, state: SubjectState) -> bool:
    return is_coming(payload, state) and state.is_invited


def _if_answered(payload: NewAnswer, state: SubjectState) -> bool:
    """Whether the RSVP still has to be reported. The event may be over, but it must take place."""
    return payload.person_id is not None and state.takes_place


def _if_viewer(payload: PhotosAdded, state: SubjectState) -> bool:
    """Whether there are still photos that the reader may see."""
    may_see = state.takes_place and not state.is_hidden and (payload.is_host or state.is_going)
    return may_see and state.has_photos


def _is_request(payload: NewAnswer) -> bool:
    return payload.answer == "pending"  # ``AttendanceStatus.PENDING``; its package imports this one


_EVENT = SubjectType.EVENT
_Topic, _Urgency = NotificationTopic, Urgency

EVENT_DELETED: Final = NotificationKind(
    "event_deleted",
    _Topic.CHANGES,
    _EVENT,
    DatesChanged,
    _Urgency.AT_ONCE,
    merged=_newest_dates,
    in_calendar=True,
    still_true=_if_gone,
)
EVENT_CANCELLED: Final = NotificationKind(
    "event_cancelled",
    _Topic.CHANGES,
    _EVENT,
    DatesChanged,
    _Urgency.AT_ONCE,
    in_calendar=True,
    still_true=_if_cancelled,
)
MODERATED: Final = NotificationKind(
    "moderated", _Topic.CHANGES, _EVENT, ModerationPayload, _Urgency.BUNDLED, still_true=if_decided
)
SERIES_PAUSED: Final = NotificationKind(
    "series_paused", _Topic.CHANGES, _EVENT, DatesChanged, still_true=_if_last_status("series_paused")
)
SERIES_RESUMED: Final = NotificationKind(
    "series_resumed", _Topic.CHANGES, _EVENT, DatesChanged, still_true=_if_last_status("series_resumed")
)
SERIES_OFFERED: Final = NotificationKind(
    "series_offered",
    _Topic.ANSWERS,
    _EVENT,
    HandOver,
    _Urgency.BUNDLED,
    has_author=True,
    still_true=if_not_only_cancelled,
)
CO_HOST_ANSWERED: Final = NotificationKind(
    "co_host_answered", _Topic.ANSWERS, _EVENT, CoHostAnswered, _Urgency.BUNDLED, merged=each, has_author=True
)
RECORD_DELETED: Final = NotificationKind(
    "record_deleted", _Topic.CHANGES, _EVENT, Payload, _Urgency.BUNDLED, still_true=_if_record_is_deleted
)
EVENT_REINSTATED: Final = NotificationKind(
    "event_reinstated", _Topic.CHANGES, _EVENT, DatesChanged, _Urgency.AT_ONCE, in_calendar=True, still_true=_if_back
)
EVENT_CHANGED: Final = NotificationKind(
    "event_changed",
    _Topic.CHANGES,
    _EVENT,
    DatesChanged,
    _Urgency.AT_ONCE,
    is_mailed=_is_move,
    merged=_net_change,
    in_calendar=True,
    still_true=_if_moved,
)
MOVED_UP: Final = NotificationKind(
    "moved_up", _Topic.WAITLIST, _EVENT, Payload, _Urgency.SOON, in_calendar=True, still_true=if_going
)
SEAT_WITHDRAWN: Final = NotificationKind(
    "seat_withdrawn", _Topic.WAITLIST, _EVENT, Payload, _Urgency.AT_ONCE, in_calendar=True, still_true=_if_waiting_again
)
SEAT_OFFERED: Final = NotificationKind(
    "seat_offered", _Topic.WAITLIST, _EVENT, Payload, _Urgency.EXPIRES, in_calendar=True, still_true=_if_offered
)
ANSWER_APPROVED: Final = NotificationKind(
    "answer_approved", _Topic.WAITLIST, _EVENT, Approval, _Urgency.SOON, in_calendar=True, still_true=_if_approved
)
ANSWER_REJECTED: Final = NotificationKind(
    "answer_declined", _Topic.WAITLIST, _EVENT, Rejection, _Urgency.SOON, still_true=_if_rejected
)
INVITED: Final = NotificationKind(
    "invited",
    _Topic.WAITLIST,
    _EVENT,
    InvitationReceived,
    _Urgency.PROMPT,
    merged=_most_dates,
    has_author=True,
    in_calendar=True,
    still_true=_if_invited,
)
REMINDER: Final = NotificationKind(
    "reminder", _Topic.REMINDERS, _EVENT, Payload, _Urgency.BEFORE_START, in_calendar=True, still_true=if_going
)
MENTION: Final = NotificationKind("mention", _Topic.MENTIONS, _EVENT, Payload, has_author=True)
GROUP_EVENT: Final = NotificationKind(
    "group_event", _Topic.GROUP_EVENTS, _EVENT, Payload, _Urgency.BUNDLED, has_author=True
)
HOST_EVENT: Final = NotificationKind("host_event", _Topic.HOSTS, _EVENT, Payload, _Urgency.BUNDLED, has_author=True)
SEARCH_FIND: Final = NotificationKind(
    "search_find", _Topic.SEARCHES, _EVENT, SearchMatch, _Urgency.BUNDLED, has_author=True
)
NEW_DATE: Final = NotificationKind("new_date", _Topic.NEW_DATES, _EVENT, DatesChanged, _Urgency.BUNDLED)
FOREIGN_ANSWERS: Final = NotificationKind("foreign_answers", _Topic.ANSWERS, _EVENT, Payload, _Urgency.BUNDLED)
PHOTOS_ADDED: Final = NotificationKind(
    "photos_added", _Topic.PHOTOS, _EVENT, PhotosAdded, _Urgency.BUNDLED, has_author=True, still_true=_if_viewer
)
HOST_MESSAGE: Final = NotificationKind(
    "host_message",
    _Topic.MESSAGES,
    _EVENT,
    HostMessageReceived,
    _Urgency.PROMPT,
    merged=each,
    has_author=True,
    still_true=if_not_gone,
)
NEW_ANSWER: Final = NotificationKind(
    "new_answer",
    _Topic.ANSWERS,
    _EVENT,
    NewAnswer,
    _Urgency.BUNDLED,
    has_author=True,
    still_true=_if_answered,
    awaits_decision=_is_request,
)

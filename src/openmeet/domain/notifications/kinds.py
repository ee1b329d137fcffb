"""The kinds of notifications, one entry each: name, topic, subject, payload and urgency.

The text is in ``emails/notifications/templates/<name>.jinja``; a test requires exactly one template per entry.
``emails/notifications/conditions.py`` decides how long a notification remains valid. E-mails list the kinds in the
order of this module, the most important first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final, Generic, TypeVar

import msgspec

from groundwork.clock import HOUR, MINUTE
from openmeet.domain.notifications.model import NotificationTopic, RecurrenceSummary, When
from openmeet.domain.users.model import UserId


class SubjectType(StrEnum):
    """The kind of subject that the stored subject id identifies. For kinds that belong to a group, the payload also has
    the group's id.
    """

    EVENT = "event"
    GROUP = "group"
    MEMBERSHIP = "membership"
    ANNOUNCEMENT = "announcement"
    ROOM = "room"


class Urgency(StrEnum):
    """How soon a notification is e-mailed. "At once" ignores quiet hours; "bundled" waits half an hour for more."""

    EXPIRES = "expires"  # at once, and never in a digest, because it expires within hours
    AT_ONCE = "at_once"  # at once, because otherwise somebody could travel or stay at home in vain
    NEAR = "near"  # at once if the event starts within a day, otherwise bundled
    PROMPT = "prompt"  # like NEAR, but without bundling: only quiet hours delay it
    BUNDLED = "bundled"
    TALK = "talk"  # after ten minutes, if it has not been read by then
    BEFORE_START = "before_start"  # bundled; in a digest only if the digest is sent well before the start


class Payload(msgspec.Struct, frozen=True, omit_defaults=True):
    """The data that a text needs in addition to its subject, as of the notification's creation.

    ``person_id``: the user who acted. ``group_id``: the group in which it happened. Recipients may block or mute
    either.
    """

    person_id: UserId | None = None
    group_id: str | None = None


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

    started: When | None = None
    starts: When | None = None
    was_at: str | None = None
    is_at: str | None = None
    was_in: str = ""
    is_in: str = ""
    is_near: bool = False
    parts: tuple[str, ...] = ()
    more: int = 0
    others: tuple[When, ...] = ()
    others_moved: bool = False
    repeats: RecurrenceSummary | None = None
    reason: str = ""
    is_going: bool = False

    @property
    def is_move(self) -> bool:
        """Whether time or place changed."""
        return self.starts is not None or self.is_at is not None or self.is_near


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
    starts: When | None = None


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


class Moderated(Payload, frozen=True):
    """Payload of a moderator's decision. ``is_hidden``: the decision. ``reason``: the moderator's words."""

    is_hidden: bool = False
    reason: str = ""


class SearchMatch(Payload, frozen=True):
    """Payload of a match of a saved search. ``search_name`` is the search's name at that time."""

    search_id: str | None = None
    search_name: str = ""


class RoleDecided(Payload, frozen=True):
    """Payload of "your role changed". ``role``: the new role in the group. ``before``: the previous role."""

    role: str = ""
    before: str = ""


class Succession(Payload, frozen=True):
    """Payload of a step in the succession of a group. ``step``: see ``groups.notify.Ownership``."""

    step: str = ""


class ChatNews(Payload, frozen=True):
    """Payload of new chat messages.

    ``message_id``: the message, or the first of several in a room. ``is_answer``: hosts replied to the person in a
    direct room.
    """

    message_id: str = ""
    is_answer: bool = False


class ChatSanctioned(Payload, frozen=True):
    """Payload of a sanction in a chat. ``kind``: ``mute`` or ``ban``. ``of_site``: decided by a moderator of the
    community.
    """

    kind: str = ""
    of_site: bool = False


P = TypeVar("P", bound=Payload)


def worth_mail(_: Payload) -> bool:
    return True


def newest(payloads: Sequence[P]) -> Sequence[P]:
    """Merge by keeping the newest: a later notification of a kind about a subject replaces earlier ones."""
    return payloads[-1:]


def each(payloads: Sequence[P]) -> Sequence[P]:
    """Merge by keeping all: a later notification replaces none of the earlier ones."""
    return payloads


@dataclass(frozen=True, slots=True, repr=False)
class NotificationKind(Generic[P]):
    """A kind of notification. ``name`` is stored and is the template's name; ``topic`` is what users turn on and off.

    ``is_mailed``: whether the notification is worth an e-mail at all. ``merged``: reduces several notifications about
    one subject in an e-mail to those it mentions. ``has_author``: it comes from somebody whom the recipient may block
    or mute; kinds about one's own RSVPs and roles reach everybody. ``in_calendar``: it changes the recipient's
    calendar. ``page``: the part of the group's pages that it links to. ``mail_gap``: the minimum time between two
    e-mails about one subject, in microseconds.
    """

    name: str
    topic: NotificationTopic
    subject: SubjectType
    payload: type[P]
    urgency: Urgency = Urgency.NEAR
    is_mailed: Callable[[P], bool] = worth_mail
    merged: Callable[[Sequence[P]], Sequence[P]] = newest
    has_author: bool = False
    in_calendar: bool = False
    page: str = ""
    mail_gap: int = 0

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @property
    def is_of_group(self) -> bool:
        return self.subject not in {SubjectType.EVENT, SubjectType.ROOM}


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


_EVENT, _GROUP = SubjectType.EVENT, SubjectType.GROUP
_MEMBERSHIP, _ANNOUNCEMENT = SubjectType.MEMBERSHIP, SubjectType.ANNOUNCEMENT
_Topic, _Urgency = NotificationTopic, Urgency

EVENT_DELETED: Final = NotificationKind(
    "event_deleted",
    _Topic.CHANGES,
    _EVENT,
    DatesChanged,
    _Urgency.AT_ONCE,
    merged=_newest_dates,
    in_calendar=True,
)
EVENT_CANCELLED: Final = NotificationKind(
    "event_cancelled",
    _Topic.CHANGES,
    _EVENT,
    DatesChanged,
    _Urgency.AT_ONCE,
    in_calendar=True,
)
MODERATED: Final = NotificationKind("moderated", _Topic.CHANGES, _EVENT, Moderated, _Urgency.BUNDLED)
SERIES_PAUSED: Final = NotificationKind("series_paused", _Topic.CHANGES, _EVENT, DatesChanged)
SERIES_RESUMED: Final = NotificationKind("series_resumed", _Topic.CHANGES, _EVENT, DatesChanged)
SERIES_OFFERED: Final = NotificationKind(
    "series_offered",
    _Topic.ANSWERS,
    _EVENT,
    HandOver,
    _Urgency.BUNDLED,
    has_author=True,
)
CO_HOST_ANSWERED: Final = NotificationKind(
    "co_host_answered",
    _Topic.ANSWERS,
    _EVENT,
    CoHostAnswered,
    _Urgency.BUNDLED,
    merged=each,
    has_author=True,
)
RECORD_DELETED: Final = NotificationKind("record_deleted", _Topic.CHANGES, _EVENT, Payload, _Urgency.BUNDLED)
EVENT_REINSTATED: Final = NotificationKind(
    "event_reinstated", _Topic.CHANGES, _EVENT, DatesChanged, _Urgency.AT_ONCE, in_calendar=True
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
)
MOVED_UP: Final = NotificationKind("moved_up", _Topic.WAITLIST, _EVENT, Payload, in_calendar=True)
SEAT_WITHDRAWN: Final = NotificationKind(
    "seat_withdrawn", _Topic.WAITLIST, _EVENT, Payload, _Urgency.AT_ONCE, in_calendar=True
)
SEAT_OFFERED: Final = NotificationKind(
    "seat_offered", _Topic.WAITLIST, _EVENT, Payload, _Urgency.EXPIRES, in_calendar=True
)
ANSWER_APPROVED: Final = NotificationKind("answer_approved", _Topic.WAITLIST, _EVENT, Approval, in_calendar=True)
ANSWER_DECLINED: Final = NotificationKind("answer_declined", _Topic.WAITLIST, _EVENT, Rejection)
INVITED: Final = NotificationKind(
    "invited",
    _Topic.WAITLIST,
    _EVENT,
    InvitationReceived,
    merged=_most_dates,
    has_author=True,
    in_calendar=True,
)
REMINDER: Final = NotificationKind(
    "reminder", _Topic.REMINDERS, _EVENT, Payload, _Urgency.BEFORE_START, in_calendar=True
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
HOST_MESSAGE: Final = NotificationKind(
    "host_message",
    _Topic.MESSAGES,
    _EVENT,
    HostMessageReceived,
    _Urgency.PROMPT,
    merged=each,
    has_author=True,
)
NEW_ANSWER: Final = NotificationKind("new_answer", _Topic.ANSWERS, _EVENT, NewAnswer, _Urgency.BUNDLED, has_author=True)
JOIN_REQUEST: Final = NotificationKind(
    "join_request",
    _Topic.REQUESTS,
    _MEMBERSHIP,
    Payload,
    has_author=True,
    page="/requests",
)
JOIN_DECIDED: Final = NotificationKind("join_decided", _Topic.MEMBERSHIP, _MEMBERSHIP, RoleDecided)
ROLE_CHANGED: Final = NotificationKind("role_changed", _Topic.MEMBERSHIP, _MEMBERSHIP, RoleDecided)
OWNERSHIP: Final = NotificationKind("ownership", _Topic.MEMBERSHIP, _GROUP, Succession, page="/ownership")
GROUP_MODERATED: Final = NotificationKind("group_moderated", _Topic.MEMBERSHIP, _GROUP, Moderated)
ANNOUNCEMENT: Final = NotificationKind("announcement", _Topic.ANNOUNCEMENTS, _ANNOUNCEMENT, Payload, has_author=True)
GROUP_MENTION: Final = NotificationKind("group_mention", _Topic.MENTIONS, _ANNOUNCEMENT, Payload, has_author=True)

_Chat = partial(
    NotificationKind,
    subject=SubjectType.ROOM,
    payload=ChatNews,
    urgency=Urgency.TALK,
    has_author=True,
)
CHAT_MENTION: Final = _Chat("chat_mention", _Topic.CHAT, merged=each, mail_gap=30 * MINUTE)
CHAT_REPLY: Final = _Chat("chat_reply", _Topic.CHAT, merged=each, mail_gap=30 * MINUTE)
CHAT_DIRECT: Final = _Chat("chat_direct", _Topic.DIRECT, merged=each, mail_gap=30 * MINUTE)
CHAT_REMOVED: Final = NotificationKind(
    "chat_removed", _Topic.CHAT, SubjectType.ROOM, ChatNews, _Urgency.TALK, merged=each
)
CHAT_RESTORED: Final = NotificationKind(
    "chat_restored", _Topic.CHAT, SubjectType.ROOM, ChatNews, _Urgency.TALK, merged=each
)
CHAT_UPHELD: Final = NotificationKind(
    "chat_upheld", _Topic.CHAT, SubjectType.ROOM, ChatNews, _Urgency.TALK, merged=each
)
CHAT_SANCTIONED: Final = NotificationKind(
    "chat_sanctioned", _Topic.CHAT, SubjectType.ROOM, ChatSanctioned, _Urgency.TALK, merged=each
)
CHAT_LIFTED: Final = NotificationKind("chat_lifted", _Topic.CHAT, SubjectType.ROOM, ChatSanctioned, _Urgency.TALK)
CHAT_MESSAGES: Final = _Chat("chat_messages", _Topic.CHAT, mail_gap=4 * HOUR)
CHAT_UNREAD: Final = _Chat("chat_unread", _Topic.ROOMS, mail_gap=4 * HOUR)

KINDS: Final[Mapping[str, NotificationKind[Any]]] = {
    kind.name: kind for kind in list(globals().values()) if isinstance(kind, NotificationKind)
}

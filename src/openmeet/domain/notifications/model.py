"""Kinds of notifications, topics and channels, and how users choose between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import Instant
from openmeet.domain.users.model import UserId

NotificationId = NewType("NotificationId", str)
NewsMailId = NewType("NewsMailId", str)

# Kinds of e-mail jobs (``outbox.emails``).
NEWS_MAIL: Final = "news"  # its subject is a row of news_mails
DIGEST_MAIL: Final = "digest"  # its subject is the day in the user's zone; its revision the instant that it is due


class NotificationKind(StrEnum):
    """Kinds of notifications. The subject of each is an event, except for those in ``OF_GROUPS``."""

    EVENT_CHANGED = "event_changed"
    EVENT_CANCELLED = "event_cancelled"
    EVENT_REINSTATED = "event_reinstated"
    EVENT_DELETED = "event_deleted"
    MOVED_UP = "moved_up"
    NEW_ANSWER = "new_answer"
    REMINDER = "reminder"
    NEW_DATE = "new_date"
    SERIES_PAUSED = "series_paused"
    SERIES_RESUMED = "series_resumed"
    SERIES_OFFERED = "series_offered"
    HOST_MESSAGE = "host_message"
    GROUP_EVENT = "group_event"
    JOIN_REQUEST = "join_request"
    JOIN_DECIDED = "join_decided"
    ROLE_CHANGED = "role_changed"
    OWNERSHIP = "ownership"
    ANNOUNCEMENT = "announcement"
    SEAT_OFFERED = "seat_offered"
    SEAT_WITHDRAWN = "seat_withdrawn"
    ANSWER_APPROVED = "answer_approved"
    ANSWER_DECLINED = "answer_declined"
    INVITED = "invited"
    FOREIGN_ANSWERS = "foreign_answers"
    MENTION = "mention"
    GROUP_MENTION = "group_mention"
    RECORD_DELETED = "record_deleted"
    MODERATED = "moderated"
    GROUP_MODERATED = "group_moderated"
    SEARCH_FIND = "search_find"
    HOST_EVENT = "host_event"


# Kinds about a group: the subject is a membership, an announcement or the group itself; the details name the group.
OF_GROUPS = frozenset(
    {
        NotificationKind.JOIN_REQUEST,
        NotificationKind.JOIN_DECIDED,
        NotificationKind.ROLE_CHANGED,
        NotificationKind.OWNERSHIP,
        NotificationKind.ANNOUNCEMENT,
        NotificationKind.GROUP_MENTION,
        NotificationKind.GROUP_MODERATED,
    }
)


class NotificationTopic(StrEnum):
    """What users choose about: kinds that belong together for them."""

    CHANGES = "changes"
    WAITLIST = "waitlist"
    REMINDERS = "reminders"
    NEW_DATES = "new_dates"
    ANSWERS = "answers"
    MESSAGES = "messages"
    GROUP_EVENTS = "group_events"
    ANNOUNCEMENTS = "announcements"
    REQUESTS = "requests"
    MEMBERSHIP = "membership"
    MENTIONS = "mentions"
    SEARCHES = "searches"
    HOSTS = "hosts"
    OWN_ANSWERS = "own_answers"


TOPICS: Mapping[NotificationKind, NotificationTopic] = {
    NotificationKind.EVENT_CHANGED: NotificationTopic.CHANGES,
    NotificationKind.EVENT_CANCELLED: NotificationTopic.CHANGES,
    NotificationKind.EVENT_REINSTATED: NotificationTopic.CHANGES,
    NotificationKind.EVENT_DELETED: NotificationTopic.CHANGES,
    NotificationKind.MOVED_UP: NotificationTopic.WAITLIST,
    NotificationKind.NEW_ANSWER: NotificationTopic.ANSWERS,
    NotificationKind.REMINDER: NotificationTopic.REMINDERS,
    NotificationKind.NEW_DATE: NotificationTopic.NEW_DATES,
    NotificationKind.SERIES_PAUSED: NotificationTopic.CHANGES,
    NotificationKind.SERIES_RESUMED: NotificationTopic.CHANGES,
    NotificationKind.SERIES_OFFERED: NotificationTopic.ANSWERS,
    NotificationKind.HOST_MESSAGE: NotificationTopic.MESSAGES,
    NotificationKind.GROUP_EVENT: NotificationTopic.GROUP_EVENTS,
    NotificationKind.ANNOUNCEMENT: NotificationTopic.ANNOUNCEMENTS,
    NotificationKind.JOIN_REQUEST: NotificationTopic.REQUESTS,
    NotificationKind.JOIN_DECIDED: NotificationTopic.MEMBERSHIP,
    NotificationKind.ROLE_CHANGED: NotificationTopic.MEMBERSHIP,
    NotificationKind.OWNERSHIP: NotificationTopic.MEMBERSHIP,
    NotificationKind.SEAT_OFFERED: NotificationTopic.WAITLIST,
    NotificationKind.SEAT_WITHDRAWN: NotificationTopic.WAITLIST,
    NotificationKind.ANSWER_APPROVED: NotificationTopic.WAITLIST,
    NotificationKind.ANSWER_DECLINED: NotificationTopic.WAITLIST,
    NotificationKind.INVITED: NotificationTopic.WAITLIST,
    NotificationKind.FOREIGN_ANSWERS: NotificationTopic.ANSWERS,
    NotificationKind.MENTION: NotificationTopic.MENTIONS,
    NotificationKind.GROUP_MENTION: NotificationTopic.MENTIONS,
    NotificationKind.RECORD_DELETED: NotificationTopic.CHANGES,
    NotificationKind.MODERATED: NotificationTopic.CHANGES,
    NotificationKind.GROUP_MODERATED: NotificationTopic.MEMBERSHIP,
    NotificationKind.SEARCH_FIND: NotificationTopic.SEARCHES,
    NotificationKind.HOST_EVENT: NotificationTopic.HOSTS,
}


class Channel(StrEnum):
    """How a notification is delivered."""

    IN_APP = "in_app"
    EMAIL = "email"
    DIGEST = "digest"


# Defaults: everything in the app and by e-mail, nothing twice. What affects nobody's plans yet waits for the digest.
_DEFAULTS: Mapping[Channel, bool] = {Channel.IN_APP: True, Channel.EMAIL: True, Channel.DIGEST: False}
# One's own action needs no notification; the e-mail is for what it carries.
_BY_MAIL: Mapping[Channel, bool] = {Channel.IN_APP: False, Channel.EMAIL: True, Channel.DIGEST: False}
BY_MAIL_ALONE: Final = frozenset({NotificationTopic.OWN_ANSWERS})
_IN_DIGEST: Mapping[Channel, bool] = {Channel.IN_APP: True, Channel.EMAIL: False, Channel.DIGEST: True}


def defaults_of(topic: NotificationTopic) -> Mapping[Channel, bool]:
    """The default channels of a topic."""
    if topic in BY_MAIL_ALONE:
        return _BY_MAIL
    return _IN_DIGEST if topic in {NotificationTopic.SEARCHES, NotificationTopic.HOSTS} else _DEFAULTS


# The default digest hour.
DIGEST_HOUR: Final = 8


@dataclass(frozen=True, slots=True)
class Hours:
    """When a user wants e-mail. ``quiet`` is (from, until) on the clock of ``time_zone``, possibly across midnight."""

    time_zone: str
    quiet: tuple[time, time] | None = None
    digest_hour: int = DIGEST_HOUR


@dataclass(frozen=True, slots=True)
class NotificationRecipient:
    """One user's channels for one topic. ``has_address``: a confirmed e-mail address is known."""

    user_id: UserId
    has_address: bool
    channels: frozenset[Channel]
    hours: Hours


@dataclass(frozen=True, slots=True)
class When:
    """A moment and the zone to show it in; ``is_day``: show only the day."""

    at: Instant
    time_zone: str
    is_day: bool = False


@dataclass(frozen=True, slots=True)
class NotificationDetails:
    """Details of a notification, as of its creation. ``answer``: an attendance status; for groups a role or an event of
    its life; for a new date, the status of somebody with a standing RSVP.

    ``started`` and ``starts``: old and new start of a moved event; a new date has ``starts`` alone. ``was_at`` and
    ``is_at``: old and new place as text, empty for none; both or neither. ``is_near``: the exact place changed, in a
    text that not everybody may read. ``more``: further dates that this notification covers, ``others``: their next
    starts (new ones if moved), ``others_moved``: whether each was moved. ``said``: the host's reason for pausing a
    series, a moderator's reason (``answer``: hidden, shown), the name of a saved search (``search_id``), or the changed
    fields other than time and place. ``rule``: the series' new recurrence as text, if it changed.
    """

    person_id: UserId | None = None
    answer: str = ""
    started: When | None = None
    starts: When | None = None
    was_at: str | None = None
    is_at: str | None = None
    more: int = 0
    others: tuple[When, ...] = ()
    others_moved: bool = False
    is_near: bool = False
    said: str = ""
    group_id: str | None = None
    search_id: str | None = None
    rule: str = ""

    @property
    def is_move(self) -> bool:
        """Whether time or place changed."""
        return self.starts is not None or self.is_at is not None or self.is_near


NOTHING_MORE = NotificationDetails()


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification of one user."""

    id: NotificationId
    user_id: UserId
    kind: NotificationKind
    subject_id: str
    created_at: Instant
    read_at: Instant | None
    particulars: NotificationDetails = NOTHING_MORE

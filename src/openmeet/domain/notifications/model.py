"""What people are told about, and how they choose to hear of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import Instant
from openmeet.domain.users.model import UserId

NotificationId = NewType("NotificationId", str)
NewsMailId = NewType("NewsMailId", str)

# Kinds of mail as they are owed (``debts.deliveries``).
NEWS_MAIL: Final = "news"  # its subject is a row of news_mails
DIGEST_MAIL: Final = "digest"  # its subject is the day, in the person's zone; its revision the instant that it is due


class Kind(StrEnum):
    """The occasions. The subject of each is an event, unless it stands in ``OF_GROUPS``."""

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


# Kinds that are about a group: their subject is a standing in it, what was announced, or the group itself, and their particulars
# name the group.
OF_GROUPS = frozenset(
    {
        Kind.JOIN_REQUEST,
        Kind.JOIN_DECIDED,
        Kind.ROLE_CHANGED,
        Kind.OWNERSHIP,
        Kind.ANNOUNCEMENT,
        Kind.GROUP_MENTION,
        Kind.GROUP_MODERATED,
    }
)


class Topic(StrEnum):
    """What people choose about: kinds that they think of as one."""

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


TOPICS: Mapping[Kind, Topic] = {
    Kind.EVENT_CHANGED: Topic.CHANGES,
    Kind.EVENT_CANCELLED: Topic.CHANGES,
    Kind.EVENT_REINSTATED: Topic.CHANGES,
    Kind.EVENT_DELETED: Topic.CHANGES,
    Kind.MOVED_UP: Topic.WAITLIST,
    Kind.NEW_ANSWER: Topic.ANSWERS,
    Kind.REMINDER: Topic.REMINDERS,
    Kind.NEW_DATE: Topic.NEW_DATES,
    Kind.SERIES_PAUSED: Topic.CHANGES,
    Kind.SERIES_RESUMED: Topic.CHANGES,
    Kind.SERIES_OFFERED: Topic.ANSWERS,
    Kind.HOST_MESSAGE: Topic.MESSAGES,
    Kind.GROUP_EVENT: Topic.GROUP_EVENTS,
    Kind.ANNOUNCEMENT: Topic.ANNOUNCEMENTS,
    Kind.JOIN_REQUEST: Topic.REQUESTS,
    Kind.JOIN_DECIDED: Topic.MEMBERSHIP,
    Kind.ROLE_CHANGED: Topic.MEMBERSHIP,
    Kind.OWNERSHIP: Topic.MEMBERSHIP,
    Kind.SEAT_OFFERED: Topic.WAITLIST,
    Kind.SEAT_WITHDRAWN: Topic.WAITLIST,
    Kind.ANSWER_APPROVED: Topic.WAITLIST,
    Kind.ANSWER_DECLINED: Topic.WAITLIST,
    Kind.INVITED: Topic.WAITLIST,
    Kind.FOREIGN_ANSWERS: Topic.ANSWERS,
    Kind.MENTION: Topic.MENTIONS,
    Kind.GROUP_MENTION: Topic.MENTIONS,
    Kind.RECORD_DELETED: Topic.CHANGES,
    Kind.MODERATED: Topic.CHANGES,
    Kind.GROUP_MODERATED: Topic.MEMBERSHIP,
    Kind.SEARCH_FIND: Topic.SEARCHES,
    Kind.HOST_EVENT: Topic.HOSTS,
}


class Channel(StrEnum):
    """Where news reach somebody."""

    IN_APP = "in_app"
    EMAIL = "email"
    DIGEST = "digest"


# What holds for whoever has chosen nothing: everything on the page and by mail, nothing twice. What concerns nobody's plans yet
# can wait for the digest.
_DEFAULTS: Mapping[Channel, bool] = {Channel.IN_APP: True, Channel.EMAIL: True, Channel.DIGEST: False}
# What one did oneself is no news: the mail is for what it carries.
_BY_MAIL: Mapping[Channel, bool] = {Channel.IN_APP: False, Channel.EMAIL: True, Channel.DIGEST: False}
BY_MAIL_ALONE: Final = frozenset({Topic.OWN_ANSWERS})
_IN_DIGEST: Mapping[Channel, bool] = {Channel.IN_APP: True, Channel.EMAIL: False, Channel.DIGEST: True}


def defaults_of(topic: Topic) -> Mapping[Channel, bool]:
    """Where news of this topic reach whoever has chosen nothing about it."""
    if topic in BY_MAIL_ALONE:
        return _BY_MAIL
    return _IN_DIGEST if topic in {Topic.SEARCHES, Topic.HOSTS} else _DEFAULTS


# When a digest is sent to whoever has not said when.
DIGEST_HOUR: Final = 8


@dataclass(frozen=True, slots=True)
class Hours:
    """When somebody wants mail. ``quiet`` is (from, until) on the clock of ``time_zone``, perhaps across midnight."""

    time_zone: str
    quiet: tuple[time, time] | None = None
    digest_hour: int = DIGEST_HOUR


@dataclass(frozen=True, slots=True)
class Addressee:
    """How one person is told about one topic. ``has_address``: a confirmed e-mail address is known."""

    user_id: UserId
    has_address: bool
    channels: frozenset[Channel]
    hours: Hours


@dataclass(frozen=True, slots=True)
class When:
    """A moment and the zone that it is told in; ``is_day``: only its day is meant."""

    at: Instant
    time_zone: str
    is_day: bool = False


@dataclass(frozen=True, slots=True)
class Particulars:
    """What news say beside their subject, as it was then. ``answer`` is a status of attendance, in news of groups a role or a step;
    of a new date that of who goes to all of its series.

    ``started`` and ``starts``: from when to when the event was moved; of a new date ``starts`` alone. ``was_at`` and ``is_at``: from where to
    where, in words, empty where there is no place; both or neither. ``is_near``: the exact place changed, in words that not
    everybody may read. ``more``: how many further dates the same news are about,
    ``others``: when the next of these are (moved ones: are now), ``others_moved``: whether each of those was moved.
    ``said``: why a series is paused, in its host's words; or why something is hidden, in a moderator's (``answer``: hidden, shown);
    or what a kept search (``search_id``) is called; or which parts of an event changed beside time and place. ``rule``: how a series
    comes again from now on, in words, where the act was about that.
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


NOTHING_MORE = Particulars()


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing one person is told."""

    id: NotificationId
    user_id: UserId
    kind: Kind
    subject_id: str
    created_at: Instant
    read_at: Instant | None
    particulars: Particulars = NOTHING_MORE

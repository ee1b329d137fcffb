"""What a kind of notification is; topics and channels, and how users choose between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import Final, Generic, NewType, TypeVar

import msgspec

from groundwork.clock import Instant
from groundwork.errors import Reason
from openmeet.domain.notifications.conditions import SubjectState, always, is_coming
from openmeet.domain.users.model import UserId
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule import parse_rule


class NotificationReason(Reason):
    """Why a change of the notification settings is refused. The messages are in ``i18n/reasons/site.py``."""

    ZONE_NEEDED = "notification.zone_needed"
    MALFORMED_TIME = "notification.malformed_time"
    TIMES_INCOMPLETE = "notification.times_incomplete"
    HOUR_NEEDED = "notification.hour_needed"
    LIST_OUTDATED = "notification.list_outdated"


NotificationId = NewType("NotificationId", str)

# Kinds of e-mail jobs (``outbox.emails``).
NOTIFICATION_MAIL: Final = "notification"  # the subject is a row of notification_emails
DIGEST_MAIL: Final = "digest"  # the subject is the day in the user's zone; the revision is the due time
WEEK_MAIL: Final = "week"  # the subject is the Monday (``YYYY-MM-DD``)


class NotificationTopic(StrEnum):
    """A group of related kinds that users turn on and off together."""

    CHANGES = "changes"
    WAITLIST = "waitlist"
    REMINDERS = "reminders"
    NEW_DATES = "new_dates"
    ANSWERS = "answers"
    MESSAGES = "messages"
    PHOTOS = "photos"
    GROUP_EVENTS = "group_events"
    ANNOUNCEMENTS = "announcements"
    REQUESTS = "requests"
    MEMBERSHIP = "membership"
    MENTIONS = "mentions"
    SEARCHES = "searches"
    HOSTS = "hosts"
    OWN_ANSWERS = "own_answers"
    CHAT = "chat"
    DIRECT = "direct"
    ROOMS = "rooms"
    WEEK = "week"  # no kind of notification: the e-mail with the events of the next seven days


class Channel(StrEnum):
    """How a notification is delivered."""

    IN_APP = "in_app"
    EMAIL = "email"
    DIGEST = "digest"


# Defaults: everything in the app and by e-mail, nothing twice. News that does not change anybody's plans waits for the
# digest.
_DEFAULTS: Mapping[Channel, bool] = {Channel.IN_APP: True, Channel.EMAIL: True, Channel.DIGEST: False}
# People need no notification of their own actions; the e-mail is sent for its contents.
_BY_MAIL: Mapping[Channel, bool] = {Channel.IN_APP: False, Channel.EMAIL: True, Channel.DIGEST: False}
BY_MAIL_ALONE: Final = frozenset({NotificationTopic.OWN_ANSWERS, NotificationTopic.WEEK})
# Unread messages are counted next to the room's name, and home lists the events of the week. Anything more is sent only
# to people who ask for it.
_ON_WISH: Mapping[Channel, bool] = dict.fromkeys(Channel, False)
_IN_DIGEST: Mapping[Channel, bool] = {Channel.IN_APP: True, Channel.EMAIL: False, Channel.DIGEST: True}


# Topics whose e-mails can wait for the digest, unless somebody chooses otherwise.
_DIGESTED = {NotificationTopic.SEARCHES, NotificationTopic.HOSTS, NotificationTopic.PHOTOS}


def defaults_of(topic: NotificationTopic) -> Mapping[Channel, bool]:
    """The default channels of a topic."""
    if topic in {NotificationTopic.ROOMS, NotificationTopic.WEEK}:
        return _ON_WISH
    if topic in BY_MAIL_ALONE:
        return _BY_MAIL
    return _IN_DIGEST if topic in _DIGESTED else _DEFAULTS


# The default digest hour.
DIGEST_HOUR: Final = 8


@dataclass(frozen=True, slots=True)
class DeliveryHours:
    """The times at which a user wants e-mail. ``quiet`` is (from, until) as wall-clock times in ``time_zone``, possibly
    across midnight.
    """

    time_zone: str
    quiet: tuple[time, time] | None = None
    digest_hour: int = DIGEST_HOUR


@dataclass(frozen=True, slots=True)
class NotificationRecipient:
    """A user's channels for one topic. ``has_address``: they have a confirmed e-mail address."""

    user_id: UserId
    has_address: bool
    channels: frozenset[Channel]
    hours: DeliveryHours


@dataclass(frozen=True, slots=True)
class ShownTime:
    """A point in time and the zone to show it in. ``is_day``: show only the day."""

    at: Instant
    time_zone: str
    is_day: bool = False


@dataclass(frozen=True, slots=True)
class RecurrenceSummary:
    """How a series repeats: its rule (RFC 5545) without an end, and its first start as wall-clock time."""

    rule: str
    starts: datetime
    is_all_day: bool = False

    @property
    def pattern(self) -> Pattern:
        return Pattern(self.starts, None, parse_rule(self.rule), is_all_day=self.is_all_day)


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
    SOON = "soon"  # like PROMPT, but two minutes later, so that a host can undo a mistake before anybody learns of it
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


class ModerationPayload(Payload, frozen=True):
    """Payload of a moderator's decision about an event or a group. ``is_hidden``: the decision. ``reason``: the
    moderator's words.
    """

    is_hidden: bool = False
    reason: str = ""


P = TypeVar("P", bound=Payload)


def worth_mail(_: Payload) -> bool:
    return True


def never(_: Payload) -> bool:
    return False


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
    one subject in an e-mail to those it mentions. ``still_true``: whether it still applies, checked when the e-mail is
    sent. ``may_read``: whether somebody who may see the subject may also read this notification, checked whenever it is
    shown. ``has_author``: it comes from somebody whom the recipient may block or mute; kinds about one's own RSVPs and
    roles reach everybody. ``in_calendar``: it changes the recipient's calendar. ``page``: the part of the group's pages
    that it links to. ``mail_gap``: the minimum time between two e-mails about one subject, in microseconds.
    ``awaits_decision``: somebody waits for the recipient. The first such e-mail is sent soon, those after it as often
    as other bundled ones.
    """

    name: str
    topic: NotificationTopic
    subject: SubjectType
    payload: type[P]
    urgency: Urgency = Urgency.NEAR
    is_mailed: Callable[[P], bool] = worth_mail
    merged: Callable[[Sequence[P]], Sequence[P]] = newest
    still_true: Callable[[P, SubjectState], bool] = is_coming
    may_read: Callable[[P, SubjectState], bool] = always
    has_author: bool = False
    in_calendar: bool = False
    page: str = ""
    mail_gap: int = 0
    awaits_decision: Callable[[P], bool] = never

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @property
    def is_of_group(self) -> bool:
        return self.subject not in {SubjectType.EVENT, SubjectType.ROOM}

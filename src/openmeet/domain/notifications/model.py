"""Topics and channels of notifications, and how users choose between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import Instant
from groundwork.errors import Reason
from openmeet.domain.users.model import UserId
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule import parse_rule


class NotificationReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/site.py``."""

    ZONE_NEEDED = "notification.zone_needed"
    MALFORMED_TIME = "notification.malformed_time"
    TIMES_INCOMPLETE = "notification.times_incomplete"
    HOUR_NEEDED = "notification.hour_needed"
    LIST_OUTDATED = "notification.list_outdated"


NotificationId = NewType("NotificationId", str)
NewsMailId = NewType("NewsMailId", str)

# Kinds of e-mail jobs (``outbox.emails``).
NEWS_MAIL: Final = "news"  # the subject is a row of notification_emails
DIGEST_MAIL: Final = "digest"  # the subject is the day in the user's zone; the revision is the due time


class NotificationTopic(StrEnum):
    """A group of related kinds that users turn on and off together."""

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
    CHAT = "chat"
    DIRECT = "direct"
    ROOMS = "rooms"


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
BY_MAIL_ALONE: Final = frozenset({NotificationTopic.OWN_ANSWERS})
# Unread messages are counted next to the room's name. Anything more is sent only to people who ask for it.
_ON_WISH: Mapping[Channel, bool] = dict.fromkeys(Channel, False)
_IN_DIGEST: Mapping[Channel, bool] = {Channel.IN_APP: True, Channel.EMAIL: False, Channel.DIGEST: True}


def defaults_of(topic: NotificationTopic) -> Mapping[Channel, bool]:
    """The default channels of a topic."""
    if topic in BY_MAIL_ALONE:
        return _BY_MAIL
    if topic is NotificationTopic.ROOMS:
        return _ON_WISH
    return _IN_DIGEST if topic in {NotificationTopic.SEARCHES, NotificationTopic.HOSTS} else _DEFAULTS


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
class When:
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

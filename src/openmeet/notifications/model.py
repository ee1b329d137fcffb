"""What people are told about."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import Instant
from openmeet.users.model import UserId

NotificationId = NewType("NotificationId", str)


class Kind(StrEnum):
    """The occasions. The subject of each is an event."""

    EVENT_CHANGED = "event_changed"
    EVENT_CANCELLED = "event_cancelled"
    EVENT_REINSTATED = "event_reinstated"
    EVENT_DELETED = "event_deleted"
    MOVED_UP = "moved_up"
    NEW_ANSWER = "new_answer"


@dataclass(frozen=True, slots=True)
class When:
    """A moment and the zone that it is told in."""

    at: Instant
    time_zone: str


@dataclass(frozen=True, slots=True)
class Particulars:
    """What news say beside their subject, as it was then. ``answer`` is a status of attendance.

    ``started`` and ``starts``: from when to when the event was moved; both or neither.
    """

    person_id: UserId | None = None
    answer: str = ""
    started: When | None = None
    starts: When | None = None


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

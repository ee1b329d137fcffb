"""Values of a series: a pattern (when it meets) and the content that each of its dates repeats unless overridden."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import DAY, Instant
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import USUAL_RECORD, Event, GroupOfEvent, RecordSettings, narrowed
from openmeet.domain.events.values import (
    Visibility,
)
from openmeet.domain.users.model import UserId
from openmeet.recurrence.pattern import Pattern

SeriesId = NewType("SeriesId", str)
SeriesSlug = NewType("SeriesSlug", str)

# The rolling window: dates this far ahead are stored as events, at least the first number and at most the second. Later
# ones are computed, and stored when somebody opens, edits, cancels or answers them.
WINDOW = 61 * DAY
WINDOW_LEAST = 2
WINDOW_MOST = 50

# Limit for opening dates and for moving them: each opened date is stored, crawlers follow every link, and 2062 is
# probably a typing error for 2026.
OPENED_AHEAD_YEARS: Final = 5
OPENED_AHEAD = OPENED_AHEAD_YEARS * 366 * DAY


class SeriesStatus(StrEnum):
    """Whether a series goes on. ``PAUSED``: it makes no new dates; stored ones stay."""

    ACTIVE = "active"
    PAUSED = "paused"
    CANCELLED = "cancelled"


class PublishPolicy(StrEnum):
    """Which dates are published as records: the next upcoming one, all that are stored, none."""

    NEXT = "next"
    WINDOW = "window"
    NONE = "none"


class EditScope(StrEnum):
    """Scope of an edit of one date."""

    THIS = "this"
    FOLLOWING = "following"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Timing:
    """When a series meets and for how long; ``length`` is None where its dates have no end."""

    pattern: Pattern
    length: timedelta | None


# ``stored_until`` of read-only series, whose window never moves. Not a date that a calendar has.
FOREVER: Final = Instant(2**62)


@dataclass(frozen=True, slots=True)
class Series:
    """A stored series. ``stored_until``: how far the scheduler has stored its dates as events. ``is_hidden``: a
    moderator hides it from everybody but its host; computed, never stored. ``record``: settings for the records of
    new dates; ``record_uri``: its own record, or the one it came from. ``needs_author_approval``: somebody else has
    changed it since its owner last approved what is published; its upcoming dates then wait as well, and those stored
    later.
    ``changed_by``: who holds the lock to change it; never stored.
    """

    id: SeriesId
    slug: SeriesSlug
    content: Content
    timing: Timing
    status: SeriesStatus
    status_reason: str
    policy: PublishPolicy
    owner_id: UserId
    split_from: SeriesId | None
    is_read_only: bool
    revision: int
    stored_until: Instant
    deleted_at: Instant | None
    created_at: Instant
    updated_at: Instant
    group: GroupOfEvent | None = None
    is_hidden: bool = False
    record: RecordSettings = USUAL_RECORD
    record_uri: str | None = None
    needs_author_approval: bool = False
    changed_by: UserId | None = None

    @property
    def visibility(self) -> Visibility:
        """The effective visibility: the narrower of the host's choice and the group's."""
        return narrowed(self.content.visibility, self.group)

    @property
    def zone_name(self) -> str:
        return self.timing.pattern.zone_name or "UTC"


@dataclass(frozen=True, slots=True)
class StoredOccurrence:
    """A stored date, and the number of its RSVPs that must not be lost."""

    event: Event
    answers: int


@dataclass(frozen=True, slots=True)
class Follower:
    """A follower, who is notified of new, moved and cancelled dates."""

    user_id: UserId
    notifications_enabled: bool


@dataclass(frozen=True, slots=True)
class StandingRsvp:
    """A standing RSVP to all dates, future ones included. ``with_limited``: also to those with limited places."""

    user_id: UserId
    with_limited: bool
    said_at: Instant


@dataclass(frozen=True, slots=True)
class SeriesOffer:
    """An open offer of a series to somebody."""

    series_id: SeriesId
    from_id: UserId
    to_id: UserId
    created_at: Instant

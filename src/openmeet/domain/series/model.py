"""Values of a series: a pattern (when it takes place), and the content that each of its dates repeats unless
overridden.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import DAY, Instant
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import DEFAULT_RECORD_SETTINGS, Event, GroupOfEvent, RecordSettings, narrowed
from openmeet.domain.events.values import Visibility
from openmeet.domain.users.model import UserId
from openmeet.recurrence.pattern import Pattern

SeriesId = NewType("SeriesId", str)
SeriesSlug = NewType("SeriesSlug", str)

# The rolling window: dates up to this far ahead are stored as events, at least the first number and at most the second.
# Later dates are computed, and stored when somebody opens, edits, cancels or answers them.
WINDOW = 61 * DAY
WINDOW_LEAST = 2
WINDOW_MOST = 50

# How far ahead dates can be opened, or moved to. Each opened date is stored, crawlers follow every link, and 2062 is
# probably a typing error for 2026.
OPENED_AHEAD_YEARS: Final = 5
OPENED_AHEAD = OPENED_AHEAD_YEARS * 366 * DAY


class SeriesStatus(StrEnum):
    """Status of a series. ``PAUSED``: it makes no new dates, but stored ones stay."""

    ACTIVE = "active"
    PAUSED = "paused"
    CANCELLED = "cancelled"


class PublishPolicy(StrEnum):
    """Which dates are published as records: the next upcoming one, all stored ones, or none."""

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
    """The recurrence of a series and the duration of its dates. ``length`` is None if its dates have no end."""

    pattern: Pattern
    length: timedelta | None


# ``stored_until`` of read-only series, whose window never moves. Later than any calendar date.
FOREVER: Final = Instant(2**62)


@dataclass(frozen=True, slots=True)
class Series:
    """A stored series.

    ``stored_until``: how far ahead the scheduler has stored its dates as events. ``is_hidden``: a moderator hides it
    from everybody but its host; computed, never stored. ``record``: settings for the records of new dates.
    ``record_uri``: its own record, or the one it came from. ``needs_author_approval``: somebody else has changed it
    since its owner last approved publication; its upcoming dates, including those stored later, wait for approval too.
    ``changed_by``: the user who locked it to change it; never stored.
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
    record_settings: RecordSettings = DEFAULT_RECORD_SETTINGS
    record_uri: str | None = None
    needs_author_approval: bool = False
    changed_by: UserId | None = None

    @property
    def visibility(self) -> Visibility:
        """The effective visibility: the narrower of the host's choice and the group's."""
        return narrowed(self.content.visibility, self.group)

    @property
    def zone_name(self) -> str:
        return self.timing.pattern.zone_or_utc


@dataclass(frozen=True, slots=True)
class StoredOccurrence:
    """A stored date, and the number of its RSVPs that must not be lost."""

    event: Event
    rsvp_count: int

    @property
    def original_date(self) -> str:
        """The name of the date in its series."""
        assert self.event.position_in_series is not None  # noqa: S101  # stored dates have one
        return self.event.position_in_series.original_date


@dataclass(frozen=True, slots=True)
class Follower:
    """A follower of a series, who is notified of new, moved and cancelled dates."""

    user_id: UserId
    notifications_enabled: bool


@dataclass(frozen=True, slots=True)
class StandingRsvp:
    """A standing RSVP to all dates, including future ones. ``with_limited``: also to dates with limited places."""

    user_id: UserId
    with_limited: bool
    said_at: Instant


@dataclass(frozen=True, slots=True)
class SeriesOffer:
    """An open offer to transfer a series to somebody."""

    series_id: SeriesId
    from_id: UserId
    to_id: UserId
    created_at: Instant

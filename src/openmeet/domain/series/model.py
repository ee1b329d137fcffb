"""Values of a series: a pattern (when it meets) and a template (what each date says unless overridden)."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import DAY, Instant
from openmeet.domain.events.model import (
    NO_TICKETS,
    NOT_SAID,
    NOWHERE,
    USUAL_RECORD,
    Accessibility,
    Audience,
    Event,
    EventLink,
    GroupOfEvent,
    Mode,
    RecordSettings,
    Tickets,
    Venue,
    Visibility,
    narrowed,
)
from openmeet.domain.events.vocabulary import Category
from openmeet.domain.media.pictures import Picture
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
OPENED_AHEAD = 5 * 366 * DAY
OPENED_AHEAD_WORDS = "five years"


class SeriesStatus(StrEnum):
    """``PAUSED`` makes no new dates; stored ones stay."""

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
class Template:
    """Details of every date unless overridden. Its fields have the names of ``events.model.Details``."""

    title: str
    description: str = ""
    mode: Mode = Mode.IN_PERSON
    venue: Venue = NOWHERE
    online_url: str = ""
    online_url_audience: Audience = Audience.ATTENDEES
    links: tuple[EventLink, ...] = ()
    capacity: int | None = None
    visibility: Visibility = Visibility.PUBLIC
    place_audience: Audience = Audience.EVERYONE
    online_url_from: int | None = None
    door_note: str = ""
    door_audience: Audience = Audience.ATTENDEES
    picture: Picture | None = None
    tickets: Tickets = NO_TICKETS
    accessibility: Accessibility = NOT_SAID
    categories: tuple[Category, ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


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
    new dates; ``record_uri``: its own record, or the one it came from. ``awaits_owner``: somebody else has changed
    it since its owner last approved what is published; its upcoming dates then wait as well, and those stored later.
    ``changed_by``: who holds the lock to change it; never stored.
    """

    id: SeriesId
    slug: SeriesSlug
    template: Template
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
    awaits_owner: bool = False
    changed_by: UserId | None = None

    @property
    def visibility(self) -> Visibility:
        """The effective visibility: the narrower of the host's choice and the group's."""
        return narrowed(self.template.visibility, self.group)

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
class Going:
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

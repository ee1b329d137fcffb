"""What a series is: when it meets (a pattern), what each date says unless it says otherwise (a template)."""

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

# The rolling window: dates this far ahead are stored as events; never fewer than the first number, never more than the
# second. Everything beyond is computed, and stored when somebody opens, edits, cancels or answers it.
WINDOW = 61 * DAY
WINDOW_LEAST = 2
WINDOW_MOST = 50

# A date further ahead than this cannot be opened, nor moved there: each that is opened is stored, a robot follows every link, and
# whoever writes 2062 means 2026.
OPENED_AHEAD = 5 * 366 * DAY
OPENED_AHEAD_WORDS = "five years"


class SeriesStatus(StrEnum):
    """``PAUSED`` makes no new dates; those that are stored stay."""

    ACTIVE = "active"
    PAUSED = "paused"
    CANCELLED = "cancelled"


class PublishPolicy(StrEnum):
    """Which dates are published as records: the next upcoming one, all that are stored, none."""

    NEXT = "next"
    WINDOW = "window"
    NONE = "none"


class EditScope(StrEnum):
    """How far an edit of one date reaches."""

    THIS = "this"
    FOLLOWING = "following"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Template:
    """What a date says unless it says otherwise. Its fields carry the names of ``events.model.Details``."""

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


# How far those are stored that are only read: no clock ever looks at their window. It is no date that a calendar has.
FOREVER: Final = Instant(2**62)


@dataclass(frozen=True, slots=True)
class Series:
    """A series as kept. ``stored_until``: how far its dates have been stored as events by the clock. ``is_hidden``: withheld by a
    moderator, from everybody but its host; computed, never stored. ``record``: what new dates have of it;
    ``record_uri``: where its own record stands, or where it came from. ``awaits_owner``: somebody else has changed it since its owner
    last agreed to what is published; so do its coming dates then, and those that are stored later. ``changed_by``: who has locked
    it to change it; never stored.
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
        """Who may see it: the narrower of what its host chose and what its group is."""
        return narrowed(self.template.visibility, self.group)

    @property
    def zone_name(self) -> str:
        return self.timing.pattern.zone_name or "UTC"


@dataclass(frozen=True, slots=True)
class StoredOccurrence:
    """A stored date, and how many people said something about it that must not be lost."""

    event: Event
    answers: int


@dataclass(frozen=True, slots=True)
class Follower:
    """Somebody who wants to hear of new, moved and cancelled dates."""

    user_id: UserId
    notifications_enabled: bool


@dataclass(frozen=True, slots=True)
class Going:
    """Somebody who goes to every date, also to those that come into being later. ``with_limited``: to those with a limit, too."""

    user_id: UserId
    with_limited: bool
    said_at: Instant


@dataclass(frozen=True, slots=True)
class SeriesOffer:
    """A series is offered to somebody, who has not said yes or no."""

    series_id: SeriesId
    from_id: UserId
    to_id: UserId
    created_at: Instant

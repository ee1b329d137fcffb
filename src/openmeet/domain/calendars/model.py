"""What a person's calendar shows, and a calendar that they subscribed to."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import DAY, HOUR, Instant
from openmeet.domain.users.model import UserId

CalendarId = NewType("CalendarId", str)

MAX_NAME = 100
# What one person needs, and what a server can refresh for everybody.
MOST_CALENDARS = 20
MOST_DATES = 5_000
# Dates of a subscribed calendar are kept from so long ago to so far ahead, and computed anew before they run out.
BEHIND = 62 * DAY
AHEAD = 400 * DAY
ROLL_BEFORE = 340 * DAY

REFRESH_EVERY = 6 * HOUR
# After failures the pause doubles up to this; after so many in a row a person has to ask for it.
LONGEST_PAUSE = 7 * DAY
MOST_FAILURES = 20
# Of those that cost us much each time: what is too much for us today is so tomorrow.
MOST_COSTLY_FAILURES = 5

# The widest window that one question may ask for.
WIDEST = 366 * DAY


class EntryKind(StrEnum):
    """Why something stands in a person's calendar."""

    HOSTING = "hosting"
    GOING = "going"
    WAITING = "waiting"
    INTERESTED = "interested"
    INVITED = "invited"
    SUBSCRIBED = "subscribed"


# What takes a person's time: what they said yes to, and what they run.
BUSY = frozenset({EntryKind.HOSTING, EntryKind.GOING, EntryKind.WAITING, EntryKind.SUBSCRIBED})


class FeedHealth(StrEnum):
    """How a subscribed calendar stands. ``FILE``: it came as a file, and nothing is fetched."""

    FILE = "file"
    FRESH = "fresh"
    FAILING = "failing"
    GIVEN_UP = "given_up"


class FailureReason(StrEnum):
    """Why a subscribed calendar could not be read."""

    GONE = "gone"
    UNREACHABLE = "unreachable"
    NO_CALENDAR = "no_calendar"
    TOO_LARGE = "too_large"
    TOO_MUCH_WORK = "too_much_work"
    ADDRESS_LOST = "address_lost"


COSTLY = frozenset({FailureReason.TOO_LARGE, FailureReason.TOO_MUCH_WORK})


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """One line of a calendar. ``slug`` of our own events, ``calendar`` the name of a subscribed one; ``key`` orders equals."""

    kind: EntryKind
    key: str
    title: str
    place: str
    starts_at: Instant
    ends_at: Instant
    has_end: bool
    time_zone: str
    is_all_day: bool
    is_cancelled: bool
    slug: str = ""
    calendar: str = ""
    is_draft: bool = False

    @property
    def is_busy(self) -> bool:
        """Whole days of other calendars are birthdays and holidays: one can meet on them. A draft is no plan yet."""
        return (
            self.kind in BUSY
            and not self.is_cancelled
            and not self.is_draft
            and not (self.is_all_day and self.kind is EntryKind.SUBSCRIBED)
        )


@dataclass(frozen=True, slots=True)
class Itself:
    """An event that is no conflict of its own: neither its entry, nor its copy in a calendar subscribed to.

    A feed of this site, or a calendar that took one in, says the same title and start; UIDs are not kept, and some programs give
    their own.
    """

    event_id: str
    title: str
    starts_at: Instant | None

    def is_entry(self, entry: CalendarEntry) -> bool:
        """Whether this line of a calendar is that event."""
        is_copy = entry.kind is EntryKind.SUBSCRIBED and (entry.title, entry.starts_at) == (self.title, self.starts_at)
        return entry.key == self.event_id or is_copy


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A calendar of another place. ``host`` is where it is, the address itself is sealed.

    ``reason`` and ``problem``, a sentence, say why it could not be read the last time; None and empty where it could.
    """

    id: CalendarId
    user_id: UserId
    name: str
    host: str
    health: FeedHealth
    reason: FailureReason | None
    problem: str
    failures: int
    is_busy: bool
    dates: int
    fetched_at: Instant | None
    changed_at: Instant | None
    next_fetch_at: Instant | None
    created_at: Instant


@dataclass(frozen=True, slots=True)
class ReadDate:
    """One date of a subscribed calendar, as it is kept."""

    uid: str
    title: str
    place: str
    starts_at: Instant
    ends_at: Instant
    time_zone: str
    is_all_day: bool
    is_cancelled: bool


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a file says: its own name, its dates in the window, how many events it has, and what was not understood."""

    name: str
    dates: tuple[ReadDate, ...]
    events: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A time that somebody thinks of."""

    starts_at: Instant
    ends_at: Instant

"""Values of personal calendars: entries, subscribed calendars and their state."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import DAY, HOUR, Instant
from groundwork.errors import Explanation, Reason
from openmeet.domain.users.model import UserId


class CalendarReason(Reason):
    """Why an action on a personal or subscribed calendar is refused. The messages are in
    ``i18n/reasons/calendars.py``.
    """

    URL_INCOMPLETE = "calendar.url_incomplete"
    TOO_MANY_CALENDARS = "calendar.too_many_calendars"
    NO_SUCH_CALENDAR = "calendar.no_such_calendar"
    NAME_NEEDED = "calendar.name_needed"
    PASSWORD_IN_URL = "calendar.password_in_url"  # noqa: S105 - a code, not a password
    TIMES_OUT_OF_RANGE = "calendar.times_out_of_range"
    URL_OR_FILE_NEEDED = "calendar.url_or_file_needed"
    MALFORMED_WINDOW = "calendar.malformed_window"
    MALFORMED_TIME = "calendar.malformed_time"
    LIMIT_NOT_A_NUMBER = "calendar.limit_not_a_number"
    READS_NO_CALENDARS = "calendar.reads_no_calendars"
    NO_SUCH_ADDRESS = "calendar.no_such_address"
    ADDRESS_UNREADABLE = "calendar.address_unreadable"


CalendarId = NewType("CalendarId", str)

MAX_NAME = 100
# Enough for one person, and few enough that the server can refresh the calendars of all people.
MAX_CALENDARS = 20
# Number of calendar colours.
TONES = 9
MAX_DATES = 5_000
# Dates of a subscribed calendar are stored from ``BEHIND`` before now to ``AHEAD`` after it. They are expanded again
# when less than ``ROLL_BEFORE`` is left.
BEHIND = 62 * DAY
AHEAD = 400 * DAY
ROLL_BEFORE = 340 * DAY

REFRESH_EVERY = 6 * HOUR
# The pause doubles after each failure up to this limit. After ``MAX_FAILURES`` in a row, only the owner can restart
# the calendar.
LONGEST_PAUSE = 7 * DAY
MAX_FAILURES = 20
# For failures that are expensive every time: a file that is too large today will still be too large tomorrow.
MAX_COSTLY_FAILURES = 5

# The longest window that one query covers.
WIDEST = 366 * DAY


class EntryKind(StrEnum):
    """Why an entry is in a person's calendar."""

    HOSTING = "hosting"
    GOING = "going"
    WAITING = "waiting"
    INTERESTED = "interested"
    INVITED = "invited"
    SUBSCRIBED = "subscribed"


# Kinds of entries that can take a person's time.
BUSY = frozenset({EntryKind.HOSTING, EntryKind.GOING, EntryKind.WAITING, EntryKind.SUBSCRIBED})


class FeedHealth(StrEnum):
    """State of a subscribed calendar. ``FILE`` means that it was uploaded as a file and is not fetched."""

    FILE = "file"
    FRESH = "fresh"
    FAILING = "failing"
    GIVEN_UP = "given_up"


class FeedFailure(StrEnum):
    """Why a subscribed calendar could not be read."""

    GONE = "gone"
    UNREACHABLE = "unreachable"
    NO_CALENDAR = "no_calendar"
    TOO_LARGE = "too_large"
    TOO_MUCH_WORK = "too_much_work"
    ADDRESS_LOST = "address_lost"


COSTLY = frozenset({FeedFailure.TOO_LARGE, FeedFailure.TOO_MUCH_WORK})


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """One entry. ``slug`` is set for events of this site, ``calendar`` and ``tone`` for entries of a subscribed
    calendar. ``key`` breaks ties in the order. ``is_held``: only the hosts see the event, because it is a draft or
    because their account server does not have its record yet.
    """

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
    tone: int = 0
    is_draft: bool = False
    is_held: bool = False

    @property
    def is_busy(self) -> bool:
        """Whether the entry takes the person's time. All-day entries of other calendars do not, because they are
        usually birthdays and holidays. Neither do cancelled events and drafts.
        """
        return (
            self.kind in BUSY
            and not self.is_cancelled
            and not self.is_draft
            and not (self.is_all_day and self.kind is EntryKind.SUBSCRIBED)
        )


@dataclass(frozen=True, slots=True)
class ExcludedEvent:
    """An event that must not conflict with itself, that is, with its own entry or its copy in a subscribed calendar.

    Its copy in a feed of this site, or in a calendar that imported one, has the same title and start. UIDs are not
    compared, because they are not stored and some programs assign their own.
    """

    event_id: str
    title: str
    starts_at: Instant | None

    def is_entry(self, entry: CalendarEntry) -> bool:
        """Whether this entry is the event, or its copy in a subscribed calendar (same title and start)."""
        is_copy = entry.kind is EntryKind.SUBSCRIBED and (entry.title, entry.starts_at) == (self.title, self.starts_at)
        return entry.key == self.event_id or is_copy


@dataclass(frozen=True, slots=True)
class SubscribedCalendar:
    """A subscribed calendar. ``host`` is the host name of its address; the address itself is encrypted.

    ``tone`` is its colour, 0 to 8. ``is_shown`` says whether the calendar page shows it; feeds and conflicts ignore
    that. ``reason`` and ``problem`` say why the last read failed, and are None if it succeeded.
    """

    id: CalendarId
    user_id: UserId
    name: str
    host: str
    health: FeedHealth
    reason: FeedFailure | None
    problem: Explanation | None
    failures: int
    is_busy: bool
    tone: int
    is_shown: bool
    dates: int
    fetched_at: Instant | None
    changed_at: Instant | None
    next_fetch_at: Instant | None
    created_at: Instant


@dataclass(frozen=True, slots=True)
class ReadDate:
    """One stored date of a subscribed calendar."""

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
    """Content of a file: its own name, its dates in the window, and the number of its events."""

    name: str
    dates: tuple[ReadDate, ...]
    events: int


@dataclass(frozen=True, slots=True)
class Span:
    """A proposed time."""

    starts_at: Instant
    ends_at: Instant

"""Values parsed from a calendar file. The input is untrusted; parsing stores nothing."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.values import Mode, Venue
from openmeet.recurrence.pattern import Pattern


@dataclass(frozen=True, slots=True)
class OverriddenDate:
    """The date that an override replaces.

    ``original``: its wall-clock time according to the rule. ``and_following``: the override also applies to all later
    dates. ``is_day``: the file gives only the day; in a timed series it refers to the date on that day.
    """

    original: datetime
    and_following: bool = False
    is_day: bool = False


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """One VEVENT.

    ``uid`` is derived from the content if the file has none, so that every reading gives the same one. ``pattern`` has
    the start, zone, rule and dates. ``is_floating``: the file gives no zone, so the calendar's was used.
    ``unknown_zone``: the name of an unknown zone, for which the pattern's zone is only a guess. ``length`` is None if
    the file gives no end; for an all-day event it is a whole number of days. ``venue``: the structured place, if the
    file has one. ``mode`` and ``named_status``: attendance mode and exact status, which only our own files have.
    ``description`` is Markdown, even if the file has HTML, without the text about the video call at ``call_url``;
    ``call_lines`` are the lines removed from it. ``comment``: a remark or, for a cancelled event, the reason (RFC 5546,
    section 3.2.5).
    """

    number: int
    uid: str
    has_own_uid: bool
    pattern: Pattern
    is_floating: bool
    unknown_zone: str
    length: timedelta | None
    overrides: OverriddenDate | None
    summary: str
    description: str = ""
    location: str = ""
    venue: Venue | None = None
    mode: Mode | None = None
    coordinates: tuple[float, float] | None = None
    url: str = ""
    call_url: str = ""
    call_lines: tuple[str, ...] = ()
    is_cancelled: bool = False
    is_tentative: bool = False
    named_status: EventStatus | None = None
    comment: str = ""
    sequence: int = 0
    categories: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class ReadCalendar:
    """One VCALENDAR."""

    name: str | None = None
    zone_name: str | None = None
    description: str | None = None
    color: str | None = None
    method: str | None = None
    zones: dict[str, str] = field(default_factory=dict)
    # Zones that the file defines with transition rules or without an offset. Their value in ``zones`` is a guess.
    guessed_zones: set[str] = field(default_factory=set)
    events: list[ReadEvent] = field(default_factory=list)
    # Number of components other than events, by kind: VTODO, VJOURNAL …
    others: list[tuple[int, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    # A sentence for each event that was left out: which one, and why.
    left_out: list[str] = field(default_factory=list)

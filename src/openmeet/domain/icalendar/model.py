"""Values parsed from a calendar file. Untrusted input; parsing stores nothing."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.values import Mode, Venue
from openmeet.recurrence.pattern import Pattern


@dataclass(frozen=True, slots=True)
class Named:
    """The date that an override is about: its wall-clock time by the rule; ``and_following``: from there on.

    ``is_day``: the file has only its day; in a series with hours the date on that day is meant.
    """

    original: datetime
    and_following: bool = False
    is_day: bool = False


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """One VEVENT. ``uid`` is derived from the content where the file has none, the same at every reading.

    ``pattern`` has start, zone, rule and dates; ``is_floating``: the file named no zone, so the calendar's was taken.
    ``unknown_zone``: name of an unknown zone, for which the pattern's zone is only a guess. ``length`` is None where
    the file has no end; for an all-day event it counts days. ``venue``: the parts of the place, if the file has them.
    ``mode`` and ``named_status``: mode and status beyond STATUS, in files of ours. ``description`` is Markdown, also where
    the file has HTML, without what belongs to ``call_url``: the address of a video call, of which ``call_lines`` were
    removed. ``comment``: a remark; for a cancelled event the reason (RFC 5546, section 3.2.5).
    """

    number: int
    uid: str
    has_own_uid: bool
    pattern: Pattern
    is_floating: bool
    unknown_zone: str
    length: timedelta | None
    overrides: Named | None
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
    # Zones of the file with transition rules of their own, or without an offset: their value in ``zones`` is a guess.
    guessed_zones: set[str] = field(default_factory=set)
    events: list[ReadEvent] = field(default_factory=list)
    # Number and kind of components other than events: VTODO, VJOURNAL …
    others: list[tuple[int, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

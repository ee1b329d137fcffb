"""What a calendar file says, as values; nothing in it is trusted, nothing of it is stored by being read."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from openmeet.domain.events.model import EventStatus, Mode, Venue
from openmeet.recurrence.pattern import Pattern


@dataclass(frozen=True, slots=True)
class Named:
    """A single date that an override is about: its wall-clock time by the rule; ``and_following``: from there on.

    ``is_day``: the file names its day alone, and of a series with hours whichever date there is on that day is meant.
    """

    original: datetime
    and_following: bool = False
    is_day: bool = False


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """One VEVENT. ``uid`` is made from the content where the file gives none, the same at every reading.

    ``pattern`` has start, zone, rule and dates; ``is_floating`` says that the file named no zone and the calendar's was
    taken. ``unknown_zone``: the name of a zone that is no known place, whose times are only guessed to be those of the pattern's. ``length`` is None where the file gives no end; of a whole-day event it counts days.
    ``venue``: the place in its parts, where the file has them; ``mode``: how people meet, where it was one of ours.
    ``standing``: how it stood, where it was one of ours and that is more than STATUS says.
    ``description`` is Markdown, also where the file has HTML, without what belongs to ``call_url``: the address of a video call, of which
    ``call_lines`` were taken out of the text.
    ``comment``: what is said beside it, of a cancelled one the reason (RFC 5546, section 3.2.5).
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
    standing: EventStatus | None = None
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
    # Zones of the file that change their clocks by rules of their own, or say no offset: what stands in ``zones`` is a guess.
    guessed_zones: set[str] = field(default_factory=set)
    events: list[ReadEvent] = field(default_factory=list)
    # Number and kind of components that are no events: VTODO, VJOURNAL …
    others: list[tuple[int, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

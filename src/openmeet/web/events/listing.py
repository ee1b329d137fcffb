"""Events in lists: cards grouped by day, times in the event's own zone."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from markupsafe import Markup

from openmeet.domain.attendance.model import NOBODY, Attendance, AttendanceStatus, RsvpCounts
from openmeet.domain.events import time_words
from openmeet.domain.events.model import Event, EventId, EventStatus, Mode, Venue
from openmeet.i18n import formatting
from openmeet.recurrence import wall_time
from openmeet.web.events.badges import Badge

_TONES = 6

# A place with coordinates only.
ON_THE_MAP = "A point on the map"
ANNOUNCED_LATER = "Place to be announced"

_MINE_WORDS = {
    AttendanceStatus.ATTENDING: "You are going",
    AttendanceStatus.ATTENDED: "You were there",
    AttendanceStatus.INTERESTED: "You are interested",
    AttendanceStatus.DECLINED: "",
    AttendanceStatus.PENDING: "Waiting for the host’s answer",
    AttendanceStatus.WAITLISTED: "On the waitlist",
    AttendanceStatus.INVITED: "You are invited",
    AttendanceStatus.REJECTED: "",
}
# For cancelled and past events: no more RSVPs, waitlist or approvals.
_MINE_PAST_WORDS = {
    AttendanceStatus.ATTENDING: "You were going",
    AttendanceStatus.ATTENDED: "You were there",
    AttendanceStatus.INTERESTED: "You were interested",
    AttendanceStatus.PENDING: "You asked to join",
    AttendanceStatus.WAITLISTED: "You were on the waitlist",
    AttendanceStatus.INVITED: "You were invited",
}

STATUS_WORDS = {
    EventStatus.PLANNED: "Not final yet",
    EventStatus.SCHEDULED: "",
    EventStatus.RESCHEDULED: "Moved",
    EventStatus.POSTPONED: "Postponed",
    EventStatus.CANCELLED: "Cancelled",
}


@dataclass(frozen=True, slots=True)
class FurtherDates:
    """The number of other dates of a series, and their page: ``and 11 more dates``."""

    path: str
    words: str


@dataclass(frozen=True, slots=True)
class EventCard:
    """One event in a list. ``asking``: people who await the viewer's decision. ``further``: the card stands for a
    series.
    """

    slug: str
    title: str
    time_tag: Markup | str
    zone_words: str
    place: str
    tile_month: str
    tile_day: str
    tone: int
    is_cancelled: bool
    badge: str
    going: int
    is_full: bool
    mine: str
    asking: int
    sync: str
    further: FurtherDates | None
    badges: Sequence[Badge] = ()

    @property
    def has_chips(self) -> bool:
        return bool(
            self.is_cancelled
            or self.badge
            or self.mine
            or self.going
            or self.is_full
            or self.asking
            or self.sync
            or self.badges
        )


@dataclass(slots=True)
class ListedDay:
    """The events of one day."""

    key: str
    words: str
    items: list[EventCard] = field(default_factory=list)


def tone_of(name: str) -> int:
    """One of a few colors, stable per name."""
    return hashlib.sha256(name.encode()).digest()[0] % _TONES


def place_lines(mode: Mode, place: Venue, *, hides_place: bool) -> list[str]:
    """The place, as far as ``place`` has it. ``hides_place``: others know more."""
    if mode is Mode.ONLINE:
        return ["Online"]
    lines = list(place.lines)
    if not lines or place.is_country_alone:
        known = ON_THE_MAP if place.latitude else ANNOUNCED_LATER
        lines.insert(0, "A place that is shown to people who are going" if hides_place else known)
    return [*lines, "and online"] if mode is Mode.HYBRID else lines


def place_words(event: Event) -> str:
    """The place in one line."""
    place = event.place
    spot = ", ".join(part for part in (place.name, place.locality) if part)
    spot = spot or (
        place.lines[0] if place.lines and not place.is_country_alone else ON_THE_MAP if place.latitude else ""
    )
    match event.mode:
        case Mode.ONLINE:
            return "Online"
        case Mode.HYBRID:
            return f"{spot} and online" if spot else "In person and online"
        case Mode.IN_PERSON:
            return spot or ANNOUNCED_LATER


def days(
    events: Sequence[Event],
    counts: Mapping[EventId, RsvpCounts],
    mine: Mapping[EventId, Attendance],
    sync: Mapping[str, str],
    further: Mapping[EventId, FurtherDates] = MappingProxyType({}),
    hosted: Collection[EventId] = (),
    badges: Mapping[EventId, Sequence[Badge]] = MappingProxyType({}),
) -> list[ListedDay]:
    """The events grouped by day, in order. ``further``: for lists that show each series once.

    ``hosted``: events whose RSVPs the viewer decides about. ``badges``: from ``badges.in_a_list``.
    """
    found: list[ListedDay] = []
    for event in events:
        key, words = _heading(event)
        if not found or found[-1].key != key:
            found.append(ListedDay(key, words))
        count = counts.get(event.id, NOBODY)
        asking = count.unconfirmed if event.id in hosted and not event.is_draft else 0
        found[-1].items.append(
            _card(
                event,
                count,
                mine.get(event.id),
                asking,
                sync.get(event.id, ""),
                further.get(event.id),
                badges.get(event.id, ()),
            )
        )
    return found


def mine_words(status: AttendanceStatus, *, is_past: bool) -> str:
    """The viewer's RSVP, to a coming event or to one cancelled or over; empty for declined."""
    return _MINE_PAST_WORDS.get(status, "") if is_past else _MINE_WORDS[status]


def _heading(event: Event) -> tuple[str, str]:
    if event.starts_at is None:
        return "later", "Date to be announced"
    starts = wall_time.local_of(event.starts_at, event.time_zone)
    return starts.date().isoformat(), formatting.day(starts)


def _card(
    event: Event,
    counts: RsvpCounts,
    mine: Attendance | None,
    asking: int,
    sync: str,
    further: FurtherDates | None,
    badges: Sequence[Badge],
) -> EventCard:
    month = day = ""
    if event.starts_at is not None:
        starts = wall_time.local_of(event.starts_at, event.time_zone)
        month, day = formatting.month(starts), str(starts.day)
    return EventCard(
        slug=event.slug,
        title=event.title or "Untitled draft",
        time_tag=time_words.tag_of_start(event, time_words.clock_words(event)),
        zone_words=time_words.zone_words(event),
        place=place_words(event),
        tile_month=month,
        tile_day=day,
        tone=tone_of(event.slug),
        is_cancelled=event.is_cancelled,
        badge="Draft" if event.is_draft else STATUS_WORDS[event.status],
        going=counts.going,
        is_full=event.capacity is not None and counts.seats >= event.capacity,
        mine="" if mine is None else mine_words(mine.status, is_past=event.is_cancelled),
        asking=asking,
        sync=sync,
        further=further,
        badges=badges,
    )

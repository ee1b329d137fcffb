"""Write calendar files: our events as VEVENTs, folded, escaped, with the zones they need.

Sources: RFC 5545, 5546 (METHOD, SEQUENCE), 7986. The ``icalendar`` library folds lines, and ``components`` escapes
text. METHOD is PUBLISH, or CANCEL for a cancelled event. It is never REQUEST, because nobody would receive the replies.

UID, RECURRENCE-ID and SEQUENCE come from ``calendar_uids``. A date of a series has the UID of its series and is
identified by its original start (RFC 5545, section 3.8.4.4), so that a program that has the series recognizes the date.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from icalendar import Calendar
from icalendar import Event as Vevent
from icalendar.parser import Contentline
from icalendar.prop import vRecur, vText, vUri

from groundwork.clock import DAY, SECOND, Instant, to_datetime
from openmeet.domain.events.model import Event, EventStatus
from openmeet.domain.events.values import NOWHERE, Mode, Venue
from openmeet.domain.icalendar.components import Text, texts
from openmeet.domain.icalendar.properties import category_values, written_place
from openmeet.domain.icalendar.time_zones import vtimezone
from openmeet.domain.series.calendar_uids import CalendarIdentity, OriginalStart
from openmeet.i18n.markdown import one_line
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule import Rule, Until, format_rule, until_date, until_instant
from openmeet.recurrence.wall_time import instant_of, local_of, zone_names

PRODUCT: Final = "-//OpenMeet//Calendar//EN"
# Our own property for the attendance mode, because iCalendar has none.
MODE: Final = "X-OPENMEET-MODE"
# Planned, rescheduled or postponed: iCalendar's STATUS has one value for two of these and none for the third.
STATUS_PROPERTY: Final = "X-OPENMEET-STATUS"
# All-day events have no zone in iCalendar. OpenMeet's all-day events have one, because their days begin in it.
DAY_ZONE: Final = "X-OPENMEET-TIME-ZONE"
PUBLISH, CANCEL = "PUBLISH", "CANCEL"

# How often programs should refresh: often enough for the usual changes of dates, and rarely enough for the server if
# all programs obey.
REFRESH: Final = "PT1H"
# Statuses that our files give in addition to STATUS, and those of them that are not definite.
NAMED_STATUSES = frozenset({EventStatus.PLANNED, EventStatus.RESCHEDULED, EventStatus.POSTPONED})
TENTATIVE_STATUSES = frozenset({EventStatus.PLANNED, EventStatus.POSTPONED})


@dataclass(frozen=True, slots=True)
class FeedAddress:
    """Absolute URLs of a subscribed feed: its page, and its source unless that URL is secret."""

    page: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class WrittenEvent:
    """One VEVENT to write.

    ``uid`` is the same for a series and for overrides of its dates; ``changes`` identifies the overridden date, whichever
    zone the override has. ``venue`` is the structured place, as much of it as the file's readers may see; ``location``
    is the same on one line. ``comment`` is the reason for a cancellation. ``length`` of an all-day event is a whole
    number of days. ``sequence`` increases with every change of time or place.
    """

    uid: str
    pattern: Pattern
    length: timedelta | None
    summary: str
    stamped_at: Instant
    changes: OriginalStart | None = None
    description: str = ""
    location: str = ""
    venue: Venue = NOWHERE
    mode: Mode = Mode.IN_PERSON
    coordinates: tuple[float, float] | None = None
    url: str = ""
    is_cancelled: bool = False
    is_tentative: bool = False
    named_status: EventStatus | None = None
    comment: str = ""
    sequence: int = 0
    categories: tuple[str, ...] = ()


def vevent_of(
    event: Event,
    identity: CalendarIdentity,
    *,
    host: str,
    url: str,
    description: str = "",
    place: Venue | None = None,
) -> WrittenEvent | None:
    """Convert the event to a VEVENT. None if its date is yet to be announced.

    ``host`` is the host name of the site, as a part of the UID (RFC 7986, section 5.3). ``place``: the place to write,
    for readers who may see more of it than the public.
    """
    if event.starts_at is None:
        return None
    # A fixed offset is not a zone that a calendar program could look up.
    zone = event.time_zone if event.time_zone in zone_names() else "UTC"
    where = event.place if place is None else place
    length = None
    if event.ends_at is not None:
        length = timedelta(seconds=(event.ends_at - event.starts_at) // SECOND)
        if event.is_all_day:
            length = timedelta(days=round((event.ends_at - event.starts_at) / DAY))
    return WrittenEvent(
        uid=f"{identity.subject_id}@{host}",
        pattern=Pattern(
            local_of(event.starts_at, zone).replace(tzinfo=None, microsecond=0), zone, is_all_day=event.is_all_day
        ),
        length=length,
        summary=event.title,
        stamped_at=event.updated_at,
        changes=identity.original,
        description=description,
        location=location_of(event.content.mode, where),
        venue=where,
        mode=event.content.mode,
        coordinates=geo_of(where),
        url=url,
        is_cancelled=event.is_cancelled or event.is_gone,
        is_tentative=event.status in TENTATIVE_STATUSES,
        named_status=event.status if event.status in NAMED_STATUSES else None,
        comment=event.status_reason if event.is_cancelled else "",
        sequence=identity.sequence,
        categories=category_values(event.content.categories, event.content.tags),
    )


def geo_of(venue: Venue) -> tuple[float, float] | None:
    """Coordinates of a place for GEO, with at most six decimals (RFC 5545, section 3.8.1.6)."""
    if not (venue.latitude and venue.longitude):
        return None
    north, east = (round(float(degrees), 6) for degrees in (venue.latitude, venue.longitude))
    # Python writes smaller numbers with an exponent, which GEO does not allow. They are less than eleven meters from
    # zero.
    return (north if abs(north) >= 0.0001 else 0.0, east if abs(east) >= 0.0001 else 0.0)


def location_of(mode: Mode, venue: Venue) -> str:
    """The place in one line."""
    return "Online" if mode is Mode.ONLINE else ", ".join(one_line(line) for line in venue.lines)


def write_calendar(
    events: Iterable[WrittenEvent],
    *,
    name: str,
    method: str = PUBLISH,
    feed: FeedAddress | None = None,
) -> bytes:
    """Write the whole file, in lines of up to 75 octets ending in CRLF.

    ``feed``: for a subscribed file, which also gets a refresh interval (RFC 7986, section 5.7; Outlook reads the older
    X-PUBLISHED-TTL) and a source (5.8, 5.5).
    """
    written = list(events)
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", PRODUCT)
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    for key in ("X-WR-CALNAME", "NAME"):
        calendar.add(key, Text(name))
    if feed is not None:
        calendar.add("refresh-interval", vText(REFRESH), parameters={"VALUE": "DURATION"})
        calendar.add("x-published-ttl", vText(REFRESH))
        calendar.add("url", vUri(feed.page))
        if feed.source:
            calendar.add("source", vUri(feed.source), parameters={"VALUE": "URI"})
    head = calendar.to_ical(sorted=False).removesuffix(b"END:VCALENDAR\r\n")
    zones = [
        Contentline(line).to_ical()  # type: ignore[no-untyped-call]
        for zone_name, (first, last) in sorted(_zones(written).items())
        for line in vtimezone(zone_name, first, last)
    ]
    return b"".join(
        [head, *(line + b"\r\n" for line in zones), *(_event(event) for event in written), b"END:VCALENDAR\r\n"]
    )


def _zones(events: Sequence[WrittenEvent]) -> dict[str, tuple[int, int]]:
    """The zones that the file refers to, with the years in which each is needed."""
    years_by_zone: dict[str, tuple[int, int]] = {}
    for event in events:
        pattern = event.pattern
        forms: list[Pattern | OriginalStart] = [pattern]
        years = [pattern.start.year, *(at.year for at in (*pattern.left_out, *pattern.added))]
        if event.changes is not None:
            forms.append(event.changes)
            years.append(event.changes.at.year)
        for form in forms:
            zone = form.zone_name
            if form.is_all_day or zone is None or zone == "UTC":
                continue
            first, last = years_by_zone.get(zone, (years[0], years[0]))
            years_by_zone[zone] = (min(first, *years), max(last, *years))
    return years_by_zone


def _event(event: WrittenEvent) -> bytes:
    pattern = event.pattern
    made = Vevent()
    made.add("uid", Text(event.uid))
    made.add("dtstamp", to_datetime(event.stamped_at).replace(microsecond=0))
    _add_times(made, "dtstart", pattern, [pattern.start])
    if event.length is not None and pattern.is_all_day:
        _add_times(made, "dtend", pattern, [pattern.start + event.length])
    elif event.length is not None:
        made.add("duration", event.length)
    if event.changes is not None:
        _add_times(made, "recurrence-id", event.changes, [event.changes.at])
    elif pattern.rule is not None:
        made.add("rrule", vRecur.from_ical(format_rule(_with_utc_end(_with_plain_end(pattern.rule, pattern), pattern))))
    _add_times(made, "exdate", pattern, pattern.left_out)
    _add_times(made, "rdate", pattern, pattern.added)
    made.add("summary", Text(event.summary))
    for name, text in (
        ("description", event.description),
        ("location", event.location),
        ("comment", event.comment),
    ):
        if text:
            made.add(name, Text(text))
    if event.url:
        made.add("url", event.url)
    if event.coordinates is not None:
        made.add("geo", event.coordinates)
    if event.categories:
        made.add("categories", texts(event.categories))
    if event.mode is not Mode.IN_PERSON:
        # The only other sign that a hybrid event is also online would be its link (CONFERENCE), which not every reader
        # may see.
        made.add(MODE, event.mode.value)
    place = written_place(event.venue)
    if place is not None:
        made.add_component(place)
    made.add("status", "CANCELLED" if event.is_cancelled else "TENTATIVE" if event.is_tentative else "CONFIRMED")
    if event.named_status is not None:
        made.add(STATUS_PROPERTY, event.named_status.value)
    if pattern.is_all_day and pattern.zone_name is not None:
        made.add(DAY_ZONE, pattern.zone_name)
    made.add("sequence", event.sequence)
    return bytes(made.to_ical(sorted=False))


def _add_times(made: Vevent, name: str, form: Pattern | OriginalStart, times: Sequence[datetime]) -> None:
    """Add wall-clock times in the form that the pattern or the original start requires: dates, UTC, with a zone name,
    or floating.
    """
    if not times:
        return
    values: list[date] = list(times)
    parameters: dict[str, str] = {}
    if form.is_all_day:
        values = [at.date() for at in times]
        parameters["VALUE"] = "DATE"
    elif form.zone_name == "UTC":
        values = [at.replace(tzinfo=UTC) for at in times]
    elif form.zone_name is not None:
        parameters["TZID"] = form.zone_name
    several = name in {"exdate", "rdate"}
    made.add(name, values if several else values[0], parameters=parameters)


def _with_plain_end(rule: Rule, pattern: Pattern) -> Rule:
    """Replace COUNT by UNTIL if the start is not a date of the rule. Other programs would count one date more."""
    if rule.count is None or expansion.starts_by_rule(pattern):
        return rule
    return replace(
        rule, count=None, until=Until(expansion.originals_with_count(pattern)[-1], is_date=pattern.is_all_day)
    )


def _with_utc_end(rule: Rule, pattern: Pattern) -> Rule:
    """Make UNTIL an instant if the start has a zone (RFC 5545, section 3.3.10); otherwise give it the same type as the
    start.
    """
    until = rule.until
    if until is None or pattern.zone_name is None:
        return rule
    if pattern.is_all_day:
        at = until.at if until.is_date or not until.is_utc else local_of(instant_of(until.at, "UTC"), pattern.zone_name)
        return replace(rule, until=until_date(at.date()))
    if until.is_utc:
        return rule
    last = until.at + timedelta(days=1, seconds=-1) if until.is_date else until.at
    return replace(rule, until=until_instant(to_datetime(instant_of(last, pattern.zone_name))))

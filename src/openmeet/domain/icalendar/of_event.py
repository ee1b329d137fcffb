"""Convert an event into a VEVENT, with the UID that it has in all our files.

A date of a series has the UID of its series and is identified by its original start (RFC 5545, section 3.8.4.4), so
that a program that has the series recognizes the date. SEQUENCE comes from ``calendar_uids.sequences`` and never
decreases.
"""

from datetime import timedelta

from groundwork.clock import DAY, SECOND
from openmeet.domain.events.model import Event, EventStatus
from openmeet.domain.events.values import Mode, Venue
from openmeet.domain.icalendar.properties import topics_of
from openmeet.domain.icalendar.write import WrittenEvent
from openmeet.domain.series.dates import original_of
from openmeet.i18n.markdown import one_line
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.wall_time import local_of, zone_names

# Statuses that our files give in addition to STATUS, and those of them that are not definite.
NAMED_STATUSES = frozenset({EventStatus.PLANNED, EventStatus.RESCHEDULED, EventStatus.POSTPONED})
TENTATIVE_STATUSES = frozenset({EventStatus.PLANNED, EventStatus.POSTPONED})


def uid_of(event: Event, host: str) -> str:
    """The UID of an event. ``host`` is the host name of the site (RFC 7986, section 5.3)."""
    place = event.place_in_series
    return f"{event.id if place is None else place.series_id}@{host}"


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


def vevent_of(
    event: Event,
    *,
    host: str,
    url: str,
    sequence: int,
    description: str = "",
    place: Venue | None = None,
) -> WrittenEvent | None:
    """Convert the event to a VEVENT. None if its date is yet to be announced.

    ``place``: the place to write, for readers who may see more of it than the public.
    """
    if event.starts_at is None:
        return None
    # A fixed offset is not a zone that a calendar program could look up.
    zone = event.time_zone if event.time_zone in zone_names() else "UTC"
    where = event.place if place is None else place
    date = event.place_in_series
    length = None
    if event.ends_at is not None:
        length = timedelta(seconds=(event.ends_at - event.starts_at) // SECOND)
        if event.is_all_day:
            length = timedelta(days=round((event.ends_at - event.starts_at) / DAY))
    return WrittenEvent(
        uid=uid_of(event, host),
        pattern=Pattern(
            local_of(event.starts_at, zone).replace(tzinfo=None, microsecond=0), zone, is_all_day=event.is_all_day
        ),
        length=length,
        summary=event.title,
        stamped_at=event.updated_at,
        changes=None if date is None else original_of(date.original_date),
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
        sequence=sequence,
        categories=topics_of(event.content.categories, event.content.tags),
    )

"""From the bytes of a calendar file to the dates that are kept of it. Pure, and bounded; it runs in a worker process."""

from collections.abc import Iterator, Sequence
from itertools import islice

from groundwork.clock import Instant
from openmeet.domain.calendars.model import AHEAD, BEHIND, MAX_NAME, MOST_DATES, ReadDate, ReadFile
from openmeet.domain.icalendar.instances import Bounds, Instance, instances
from openmeet.domain.icalendar.model import ReadCalendar
from openmeet.domain.icalendar.read import read_calendars
from openmeet.recurrence.wall_time import instant_of, is_zone, local_of

MAX_TITLE = 300
MOST_WARNINGS = 50


def read_file(data: bytes, now: Instant, zone: str) -> ReadFile:
    """What a file says around now. ``zone`` is that of times without one. Raises InvalidInput and TooLarge."""
    calendars = read_calendars(data)
    bounds = Bounds(MOST_DATES)
    for calendar in calendars:
        instances(calendar.events, Instant(now - BEHIND), Instant(now + AHEAD), bounds)
    dates: dict[tuple[str, Instant], ReadDate] = {}
    for one in bounds.kept:
        dates.setdefault((one.event.uid, one.starts_at), _date(one, zone))
    kept = sorted(dates.values(), key=lambda date: (date.starts_at, date.uid))
    warnings = list(islice(_warnings(calendars), MOST_WARNINGS))
    if not bounds.is_whole:
        warnings.insert(0, f"It has more dates than we keep of one calendar; {len(kept):,} of them are shown.")
    return ReadFile(
        name=next((calendar.name for calendar in calendars if calendar.name), "")[:MAX_NAME],
        dates=tuple(kept),
        events=sum(len(calendar.events) for calendar in calendars),
        warnings=tuple(warnings[:MOST_WARNINGS]),
    )


def _warnings(calendars: Sequence[ReadCalendar]) -> Iterator[str]:
    for calendar in calendars:
        yield from calendar.warnings
        for event in calendar.events:
            name = event.summary or "An event"
            yield from (f"{name}: {warning}" for warning in event.warnings)
            if event.unknown_zone:
                read_as = event.pattern.zone_name or "yours"
                yield f"{name}: its time zone {event.unknown_zone!r} is unknown; its times are read as {read_as}."


def _date(one: Instance, zone: str) -> ReadDate:
    event = one.event
    named = one.zone_name if is_zone(one.zone_name) else zone
    starts_at, ends_at = one.starts_at, one.ends_at
    if event.pattern.zone_name is None and not event.pattern.is_all_day:
        # A time of no zone is the same on every clock; here it is the reader's.
        named = zone
        starts_at, ends_at = (instant_of(local_of(at, "UTC").replace(tzinfo=None), zone) for at in (starts_at, ends_at))
    return ReadDate(
        uid=event.uid[:MAX_TITLE],
        title=event.summary[:MAX_TITLE],
        place=" ".join(event.location.split())[:MAX_TITLE],
        starts_at=starts_at,
        ends_at=max(starts_at, ends_at),
        time_zone=named,
        is_all_day=event.pattern.is_all_day,
        is_cancelled=event.is_cancelled,
    )

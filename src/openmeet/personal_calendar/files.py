"""From the bytes of a calendar file to the dates that are kept of it. Pure, bounded, and off the event loop where it is long."""

from collections.abc import Sequence

from groundwork.clock import Instant
from openmeet.calendars.instances import Instance, instances
from openmeet.calendars.model import ReadCalendar
from openmeet.calendars.reading import read_calendars
from openmeet.personal_calendar.model import AHEAD, BEHIND, MAX_NAME, MOST_DATES, ReadDate, ReadFile
from openmeet.recurrence.wall_time import instant_of, is_zone, local_of

MAX_TITLE = 300
MOST_WARNINGS = 50


def read_file(data: bytes, now: Instant, zone: str) -> ReadFile:
    """What a file says around now. ``zone`` is that of times without one. Raises InvalidInput and TooLarge."""
    calendars = read_calendars(data)
    dates: dict[tuple[str, Instant], ReadDate] = {}
    for calendar in calendars:
        for one in instances(calendar.events, Instant(now - BEHIND), Instant(now + AHEAD)):
            dates.setdefault((one.event.uid, one.starts_at), _date(one, zone))
    kept = sorted(dates.values(), key=lambda date: (date.starts_at, date.uid))
    warnings = list(_warnings(calendars))
    if len(kept) > MOST_DATES:
        warnings.insert(0, f"It has {len(kept):,} dates; the first {MOST_DATES:,} are shown.")
    return ReadFile(
        name=next((calendar.name for calendar in calendars if calendar.name), "")[:MAX_NAME],
        dates=tuple(kept[:MOST_DATES]),
        events=sum(len(calendar.events) for calendar in calendars),
        warnings=tuple(warnings[:MOST_WARNINGS]),
    )


def _warnings(calendars: Sequence[ReadCalendar]) -> list[str]:
    found = []
    for calendar in calendars:
        found += calendar.warnings
        found += [
            f"{event.summary or 'An event'}: {warning}" for event in calendar.events for warning in event.warnings
        ]
        found += [
            f"{event.summary or 'An event'}: its time zone {event.unknown_zone!r} is unknown; its times are read as"
            f" {event.pattern.zone_name or 'yours'}."
            for event in calendar.events
            if event.unknown_zone
        ]
    return found


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

"""Times of imported events: their zone, and when they are over. Pure, bounded work."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from groundwork.clock import HOUR, Instant
from openmeet.domain.events.rules import Submission
from openmeet.domain.events.town_positions import town_named
from openmeet.domain.imports.model import ImportedEvent
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.expansion import last_of
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.wall_time import instant_of, local_of, zone_names

# Look-ups of one page. Most pages have one event.
_MAX_TOWNS = 100


def with_zones_of_places(events: Iterable[ImportedEvent], places: Gazetteer) -> tuple[ImportedEvent, ...]:
    """The events, those with an offset in the zone of their town if it has this offset at the start. Instants stay.

    Pages write an offset, such as ``+01:00``, which is wrong for the other half of the year.
    """
    zones: dict[tuple[str, str, str], str] = {}

    def zone_of(typed: Submission) -> str:
        town = (typed.locality, typed.region, typed.country)
        if typed.locality and town not in zones and len(zones) < _MAX_TOWNS:
            place = town_named(typed, places)
            zones[town] = "" if place is None else place.zone
        return zones.get(town, "")

    return tuple(
        replace(one, typed=_in_zone(one.typed, zone_of(one.typed))) if _has_offset(one.typed) else one for one in events
    )


def _has_offset(typed: Submission) -> bool:
    """Whether the event has a time of day, and the page gave its offset, such as ``+01:00`` or ``Z``."""
    return bool(typed.starts) and not typed.all_day and typed.time_zone not in zone_names() - {"UTC"}


def _in_zone(typed: Submission, zone: str) -> Submission:
    """The same instants in this zone. Unchanged if the start would be at another time of day, which no offset of the
    zone explains, or if the end would be in the second of two equal hours, because a wall-clock time means the first.
    """
    if zone not in zone_names() or _instant(typed.starts, zone) != _instant(typed.starts, typed.time_zone):
        return typed
    if not typed.ends:
        return replace(typed, time_zone=zone)
    ends_at = _instant(typed.ends, typed.time_zone)
    ends = local_of(ends_at, zone).replace(tzinfo=None).isoformat(timespec="minutes")
    return replace(typed, ends=ends, time_zone=zone) if _instant(ends, zone) == ends_at else typed


def _instant(text: str, zone: str) -> Instant:
    return instant_of(datetime.fromisoformat(text), zone)


def with_end(imported: ImportedEvent, pattern: Pattern | None = None) -> ImportedEvent:
    """The event with its ``over_at``: its end, or that of the last date of a series with this pattern. Past events are not
    selected at first.
    """
    ends = _end_of(imported.typed)
    if pattern is not None and ends is not None:
        ends = max(_ends_of_series(imported, pattern, ends), default=None)
    return replace(imported, over_at=ends)


def _ends_of_series(imported: ImportedEvent, pattern: Pattern, first_end: Instant) -> Iterator[Instant]:
    """The end of the last date by the rule, and those of changed dates. None at all if the series does not end."""
    pattern = replace(pattern, zone_name=imported.typed.time_zone)
    try:
        last = last_of(pattern)
    except RuleRefused:  # more dates than one expansion may compute
        last = None
    if last is None:
        return
    yield Instant(first_end - pattern.instant_of(pattern.start) + last.at)
    for change in imported.changes:
        ends = None if change.is_cancelled else _end_of(change.typed)
        if ends is not None:
            original = pattern.instant_of(datetime.fromisoformat(change.original))
            # The dates after it move with it.
            yield Instant(ends + max(0, last.at - original)) if change.and_following else ends


def _end_of(typed: Submission) -> Instant | None:
    """When a single date counts as over: see ``Event.over_at``. None without a start."""
    if not typed.starts:
        return None
    ends = datetime.fromisoformat(typed.ends or typed.starts)
    if typed.all_day:
        return instant_of(ends + timedelta(days=1), typed.time_zone)
    return Instant(instant_of(ends, typed.time_zone) + (0 if typed.ends else HOUR))

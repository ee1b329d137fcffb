"""Give events of a page the time zone of their place. Pages write an offset, such as ``+01:00``, which is wrong for the
other half of the year.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from groundwork.clock import Instant
from openmeet.domain.events.rules import Submission
from openmeet.domain.events.town_positions import town_named
from openmeet.domain.imports.model import ImportedEvent
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.recurrence.wall_time import instant_of, local_of, zone_names

# Look-ups of one page. Most pages have one event.
_MAX_TOWNS = 100


def with_zones_of_places(events: Iterable[ImportedEvent], places: Gazetteer) -> tuple[ImportedEvent, ...]:
    """The events, those with an offset in the zone of their town if it has this offset at the start. Instants stay."""
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

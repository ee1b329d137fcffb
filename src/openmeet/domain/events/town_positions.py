"""What events get from the list of places: a position, if their host gave a town but no point, so that searches near a
place find them approximately; and the time zone of their place, if nobody named one.

A derived position is only in the search index. Records, feeds and structured data contain only what the host gave. An
event with a restricted address gets none (decision 0071). A derived time zone is for display: no record contains it
(``Event.named_zone``).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

from groundwork.database.transaction import Database, Transaction
from groundwork.geo_points import Spot, degrees_of, spot, spot_in
from openmeet.domain.events import position_queries
from openmeet.domain.events.edits import local_text
from openmeet.domain.events.model import Event, ZoneSource
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.places.model import Place
from openmeet.i18n import countries
from openmeet.recurrence import wall_time

# Events per transaction. The next round follows in a few seconds.
_AT_ONCE: Final = 200
_ROUND: Final = 10_000

_POSTAL_CODE = re.compile(r"^(?:[A-Za-z]{1,3}-)?[0-9][0-9 -]{2,9}(?=[^0-9])")
_PARTS = re.compile(r"[,;/(]| [-–] ")


@dataclass(frozen=True, slots=True)
class EventPosition:
    """The position of an event, in degrees. ``is_town`` is True if only its town is known."""

    latitude: float
    longitude: float
    is_town: bool = False

    @property
    def spot(self) -> Spot:
        return spot(self.latitude, self.longitude)


def position_of(event: Event) -> EventPosition | None:
    """The public position of an event: the point that its host gave, or else the position of its town. None if neither
    is public.
    """
    exact = spot_in(event.place.latitude, event.place.longitude)
    if exact is not None:
        return EventPosition(float(event.place.latitude), float(event.place.longitude))
    if event.derived_spot is None or event.town != event.derived_from:
        return None
    return EventPosition(*degrees_of(event.derived_spot), is_town=True)


class _HasTown(Protocol):
    @property
    def locality(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def country(self) -> str: ...


async def derive_positions_and_zones(db: Database, gazetteer: Gazetteer, *, at_once: int = _AT_ONCE) -> int:
    """Set the position of events that have a town and no point, then the zone of events that have a position and no
    zone. Return how many were looked at.

    ``at_once``: events per transaction. Does nothing until the list of places has been built, which the first search by
    name does.
    """
    looked_at = 0
    for derive_some in (_derive_positions, _derive_zones):
        while gazetteer.is_built and looked_at < _ROUND:
            async with db.transaction() as tx:
                number = await derive_some(tx, gazetteer, at_once)
            looked_at += number
            if number < at_once:
                break
    return looked_at


async def _derive_positions(tx: Transaction, gazetteer: Gazetteer, at_once: int) -> int:
    events = await position_queries.without_position(tx, at_once)
    await position_queries.set_derived_positions(
        tx, [(event.id, event.town, _spot_of(event, gazetteer)) for event in events]
    )
    return len(events)


async def _derive_zones(tx: Transaction, gazetteer: Gazetteer, at_once: int) -> int:
    events = await position_queries.without_zone(tx, at_once)
    await position_queries.set_zones(tx, [_in_zone_of_place(event, place, gazetteer) for event, place in events])
    return len(events)


def _in_zone_of_place(event: Event, place: Spot, gazetteer: Gazetteer) -> Event:
    latitude, longitude = degrees_of(place)
    zone = gazetteer.zone_at(latitude, longitude, country=countries.known_code(event.place.country) or "")
    if zone not in wall_time.zone_names():
        return replace(event, zone_source=ZoneSource.NOT_FOUND)
    return replace(event, time_zone=zone, starts_local=local_text(event.starts_at, zone), zone_source=ZoneSource.PLACE)


async def retry_unknown_towns(db: Database) -> int:
    """Let ``derive_positions_and_zones`` look up again the towns of upcoming events that were unknown or ambiguous, and
    the zones of those that were far from any town, because the list of places has changed. Return how many.
    """
    number = 0
    for forget in (position_queries.forget_unknown_towns, position_queries.forget_missing_zones):
        forgotten = _AT_ONCE
        while forgotten == _AT_ONCE:
            async with db.transaction() as tx:
                forgotten = await forget(tx, _AT_ONCE)
            number += forgotten
    return number


def town_named(where: _HasTown, gazetteer: Gazetteer) -> Place | None:
    """The place that a town's name unambiguously refers to. None if the name is unknown or ambiguous."""
    country = countries.known_code(where.country) or ""
    for name in _candidates(where.locality):
        place = gazetteer.find_town(name, region=where.region, country=country)
        if place is not None:
            return place
    return None


def _candidates(locality: str) -> Iterator[str]:
    """Names to look up for ``12045 Berlin`` or ``Berlin-Neukölln, Berlin``: the text itself, the text without its
    postal code, then its parts.
    """
    text = locality.strip()
    yield text
    bare = _POSTAL_CODE.sub("", text).strip()
    if bare != text:
        yield bare
    parts = [part.strip(" )") for part in _PARTS.split(bare)]
    if len(parts) > 1:
        yield from (part for part in parts if len(part) > 1)


def _spot_of(event: Event, gazetteer: Gazetteer) -> Spot | None:
    place = town_named(event.place, gazetteer)
    return None if place is None else spot(place.latitude, place.longitude)

"""Positions of events whose host gave a town and no point: searches near a place find them, about where the town is.

A derived position is in the search index alone. Records, feeds and structured data have only what the host gave. An
event whose address has an audience gets none (decision 0071).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from groundwork.database.transaction import Database
from groundwork.geo_points import Spot, degrees_of, spot, spot_in
from openmeet.domain.events import queries
from openmeet.domain.events.model import Event
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.places.model import Place
from openmeet.i18n import names

# Events of one transaction, and of one round: the next round comes in some seconds.
_AT_ONCE: Final = 200
_ROUND: Final = 10_000

_POSTAL_CODE = re.compile(r"^(?:[A-Za-z]{1,3}-)?[0-9][0-9 -]{2,9}(?=[^0-9])")
_PARTS = re.compile(r"[,;/(]| [-–] ")


@dataclass(frozen=True, slots=True)
class EventPosition:
    """Where an event is, in degrees. ``is_town``: only its town is known."""

    latitude: float
    longitude: float
    is_town: bool = False

    @property
    def spot(self) -> Spot:
        return spot(self.latitude, self.longitude)


def position_of(event: Event) -> EventPosition | None:
    """The public position of an event: what its host gave, else its town's; None where everybody may not know it."""
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


async def derive(db: Database, gazetteer: Gazetteer) -> int:
    """Give every event with a town and no point its position; returns how many were looked at.

    Does nothing while the list of places is not there: the first search by name builds it.
    """
    looked_at = 0
    while gazetteer.is_built and looked_at < _ROUND:
        async with db.transaction() as tx:
            events = await queries.without_position(tx, _AT_ONCE)
            await queries.set_derived_positions(
                tx, [(event.id, event.town, _spot_of(event, gazetteer)) for event in events]
            )
        looked_at += len(events)
        if len(events) < _AT_ONCE:
            break
    return looked_at


def town_named(where: _HasTown, gazetteer: Gazetteer) -> Place | None:
    """The place that a town's name means without doubt; None for an unknown one, and for one of several."""
    country = names.known_code(where.country) or ""
    for name in _candidates(where.locality):
        found = gazetteer.find_town(name, region=where.region, country=country)
        if found is not None:
            return found
    return None


def _candidates(locality: str) -> Iterator[str]:
    """``12045 Berlin``, ``Berlin-Neukölln, Berlin``: as it is, without its postal code, then its parts."""
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

"""Small map of the place of an event, on the event's page."""

import functools
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request

from groundwork.database.recorded_reads import note_unrecorded
from groundwork.errors import Unavailable
from groundwork.geo_points import spot_in
from openmeet.domain.events.model import Event
from openmeet.domain.events.town_positions import EventPosition, position_of
from openmeet.domain.events.values import Mode, Venue
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.search.query import AT, MAX_QUERY
from openmeet.i18n.catalogue import gettext
from openmeet.web.search import map_drawing, map_pages
from openmeet.web.search.map_drawing import Drawing, MapEvent, MapSize, MapView
from openmeet.web.site.services import services

# As wide as the text on a large screen. Narrow screens show its middle.
_SIZE: Final = MapSize(720, 192, 0, has_controls=False, cut_to=350)
_TOWN_ZOOM: Final = 10
_MOST_PLACES: Final = 60
_MOST_KEPT: Final = 512
# Radius in kilometres of the search for other events nearby.
_NEARBY_KM: Final = 5


@dataclass(frozen=True, slots=True)
class PlaceMap:
    """``path`` leads to the events nearby, on the large map; ``spoken`` says so."""

    drawing: Drawing
    path: str
    spoken: str
    credit: str


def of_event(request: Request, event: Event, place: Venue) -> PlaceMap | None:
    """The map of ``place``, which is what the viewer may know about the place of the event. None if there is nothing to
    show: the event is online, its position is unknown, or there are neither tiles nor a list of places.
    """
    position = _position(event, place)
    gazetteer = services(request).places
    if position is None or event.content.mode is Mode.ONLINE:
        return None
    zoom = _TOWN_ZOOM if position.is_town else map_pages.closest_zoom(services(request).settings.map_tiles)
    view = MapView(position.latitude, position.longitude, zoom)
    tiles = map_pages.tiles_of(request, view, _SIZE)
    if tiles:
        drawing = map_drawing.draw_map(view, _SIZE, [_pin(position)], [], tiles=tiles)
    elif gazetteer is None:
        return None
    else:
        try:
            gazetteer.require_ready()
        except Unavailable:
            # The list of places is being built. A page without a map must not be kept for later readers.
            note_unrecorded()
            return None
        drawing = _overview(gazetteer, view, position)
    name = (place.name or place.locality)[:MAX_QUERY]
    # The position of a town was looked up here. It is no part of the event.
    near = (
        place.locality if position.is_town else f"{name} {AT}{position.latitude:.5f},{position.longitude:.5f}".strip()
    )
    return PlaceMap(
        drawing,
        "/?" + urlencode({"near": near, "within": str(_NEARBY_KM), "view": "map"}),
        gettext("Events near %(place)s on the map", place=name) if name else gettext("Events nearby on the map"),
        map_pages.credit_of(request, has_tiles=bool(tiles)),
    )


def _position(event: Event, place: Venue) -> EventPosition | None:
    if spot_in(place.latitude, place.longitude) is None:
        return position_of(event)
    return EventPosition(float(place.latitude), float(place.longitude))


def _pin(position: EventPosition) -> MapEvent:
    return MapEvent(position, label="", spoken="", path="")


# The list of places does not change while the program runs, and many people see the same few places.
@functools.lru_cache(maxsize=_MOST_KEPT)
def _overview(gazetteer: Gazetteer, view: MapView, position: EventPosition) -> Drawing:
    places = gazetteer.largest_in(*map_drawing.bounds(view, _SIZE, map_pages.BESIDE), limit=_MOST_PLACES)
    return map_drawing.draw_map(view, _SIZE, [_pin(position)], places)

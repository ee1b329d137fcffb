"""Maps on pages: the map of a search, shown next to its list with the same events in the same order, and the small map of
an event's place. Also serves the operator's map tiles.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.recorded_reads import note_unrecorded
from groundwork.errors import NotFound, Unavailable
from groundwork.geo_points import SearchArea, kilometres, spot, spot_in
from openmeet.domain.events import time_and_place
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.town_positions import EventPosition, position_of
from openmeet.domain.events.values import Mode, Venue
from openmeet.domain.page_paths import event_path
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.places.model import Place
from openmeet.domain.search.query import AT, MAX_QUERY
from openmeet.domain.search.search import TOWN_KM
from openmeet.domain.validation import GeneralReason
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.recurrence import wall_time
from openmeet.web.search import map_drawing
from openmeet.web.search.map_drawing import Drawing, MapEvent, MapSize, MapTile, MapView, Pin
from openmeet.web.site.services import services

# How many places a map without tiles shows at most, for each size of the map.
_MAX_PLACES: Final = {"phone": 60, "desk": 130}
# Pins of events within this many days show the weekday and the time, others the date.
_DAYS_WITH_TIME: Final = 6
BESIDE: Final = 80
_TILE_SECONDS: Final = 7 * 86_400
_STEP: Final = 0.5
_DIGITS: Final = 7
# Distances below the first number of kilometres are shown in metres, and below the second with one decimal.
_IN_METRES: Final = 0.95
_IN_TENTHS: Final = 9.95
# Search radius in kilometres around a place with several events.
_HERE_KM: Final = 1
# The map of a place is as wide as the text on a large screen. Narrow screens show its middle.
_SIZE: Final = MapSize(720, 192, 0, has_controls=False, cut_to=350)
_TOWN_ZOOM: Final = 10
_MAX_NEAR: Final = 60
_MAX_KEPT: Final = 512
# Radius in kilometres of the search for other events nearby.
_NEARBY_KM: Final = 5


@dataclass(frozen=True, slots=True)
class PinView:
    """A pin as the template needs it. ``path`` leads to the event, to a closer view, or to the list of events at this
    place.
    """

    pin: Pin
    label: str
    spoken: str
    path: str


@dataclass(frozen=True, slots=True)
class MapControl:
    """A link that zooms or moves the map."""

    name: str
    words: str
    path: str


@dataclass(frozen=True, slots=True)
class MapPicture:
    """A map of one size. ``name`` identifies the size in the stylesheet."""

    name: str
    drawing: Drawing
    pins: tuple[PinView, ...]
    controls: tuple[MapControl, ...]
    scale_words: str


@dataclass(frozen=True, slots=True)
class MapOfSearch:
    """The map of a search. ``area_path`` searches the visible area; empty if that is what the page shows. ``unplaced``
    says how many events are not on the map.
    """

    pictures: tuple[MapPicture, ...]
    spoken: str
    area_path: str
    unplaced: str
    credit: str


@dataclass(frozen=True, slots=True)
class PlaceMap:
    """``path`` leads to the events nearby, on the large map; ``spoken`` says so."""

    drawing: Drawing
    path: str
    spoken: str
    credit: str


def routes() -> list[Route]:
    return [Route("/tiles/{zoom}/{x}/{y}", show_tile, methods=["GET"])]


async def show_tile(request: Request) -> Response:
    """A tile from the operator's folder: ``zoom/x/y.png``, or ``.jpg`` or ``.webp``."""
    folder = services(request).settings.map_tiles
    zoom, x, y = (request.path_params[name] for name in ("zoom", "x", "y"))
    # Only digits are accepted, so no path can lead out of the folder.
    if folder is not None and all(one.isascii() and one.isdigit() and len(one) <= _DIGITS for one in (zoom, x, y)):
        path = _tile_file(folder, zoom, x, y)
        if path is not None:
            return FileResponse(path, headers={"cache-control": f"public, max-age={_TILE_SECONDS}"})
    raise NotFound(GeneralReason.NO_SUCH_EVENT)


def _tile_file(folder: Path, zoom: object, x: object, y: object) -> Path | None:
    paths = (folder / f"{zoom}" / f"{x}" / f"{y}.{ending}" for ending in ("png", "jpg", "webp"))
    return next((path for path in paths if path.is_file()), None)


def closest_zoom(folder: Path | None) -> int:
    """The closest zoom that the map chooses by itself: with tiles, at most the closest that the folder has."""
    if folder is None or not folder.is_dir():
        return map_drawing.CLOSE_WITHOUT_TILES
    zooms = [int(one.name) for one in folder.iterdir() if one.name.isascii() and one.name.isdigit()]
    return min(map_drawing.CLOSE_WITH_TILES, max(zooms, default=map_drawing.CLOSE_WITHOUT_TILES))


def of_search(
    request: Request, events: Sequence[Event], near: SearchArea | None, query_string: str, now: Instant
) -> MapOfSearch | None:
    """The map of these events. None if neither the events nor the search determine a part of the world to show.
    ``query_string`` is the query string of the search, which the links preserve.
    """
    positions = {event.id: position for event in events if (position := position_of(event)) is not None}
    shown = [
        _map_event(event, positions[event.id], row, now)
        for row, event in enumerate(events, start=1)
        if event.id in positions
    ]
    requested_view = map_drawing.view_in(request.query_params.get("at", ""))
    if not shown and near is None and requested_view is None:
        return None
    pictures = tuple(
        _map_picture(request, name, size, shown, near, requested_view, query_string)
        for name, size in (("phone", map_drawing.PHONE), ("desk", map_drawing.DESK))
    )
    view = pictures[-1].drawing.view
    missing = len(events) - len(shown)
    return MapOfSearch(
        pictures,
        ngettext("%(number)s event on the map", "%(number)s events on the map", len(shown)),
        _area_path(request, view, query_string) if near is None or requested_view is not None else "",
        ngettext("%(number)s not on the map", "%(number)s not on the map", missing) if missing else "",
        credit_of(request, has_tiles=any(one.drawing.tiles for one in pictures)),
    )


def credit_of(request: Request, *, has_tiles: bool) -> str:
    """What is said below a map about where it is from."""
    if has_tiles:
        return services(request).settings.map_credit
    gazetteer = services(request).places
    if gazetteer is None or not gazetteer.is_built:
        return ""
    return gettext("Areas are approximate. Places: GeoNames, CC BY 4.0")


@dataclass(frozen=True, slots=True)
class Distance:
    """The distance of an event from the searched place. ``label`` is text, as precise as the event's position. If only
    the town is known, ``kilometres`` is at least its size, so that the order of a list is that of its labels.
    """

    kilometres: float
    label: str


def distances(events: Sequence[Event], near: SearchArea) -> dict[EventId, Distance]:
    """The distances of all events that have a position."""
    origin = spot(near.latitude, near.longitude)
    distance_by_event = {}
    for event in events:
        position = position_of(event)
        if position is None:
            continue
        away = kilometres(origin, position.spot)
        if position.is_town:
            away = max(TOWN_KM, away)
            label = gettext("about %(distance)s", distance=_distance_label(round(away)))
        else:
            label = _distance_label(away)
        distance_by_event[event.id] = Distance(away, label)
    return distance_by_event


def _distance_label(number: float) -> str:
    """``300 m``, ``1.2 km``, ``12 km``."""
    if number < _IN_METRES:
        return gettext("%(number)s m", number=formatting.number(max(100, round(number * 10) * 100)))
    if number < _IN_TENTHS:
        return gettext("%(number)s km", number=formatting.number(round(number, 1)))
    return gettext("%(number)s km", number=formatting.number(round(number)))


def _map_event(event: Event, position: EventPosition, row: int, now: Instant) -> MapEvent:
    return MapEvent(
        position,
        _pin_label(event, now),
        f"{event.title}, {time_and_place.start_label(event)}",
        event_path(event.slug),
        time_and_place.venue_label(Mode.IN_PERSON, event.place)[:MAX_QUERY],
        row,
    )


def _pin_label(event: Event, now: Instant) -> str:
    """``Sat 15:00`` within a week, ``Sat 5 Dec`` later."""
    if event.starts_at is None:
        return "?"
    starts, today = (wall_time.local_of(one, event.time_zone) for one in (event.starts_at, now))
    if (starts.date() - today.date()).days > _DAYS_WITH_TIME:
        return formatting.short_day(starts)
    weekday = formatting.weekday_in_short(starts)
    return weekday if event.is_all_day else f"{weekday} {formatting.clock(starts)}"


def _map_picture(
    request: Request,
    name: str,
    size: MapSize,
    events: Sequence[MapEvent],
    near: SearchArea | None,
    requested_view: MapView | None,
    query_string: str,
) -> MapPicture:
    view = requested_view or _usual_view(events, near, size, closest_zoom(services(request).settings.map_tiles))
    tiles = tiles_of(request, view, size)
    within = None if near is None else (near.latitude, near.longitude, float(near.within_km))
    # Where the operator has no tiles, the map is the same as without any.
    places = [] if tiles else _places(request, view, name, size)
    drawing = map_drawing.draw_map(view, size, events, places, within=within, tiles=tiles)
    pins = tuple(_pin_view(pin, drawing, query_string) for pin in drawing.pins)
    return MapPicture(
        name,
        drawing,
        pins,
        tuple(_controls(view, size, query_string)),
        _distance_label(drawing.scale.kilometres),
    )


def tiles_of(request: Request, view: MapView, size: MapSize) -> tuple[MapTile, ...]:
    """The operator's tiles that show this view; empty if there are none."""
    folder = services(request).settings.map_tiles
    if folder is None:
        return ()
    return map_drawing.tiles_in(view, size, lambda zoom, x, y: _tile_file(folder, zoom, x, y) is not None)


def _usual_view(events: Sequence[MapEvent], near: SearchArea | None, size: MapSize, closest: int) -> MapView:
    """The view that fits the events. If there are none, or if they are spread over the whole searched area, the view of
    that area.
    """
    close = map_drawing.view_of_positions([one.position for one in events], size, closest)
    if near is None:
        return close or MapView(30, 10, map_drawing.MIN_ZOOM)
    whole = map_drawing.view_of_circle(near.latitude, near.longitude, near.within_km, size, closest)
    return close if close is not None and close.zoom > whole.zoom else whole


def _places(request: Request, view: MapView, name: str, size: MapSize) -> list[Place]:
    """The largest places on the map and next to it, whose areas can reach into it."""
    gazetteer = services(request).places
    if gazetteer is None:
        return []
    try:
        gazetteer.require_ready()
    except Unavailable:
        # The list of places is being built. Until then, the map has only pins.
        return []
    return gazetteer.largest_in(*map_drawing.bounds(view, size, size.bleed + BESIDE), limit=_MAX_PLACES[name])


def _pin_view(pin: Pin, drawing: Drawing, query_string: str) -> PinView:
    if len(pin.events) == 1:
        (event,) = pin.events
        return PinView(pin, event.label, event.spoken, event.path)
    number, place = len(pin.events), pin.events[0].place
    label = ngettext("%(number)s event", "%(number)s events", number)
    position = pin.events[0].position
    if pin.is_one_spot or drawing.view.zoom >= map_drawing.MAX_ZOOM:
        near = f"{place} {AT}{position.latitude:.5f},{position.longitude:.5f}"
        path = "/?" + urlencode({"near": near, "within": str(_HERE_KM)})
        spoken = gettext("%(number)s events at %(place)s: show the list", number=number, place=place)
        return PinView(pin, label, spoken, path)
    closer = map_drawing.view_of_positions([event.position for event in pin.events], drawing.size)
    view = closer if closer is not None and closer.zoom > drawing.view.zoom else drawing.view.zoomed(2)
    spoken = gettext("%(number)s events around %(place)s: zoom in", number=number, place=place)
    return PinView(pin, label, spoken, _at(view, query_string))


def _controls(view: MapView, size: MapSize, query_string: str) -> list[MapControl]:
    moves = (
        ("in", gettext("Zoom in"), view.zoomed(1)),
        ("out", gettext("Zoom out"), view.zoomed(-1)),
        ("north", gettext("Move north"), view.moved(0, -_STEP, size)),
        ("south", gettext("Move south"), view.moved(0, _STEP, size)),
        ("west", gettext("Move west"), view.moved(-_STEP, 0, size)),
        ("east", gettext("Move east"), view.moved(_STEP, 0, size)),
    )
    return [MapControl(name, words, _at(moved_view, query_string)) for name, words, moved_view in moves]


def _at(view: MapView, query_string: str) -> str:
    return f"/?{query_string}{'&' if query_string else ''}{urlencode({'view': 'map', 'at': view.text})}#map"


def _area_path(request: Request, view: MapView, query_string: str) -> str:
    """The URL of a search around the centre of the visible area. Its radius reaches the nearest edge. The search is
    named after the nearest place.
    """
    gazetteer = services(request).places
    place = None if gazetteer is None else gazetteer.nearest(view.latitude, view.longitude)
    name = "" if place is None else f"{place.name} "
    size = map_drawing.DESK
    metres = map_drawing.metres_of_pixel(view.latitude, view.zoom) * min(size.width, size.height) / 2
    within = max(1, min(500, round(metres / 1_000)))
    fields = dict(parse_qsl(query_string)) | {
        "near": f"{name}{AT if name else ''}{view.latitude:.4f},{view.longitude:.4f}",
        "within": str(within),
    }
    return "/?" + urlencode(fields | {"view": "map"})


def of_event(request: Request, event: Event, place: Venue) -> PlaceMap | None:
    """The map of ``place``, which is what the viewer may know about the place of the event. None if there is nothing to
    show: the event is online, its position is unknown, or there are neither tiles nor a list of places.
    """
    position = _position(event, place)
    gazetteer = services(request).places
    if position is None or event.content.mode is Mode.ONLINE:
        return None
    zoom = _TOWN_ZOOM if position.is_town else closest_zoom(services(request).settings.map_tiles)
    view = MapView(position.latitude, position.longitude, zoom)
    tiles = tiles_of(request, view, _SIZE)
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
        credit_of(request, has_tiles=bool(tiles)),
    )


def _position(event: Event, place: Venue) -> EventPosition | None:
    if spot_in(place.latitude, place.longitude) is None:
        return position_of(event)
    return EventPosition(float(place.latitude), float(place.longitude))


def _pin(position: EventPosition) -> MapEvent:
    return MapEvent(position, label="", spoken="", path="")


# The list of places does not change while the program runs, and many people see the same few places.
@functools.lru_cache(maxsize=_MAX_KEPT)
def _overview(gazetteer: Gazetteer, view: MapView, position: EventPosition) -> Drawing:
    places = gazetteer.largest_in(*map_drawing.bounds(view, _SIZE, BESIDE), limit=_MAX_NEAR)
    return map_drawing.draw_map(view, _SIZE, [_pin(position)], places)

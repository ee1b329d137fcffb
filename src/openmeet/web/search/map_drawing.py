"""Map of a search, drawn on the server: pins of events, names of places, and tiles if the operator has any.

Positions are in pixels of the usual Web Mercator tiles of 256 pixels. Pure. Without tiles, the map shows the areas
around the largest towns and districts (``map_areas``), and their names.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from openmeet.domain.events.town_positions import EventPosition
from openmeet.domain.places.model import Place
from openmeet.web.search import map_areas
from openmeet.web.search.map_areas import MapArea

TILE: Final = 256
MIN_ZOOM, MAX_ZOOM = 1, 16
# The closest zoom that the map chooses by itself: one that shows the streets of tiles, or the districts of a town.
CLOSE_WITH_TILES: Final = 14
CLOSE_WITHOUT_TILES: Final = 12
_MERCATOR: Final = 85.0511
_METRES_OF_PIXEL: Final = 156_543.034
_MARGIN: Final = 56
# Sizes in pixels: a pin with its label, a letter, and the name of a place.
_PIN_HEIGHT: Final = 30
_LETTER: Final = 7.4
# About as long as the label of a pin for several events in any language.
_SEVERAL: Final = "00 events"
_NAME_LETTER: Final = 6.8
_NAME_HEIGHT: Final = 18
_NAME_GAP: Final = 6
# Population of a place whose name is written in large letters.
_LARGE: Final = 500_000
# Half the difference between the widths of usual phones.
_CUT: Final = 16
# The page blurs the areas, so their outer edge is this far outside the map.
_BLURRED: Final = 40
# Part of the map's width that the scale fills at most.
_SCALE_PART: Final = 5


@dataclass(frozen=True, slots=True)
class MapSize:
    """Width and height in pixels. The background continues for ``bleed`` pixels beyond each edge, because the page can
    show the map in a box of another shape. ``has_controls``: there are links on top of it, which names must not touch.
    ``cut_to``: a narrow screen shows the middle of the map, about this many pixels wide, and must not cut through names.
    ``corner``: width in pixels of the scale, and of the credit line if it is on the map, in the corner at the bottom left.
    ``area_link``: width in pixels of the link to search the area, in the corner at the top right.
    ``top_margin``: pixels above the northernmost position. On wide screens no pin is under that link; on phones this
    would cost a step of the zoom.
    """

    width: int
    height: int
    bleed: int
    has_controls: bool = True
    cut_to: int = 0
    corner: int = 200
    area_link: int = 150
    top_margin: int = _MARGIN


PHONE: Final = MapSize(328, 320, 0)
DESK: Final = MapSize(816, 732, 200, corner=380, area_link=280, top_margin=96)


@dataclass(frozen=True, slots=True)
class MapView:
    """The part of the world that a map shows: its centre in degrees, and its zoom."""

    latitude: float
    longitude: float
    zoom: int

    @property
    def text(self) -> str:
        """The view as it is written in URLs."""
        return f"{self.latitude:.4f},{self.longitude:.4f},{self.zoom}"

    def zoomed(self, by: int) -> "MapView":
        return MapView(self.latitude, self.longitude, max(MIN_ZOOM, min(MAX_ZOOM, self.zoom + by)))

    def moved(self, east: float, south: float, size: MapSize) -> "MapView":
        """The view, moved by these fractions of the map's width and height."""
        x, y = pixels(self.latitude, self.longitude, self.zoom)
        latitude, longitude = degrees(x + east * size.width, y + south * size.height, self.zoom)
        return MapView(latitude, longitude, self.zoom)


@dataclass(frozen=True, slots=True)
class MapEvent:
    """An event on the map. ``label`` is the text of its pin, ``spoken`` its accessible name, and ``place`` the place in
    words. ``row`` is the number of its row in the list, counted from 1.
    """

    position: EventPosition
    label: str
    spoken: str
    path: str
    place: str = ""
    row: int = 0


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin for one event, or for several at the same place. ``x`` and ``y`` are the position of its tip, ``width`` the
    width of its label. If only the town is known, ``radius`` is that of a ring around the town, otherwise 0.
    """

    x: int
    y: int
    width: int
    radius: int
    events: tuple[MapEvent, ...]

    @property
    def is_one_spot(self) -> bool:
        """True if all events are at the same position. In that case zooming in would not separate them."""
        return len({one.position for one in self.events}) == 1


@dataclass(frozen=True, slots=True)
class MapName:
    """The name of a town or district. ``x`` and ``y`` are the middle of the text."""

    x: int
    y: int
    name: str
    is_large: bool


@dataclass(frozen=True, slots=True)
class MapTile:
    x: int
    y: int
    path: str


@dataclass(frozen=True, slots=True)
class MapScale:
    """A distance in kilometres and its length in pixels."""

    kilometres: float
    pixels: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """A map of one size. ``circle`` is the centre and radius of the searched area."""

    view: MapView
    size: MapSize
    pins: tuple[Pin, ...]
    names: tuple[MapName, ...]
    areas: tuple[MapArea, ...]
    tiles: tuple[MapTile, ...]
    circle: tuple[int, int, int] | None
    scale: MapScale


def view_in(text: str) -> MapView | None:
    """Parse ``MapView.text``. None for any other text."""
    try:
        north, east, zoom = text.split(",")
        view = MapView(float(north), float(east), int(zoom))
    except ValueError:
        return None
    is_on_map = abs(view.latitude) <= _MERCATOR and abs(view.longitude) <= 180 and MIN_ZOOM <= view.zoom <= MAX_ZOOM
    return view if is_on_map else None


def view_of_positions(
    positions: Sequence[EventPosition], size: MapSize, closest: int = CLOSE_WITH_TILES
) -> MapView | None:
    """The closest view that shows all positions, or None if there are none. It can extend across the date line."""
    if not positions:
        return None
    # Shift positions across the date line if that makes the shown part of the world narrower.
    east = [one.longitude for one in positions]
    shifted = [one % 360 for one in east]
    longitudes = shifted if max(shifted) - min(shifted) < max(east) - min(east) else east
    north = [max(-_MERCATOR, min(_MERCATOR, one.latitude)) for one in positions]
    for zoom in range(closest, MIN_ZOOM - 1, -1):
        left, top = pixels(max(north), min(longitudes), zoom)
        right, bottom = pixels(min(north), max(longitudes), zoom)
        fits = right - left <= size.width - 2 * _MARGIN and bottom - top <= size.height - size.top_margin - _MARGIN
        if fits or zoom == MIN_ZOOM:
            middle = (top + bottom - size.top_margin + _MARGIN) / 2
            latitude, longitude = degrees((left + right) / 2, middle, zoom)
            return MapView(latitude, longitude, zoom)
    return None


def view_of_circle(
    latitude: float, longitude: float, within_km: float, size: MapSize, closest: int = CLOSE_WITH_TILES
) -> MapView:
    """The closest view that shows a whole circle."""
    room = min(size.width, size.height) / 2 - 8
    for zoom in range(closest, MIN_ZOOM, -1):
        if within_km * 1_000 / metres_of_pixel(latitude, zoom) <= room:
            return MapView(latitude, longitude, zoom)
    return MapView(latitude, longitude, MIN_ZOOM)


def pixels(latitude: float, longitude: float, zoom: int) -> tuple[float, float]:
    """The position of a point in pixels of the whole world at this zoom, counted from the north-west."""
    world = TILE * 2**zoom
    sine = math.sin(math.radians(max(-_MERCATOR, min(_MERCATOR, latitude))))
    return (longitude + 180) / 360 * world, (0.5 - math.log((1 + sine) / (1 - sine)) / (4 * math.pi)) * world


def degrees(x: float, y: float, zoom: int) -> tuple[float, float]:
    """The inverse of ``pixels``. Longitudes are between -180 and 180 degrees."""
    world = TILE * 2**zoom
    latitude = math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * max(0.0, min(float(world), y)) / world))))
    return latitude, (x / world * 360 % 360 + 360) % 360 - 180


def metres_of_pixel(latitude: float, zoom: int) -> float:
    """The number of metres on the ground per pixel."""
    return _METRES_OF_PIXEL * math.cos(math.radians(latitude)) / float(2**zoom)


def bounds(view: MapView, size: MapSize, beyond: int = 0) -> tuple[float, float, float, float]:
    """South, west, north and east of the visible area, and of ``beyond`` pixels around it. East is always greater than
    west, even across the date line.
    """
    x, y = pixels(view.latitude, view.longitude, view.zoom)
    north, _ = degrees(x, y - size.height / 2 - beyond, view.zoom)
    south, _ = degrees(x, y + size.height / 2 + beyond, view.zoom)
    half = min(180.0, (size.width / 2 + beyond) / (TILE * 2**view.zoom) * 360)
    return south, view.longitude - half, north, view.longitude + half


def draw_map(
    view: MapView,
    size: MapSize,
    events: Sequence[MapEvent],
    places: Sequence[Place],
    *,
    within: tuple[float, float, float] | None = None,
    tiles: tuple[MapTile, ...] = (),
    ring_km: float = 4,
) -> Drawing:
    """Draw the map. ``within`` is the latitude, longitude and radius in kilometres of the searched circle. ``ring_km``
    is the radius of the ring around a town.
    """
    centre = pixels(view.latitude, view.longitude, view.zoom)
    circle = None
    if within is not None:
        x, y = _pixel_position(within[0], within[1], view, size, centre)
        circle = (round(x), round(y), round(within[2] * 1_000 / metres_of_pixel(within[0], view.zoom)))
    pins = _place_pins(events, view, size, centre, ring_km)
    return Drawing(
        view,
        size,
        pins,
        () if tiles else _place_names(places, view, size, centre, pins, circle),
        () if tiles else _areas(places, view, size, centre),
        tiles,
        circle,
        _scale(view, size),
    )


def _areas(places: Sequence[Place], view: MapView, size: MapSize, centre: tuple[float, float]) -> tuple[MapArea, ...]:
    points = [(*_pixel_position(one.latitude, one.longitude, view, size, centre), one.population) for one in places]
    beyond = max(size.bleed, _BLURRED)
    box = (-beyond, -beyond, size.width + beyond, size.height + beyond)
    return map_areas.areas_around(points, box, metres_of_pixel(view.latitude, view.zoom))


def _pixel_position(
    latitude: float, longitude: float, view: MapView, size: MapSize, centre: tuple[float, float]
) -> tuple[float, float]:
    """The position of a point in pixels of the map. Points repeat across the date line; the repetition nearest to the
    centre is used.
    """
    x, y = pixels(latitude, longitude, view.zoom)
    world = TILE * 2**view.zoom
    east = (x - centre[0] + world / 2) % world - world / 2
    return east + size.width / 2, y - centre[1] + size.height / 2


def _place_pins(
    events: Sequence[MapEvent], view: MapView, size: MapSize, centre: tuple[float, float], ring_km: float
) -> tuple[Pin, ...]:
    """Pins in the order of the events. Events whose labels would cover each other share one pin."""
    groups: list[tuple[float, float, float, list[MapEvent]]] = []
    for one in events:
        x, y = _pixel_position(one.position.latitude, one.position.longitude, view, size, centre)
        if not (0 <= x <= size.width and 0 <= y <= size.height):
            continue
        # A pin for several events says how many; that must not cover its neighbours either.
        width = max(_width(one.label), _width(_SEVERAL))
        # Keep labels at the edge fully visible.
        x, y = max(width / 2 + 2, min(size.width - width / 2 - 2, x)), max(_PIN_HEIGHT + 10, y)
        near = next(
            (g for g in groups if abs(g[0] - x) < (g[2] + width) / 2 + 2 and abs(g[1] - y) < _PIN_HEIGHT + 8), None
        )
        if near is None:
            groups.append((x, y, width, [one]))
        else:
            near[3].append(one)
    pins = []
    for x, y, _, several in groups:
        is_town = all(one.position.is_town for one in several)
        metres = metres_of_pixel(several[0].position.latitude, view.zoom)
        radius = max(10, min(90, round(ring_km * 1_000 / metres))) if is_town else 0
        width = _width(several[0].label if len(several) == 1 else _SEVERAL)
        pins.append(Pin(round(x), round(y), width, radius, tuple(several)))
    return tuple(pins)


def _width(label: str) -> int:
    return round(len(label) * _LETTER + 22)


def _place_names(
    places: Sequence[Place],
    view: MapView,
    size: MapSize,
    centre: tuple[float, float],
    pins: Sequence[Pin],
    circle: tuple[int, int, int] | None,
) -> tuple[MapName, ...]:
    """The names of the places, largest first. A name that would cover another one, a pin or a control is left out."""
    taken_areas: list[tuple[float, float, float, float]] = [
        (pin.x - pin.width / 2 - 2, pin.y - _PIN_HEIGHT - 12, pin.x + pin.width / 2 + 2, pin.y + 4) for pin in pins
    ]
    if size.has_controls:
        taken_areas += _control_areas(size)
    if size.cut_to:
        for edge in (size.width / 2 - size.cut_to / 2, size.width / 2 + size.cut_to / 2):
            taken_areas.append((edge - _CUT, 0, edge + _CUT, size.height))
    if circle is not None:
        taken_areas.append((circle[0] - 6, circle[1] - 6, circle[0] + 6, circle[1] + 6))
    names = []
    for number, city in enumerate(places):
        x, y = _pixel_position(city.latitude, city.longitude, view, size, centre)
        wide, high = len(city.name) * _NAME_LETTER / 2 + _NAME_GAP, _NAME_HEIGHT / 2 + _NAME_GAP
        box = (x - wide, y - high, x + wide, y + high)
        fits = -size.bleed <= box[0] <= box[2] <= size.width + size.bleed
        fits = fits and -size.bleed <= box[1] <= box[3] <= size.height + size.bleed
        if fits and not any(_meet(box, one) for one in taken_areas):
            taken_areas.append(box)
            names.append(MapName(round(x), round(y), city.name, number == 0 or city.population >= _LARGE))
    return tuple(names)


def _control_areas(size: MapSize) -> list[tuple[float, float, float, float]]:
    """What the controls, the scale, the credit line and the button on top of the map cover."""
    width, height, middle_x, middle_y = size.width, size.height, size.width / 2, size.height / 2
    return [
        (middle_x - 24, 0, middle_x + 24, 56),
        (middle_x - 24, height - 56, middle_x + 24, height),
        (0, middle_y - 24, 56, middle_y + 24),
        (width - 56, middle_y - 24, width, middle_y + 24),
        (width - 60, height - 104, width, height),
        (0, height - 60, size.corner, height),
        (width - size.area_link, 0, width, 56),
    ]


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def tiles_in(view: MapView, size: MapSize, exists: Callable[[int, int, int], bool]) -> tuple[MapTile, ...]:
    """The tiles that show this view, of those that exist. ``exists`` gets the zoom, x and y of a tile."""
    x, y = pixels(view.latitude, view.longitude, view.zoom)
    left, top = x - size.width / 2, y - size.height / 2
    right, bottom = left + size.width + size.bleed, top + size.height + size.bleed
    count = 2**view.zoom
    return tuple(
        MapTile(round(x * TILE - left), round(y * TILE - top), f"/tiles/{view.zoom}/{x % count}/{y}")
        for x in range(math.floor((left - size.bleed) / TILE), math.floor(right / TILE) + 1)
        for y in range(max(0, math.floor((top - size.bleed) / TILE)), min(count - 1, math.floor(bottom / TILE)) + 1)
        if exists(view.zoom, x % count, y)
    )


def _scale(view: MapView, size: MapSize) -> MapScale:
    """The largest round distance that fits."""
    metres = metres_of_pixel(view.latitude, view.zoom)
    lengths = [number * 10**power for power in range(-1, 5) for number in (1, 2, 5)]
    length = max((one for one in lengths if one * 1_000 / metres <= size.width / _SCALE_PART), default=lengths[0])
    return MapScale(length, round(length * 1_000 / metres))

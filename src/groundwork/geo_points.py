"""Points for searches by distance: metres from the Earth's centre along three axes. Pure.

The chord between two points grows with their distance on the ground, also across the date line and at the poles, and
SQL can compute it with multiplication alone.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Final

EARTH: Final = 6_371_000

# Grid cells in space, for the index. Wide searches use wide cells. Adding half the grid's width makes coordinates
# positive.
HALF: Final = 6_553_600
WIDE: Final = 262_144
NARROW: Final = 65_536

# Half the circumference of the Earth. No two points are further apart.
MAX_WITHIN_KM: Final = 20_000

Spot = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class SearchArea:
    """A search area: a point in decimal degrees and the maximum distance from it."""

    latitude: float
    longitude: float
    within_km: int


def parse_near(text: str) -> SearchArea | None:
    """Parse ``latitude, longitude, kilometres``; None for an empty text. Raises ValueError."""
    if not text.strip():
        return None
    north, east, within = text.split(",")
    near = SearchArea(float(north), float(east), int(within))
    if not (abs(near.latitude) <= 90 and abs(near.longitude) <= 180 and 1 <= near.within_km <= MAX_WITHIN_KM):
        raise ValueError(f"{text} is not a point with a valid distance")
    return near


def spot_in(latitude: str, longitude: str) -> Spot | None:
    """Parse a point given as decimal degrees. None if it is invalid."""
    try:
        north, east = float(latitude), float(longitude)
    except ValueError:
        return None
    return spot(north, east) if abs(north) <= 90 and abs(east) <= 180 else None


def spot(latitude: float, longitude: float) -> Spot:
    """Convert decimal degrees to a point."""
    north, east = math.radians(latitude), math.radians(longitude)
    return (
        round(EARTH * math.cos(north) * math.cos(east)),
        round(EARTH * math.cos(north) * math.sin(east)),
        round(EARTH * math.sin(north)),
    )


def degrees_of(point: Spot) -> tuple[float, float]:
    """Return the latitude and longitude of a point, accurate to about a metre."""
    x, y, z = point
    return math.degrees(math.asin(max(-1.0, min(1.0, z / EARTH)))), math.degrees(math.atan2(y, x))


def kilometres(one: Spot, other: Spot) -> float:
    """Return the distance on the ground."""
    line = math.dist(one, other)
    return 2 * EARTH * math.asin(min(1.0, line / (2 * EARTH))) / 1_000


def chord(metres: float) -> int:
    """Return the length, in metres, of the chord for a distance on the ground."""
    return math.ceil(2 * EARTH * math.sin(min(metres / (2 * EARTH), math.pi / 2)))


def cells(centre: Spot, line: int, width: int) -> list[tuple[int, int, int]]:
    """Return the cells of this width that contain points on the ground within a chord of ``centre``."""
    ranges = [range((axis - line + HALF) // width, (axis + line + HALF) // width + 1) for axis in centre]
    near_cells = []
    for cell in itertools.product(ranges[0], ranges[1], ranges[2]):
        bounds = [(number * width - HALF, (number + 1) * width - HALF) for number in cell]
        nearest = math.hypot(
            *(max(low - axis, 0, axis - high) for (low, high), axis in zip(bounds, centre, strict=True))
        )
        inside = math.hypot(*(max(low, 0, -high) for low, high in bounds))
        outside = math.hypot(*(max(abs(low), abs(high)) for low, high in bounds))
        # Because coordinates are rounded, points can be up to a metre above or below the ground.
        if nearest <= line and inside <= EARTH + 1 and outside >= EARTH - 1:
            near_cells.append(cell)
    return near_cells

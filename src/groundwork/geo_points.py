"""Where something is, for searches near a point: metres from the Earth's centre along three axes. Pure.

The straight line between two such points grows with the way over the ground, also across the date line and at the poles,
and needs nothing of an engine but multiplication.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Final

EARTH: Final = 6_371_000

# Cells of a grid in space, as indexes have them: wide ones for wide searches. Half the grid's width makes coordinates positive.
HALF: Final = 6_553_600
WIDE: Final = 262_144
NARROW: Final = 65_536

# Further is no place: half the way around the Earth.
MAX_WITHIN_KM: Final = 20_000

Spot = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Near:
    """Not further than this from a point, in decimal degrees."""

    latitude: float
    longitude: float
    within_km: int


def near_in(text: str) -> Near | None:
    """``latitude, longitude, kilometres`` in one line; None for an empty one. Raises ValueError."""
    if not text.strip():
        return None
    north, east, within = text.split(",")
    near = Near(float(north), float(east), int(within))
    if not (abs(near.latitude) <= 90 and abs(near.longitude) <= 180 and 1 <= near.within_km <= MAX_WITHIN_KM):
        raise ValueError(f"{text} is no point with a distance")
    return near


def spot_in(latitude: str, longitude: str) -> Spot | None:
    """Of decimal degrees as text; None where they are none."""
    try:
        north, east = float(latitude), float(longitude)
    except ValueError:
        return None
    return spot(north, east) if abs(north) <= 90 and abs(east) <= 180 else None


def spot(latitude: float, longitude: float) -> Spot:
    """Of decimal degrees."""
    north, east = math.radians(latitude), math.radians(longitude)
    return (
        round(EARTH * math.cos(north) * math.cos(east)),
        round(EARTH * math.cos(north) * math.sin(east)),
        round(EARTH * math.sin(north)),
    )


def chord(metres: float) -> int:
    """The straight line, in metres, below a way over the ground."""
    return math.ceil(2 * EARTH * math.sin(min(metres / (2 * EARTH), math.pi / 2)))


def cells(centre: Spot, line: int, width: int) -> list[tuple[int, int, int]]:
    """The cells of this width that hold a point of the ground within a straight line of ``centre``."""
    ranges = [range((axis - line + HALF) // width, (axis + line + HALF) // width + 1) for axis in centre]
    found = []
    for cell in itertools.product(ranges[0], ranges[1], ranges[2]):
        bounds = [(number * width - HALF, (number + 1) * width - HALF) for number in cell]
        nearest = math.hypot(
            *(max(low - axis, 0, axis - high) for (low, high), axis in zip(bounds, centre, strict=True))
        )
        inside = math.hypot(*(max(low, 0, -high) for low, high in bounds))
        outside = math.hypot(*(max(abs(low), abs(high)) for low, high in bounds))
        # Rounded coordinates stand up to a metre beside the ground.
        if nearest <= line and inside <= EARTH + 1 and outside >= EARTH - 1:
            found.append(cell)
    return found

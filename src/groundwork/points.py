"""Where something is, for searches near a point: metres from the Earth's centre along three axes. Pure.

The straight line between two such points grows with the way over the ground, also across the date line and at the poles,
and needs nothing of an engine but multiplication.
"""

import math
from typing import Final

EARTH: Final = 6_371_000

Spot = tuple[int, int, int]


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

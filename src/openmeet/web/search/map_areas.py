"""Areas of a map without tiles: the part of the land that is nearest to each town or district. Pure.

The borders are those of a Voronoi diagram, cut off at a distance from each place: what is empty on the map is far from
every place. The tint of an area depends on how many people live there for its size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Point = tuple[float, float]
Box = tuple[float, float, float, float]

# An area ends at this distance from its place: in pixels, or in metres if that is more.
_REACH_PIXELS: Final = 80
_REACH_METRES: Final = 3_000
_CORNERS: Final = 14
# Of places closer to each other than this, in pixels, only the largest has an area.
_CLOSE: Final = 12
# People per square kilometre.
_GREEN_BELOW: Final = 2_500
_DENSE_ABOVE: Final = 9_000


class Tint(StrEnum):
    """How densely an area is populated."""

    GREEN = "green"
    BUILT = "built"
    DENSE = "dense"


@dataclass(frozen=True, slots=True)
class MapArea:
    """All areas of one tint, as the data of an SVG path."""

    tint: Tint
    path: str


def areas_around(places: Sequence[tuple[float, float, int]], box: Box, metres_of_pixel: float) -> tuple[MapArea, ...]:
    """The areas of these places within a box. A place is its position in pixels and its population; the most populous
    come first.
    """
    reach = max(_REACH_PIXELS, _REACH_METRES / metres_of_pixel)
    chosen: list[tuple[Point, int]] = []
    for x, y, people in places:
        is_near = box[0] - reach <= x <= box[2] + reach and box[1] - reach <= y <= box[3] + reach
        if is_near and all(math.dist((x, y), other) >= _CLOSE for other, _ in chosen):
            chosen.append(((x, y), people))
    paths: dict[Tint, list[str]] = {tint: [] for tint in Tint}
    for centre, people in chosen:
        corners = _corners(centre, [other for other, _ in chosen if other is not centre], reach)
        square_km = _size(corners) * (metres_of_pixel / 1_000) ** 2
        paths[_tint(people, square_km)].append(_path(_within(corners, box)))
    return tuple(MapArea(tint, "".join(found)) for tint, found in paths.items() if any(found))


def _tint(people: int, square_km: float) -> Tint:
    if people < _GREEN_BELOW * square_km:
        return Tint.GREEN
    return Tint.DENSE if people > _DENSE_ABOVE * square_km else Tint.BUILT


def _corners(centre: Point, others: Sequence[Point], reach: float) -> list[Point]:
    """The part within reach of ``centre`` that is nearer to it than to the others."""
    x, y = centre
    turn = 2 * math.pi / _CORNERS
    corners = [(x + reach * math.cos(turn * n), y + reach * math.sin(turn * n)) for n in range(_CORNERS)]
    for distance, (other_x, other_y) in sorted((math.dist(centre, other), other) for other in others):
        if distance > 2 * max(math.dist(centre, corner) for corner in corners):
            break
        east, south = other_x - x, other_y - y
        corners = _cut(corners, east, south, (other_x + x) / 2 * east + (other_y + y) / 2 * south)
    return corners


def _within(corners: list[Point], box: Box) -> list[Point]:
    for east, south, most in ((-1, 0, -box[0]), (0, -1, -box[1]), (1, 0, box[2]), (0, 1, box[3])):
        corners = _cut(corners, east, south, most)
    return corners


def _cut(corners: list[Point], east: float, south: float, most: float) -> list[Point]:
    """The part of a convex polygon with ``east * x + south * y <= most``."""
    kept: list[Point] = []
    for number, corner in enumerate(corners):
        before = corners[number - 1]
        here, there = (one[0] * east + one[1] * south - most for one in (corner, before))
        if (here > 0) != (there > 0):
            part = there / (there - here)
            kept.append((before[0] + (corner[0] - before[0]) * part, before[1] + (corner[1] - before[1]) * part))
        if here <= 0:
            kept.append(corner)
    return kept


def _size(corners: list[Point]) -> float:
    """The area of a polygon, in square pixels."""
    return abs(sum(corners[n - 1][0] * y - corners[n - 1][1] * x for n, (x, y) in enumerate(corners))) / 2


def _path(corners: list[Point]) -> str:
    """The polygon in whole pixels, each corner relative to the one before."""
    whole = [(round(x), round(y)) for x, y in corners]
    if not whole:
        return ""
    steps = [(x - whole[n][0], y - whole[n][1]) for n, (x, y) in enumerate(whole[1:])]
    return f"M{whole[0][0]} {whole[0][1]}l" + " ".join(f"{x} {y}" for x, y in steps if x or y) + "z"

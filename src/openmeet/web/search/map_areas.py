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
        cell = _cell(centre, [place for place, _ in chosen], reach)
        square_km = _size(cell) * (metres_of_pixel / 1_000) ** 2
        paths[_tint(people, square_km)].append(_path(_clip_to_box(cell, box)))
    return tuple(MapArea(tint, "".join(outlines)) for tint, outlines in paths.items() if any(outlines))


def _tint(people: int, square_km: float) -> Tint:
    if people < _GREEN_BELOW * square_km:
        return Tint.GREEN
    return Tint.DENSE if people > _DENSE_ABOVE * square_km else Tint.BUILT


def _cell(centre: Point, places: Sequence[Point], reach: float) -> list[Point]:
    """The Voronoi cell of ``centre``: the part within reach of it that is nearer to it than to the other places."""
    x, y = centre
    turn = 2 * math.pi / _CORNERS
    cell = [(x + reach * math.cos(turn * n), y + reach * math.sin(turn * n)) for n in range(_CORNERS)]
    for other_x, other_y in places:
        # A place that is farther away has no border with the cell.
        if 0 < math.dist(centre, (other_x, other_y)) < 2 * reach:
            east, south = other_x - x, other_y - y
            cell = _clip(cell, east, south, (other_x + x) / 2 * east + (other_y + y) / 2 * south)
    return cell


def _clip_to_box(polygon: list[Point], box: Box) -> list[Point]:
    for east, south, most in ((-1, 0, -box[0]), (0, -1, -box[1]), (1, 0, box[2]), (0, 1, box[3])):
        polygon = _clip(polygon, east, south, most)
    return polygon


def _clip(polygon: list[Point], east: float, south: float, most: float) -> list[Point]:
    """The part of a convex polygon with ``east * x + south * y <= most``."""
    beyond = [x * east + y * south - most for x, y in polygon]
    if max(beyond, default=0) <= 0:
        return polygon
    kept: list[Point] = []
    for number, (x, y) in enumerate(polygon):
        (before_x, before_y), there, here = polygon[number - 1], beyond[number - 1], beyond[number]
        if (here > 0) != (there > 0):
            part = there / (there - here)
            kept.append((before_x + (x - before_x) * part, before_y + (y - before_y) * part))
        if here <= 0:
            kept.append((x, y))
    return kept


def _size(polygon: list[Point]) -> float:
    """The area of a polygon, in square pixels."""
    return abs(sum(polygon[n - 1][0] * y - polygon[n - 1][1] * x for n, (x, y) in enumerate(polygon))) / 2


def _path(polygon: list[Point]) -> str:
    """The polygon in whole pixels, each corner relative to the one before."""
    whole = [(round(x), round(y)) for x, y in polygon]
    if not whole:
        return ""
    steps = [(x - whole[n][0], y - whole[n][1]) for n, (x, y) in enumerate(whole[1:])]
    return f"M{whole[0][0]} {whole[0][1]}l" + " ".join(f"{x} {y}" for x, y in steps if x or y) + "z"

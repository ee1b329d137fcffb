"""Drawing primitives for the scenes of the demo town: gradients, mixed colours, hills, and skies by time of day."""

import random
from itertools import pairwise
from typing import Final

WIDTH: Final = 1500
HEIGHT: Final = 1000

# Colours: the sky from top to bottom, the sun, the hills from far to near.
HOURS: Final = (
    ("#f7c59f", "#fbe3c0", "#fff3d6", "#c8a2a8", "#3e3b52"),
    ("#7fb2d9", "#bcdcec", "#fff7e0", "#9cc2b5", "#27523f"),
    ("#4b4e83", "#e58a78", "#ffd9a0", "#8b6f95", "#221f3d"),
    ("#b8cbd6", "#e4ebea", "#ffffff", "#a9bcc2", "#3a525c"),
    ("#e9a15b", "#f6d397", "#fff1c9", "#cc8a5a", "#5a2f1f"),
)


def fade(name: str, *stops: str, is_round: bool = False) -> str:
    """A gradient from top to bottom, or from the middle outwards. A stop is ``#rgb`` or ``#rgb/opacity``."""
    inner = "".join(
        f'<stop offset="{number / (len(stops) - 1)}" stop-color="{stop.partition("/")[0]}" '
        f'stop-opacity="{stop.partition("/")[2] or 1}"/>'
        for number, stop in enumerate(stops)
    )
    return (
        f'<radialGradient id="{name}">{inner}</radialGradient>'
        if is_round
        else f'<linearGradient id="{name}" x2="0" y2="1">{inner}</linearGradient>'
    )


def canvas(fill: str) -> str:
    return f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{fill}"/>'


def mix(one: str, other: str, part: float) -> str:
    """A mixture of two colours."""
    pairs = zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + bytes(round(a + (b - a) * part) for a, b in pairs).hex()


def ridge(dice: random.Random, y: int, height: int, steps: int) -> str:
    """A smooth line of hills across the picture, filled down to the bottom."""
    width = WIDTH / steps
    points = [(number * width, y - dice.random() * height) for number in range(steps + 1)]
    path = f"M0 {HEIGHT}L0 {points[0][1]:.0f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (x0 + x1) / 2
        path += f"C{middle:.0f} {y0:.0f} {middle:.0f} {y1:.0f} {x1:.0f} {y1:.0f}"
    return f"{path}L{WIDTH} {HEIGHT}z"

"""Drawing tools for motifs: colours, shapes, and seeded choices."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

_T = TypeVar("_T")

WIDTH: Final = 1200
HEIGHT: Final = 800


class Palette(NamedTuple):
    """Five flat colours."""

    ground: str
    second: str
    light: str
    paper: str
    spark: str


# One per tone, in the order of ``tokens.css``: pine, coral, indigo, plum, mustard, sky, blush, night, leaf.
PALETTES: Final = (
    Palette("#0f5c50", "#1e8c78", "#f2c14e", "#f9ecd3", "#e8613c"),
    Palette("#ee6a48", "#b93b22", "#ffd7a1", "#fff2e0", "#402c52"),
    Palette("#2f3078", "#5156c6", "#f5b5c6", "#fbebdb", "#ff8a57"),
    Palette("#5c2250", "#9b3563", "#f7a06b", "#fce8d2", "#f2d470"),
    Palette("#ebb642", "#cf8620", "#2c5b4e", "#fff5da", "#b23c20"),
    Palette("#a6d1e6", "#4a8fbb", "#1e3f66", "#fff6e6", "#ef6b42"),
    Palette("#f6c7ba", "#e58674", "#782c39", "#fff4ec", "#2f6b62"),
    Palette("#172541", "#27456f", "#f4d58d", "#dde8f2", "#ee6f50"),
    Palette("#cddfb2", "#7ca458", "#2c5138", "#fbf8e6", "#e0713c"),
)


class Dice:
    """Seeded random choices, the same on every machine and Python version."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rolls = 0

    def below(self, bound: int) -> int:
        """An integer from 0 to ``bound`` - 1."""
        self._rolls += 1
        digest = hashlib.sha256(f"{self._seed}:{self._rolls}".encode()).digest()
        return int.from_bytes(digest[:8]) % bound

    def between(self, low: int, high: int) -> int:
        """An integer from ``low`` to ``high`` - 1."""
        return low + self.below(high - low)

    def pick(self, choices: Sequence[_T]) -> _T:
        return choices[self.below(len(choices))]


@dataclass(slots=True)
class Canvas:
    """SVG elements in painting order."""

    elements: list[str]

    def circle(self, x: float, y: float, radius: float, fill: str) -> None:
        self.elements.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius:.0f}" fill="{fill}"/>')

    def ellipse(self, x: float, y: float, across: float, down: float, fill: str) -> None:
        self.elements.append(f'<ellipse cx="{x:.0f}" cy="{y:.0f}" rx="{across:.0f}" ry="{down:.0f}" fill="{fill}"/>')

    def box(self, x: float, y: float, width: float, height: float, fill: str, corner: float = 0) -> None:
        rounded = f' rx="{corner:.0f}"' if corner else ""
        self.elements.append(
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}"{rounded} fill="{fill}"/>'
        )

    def shape(self, path: str, fill: str, *, opacity: str = "1", transform: str = "") -> None:
        faint = "" if opacity == "1" else f' opacity="{opacity}"'
        moved = f' transform="{transform}"' if transform else ""
        self.elements.append(f'<path d="{path}" fill="{fill}"{faint}{moved}/>')

    def line(self, path: str, colour: str, width: int, *, dashes: str = "") -> None:
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.elements.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>')


def point_on_circle(x: float, y: float, radius: float, turn: float) -> tuple[float, float]:
    """The point on the circle at angle ``turn``, in radians clockwise from the right."""
    return x + radius * math.cos(turn), y + radius * math.sin(turn)

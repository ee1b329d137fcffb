"""Draw covers as SVG: 1200 × 800, flat colours, 1 to 4 kB, without text.

A motif paints onto a ``Canvas``, with the colours of a ``Palette`` and the choices of ``SeededRandom``. It is inside the
middle square of 800 × 800, so a cover can be cropped to any shape from a square to 21:9.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar
from urllib.parse import quote

from openmeet.domain.covers.model import Cover, Motif

WIDTH: Final = 1200
HEIGHT: Final = 800

# Characters that have no special meaning in HTML or URLs. Browsers quote the spaces themselves, and unquoted ones
# compress better.
_PLAIN_IN_DATA_URL = " !$()*+,-./:;=?@[]_~"


@lru_cache(maxsize=512)
def svg(cover: Cover) -> str:
    """The picture as an SVG document."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' preserveAspectRatio="xMidYMid slice">{_painted(cover)}</svg>'
    )


@lru_cache(maxsize=512)
def data_url(cover: Cover) -> str:
    """The picture as a data URL. In a list, covers take 150 bytes each when compressed; separate requests would take
    five times as much.
    """
    return f"data:image/svg+xml,{quote(svg(cover), safe=_PLAIN_IN_DATA_URL)}"


@lru_cache(maxsize=64)
def strip(cover: Cover) -> str:
    """The picture between two mirrored copies, 3600 × 800, for wide and low spaces where a crop would only show the
    corner of a shape.
    """
    # The outer tiles reach below the middle one, because browsers show a line between tiles that only touch.
    beside = f'<use href="#tile" width="{WIDTH + 4}" height="{HEIGHT}" transform="scale(-1 1)" x="'
    tiles = (
        f'{beside}{-WIDTH - 4}"/>',
        f'{beside}{-3 * WIDTH}"/>',
        f'<use href="#tile" x="{WIDTH}" width="{WIDTH}" height="{HEIGHT}"/>',
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{3 * WIDTH}" height="{HEIGHT}" viewBox="0 0 {3 * WIDTH} {HEIGHT}"'
        f' preserveAspectRatio="xMidYMid slice"><symbol id="tile" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'preserveAspectRatio="none">{_painted(cover)}</symbol>'
        f"{''.join(tiles)}</svg>"
    )


def _painted(cover: Cover) -> str:
    dice, palette = SeededRandom(cover.seed), PALETTES[cover.tone]
    canvas = Canvas([])
    canvas.box(-200, -200, 1600, 1200, palette.ground)
    is_mirrored = dice.below(2)
    MOTIFS[cover.motif](canvas, dice, palette)
    painted = "".join(canvas.elements)
    return f'<g transform="translate({WIDTH} 0) scale(-1 1)">{painted}</g>' if is_mirrored else painted


_T = TypeVar("_T")


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


class SeededRandom:
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


_LEAF: Final = (
    "M0 150C-34 96-118 108-112 44C-80 60-60 52-44 30C-88 10-104-34-78-70C-60-40-44-34-24-40C-44-84-24-132 0-152"
    "C24-132 44-84 24-40C44-34 60-40 78-70C104-34 88 10 44 30C60 52 80 60 112 44C118 108 34 96 0 150Z"
)


def art(canvas: Canvas, dice: SeededRandom, colours: Palette) -> None:
    """Draw paper cuts in a grid of four by two."""
    ground, second, light, paper, spark = colours
    fields = (second, spark, light, paper, second, light)
    for column in range(4):
        for row in range(2):
            field = fields[(column + row * 2 + dice.below(2)) % len(fields)]
            x, y = column * 300, row * 400
            canvas.box(x, y, 300, 400, field)
            cut = (ground, light, paper, spark)[(column * 3 + row + dice.below(3)) % 4]
            if cut == field:
                cut = light if field != light else second
            kind, turn = dice.below(4), dice.between(-28, 28)
            if kind < 2:
                canvas.shape(_LEAF, cut, transform=f"translate({x + 150} {y + 200}) rotate({turn})")
            elif kind == 2:
                canvas.circle(x + 150, y + 200, 100, cut)
                canvas.circle(x + 150, y + 200, 44, field)
            else:
                canvas.shape(f"M{x + 50} {y + 300}a100 100 0 0 1 200 0zM{x + 50} {y + 190}a100 100 0 0 1 200 0z", cut)


def books(canvas: Canvas, dice: SeededRandom, colours: Palette) -> None:
    """Draw the spines of books on a shelf."""
    ground, second, light, paper, spark = colours
    canvas.circle(930, 220, 120, spark)
    spines = (second, light, spark, paper, light, second, spark)
    x, number = 70, 0
    while x < 1120:
        width, height = dice.pick((70, 92, 110, 128)), dice.between(300, 520)
        spine = spines[(number + dice.below(2)) % len(spines)]
        band = paper if spine != paper else spark
        canvas.box(x, 690 - height, width, height, spine, 10)
        canvas.box(x, 736 - height, width, 16, band)
        canvas.box(x, 764 - height, width, 8, band)
        x, number = x + width + 8, number + 1
    canvas.box(-200, 690, 1600, 400, light if light != ground else second)
    canvas.box(-200, 690, 1600, 14, paper)


def calm(canvas: Canvas, dice: SeededRandom, colours: Palette) -> None:
    """Draw balanced stones above water."""
    _, second, light, paper, spark = colours
    canvas.circle(600 + dice.between(-60, 60), 330, 230, dice.pick((spark, paper)))
    for across, down, y, fill in ((250, 66, 640, light), (200, 56, 536, paper), (150, 48, 442, second)):
        canvas.ellipse(600 + dice.between(-16, 17), y, across, down, fill)
    canvas.ellipse(600 + dice.between(-14, 15), 364, 96, 38, light)
    canvas.box(-200, 690, 1600, 400, second)
    for number in range(6):
        canvas.box(120 + number * 190 - number % 2 * 60, 730 + number % 2 * 34, 150, 10, paper, 5)


def film(canvas: Canvas, dice: SeededRandom, colours: Palette) -> None:
    """Draw a projector and its beam."""
    ground, second, light, paper, spark = colours
    canvas.shape("M300 400L1400-60V860Z", light, opacity=".92")
    canvas.shape("M300 400L1400 150V650Z", paper, opacity=".75")
    canvas.box(80, 300, 260, 210, spark, 44)
    for x, y, reel in ((130, 230, 96), (292, 250, 72)):
        canvas.circle(x, y, reel, second)
        canvas.circle(x, y, reel * 0.36, ground)
    canvas.circle(330, 404, 52, paper)
    for number in range(9):
        canvas.circle(60 + number * 140, dice.between(40, 180) if number > 3 else dice.between(700, 770), 6, paper)
    canvas.circle(1010 + dice.between(-60, 60), 400, 150, spark)


def food(canvas: Canvas, dice: SeededRandom, colours: Palette) -> None:
    """Draw a set table from above."""
    ground, second, light, paper, spark = colours
    canvas.circle(600, 410, 372, second)
    if dice.below(2):
        canvas.circle(600, 410, 338, ground)
    start = dice.below(1000) / 1000
    for plate in range(6):
        x, y = point_on_circle(600, 410, 238, start + plate * math.pi / 3)
        canvas.circle(x, y, 92, paper)
        canvas.circle(x, y, 60, (light, spark, ground)[plate % 3])
        if plate % 3 == 1:
            canvas.circle(x + 18, y - 14, 22, paper)
        else:
            canvas.circle(x - 16, y + 12, 14, second)
    for dx, dy, radius, fill in ((0, 0, 104, spark), (0, 0, 74, light), (-20, -15, 26, paper), (26, 20, 20, second)):
        canvas.circle(600 + dx, 410 + dy, radius, fill)


_PIPS: Final = {
    2: ((-1, -1), (1, 1)),
    3: ((-1, -1), (0, 0), (1, 1)),
    4: ((-1, -1), (1, 1), (-1, 1), (1, -1)),
    5: ((-1, -1), (1, 1), (-1, 1), (1, -1), (0, 0)),
    6: ((-1, -1), (-1, 0), (-1, 1), (1, -1), (1, 0), (1, 1)),
}


def games(canvas: Canvas, dice: SeededRandom, colours: Palette) -> None:
    """Draw two dice and a pawn on a board."""
    _, second, light, paper, spark = colours
    for column in range(-1, 8):
        for row in range(5):
            if (column + row) % 2:
                canvas.shape(f"M{column * 180} {row * 180 - 40}h180v180h-180z", second, opacity=".55")
    for x, y, side, turn, pips, face, ink in (
        (455, 440, 330, dice.between(-15, -4), dice.pick((4, 5, 6)), paper, spark),
        (800, 330, 235, dice.between(10, 24), dice.pick((2, 3, 5)), spark, paper),
    ):
        canvas.elements.append(f'<g transform="translate({x} {y}) rotate({turn})">')
        canvas.box(-side / 2, -side / 2, side, side, face, side * 0.19)
        for across, down in _PIPS[pips]:
            canvas.circle(across * side * 0.26, down * side * 0.26, side * 0.088, ink)
        canvas.elements.append("</g>")
    for y, radius, fill in ((640, 74, light), (620, 74, paper), (620, 40, light)):
        canvas.circle(850, y, radius, fill)


def lanes(canvas: Canvas, dice: SeededRandom, colours: Palette) -> None:
    """Draw the lanes of a running track."""
    ground, second, light, paper, spark = colours
    shift = dice.between(-40, 40)
    for number, lane in enumerate((paper, second, light, ground, paper, second, spark)):
        canvas.line(
            f"M-200 {880 - number * 6}C300 {900 - number * 105} 620 {250 + shift - number * 40} 1400 {560 - number * 118}",
            lane,
            88,
        )
    canvas.circle(230 + shift, 230, 110, spark)
    canvas.line(f"M-200 862C300 585 620 {130 + shift} 1400 206", paper, 7, dashes="44 34")


def music(canvas: Canvas, dice: SeededRandom, colours: Palette) -> None:
    """Draw the rings of a record and bars of sound."""
    ground, second, light, paper, spark = colours
    center = 430 + dice.below(120)
    rings = (second, ground, light, ground, paper, ground, spark)
    for radius, ring in zip((640, 545, 450, 355, 260, 165, 75), rings, strict=True):
        canvas.circle(center, 800, radius, ring)
    canvas.circle(980, 190, 92, spark)
    for bar in range(5):
        canvas.box(880 + bar * 52, 300 + dice.below(160), 26, 700, paper if bar % 2 else light, 13)


def outdoors(canvas: Canvas, dice: SeededRandom, colours: Palette) -> None:
    """Draw hills, a sun and grass."""
    _, second, light, paper, spark = colours
    canvas.circle(820 + dice.below(100), 250, 140, dice.pick((paper, spark)))
    hills = ((470, second, "1"), (570, light, "1"), (680, dice.pick((spark, second)), ".55"), (740, light, "1"))
    for y, hill, opacity in hills:
        lift = dice.below(80)
        canvas.shape(
            f"M-200 {y + lift}C120 {y - 190 + lift} 320 {y - 120} 560 {y + 10}S980 {y - 180 + lift} 1400 "
            f"{y + 30}V1000H-200Z",
            hill,
            opacity=opacity,
        )
    for blade in range(7):
        x = 90 + blade * 170 + dice.below(70)
        canvas.shape(f"M{x} 720q-34 60 0 130q34-70 0-130", paper, opacity=".9")


def street(canvas: Canvas, dice: SeededRandom, colours: Palette) -> None:
    """Draw houses in a row below bunting."""
    _, second, light, paper, spark = colours
    canvas.circle(900, 220, 110, spark)
    walls = (second, paper, light, spark, second)
    x, number = -30, 0
    while x < 1240:
        width, height = dice.between(130, 210), dice.between(230, 400)
        wall, roof, y = walls[number % 5], walls[(number + 2) % 5], 740 - height
        canvas.box(x, y, width, 900, wall)
        canvas.shape(f"M{x - 14} {y}L{x + width // 2} {y - 110}L{x + width + 14} {y}Z", roof if roof != wall else spark)
        for row in range(3):
            for column in range(2):
                window = paper if wall != paper else light
                left = x + width * (0.2 + column * 0.36)
                canvas.box(left, y + 42 + row * 92, width * 0.2, 50, window, 6)
        x, number = x + width + 6, number + 1
    canvas.line("M-50 60Q600 220 1250 50", paper, 6)
    for flag in range(13):
        left, top = flag * 104 - 20, 70 + 60 * math.sin(flag * 0.27)
        canvas.shape(f"M{left} {top:.0f}l92 12l-52 86z", (paper, spark, light)[flag % 3])
    canvas.box(-200, 760, 1600, 300, light)


def talk(canvas: Canvas, dice: SeededRandom, colours: Palette) -> None:
    """Draw speech bubbles."""
    ground, second, light, paper, spark = colours
    shift = dice.between(-40, 40)
    for x, y, width, height, fill, tail in (
        (120 + shift, 120, 600, 330, second, 70),
        (470, 300 + shift, 610, 320, paper, 444),
        (300 + shift, 90, 300, 160, spark, 70),
    ):
        canvas.box(x, y, width, height, fill, min(width, height) * 0.32)
        canvas.shape(f"M{x + tail} {y + height - 8}l{0 if tail == 70 else 96} 90l{96 if tail == 70 else 0}-90z", fill)
    for number, fill in enumerate((ground, spark, second)):
        canvas.circle(660 + number * 112, 460 + shift, 34, fill)
    canvas.circle(1010, 150, 84, light)


def tiles(canvas: Canvas, dice: SeededRandom, colours: Palette) -> None:
    """Draw quarter circles on a grid."""
    for column in range(-1, 7):
        for row in range(4):
            x, y = column * 200, row * 200
            fill, kind = dice.pick(colours[1:]), dice.below(5)
            if kind < 3:
                quarter = (
                    f"M{x} {y}h200a200 200 0 0 1-200 200z",
                    f"M{x + 200} {y}v200a200 200 0 0 1-200-200z",
                    f"M{x + 200} {y + 200}h-200a200 200 0 0 1 200-200z",
                    f"M{x} {y + 200}v-200a200 200 0 0 1 200 200z",
                )
                canvas.shape(dice.pick(quarter), fill)
            elif kind == 3:
                canvas.circle(x + 100, y + 100, 62, fill)


MOTIFS: Final[dict[Motif, Callable[[Canvas, SeededRandom, Palette], None]]] = {
    Motif.ART: art,
    Motif.BOOKS: books,
    Motif.CALM: calm,
    Motif.FILM: film,
    Motif.FOOD: food,
    Motif.GAMES: games,
    Motif.LANES: lanes,
    Motif.MUSIC: music,
    Motif.OUTDOORS: outdoors,
    Motif.STREET: street,
    Motif.TALK: talk,
    Motif.TILES: tiles,
}

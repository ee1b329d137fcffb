"""Pictures that the demo town's hosts might have taken, drawn as SVG from a seed. There are no photographs, and nothing
is downloaded.
"""

import random
from collections.abc import Callable
from typing import Final, NamedTuple

import resvg_py

from programs.demo import indoors, outdoors
from programs.demo.brushes import HEIGHT, WIDTH

# Drawings per scene, so that two events with the same scene look similar but not identical.
VARIANTS: Final = 3


class Crop(NamedTuple):
    """The part of a drawing that a picture shows."""

    left: int
    top: int
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the file: sharp enough for the page of an event, and no larger, because drawing takes
        time.
        """
        return self.width * 6 // 10, self.height * 6 // 10


WHOLE: Final = Crop(0, 0, WIDTH, HEIGHT)
UPRIGHT: Final = Crop(400, 0, 700, 1000)
SQUARE: Final = Crop(250, 0, 1000, 1000)
WIDE: Final = Crop(0, 350, 1500, 500)
SIZE: Final = WHOLE.size


class Scene(NamedTuple):
    """The function that draws a scene, a description of what it shows, and the tone of each variant."""

    draw: Callable[[random.Random], str]
    alt: str
    tones: tuple[int | None, ...]


SCENES: Final[dict[str, Scene]] = {
    "board": Scene(indoors.board, "A board of coloured hexagons with wooden figures and dice.", (4, 4, 4)),
    "boats": Scene(outdoors.boats, "Three rowing boats on a river, with the city behind.", (None, 4, 6)),
    "cinema": Scene(indoors.cinema, "A cinema from the back row, with a landscape on the screen.", (6, 4, 1)),
    "cups": Scene(indoors.cups, "Three steaming cups under warm lamps.", (1, 1, 4)),
    "desk": Scene(indoors.desk, "A circuit board with chips, wires and small lights.", (3, 0, 5)),
    "easel": Scene(indoors.easel, "A painting in bold strokes on an easel, with brushes in a pot.", (4, 1, 4)),
    "garden": Scene(outdoors.garden, "Rows of vegetables and flowers in front of a small house.", (4, 4, 4)),
    "hills": Scene(outdoors.hills, "A path that winds between hills and trees.", (6, 4, 4)),
    "lake": Scene(outdoors.lake, "A lake between hills and firs, with the sun low.", (4, 4, 1)),
    "runners": Scene(outdoors.runners, "Three people running towards the reader, with the sun behind them.", (5, 4, 5)),
    "shelves": Scene(indoors.shelves, "Shelves full of books, with a few plants.", (1, 1, 1)),
    "stage": Scene(indoors.stage, "Musicians in the light of a stage, and the hands of the crowd.", (3, 4, 4)),
    "stars": Scene(outdoors.stars, "People and a telescope under the Milky Way.", (2, 5, 5)),
    "street": Scene(outdoors.street, "A street with houses, bunting and many people.", (4, 1, 4)),
    "studio": Scene(indoors.studio, "Yoga mats in a room with tall windows and plants.", (1, 1, 4)),
    "table": Scene(indoors.table, "A table from above, with bowls full of food.", (4, 1, 1)),
    "workshop": Scene(indoors.workshop, "A bicycle in front of a wall of tools.", (0, 0, 0)),
}


def scene(kind: str, seed: str, crop: Crop = WHOLE) -> bytes:
    """Draw a scene as PNG. ``kind``: a key of ``SCENES``."""
    dice = random.Random(f"{kind} {seed}")  # noqa: S311 - a drawing
    width, height = crop.size
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{crop.left} {crop.top} {crop.width} '
        f'{crop.height}">{SCENES[kind].draw(dice)}</svg>'
    )
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, width=width, height=height, skip_system_fonts=True))

"""Pictures that the demo town's hosts might have taken, drawn as SVG from a seed. There are no photographs, and nothing
is downloaded.
"""

import random
from collections.abc import Callable
from typing import Final, NamedTuple

import resvg_py

from programs.demo import indoors, outdoors
from programs.demo.brushes import HEIGHT, WIDTH

# Width and height of the file: sharp enough for the page of an event, and no larger, because drawing takes time.
SIZE: Final = (WIDTH * 6 // 10, HEIGHT * 6 // 10)


class Scene(NamedTuple):
    """The function that draws a scene, and a description of what it shows."""

    draw: Callable[[random.Random], str]
    alt: str


SCENES: Final[dict[str, Scene]] = {
    "board": Scene(indoors.board, "A board of coloured hexagons with wooden figures and dice."),
    "boats": Scene(outdoors.boats, "Three rowing boats on a river, with the city behind."),
    "cinema": Scene(indoors.cinema, "A cinema from the back row, with a landscape on the screen."),
    "cups": Scene(indoors.cups, "Three steaming cups under warm lamps."),
    "desk": Scene(indoors.desk, "A circuit board with chips, wires and small lights."),
    "easel": Scene(indoors.easel, "A painting in bold strokes on an easel, with brushes in a pot."),
    "garden": Scene(outdoors.garden, "Rows of vegetables and flowers in front of a small house."),
    "hills": Scene(outdoors.hills, "A path that winds between hills and trees."),
    "lake": Scene(outdoors.lake, "A lake between hills and firs, with the sun low."),
    "runners": Scene(outdoors.runners, "Three people running towards the reader, with the sun behind them."),
    "shelves": Scene(indoors.shelves, "Shelves full of books, with a few plants."),
    "stage": Scene(indoors.stage, "Musicians in the light of a stage, and the hands of the crowd."),
    "stars": Scene(outdoors.stars, "People and a telescope under the Milky Way."),
    "street": Scene(outdoors.street, "A street with houses, bunting and many people."),
    "studio": Scene(indoors.studio, "Yoga mats in a room with tall windows and plants."),
    "table": Scene(indoors.table, "A table from above, with bowls full of food."),
    "workshop": Scene(indoors.workshop, "A bicycle in front of a wall of tools."),
}


def scene(kind: str, seed: str, size: tuple[int, int] = SIZE) -> bytes:
    """Draw a scene as PNG. ``kind``: a key of ``SCENES``."""
    dice = random.Random(f"{kind} {seed}")  # noqa: S311 - a drawing
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">{SCENES[kind].draw(dice)}</svg>'
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, width=size[0], height=size[1], skip_system_fonts=True))

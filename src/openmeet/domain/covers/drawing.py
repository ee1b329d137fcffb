"""Draw covers as SVG: 1200 × 800, flat colours, 1 to 4 kB, without text.

The middle square of 800 × 800 holds the motif, so a cover may be cropped to any shape from a square to 21:9.
"""

from functools import lru_cache

from openmeet.domain.covers.canvas import HEIGHT, PALETTES, WIDTH, Canvas, Dice
from openmeet.domain.covers.model import Cover
from openmeet.domain.covers.motifs import MOTIFS


@lru_cache(maxsize=512)
def svg(cover: Cover) -> str:
    """The picture as an SVG document."""
    dice, palette = Dice(cover.seed), PALETTES[cover.tone]
    canvas = Canvas([])
    canvas.box(-200, -200, 1600, 1200, palette.ground)
    is_mirrored = dice.below(2)
    MOTIFS[cover.motif](canvas, dice, palette)
    painted = "".join(canvas.elements)
    if is_mirrored:
        painted = f'<g transform="translate({WIDTH} 0) scale(-1 1)">{painted}</g>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' preserveAspectRatio="xMidYMid slice">{painted}</svg>'
    )

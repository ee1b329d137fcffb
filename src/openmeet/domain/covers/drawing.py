"""Draw covers as SVG: 1200 × 800, flat colours, 1 to 4 kB, without text.

The motif is inside the middle square of 800 × 800, so a cover can be cropped to any shape from a square to 21:9.
"""

from functools import lru_cache
from urllib.parse import quote

from openmeet.domain.covers.canvas import HEIGHT, PALETTES, WIDTH, Canvas, Dice
from openmeet.domain.covers.model import Cover
from openmeet.domain.covers.motifs import MOTIFS

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
        f' preserveAspectRatio="xMidYMid slice"><symbol id="tile" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">{_painted(cover)}</symbol>'
        f"{''.join(tiles)}</svg>"
    )


def _painted(cover: Cover) -> str:
    dice, palette = Dice(cover.seed), PALETTES[cover.tone]
    canvas = Canvas([])
    canvas.box(-200, -200, 1600, 1200, palette.ground)
    is_mirrored = dice.below(2)
    MOTIFS[cover.motif](canvas, dice, palette)
    painted = "".join(canvas.elements)
    return f'<g transform="translate({WIDTH} 0) scale(-1 1)">{painted}</g>' if is_mirrored else painted

"""The nine tones of ``tokens.css``: background washes with a text colour, for events, topics, and people without a
picture.
"""

import colorsys
import hashlib
from typing import Final

from groundwork.ui.colours import rgb

# Each tone's text colour on the background of a page, and the background of its initials, as in the light scheme of
# ``tokens.css``.
INKS: Final = ("#0c4d43", "#842a13", "#34378a", "#7a2150", "#624505", "#174c74", "#7c2c36", "#23375c", "#34532a")
WASHES: Final = ("#dcf0ea", "#fde3d9", "#e5e6fa", "#f7e1ec", "#faecc4", "#dcecf6", "#fbe3dc", "#e0e6f1", "#e5efd5")
# The hues of the text colours, because those of the backgrounds hardly differ between coral and blush.
_HUES: Final = tuple(colorsys.rgb_to_hsv(*rgb(ink))[0] for ink in INKS)


def tone_of(name: str) -> int:
    """Return the tone of a name (a slug, an account's id): the number of one of the classes ``tone-0`` to ``tone-8``.
    Always the same for a name.
    """
    return hashlib.sha256(name.encode()).digest()[0] % len(INKS)


def nearest_tone(hue: float) -> int:
    """Return the tone whose hue is nearest. ``hue``: from 0 (red) to 1 (red again), as in ``colorsys``."""
    return min(range(len(_HUES)), key=lambda tone: abs((hue - _HUES[tone] + 0.5) % 1 - 0.5))

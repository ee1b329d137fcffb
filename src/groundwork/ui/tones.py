"""The nine tones of ``tokens.css``: background washes with a text colour, for people without a picture, topics and
dates.
"""

import hashlib
from typing import Final

_TONES: Final = 9


def tone_of(name: str) -> int:
    """Return the tone of a name (a slug, an account's id): the number of one of the classes ``tone-0`` to ``tone-8``.
    Always the same for a name.
    """
    return hashlib.sha256(name.encode()).digest()[0] % _TONES

"""The nine tones of ``tokens.css``: washes with their ink, for people without a picture, topics and dates."""

import hashlib
from typing import Final

_TONES: Final = 9


def tone_of(name: str) -> int:
    """The tone of a name (a slug, an account's id): the number of one of the classes ``tone-0`` to ``tone-8``, always the same."""
    return hashlib.sha256(name.encode()).digest()[0] % _TONES

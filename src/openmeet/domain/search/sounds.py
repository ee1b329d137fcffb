"""Sounds of words in German and English: words that sound alike, such as ``Joga`` and ``Yoga``, have one in common. Pure.

The usual phonetic codes (Kölner Phonetik, Soundex) are too coarse: they are the same for ``Karten`` and ``Garten``.
"""

import re
from itertools import product
from typing import Final

# Applied in this order to a folded word. A capital letter is a sound that later rules leave as it is.
_RULES: Final = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        ("tsch", "C"),
        ("sch|sh", "S"),
        ("chs|cks|x", "ks"),
        ("ch", "X"),
        ("ph", "f"),
        ("qu", "kw"),
        ("ck|q|c(?![eiy])", "k"),
        ("t[sz]", "z"),
        ("dt", "t"),
        ("[ae][iy]", "A"),
        ("ie|[jy]", "i"),
        # Silent, except at the beginning.
        ("(?<=.)h", ""),
        # Final ``b``, ``d`` and ``g`` in German.
        ("b$", "p"),
        ("d$", "t"),
        ("g$", "k"),
    )
)
# Letters that are pronounced in two ways: ``v`` in ``Vogel`` and ``Klavier``, ``c`` in ``City`` and ``Celsius``, ``ch`` at
# the beginning of ``Chor`` and ``Chips``.
_TWO_SOUNDS: Final = tuple(
    (re.compile(pattern), sounds) for pattern, sounds in (("v", "fw"), ("c", "sz"), ("^X", "kC"))
)
_DOUBLED: Final = re.compile(r"(.)\1+")


def sounds_of(word: str) -> set[str]:
    """The sounds of a folded word: one to eight, because some letters are pronounced in two ways."""
    for pattern, sound in _RULES:
        word = pattern.sub(sound, word)
    found = set()
    for choice in product(*(sounds if pattern.search(word) else sounds[:1] for pattern, sounds in _TWO_SOUNDS)):
        spoken = word
        for (pattern, _), sound in zip(_TWO_SOUNDS, choice, strict=True):
            spoken = pattern.sub(sound, spoken)
        found.add(_DOUBLED.sub(r"\1", spoken))
    return found

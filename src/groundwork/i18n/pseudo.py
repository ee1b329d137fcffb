"""The pseudo-locale: English with a mark around every message, which reveals texts that are not in the catalogue."""

import gettext
import re
from typing import Final

# The usual tag of a pseudo-locale with accents.
TAG: Final = "en-XA"
# That of one which is written from right to left.
MIRRORED: Final = "ar-XB"
TAGS: Final = frozenset({TAG, MIRRORED})

_LETTERS: Final = str.maketrans("AEIOUSaeiouscnyz", "ÀËÎÖÛŠàëîöûščñýž")

# The context of messages that are no text, but say how a date is written.
_PATTERNS: Final = "pattern of a date"

# What is no text: ``%(name)s``, ``%%``, tags with their attributes, entities.
_KEPT: Final = re.compile(r"(%\(\w+\)[sd]|%%|<[^>]*>|&\w+;)")


def marked(text: str) -> str:
    """The text as the pseudo-locale writes it."""
    pieces = _KEPT.split(text)
    return "[" + "".join(piece if at % 2 else piece.translate(_LETTERS) for at, piece in enumerate(pieces)) + "]"


class Translations(gettext.NullTranslations):
    """A catalogue that marks what it is asked for."""

    def gettext(self, message: str) -> str:
        return marked(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return marked(msgid1 if n == 1 else msgid2)

    def pgettext(self, context: str, message: str) -> str:
        return message if context == _PATTERNS else marked(message)

    def npgettext(self, _context: str, msgid1: str, msgid2: str, n: int) -> str:
        return marked(msgid1 if n == 1 else msgid2)

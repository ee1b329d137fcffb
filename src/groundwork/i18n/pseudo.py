"""The pseudo-locale: English with a mark around every message, which reveals texts that are not in the catalogue.

``Save %(name)s`` becomes ``[Šàvë %(name)s]``. Parameters and HTML tags are not changed. The language has no file and is
never offered to people; a test or a setting chooses it by its tag. The mirrored pseudo-locale is the same, written from
right to left.
"""

import gettext
import re
from typing import Final

# The usual tag of an accented pseudo-locale.
TAG: Final = "en-XA"
# The usual tag of a right-to-left pseudo-locale.
MIRRORED: Final = "ar-XB"
TAGS: Final = frozenset({TAG, MIRRORED})

_LETTERS: Final = str.maketrans("AEIOUSaeiouscnyz", "ÀËÎÖÛŠàëîöûščñýž")

# The context of messages that are date patterns and not text.
_PATTERNS: Final = "pattern of a date"

# Parts that are not text: ``%(name)s``, ``%%``, tags with their attributes, entities.
_KEPT: Final = re.compile(r"(%\(\w+\)[sd]|%%|<[^>]*>|&\w+;)")


def marked(text: str) -> str:
    """Return the text as the pseudo-locale writes it."""
    pieces = _KEPT.split(text)
    return "[" + "".join(piece if at % 2 else piece.translate(_LETTERS) for at, piece in enumerate(pieces)) + "]"


class Translations(gettext.NullTranslations):
    """A catalogue that marks the messages that it is asked for."""

    def gettext(self, message: str) -> str:
        return marked(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return marked(msgid1 if n == 1 else msgid2)

    def pgettext(self, context: str, message: str) -> str:
        return message if context == _PATTERNS else marked(message)

    def npgettext(self, _context: str, msgid1: str, msgid2: str, n: int) -> str:
        return marked(msgid1 if n == 1 else msgid2)

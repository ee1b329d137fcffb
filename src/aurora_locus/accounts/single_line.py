"""Texts of one line that people type: names of app passwords and passkeys, subjects of e-mails."""

import unicodedata

# Controls, line and paragraph separators, halves of surrogate pairs. All other characters have a use: joiners belong to
# emoji and to some languages, and French has a space of its own before an exclamation mark.
_REFUSED = frozenset({"Cc", "Zl", "Zp", "Cs"})
# These would change the direction of the text around the name (Unicode Standard Annex 9).
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_single_line(text: str) -> bool:
    """Whether the text is one line that can be stored and shown."""
    return not any(char in _DIRECTIONS or unicodedata.category(char) in _REFUSED for char in text)

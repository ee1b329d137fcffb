"""Countries as people type them, and the two letters that a record wants (ISO 3166-1; calendar.md 1)."""

from functools import cache

from babel import Locale

# The lexicon bounds ``country`` to 2 to 10 bytes.
MIN_BYTES = 2
MAX_BYTES = 10


@cache
def _codes_by_name() -> dict[str, str]:
    names: dict[str, str] = {}
    for language in ("es", "fr", "de", "en"):
        for code, name in Locale(language).territories.items():
            if len(code) == 2 and code.isalpha():
                names[name.casefold()] = code
    return names


def code_of(country: str) -> str | None:
    """What to write for a country: two letters where we know them, else the text if it fits; None if it does not."""
    text = country.strip()
    if len(text) == 2 and text.isascii() and text.isalpha():
        return text.upper()
    code = _codes_by_name().get(text.casefold())
    if code is not None:
        return code
    return text if MIN_BYTES <= len(text.encode()) <= MAX_BYTES else None

"""What a record says for a country: the two letters where we know them (ISO 3166-1)."""

from openmeet.i18n.names import known_code

# The lexicon bounds ``country`` to 2 to 10 bytes.
MIN_BYTES = 2
MAX_BYTES = 10


def code_of(country: str) -> str | None:
    """What to write for a country: two letters where we know them, else the text if it fits; None if it does not."""
    text = country.strip()
    code = known_code(text)
    if code is not None:
        return code
    if len(text) == 2 and text.isascii() and text.isalpha():
        return text.upper()
    return text if MIN_BYTES <= len(text.encode()) <= MAX_BYTES else None

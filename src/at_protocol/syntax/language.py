"""Language tags: BCP 47 with the grammar of RFC 5646. The primary language is in lower case and has two or three
letters.
"""

import re
from typing import NewType

from at_protocol.failures import Malformed

Language = NewType("Language", str)

MAX_LENGTH = 128  # RFC 5646 recommends room for 35 characters; real private-use tags can be longer
_SINGLETON = "[0-9a-wyzA-WYZ]"  # x begins private use, not an extension
_PRIVATE = r"[xX](?:-[a-zA-Z0-9]{1,8})+"
_SYNTAX = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-zA-Z]{3}){0,3}"
    r"(?:-[a-zA-Z]{4})?"
    r"(?:-(?:[a-zA-Z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-zA-Z0-9]{5,8}|[0-9][a-zA-Z0-9]{3}))*)"
    rf"(?P<extensions>(?:-{_SINGLETON}(?:-[a-zA-Z0-9]{{2,8}})+)*)"
    rf"(?:-{_PRIVATE})?"
    rf"|{_PRIVATE}"
    # RFC 5646 section 2.1, "irregular": tags registered before the grammar existed, which do not match it.
    r"|en-GB-oed|i-(?:ami|bnn|default|enochian|hak|klingon|lux|mingo|navajo|pwn|tao|tay|tsu)|sgn-BE-FR|sgn-BE-NL|sgn-CH-DE)",
)


def parse_language(text: str) -> Language:
    """Parse a well-formed tag (RFC 5646, section 2.2.9). Raises Malformed."""
    if len(text) > MAX_LENGTH or _SYNTAX.fullmatch(text) is None:
        raise Malformed("language", text, "not a language tag such as en or pt-BR")
    return Language(text)


def parse_valid_language(text: str) -> Language:
    """Do the same as ``parse_language``, and also reject a variant or extension that occurs twice, regardless of
    case (RFC 5646, section 2.2.9, "valid").
    """
    language = parse_language(text)
    match = _SYNTAX.fullmatch(language)
    if match is not None:
        variants = (match["variants"] or "").lower().split("-")[1:]
        singletons = [part for part in (match["extensions"] or "").lower().split("-") if len(part) == 1]
        if len(set(variants)) < len(variants) or len(set(singletons)) < len(singletons):
            raise Malformed("language", text, "a variant or extension appears twice")
    return language

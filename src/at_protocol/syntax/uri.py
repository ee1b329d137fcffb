"""URIs of any scheme. Only what Lexicon's format ``uri`` requires is checked: a scheme, a colon, no spaces."""

import re
from typing import NewType

from at_protocol.failures import Malformed

Uri = NewType("Uri", str)

MAX_LENGTH = 8192
_SYNTAX = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:[^\s\x00-\x1f\x7f]+")


def parse_uri(text: str) -> Uri:
    """Parse a URI. Raises Malformed."""
    if len(text) > MAX_LENGTH:
        raise Malformed("uri", text, f"longer than {MAX_LENGTH} characters")
    if _SYNTAX.fullmatch(text) is None:
        raise Malformed("uri", text, "not a scheme and a colon followed by text without spaces")
    return Uri(text)

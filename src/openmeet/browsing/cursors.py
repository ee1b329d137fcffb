"""Cursors as text: opaque to clients, readable by us, refused when they were made up."""

import re

from at_protocol.crypto import base64url
from at_protocol.failures import Malformed
from groundwork.clock import Instant
from groundwork.errors import InvalidInput
from openmeet.browsing.queries import Position

_FORM = re.compile(r"(-?[0-9]{1,19})\.([0-9a-f-]{36})(?:\.([01]))?")


def pack(position: Position) -> str:
    return base64url.encode(f"{position.starts_at}.{position.event_id}.{position.part}".encode())


def unpack(text: str) -> Position | None:
    """The position; None for no cursor at all."""
    if not text:
        return None
    try:
        plain = base64url.decode(text).decode("ascii")
    except (Malformed, UnicodeDecodeError):
        plain = ""
    found = _FORM.fullmatch(plain)
    if found is None or abs(int(found[1])) >= 1 << 63:
        raise InvalidInput("cursor", "This cursor was not made here; start again without one.", name="InvalidCursor")
    return Position(Instant(int(found[1])), found[2], int(found[3] or 0))

"""Cursors as text: opaque to clients, readable by us, refused when they were made up."""

import re

from at_protocol.crypto import base64url
from at_protocol.failures import Malformed
from groundwork.clock import Instant
from groundwork.errors import InvalidInput
from openmeet.browsing.queries import Position

_FORM = re.compile(r"(-?[0-9]{1,19})\.([0-9a-f-]{36})(?:\.([01]))?")


_PLACE = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})\.([0-9a-f-]{36})")

_MADE_UP = "This cursor was not made here; start again without one."


def pack_place(place: int, at: Instant, row_id: str) -> str:
    """Where a page of a line ended: the place in it, the moment and the id of the last."""
    return base64url.encode(f"{place}.{at}.{row_id}".encode())


def unpack_place(text: str) -> tuple[int, Instant, str] | None:
    """What ``pack_place`` packed; None for no cursor at all."""
    if not text:
        return None
    found = _PLACE.fullmatch(_plain(text))
    if found is None:
        raise InvalidInput("cursor", _MADE_UP, name="InvalidCursor")
    return int(found[1]), Instant(int(found[2])), found[3]


def pack(position: Position) -> str:
    return base64url.encode(f"{position.starts_at}.{position.event_id}.{position.part}".encode())


def unpack(text: str) -> Position | None:
    """The position; None for no cursor at all."""
    if not text:
        return None
    found = _FORM.fullmatch(_plain(text))
    if found is None or abs(int(found[1])) >= 1 << 63:
        raise InvalidInput("cursor", _MADE_UP, name="InvalidCursor")
    return Position(Instant(int(found[1])), found[2], int(found[3] or 0))


def _plain(text: str) -> str:
    """What a cursor says; empty where it says nothing that is text."""
    try:
        return base64url.decode(text).decode("ascii")
    except (Malformed, UnicodeDecodeError):
        return ""

"""Cursors of lists with an order of their own: events by their beginnings, and lines of rows that stand at a place."""

import re
from typing import Final

from groundwork.clock import Instant
from openmeet.domain.paging import packed, unpacked
from openmeet.domain.search.event_lists import UNDATED, Position

_POSITION: Final = re.compile(rf"(-?[0-9]{{1,18}}|{UNDATED})\.([0-9a-f-]{{36}})(?:\.([01]))?")
_PLACE: Final = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})\.([0-9a-f-]{36})")


def pack_place(place: int, at: Instant, row_id: str) -> str:
    """Where a page of a line ended: the place in it, the moment and the id of the last."""
    return packed(f"{place}.{at}.{row_id}")


def unpack_place(cursor: str) -> tuple[int, Instant, str] | None:
    """What ``pack_place`` packed; None for no cursor at all. Raises InvalidInput."""
    if not cursor:
        return None
    found = unpacked(_PLACE, cursor)
    return int(found[1]), Instant(int(found[2])), found[3]


def pack(position: Position) -> str:
    """Where a page of events ended."""
    return packed(f"{position.starts_at}.{position.event_id}.{position.part}")


def unpack(cursor: str) -> Position | None:
    """The position; None for no cursor at all. Raises InvalidInput."""
    if not cursor:
        return None
    found = unpacked(_POSITION, cursor)
    return Position(Instant(int(found[1])), found[2], int(found[3] or 0))

"""Cursors of the chat: their formats."""

import re
from typing import Final

from openmeet.domain.chat.search import ChatSearchCursor
from openmeet.domain.paging import packed, unpacked

_ID: Final = r"([0-9a-f-]{1,64})"
_AT: Final = r"([0-9]{1,18})"
ROOM_PLACE: Final = re.compile(rf"([01])\.{_AT}\.{_ID}")
NUMBER_PLACE: Final = re.compile(_AT)
NAME_PLACE: Final = re.compile(rf"((?:[0-9a-f]{{2}}){{0,400}})\.{_ID}")
# Sort position of a message, of a room, or of both.
_SEARCH_PLACE: Final = re.compile(rf"(?:{_AT}\.{_ID})?(?:/{_AT}\.{_ID})?")


def search_cursor(position: ChatSearchCursor | None) -> str | None:
    if position is None:
        return None
    message = f"{position.message[0]}.{position.message[1]}" if position.message else ""
    rooms = f"/{position.rooms[0]}.{position.rooms[1]}" if position.rooms else ""
    return packed(message + rooms)


def search_place(cursor: str) -> ChatSearchCursor | None:
    """The position where a page of results begins, or None if the cursor is empty. Raises InvalidInput (``cursor``)."""
    if not cursor:
        return None
    match = unpacked(_SEARCH_PLACE, cursor)
    return ChatSearchCursor(
        (int(match[1]), match[2]) if match[1] else None,
        (int(match[3]), match[4]) if match[3] else None,
    )

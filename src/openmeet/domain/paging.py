"""Keyset pagination: the SQL clause that reads a page, and opaque cursors.

A page starts after the row that the cursor identifies by a number (usually its creation time) and its id. Rows added or
deleted between two requests therefore shift nothing.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from at_protocol.crypto import base64url
from at_protocol.failures import Malformed
from groundwork.errors import InvalidInput
from openmeet.domain.validation import GeneralReason

DEFAULT_LIMIT: Final = 30
MAX_LIMIT: Final = 100

_MARK = re.compile(r"([0-9]{1,18})\.([!-~]{1,1000})")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """The requested page of a list.

    ``after``: number and id of the last row of the previous page. ``limit``: None for everything.
    """

    limit: int | None
    after: tuple[int, str] | None = None

    def clause(self, number: str, row_id: str, *, newest_first: bool = True) -> str:
        """The end of a statement: an additional condition, the order, and a limit of one row more than the page has."""
        compared = f" and ({number}, {row_id}) {'<' if newest_first else '>'} (:page_number, :page_id)"
        way = " desc" if newest_first else ""
        return (
            f"{compared if self.after else ''} order by {number}{way}, {row_id}{way}"
            f"{' limit :page_limit' if self.limit is not None else ''}"
        )

    @property
    def values(self) -> dict[str, int | str]:
        """The parameters of ``clause``."""
        parameters: dict[str, int | str] = {}
        if self.after is not None:
            parameters |= {"page_number": self.after[0], "page_id": self.after[1]}
        if self.limit is not None:
            parameters["page_limit"] = self.limit + 1
        return parameters

    def cut(self, items: Sequence[T], mark: Callable[[T], tuple[int, str]]) -> tuple[list[T], str | None]:
        """Return the page's rows from those that ``clause`` read, and the next cursor; None on the last page."""
        if self.limit is None or len(items) <= self.limit:
            return list(items), None
        page = list(items[: self.limit])
        number, row_id = mark(page[-1])
        return page, packed(f"{number}.{row_id}")


ALL_ROWS: Final = Page(None)


def page_of(limit: str, cursor: str) -> Page:
    """Parse the page from query parameters. Raises InvalidInput (``limit`` or ``cursor``)."""
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 6 and 1 <= int(limit) <= MAX_LIMIT):
        raise InvalidInput("limit", GeneralReason.LIMIT_OUT_OF_RANGE, most=MAX_LIMIT)
    if not cursor:
        return Page(int(limit))
    match = unpacked(_MARK, cursor)
    return Page(int(limit), (int(match[1]), match[2]))


def packed(text: str) -> str:
    """Encode a cursor as text."""
    return base64url.encode(text.encode())


def unpacked(form: re.Pattern[str], cursor: str) -> re.Match[str]:
    """Decode a cursor into the given type. Raises InvalidInput (``InvalidCursor``) if this module did not make it."""
    try:
        match = form.fullmatch(base64url.decode(cursor).decode("ascii"))
    except (Malformed, UnicodeDecodeError):
        match = None
    if match is None:
        raise InvalidInput("cursor", GeneralReason.INVALID_CURSOR, name="InvalidCursor")
    return match

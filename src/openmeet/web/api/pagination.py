"""Pagination parameters of a request."""

from typing import Final

from starlette.requests import Request

from groundwork.errors import InvalidInput
from openmeet.domain.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, page_of
from openmeet.domain.validation import GeneralReason
from openmeet.web.api.operations import Parameter

CURSOR: Final = Parameter("cursor", "The cursor of the previous page")
LIMIT: Final = Parameter("limit", f"Items per page, 1 to {MAX_LIMIT}", shape=int)


def limit_of(request: Request, default: int, maximum: int) -> int:
    """The requested limit, or ``default`` if the request has none. Raises InvalidInput if it is not between 1 and
    ``maximum``.
    """
    text = request.query_params.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= maximum):
        raise InvalidInput("limit", GeneralReason.LIMIT_OUT_OF_RANGE, most=maximum)
    return int(text)


def paging(request: Request) -> Page:
    """The requested page. Raises InvalidInput, which names ``limit`` or ``cursor``."""
    return page_of(request.query_params.get("limit", str(DEFAULT_LIMIT)), request.query_params.get("cursor", ""))

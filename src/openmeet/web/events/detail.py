"""What the API answers after a change of an event: the same as to a read of it.

Answers, hosts and surroundings belong to rooms above this one: ``app`` binds what knows them.
"""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader
from groundwork.http.json_bodies import json_response
from openmeet.domain.events.model import Event
from openmeet.web.api.etags import etag_of
from openmeet.web.events.shapes import EventDetail

# Events as the caller of a request sees them (``browsing.api.details_of``).
DetailsOf = Callable[[Reader, Request, Sequence[Event]], Awaitable[list[EventDetail]]]


async def to_host(request: Request, reader: Reader, event: Event, status: int = 200) -> Response:
    """The event as its host sees it, with its tag; where it is new, with its address."""
    details_of: DetailsOf = request.app.state.event_details
    (shown,) = await details_of(reader, request, [event])
    address = {"location": f"/api/events/{quote(event.slug)}"} if status == HTTPStatus.CREATED else {}
    return json_response(shown, status, {**etag_of(event.revision), **address})

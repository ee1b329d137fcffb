"""The API's response to a change of an event. It is the same as the response to a read."""

from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader
from groundwork.http.json_bodies import json_response
from openmeet.domain.events.model import Event
from openmeet.web.api.etags import etag_of
from openmeet.web.events.api import details_of


async def to_host(request: Request, reader: Reader, event: Event, status: int = 200) -> Response:
    """Respond with the event as its host sees it and its ETag. For a new event, also with its location."""
    (shown,) = await details_of(reader, request, [event])
    address = {"location": f"/api/events/{quote(event.slug)}"} if status == HTTPStatus.CREATED else {}
    return json_response(shown, status, {**etag_of(event.revision), **address})

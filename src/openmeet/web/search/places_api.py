"""Places by name, as JSON, for fields in which people type a town."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import InvalidInput, NotFound
from groundwork.http.application import client_network
from groundwork.http.json_bodies import json_response
from groundwork.rate_limit.contract import Limit, spend
from openmeet.domain.places.gazetteer import MAX_CHOICES
from openmeet.domain.places.model import CREDIT, MAX_NAME, PlaceReason
from openmeet.domain.validation import GeneralReason
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.api.pagination import limit_of
from openmeet.web.api.problem import PlaceOutput
from openmeet.web.search.places import place_outputs, wait_for_places
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.services import services

# Clients send a request while somebody types.
LIMIT: Final = Limit("places", 60, 60)
MAX_LISTED: Final = 50


class PlaceList(msgspec.Struct, rename="camel"):
    """Places that a name can mean, most likely first. ``credit`` must be shown with them."""

    places: list[PlaceOutput]
    credit: str


async def list_places(request: Request) -> Response:
    text = request.query_params.get("q", "").strip()
    if len(text) > MAX_NAME:
        raise InvalidInput("q", GeneralReason.NAME_TOO_LONG, most=MAX_NAME)
    limit = limit_of(request, MAX_CHOICES, MAX_LISTED)
    await spend_of(request)
    gazetteer = await wait_for_places(request)
    places = gazetteer.suggest(text, country=request.query_params.get("country", "").upper()[:2], limit=limit)
    return json_response(PlaceList(place_outputs(places), CREDIT), headers=_cache_headers(request))


async def show_place(request: Request) -> Response:
    await spend_of(request)
    places = await wait_for_places(request)
    number = request.path_params["number"]
    place = places.by_id(int(number)) if number.isascii() and number.isdigit() and len(number) <= 12 else None
    if place is None:
        raise NotFound(PlaceReason.NO_SUCH_PLACE)
    return json_response(place_outputs([place])[0], headers=_cache_headers(request))


def _cache_headers(request: Request) -> dict[str, str]:
    """Cache headers. Labels are in the reader's language. So shared caches may only store responses whose language was
    chosen from the browser's request headers.
    """
    whose = "public" if caller_or_none(request) is None else "private"
    return {"cache-control": f"{whose}, max-age=86400", "vary": "Accept-Language"}


async def spend_of(request: Request) -> None:
    """Count one look-up by this client. Raises TooMany."""
    site = services(request)
    if not site.settings.is_unlimited:
        await spend(site.counters, [(LIMIT, client_network(request))], now=site.clock.now())


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/places",
        "listPlaces",
        f"Towns, districts and added postal codes by name or the beginning of a name, from a list on this server ({CREDIT})",
        list_places,
        {200: PlaceList},
        parameters=(
            Parameter("q", "At least two letters of a name, in any script", is_required=True),
            Parameter("country", "A country code, such as DE; its places come first"),
            Parameter("limit", f"Places in the response, 1 to {MAX_LISTED}; {MAX_CHOICES} if missing", shape=int),
        ),
        needs_session=False,
        failures=(503,),
    ),
    ApiOperation(
        "GET",
        "/api/places/{number}",
        "getPlace",
        "A place by its id",
        show_place,
        {200: PlaceOutput},
        needs_session=False,
        failures=(404, 503),
    ),
)

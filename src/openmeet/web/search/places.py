"""Place names in searches: find the place that a typed name means, and label places. Also places by name as JSON, for
fields in which people type a town.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from babel import Locale
from babel.core import get_global
from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import InvalidForm, InvalidInput, NotFound
from groundwork.http.application import client_network
from groundwork.http.json_bodies import json_response
from groundwork.rate_limit.contract import Limit, spend
from openmeet.domain.places.gazetteer import MAX_CHOICES, Gazetteer
from openmeet.domain.places.geocoder import StreetAddress
from openmeet.domain.places.model import CREDIT, MAX_NAME, Place, PlaceMatch, PlaceReason, folded, forms
from openmeet.domain.search import query
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import current, gettext
from openmeet.i18n.languages import UNDERSTOOD_LANGUAGES
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.api.pagination import limit_of
from openmeet.web.api.problem import PlaceOutput
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.services import services

_BY_NUMBER: Final = "geonames:"
# Each of these look-ups may send a request to another server.
_ASKED_OUTSIDE: Final = Limit("addresses", 20, 60)
# A place named by the words of a text search must have at least this population, unless it is in the reader's country.
_LARGE: Final = 100_000
# The label of a city with at least this population does not say which larger city it is near.
_WELL_KNOWN: Final = 400_000
# Clients send a request while somebody types.
LIMIT: Final = Limit("places", 60, 60)
MAX_LISTED: Final = 50


async def add_point(request: Request, search_fields: dict[str, str]) -> dict[str, str]:
    """The same search, with the coordinates of the place that ``near`` names, in the form that ``query`` expects.

    Raises InvalidForm if no place or several places have this name; the latter are its fact ``choices``. Raises
    Unavailable if the place list cannot be built now.
    """
    near = search_fields.get("near", "").strip()
    if not near or query.is_point(near) or services(request).places is None:
        return search_fields
    await wait_for_places(request)
    place_match = resolve_place(request, near)
    if place_match.place is None:
        choices = place_outputs(place_match.choices)
        if not choices:
            raise InvalidForm({"near": PlaceReason.UNKNOWN()})
        reason = PlaceReason.SEVERAL(choices=", ".join(one.label for one in choices))
        raise InvalidForm({"near": reason}, facts={"choices": choices})
    return search_fields | {"near": near_value(place_match.place, typed_name(place_match.place, near))}


def places_of(request: Request) -> Gazetteer:
    """The site's place list. Raises NotFound if the site has none, and Unavailable while it is being built."""
    gazetteer = services(request).places
    if gazetteer is None:
        raise NotFound(PlaceReason.NO_SUCH_PLACE)
    gazetteer.require_ready()
    return gazetteer


async def wait_for_places(request: Request) -> Gazetteer:
    """The site's place list, as soon as it is built. Raises NotFound if the site has none, and Unavailable if it cannot
    be built now.
    """
    gazetteer = services(request).places
    if gazetteer is None:
        raise NotFound(PlaceReason.NO_SUCH_PLACE)
    await gazetteer.wait_until_ready()
    return gazetteer


def resolve_place(request: Request, text: str) -> PlaceMatch:
    """The place with this name, or the places to choose from. Raises Unavailable.

    A number is a GeoNames id only if ``geonames:`` precedes it. On its own it could be a postal code.
    """
    places = places_of(request)
    number = text.removeprefix(_BY_NUMBER)
    if number != text and number.isascii() and number.isdigit():
        return PlaceMatch(places.by_id(int(number[:12])))
    return places.find(text, countries=country_names)


def meant_place(request: Request, text: str, zone: str) -> Place | None:
    """The place that these words of a search name. It must be large, or in the country of this time zone and have
    exactly this name.

    Also None if the place list has not been built yet; a text search does not trigger the build.
    """
    gazetteer = services(request).places
    if gazetteer is None or not gazetteer.is_built or len(text) > MAX_NAME:
        return None
    place = gazetteer.find(text, country=home_country(zone), countries=country_names).place
    if place is None:
        return None
    is_its_name = folded(text) in forms(place.name)
    return place if place.population >= _LARGE or (is_its_name and place.country == home_country(zone)) else None


def typed_name(place: Place, text: str) -> str:
    """The name that the user typed for this place: ``München`` although the list has Munich. If only case or accents
    differ, the place's own name.
    """
    if place.postal_code:
        return place.full_name
    is_number = text.startswith(_BY_NUMBER)
    if is_number or folded(text) in forms(place.name):
        return place.name
    return text.title() if text.islower() else text


def home_country(zone: str) -> str:
    """The code of the country that this time zone belongs to. Empty for UTC."""
    return str(get_global("zone_territories").get(zone, ""))


@dataclass(frozen=True, slots=True)
class PlaceLink:
    """A place to choose from, and the path of the search around it."""

    label: str
    path: str


@dataclass(frozen=True, slots=True)
class PlaceLinks:
    """The places that a name can mean. ``credit`` is the attribution to show with streets and venues; empty for towns.
    ``is_guess``: no place has this name, but these have a similar one.
    """

    links: tuple[PlaceLink, ...] = ()
    credit: str = ""
    is_guess: bool = False


async def links(request: Request, search_fields: Mapping[str, str]) -> PlaceLinks:
    """A search around each town that ``near`` can mean. If there is no such town, around each street or venue, and
    otherwise around each town with a similar name. Raises the same errors as ``addresses``.
    """
    near = search_fields.get("near", "").strip()
    if not near or query.is_point(near) or services(request).places is None:
        return PlaceLinks()
    towns = resolve_place(request, near).choices
    if towns:
        labelled_towns = zip(towns, labels(towns), strict=True)
        return PlaceLinks(
            tuple(_place_link(search_fields, label, near_value(place, label)) for place, label in labelled_towns)
        )
    address_by_label = {address_label(one): one for one in await addresses(request, near)}
    if not address_by_label:
        return PlaceLinks(_town_links(search_fields, places_of(request).similar(near)), is_guess=True)
    geocoder = services(request).geocoder
    return PlaceLinks(
        tuple(
            _place_link(search_fields, label, f"{one.line[:MAX_NAME]} {query.AT}{one.latitude},{one.longitude}")
            for label, one in address_by_label.items()
        ),
        geocoder.settings.credit if geocoder is not None else "",
    )


def _town_links(search_fields: Mapping[str, str], towns: Sequence[Place]) -> tuple[PlaceLink, ...]:
    labelled = zip(towns, labels(towns), strict=True)
    return tuple(_place_link(search_fields, label, near_value(town, label)) for town, label in labelled)


def _place_link(search_fields: Mapping[str, str], label: str, near: str) -> PlaceLink:
    return PlaceLink(label, "/?" + query.query_string(search_fields, near=near))


async def addresses(request: Request, text: str) -> list[StreetAddress]:
    """Streets and venues with this name, from the operator's geocoder. Empty if there is no geocoder.

    Raises Unavailable while the geocoder does not respond, and TooMany.
    """
    site = services(request)
    if site.geocoder is None:
        return []
    if not site.settings.is_unlimited:
        await spend(site.counters, [(_ASKED_OUTSIDE, client_network(request))], now=site.clock.now())
    return await site.geocoder.find(text, current().locale.partition("_")[0])


def address_label(address: StreetAddress) -> str:
    """``Sonnenallee 98, 12045 Berlin (Germany)``."""
    return f"{address.line} ({country_name(address.country)})" if address.country else address.line


def near_value(place: Place, name: str = "") -> str:
    """The text that a search stores for a place: ``Berlin @52.52437,13.41053``. Later changes of the place list do not
    affect its meaning.
    """
    return f"{name or place.full_name} {query.AT}{place.latitude},{place.longitude}"


def labels(places: Sequence[Place]) -> list[str]:
    """Labels that distinguish places with the same name: ``Springfield (Illinois, United States)``."""
    short = [
        _label(place, [place.region or ("" if place.population >= _WELL_KNOWN else _near_parameter(place))])
        for place in places
    ]
    return [
        _label(place, [_near_parameter(place), place.region]) if short.count(one) > 1 else one
        for one, place in zip(short, places, strict=True)
    ]


def place_outputs(places: Sequence[Place]) -> list[PlaceOutput]:
    """Places as JSON, labelled in the reader's language."""
    return [
        PlaceOutput(
            one.id,
            one.name,
            label,
            one.region,
            one.country,
            country_name(one.country),
            str(one.latitude),
            str(one.longitude),
            one.zone,
        )
        for one, label in zip(places, labels(places), strict=True)
    ]


def country_names(code: str) -> list[str]:
    """The names of a country that readers might type."""
    languages = dict.fromkeys((*UNDERSTOOD_LANGUAGES, current().locale))
    return [name for language in languages if (name := Locale.parse(language).territories.get(code))]


def country_name(code: str) -> str:
    """The country's name in the reader's language."""
    return str(Locale.parse(current().locale).territories.get(code, code))


def _label(place: Place, about: Sequence[str]) -> str:
    return f"{place.full_name} ({', '.join(filter(None, (*about, country_name(place.country))))})"


def _near_parameter(place: Place) -> str:
    return gettext("near %(place)s", place=place.near) if place.near else ""


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
        "Towns, districts and added postal codes by name or the beginning of a name, "
        f"from a list on this server ({CREDIT})",
        list_places,
        {200: PlaceList},
        parameters=(
            Parameter("q", "At least two letters of a name, in any script", is_required=True),
            Parameter("country", "A country code, such as DE. Its places come first"),
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

"""The place field of the event form: one line, read into the parts of an address; its town fills in the time zone.

The parts are fields of their own, behind a disclosure. Without scripts a button asks which town is meant, and the form
comes back with the choices; with them the same choices come as a fragment while somebody types.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound, Unavailable, Why
from openmeet.domain.events.values import MAX_SHUFFLE, Venue
from openmeet.domain.events.venue_text import FindPlace, at_town, head_of, read_place, text_of
from openmeet.domain.places.addresses import StreetAddress
from openmeet.domain.places.model import Found, Place, folded
from openmeet.domain.places.reasons import PlaceReason
from openmeet.i18n import names
from openmeet.web.search import places
from openmeet.web.search.places_api import spend_of
from openmeet.web.site.layout import page
from openmeet.web.site.services import services

# The field; the form's place when it was shown; the button that asks; the choice that was made, by its number.
PLACE: Final = "place"
BEFORE: Final = "place_before"
ASK: Final = "find_place"
CHOICE: Final = "place_choice"
# The button for another generated cover. It is beside the place in this module, since both send the form and come back.
SHUFFLE: Final = "shuffle_cover"
ZONE: Final = "zone_unless_chosen"
# Before the key of an address.
_ADDRESS: Final = "address:"
_FEW: Final = 6
# Fields of the form that are parts of the place, and those that stay with a town that stays.
_OF_TOWN: Final = ("postal_code", "region", "country")
_PARTS: Final = ("venue_name", "street", "locality", *_OF_TOWN)
_POINT: Final = "point"
# Numbers after which there is another one.
_SHUFFLES: Final = frozenset(str(number) for number in range(MAX_SHUFFLE))


@dataclass(frozen=True, slots=True)
class PlaceChoice:
    """A place among which somebody chooses. ``key``: its number at GeoNames, or that of an address; ``fills``: the fields that
    choosing it fills in. ``is_address``: a street or a venue.
    """

    key: str
    label: str
    fills: dict[str, str]
    zone: str
    is_address: bool = False

    @property
    def as_json(self) -> str:
        return msgspec.json.encode(self.fills).decode()


@dataclass(frozen=True, slots=True)
class PlaceField:
    """The message beside the field. ``chosen``: the place that was filled in; ``sets_zone``: its zone, too.

    ``credit``: of addresses among the choices. ``may_ask``: streets can be looked up for what was typed, too.
    """

    choices: tuple[PlaceChoice, ...] = ()
    credit: str = ""
    may_ask: bool = False
    chosen: PlaceChoice | None = None
    sets_zone: bool = False
    problem: Why = ""


NOT_ASKED: Final = PlaceField()


def routes() -> list[Route]:
    return [Route("/places/choices", show_choices, methods=["GET"])]


def is_asked(typed: Mapping[str, str]) -> bool:
    """Whether the form was sent to look up its place or for another cover, not to be saved."""
    return bool(typed.get(ASK) or typed.get(CHOICE) or typed.get(SHUFFLE))


def shown(values: Mapping[str, str]) -> dict[str, str]:
    """The place field for a form with these values."""
    parts = {name: values.get(name, "") for name in _PARTS}
    text = values.get(PLACE)
    if text is None:
        text = text_of(Venue(**{"name" if name == "venue_name" else name: part for name, part in parts.items()}))
    kept = {**parts, _POINT: values.get(_POINT, ""), PLACE: text}
    return {PLACE: text, BEFORE: msgspec.json.encode(kept).decode()}


def read(request: Request, typed: Mapping[str, str]) -> dict[str, str]:
    """The form with the parts of its place read from the one line, if somebody changed it.

    A part that was typed by hand stays where the line has none. Forms of other programs have no line.
    """
    before = _before(typed)
    text = typed.get(PLACE)
    if text is None or text.strip() == before.get(PLACE, "").strip():
        return dict(typed)
    found = read_place(text, _finder(request), country=typed.get("country", ""))
    return _filled(typed, _parts_of(found.venue), before)


async def answered(request: Request, typed: Mapping[str, str]) -> tuple[dict[str, str], PlaceField]:
    """The form with the fields filled in from its place, and the message beside it. A chosen time zone is kept."""
    if typed.get(SHUFFLE):
        before = typed.get("cover_shuffle", "")
        following = int(before) + 1 if before in _SHUFFLES else 1
        return {**typed, "cover_shuffle": str(following)}, NOT_ASKED
    await spend_of(request)
    problem: Why = ""
    try:
        found = await _found(request, typed)
    except Unavailable as later:
        found, problem = [], later.why
    if not typed.get(CHOICE) and (len(found) != 1 or head_of(typed.get(PLACE, ""))):
        try:
            found = [*found, *await _addresses(request, typed.get(PLACE, ""))]
        except Unavailable as later:
            problem = problem or later.why
    if len(found) != 1:
        is_unknown = not found and not problem
        return dict(typed), PlaceField(
            tuple(found), credit=_credit(request, found), problem=PlaceReason.UNKNOWN() if is_unknown else problem
        )
    chosen = found[0]
    sets_zone = bool(chosen.zone) and typed.get("time_zone", "") in {typed.get(ZONE, ""), chosen.zone}
    filled = _filled(typed, chosen.fills, _before(typed)) | {PLACE: chosen.fills[PLACE]}
    if sets_zone:
        filled |= {"time_zone": chosen.zone, ZONE: chosen.zone}
    return filled, PlaceField(chosen=chosen, sets_zone=sets_zone)


async def show_choices(request: Request) -> Response:
    """A fragment: towns whose name begins with what stands behind the last comma of ``q``; ``streets``: and addresses."""
    await spend_of(request)
    text = request.query_params.get("q", "").strip()
    choices = _choices(places.places_of(request).suggest(text.rpartition(",")[2].strip())[:_FEW], text)
    geocoder = services(request).geocoder
    problem: Why = ""
    asks = geocoder is not None and (bool(request.query_params.get("streets")) or geocoder.settings.while_typing)
    if asks:
        try:
            choices += await _addresses(request, text)
        except Unavailable as later:
            problem = later.why
    field = PlaceField(
        tuple(choices), credit=_credit(request, choices), may_ask=geocoder is not None and not asks, problem=problem
    )
    return page(request, "events/place_choices.html", {"place": field})


async def _found(request: Request, typed: Mapping[str, str]) -> list[PlaceChoice]:
    """The place that was chosen, or those that the typed line may mean."""
    if services(request).places is None:
        return []
    text = typed.get(PLACE, "").strip()
    key = typed.get(CHOICE, "")
    if key.startswith(_ADDRESS):
        return [one for one in await _addresses(request, text) if one.key == key]
    if key.isascii() and key.isdigit():
        place = places.places_of(request).by_id(int(key[:12]))
        return [] if place is None else _choices([place], text)

    def find(name: str) -> Found:
        return places.resolve_place(request, name)

    found = read_place(text, find, is_asked=True)
    if found.town is not None:
        return [_choice(found.town, places.labels([found.town])[0], found.venue, text)]
    return _choices(find(text.rpartition(",")[2].strip()).choices[:_FEW], text)


def _choices(towns: Sequence[Place], text: str) -> list[PlaceChoice]:
    """Each town behind what stands in front of the last comma of ``text``."""
    head = head_of(text)
    return [
        _choice(town, label, at_town(head, town), f"{head}, {town.name}" if head else town.name)
        for town, label in zip(towns, places.labels(towns), strict=True)
    ]


def _choice(town: Place, label: str, venue: Venue, text: str) -> PlaceChoice:
    return PlaceChoice(str(town.id), label, {**_parts_of(venue), _POINT: "", PLACE: text}, town.zone)


async def _addresses(request: Request, text: str) -> list[PlaceChoice]:
    """Streets and venues, with their points. What is typed in front of a street or venue without a name stays its name."""
    return [_address_choice(one, text) for one in await places.addresses(request, text)]


def _address_choice(address: StreetAddress, text: str) -> PlaceChoice:
    head = head_of(text).partition(",")[0].strip()
    # ``Prachtsaal, Marktstraße 8``: the hall that only its host knows.
    name = address.name or (head if head and folded(head) not in folded(address.line) else "")
    fills = {
        "venue_name": name,
        "street": address.street,
        "postal_code": address.postal_code,
        "locality": address.locality,
        "region": address.region,
        "country": names.name_of(address.country),
        _POINT: f"{address.latitude}, {address.longitude}",
        PLACE: ", ".join(part for part in (name if not address.name else "", address.line) if part),
    }
    return PlaceChoice(_ADDRESS + address.key, places.address_label(address), fills, address.zone, is_address=True)


def _credit(request: Request, choices: Sequence[PlaceChoice]) -> str:
    geocoder = services(request).geocoder
    return geocoder.settings.credit if geocoder is not None and any(one.is_address for one in choices) else ""


def _finder(request: Request) -> FindPlace:
    """Looks up towns; None where there is no list of places, or not yet."""
    try:
        places.places_of(request)
    except (NotFound, Unavailable):
        return None
    return lambda name: places.resolve_place(request, name)


def _parts_of(venue: Venue) -> dict[str, str]:
    return {name: getattr(venue, "name" if name == "venue_name" else name) for name in _PARTS}


def _filled(typed: Mapping[str, str], fills: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    filled = dict(typed)
    stays = bool(fills["locality"]) and fills["locality"] == before.get("locality", "")
    for name in _PARTS:
        is_typed_by_hand = typed.get(name, "") != before.get(name, "")
        if fills[name] or not (is_typed_by_hand or (stays and name in _OF_TOWN)):
            filled[name] = fills[name]
    is_elsewhere = not stays or fills["street"] != before.get("street", "")
    if is_elsewhere and typed.get(_POINT, "") == before.get(_POINT, ""):
        # The point of another place would mislead.
        filled[_POINT] = fills.get(_POINT, "")
    return filled


def _before(typed: Mapping[str, str]) -> dict[str, str]:
    """The place as the form came with it; nothing, if that is no longer legible: then all of it was typed by hand."""
    try:
        return msgspec.json.decode(typed.get(BEFORE) or "{}", type=dict[str, str])
    except msgspec.DecodeError:
        return {}

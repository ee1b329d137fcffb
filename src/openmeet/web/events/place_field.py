"""Place field of the event form: one line that is parsed into the parts of an address. Its town sets the time zone.

The parts are separate fields inside a disclosure. Without scripts, a button looks up the town and the form comes back
with the choices. With scripts, the same choices are loaded as an HTML fragment while the user types.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, NotFound, Unavailable, Why
from openmeet.domain.events.model import Details, Event
from openmeet.domain.events.place_text import FindPlace, at_town, head_of, read_place, venue_text
from openmeet.domain.events.town_positions import town_named
from openmeet.domain.events.values import MAX_SHUFFLE, Mode, Venue
from openmeet.domain.places.geocoder import StreetAddress
from openmeet.domain.places.model import Place, PlaceMatch, PlaceReason, folded
from openmeet.i18n import countries
from openmeet.web.events.form_summaries import zone_words
from openmeet.web.search import places
from openmeet.web.search.places import spend_of
from openmeet.web.site.confirmation import NeedsConfirmation
from openmeet.web.site.layout import page
from openmeet.web.site.services import services

# Field names: the place line, the place as it was when the form was shown, the button that looks it up, and the key of
# the choice.
PLACE: Final = "place"
BEFORE: Final = "place_before"
ASK: Final = "find_place"
CHOICE: Final = "place_choice"
# The answer to the question which of several towns with the same name is meant, and the line that the question is about.
TOWN: Final = "place_town"
TOWN_OF: Final = "place_town_of"
# The button that generates another cover. It is handled here because it also sends the form and shows it again.
SHUFFLE: Final = "shuffle_cover"
# The time zone that the form suggests. It follows the place until the user chooses another one.
SUGGESTED_ZONE: Final = "suggested_zone"
# Hidden field with the coordinates whose time zone the form has asked about.
CONFIRMED_ZONE: Final = "zone_of"
# Prefix of the keys of addresses.
_ADDRESS: Final = "address:"
_MAX_TOWNS: Final = 6
# Form fields that are parts of the place. If the town is unchanged, those in ``_OF_TOWN`` stay as well.
_OF_TOWN: Final = ("postal_code", "region", "country")
_PARTS: Final = ("venue_name", "street", "locality", *_OF_TOWN)
_POINT: Final = "point"
# Values of the shuffle counter that can be incremented.
_SHUFFLES: Final = frozenset(str(number) for number in range(MAX_SHUFFLE))


@dataclass(frozen=True, slots=True)
class PlaceChoice:
    """A place to choose from. ``key`` is its GeoNames id or the key of an address. ``fills`` are the fields that
    choosing it fills in. ``is_address``: it is a street or a venue.
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
    """The message next to the field. ``chosen`` is the place that was filled in. ``sets_zone``: its time zone was
    filled in too.

    ``asks_about`` is the name of a town, and the choices are the towns with this name. ``credit`` is the attribution for
    addresses among the choices. ``may_ask``: the user can request a search for streets as well. ``unknown``: no place
    has this name, and the choices have a similar one.
    """

    choices: tuple[PlaceChoice, ...] = ()
    credit: str = ""
    may_ask: bool = False
    chosen: PlaceChoice | None = None
    sets_zone: bool = False
    problem: Why = ""
    unknown: str = ""
    asks_about: str = ""


NOT_ASKED: Final = PlaceField()


def routes() -> list[Route]:
    return [Route("/places/choices", show_choices, methods=["GET"])]


def is_sent_to_fill_in(form: Mapping[str, str]) -> bool:
    """Whether the form was sent by a button that fills in other fields (look up the place, choose one, another cover), and
    not by one that saves it.
    """
    return bool(form.get(ASK) or form.get(CHOICE) or form.get(SHUFFLE))


def field_values(values: Mapping[str, str]) -> dict[str, str]:
    """The values of the place field for a form with these values."""
    parts = {name: values.get(name, "") for name in _PARTS}
    text = values.get(PLACE)
    if text is None:
        text = venue_text(Venue(**{"name" if name == "venue_name" else name: part for name, part in parts.items()}))
    fields = {**parts, _POINT: values.get(_POINT, ""), PLACE: text}
    return {PLACE: text, BEFORE: msgspec.json.encode(fields).decode()}


def read(request: Request, form: Mapping[str, str]) -> dict[str, str]:
    """The form, with the parts of the place parsed from the line if the user changed it.

    A part that was typed by hand is kept if the line does not contain that part. Forms from API clients have no line.
    If the person has answered which town is meant, its parts and its time zone are filled in.
    """
    before = _place_before(form)
    text = form.get(PLACE)
    town = _answered_town(request, form)
    if town is not None:
        return _with_choice(form, town)[0]
    # The field joins lines when it is shown again.
    if text is None or text.split() == before.get(PLACE, "").split():
        return dict(form)
    parsed = read_place(text, _finder(request), country=form.get("country", ""))
    return _filled(form, _parts_of(parsed.venue), before)


async def filled_in(request: Request, form: Mapping[str, str]) -> tuple[dict[str, str], PlaceField]:
    """The form with the fields that its button fills in, and the message next to the place. A time zone that the user
    chose is kept.
    """
    if form.get(SHUFFLE):
        before = form.get("cover_shuffle", "")
        following = int(before) + 1 if before in _SHUFFLES else 1
        return {**form, "cover_shuffle": str(following)}, NOT_ASKED
    await spend_of(request)
    problem: Why = ""
    try:
        matches = await _matching_places(request, form)
    except Unavailable as later:
        matches, problem = [], later.why
    if not form.get(CHOICE) and (len(matches) != 1 or head_of(form.get(PLACE, ""))):
        try:
            matches = [*matches, *await _address_choices(request, form.get(PLACE, ""))]
        except Unavailable as later:
            problem = problem or later.why
    if not matches and not problem:
        return dict(form), _similar(request, form.get(PLACE, "")) or PlaceField(problem=PlaceReason.UNKNOWN())
    if len(matches) != 1:
        return dict(form), PlaceField(tuple(matches), credit=_credit(request, matches), problem=problem)
    filled, sets_zone = _with_choice(form, matches[0])
    return filled, PlaceField(chosen=matches[0], sets_zone=sets_zone)


def require_known_town(
    request: Request, form: Mapping[str, str], details: Details, before: Event | Details | None = None
) -> None:
    """Raise InvalidForm if several towns could be meant, because the event would have no position. ``question`` then has
    the towns to choose from. Not if the person has answered that none is meant, or if the place is unchanged.
    """
    place = details.content.venue
    is_unchanged = before is not None and before.content.venue == place
    if is_unchanged or details.content.mode is Mode.ONLINE or place.latitude or _is_answered(form):
        return
    asked = question(request, {**form, TOWN_OF: form.get(PLACE, "").strip()})
    if asked.choices:
        raise InvalidForm({PLACE: PlaceReason.WHICH_TOWN(name=asked.asks_about)})


def require_known_zone(
    request: Request, form: Mapping[str, str], details: Details, before: Event | Details | None = None
) -> None:
    """Raise NeedsConfirmation if the coordinates are near a border of two time zones, unless the person has chosen one, or
    the coordinates are unchanged. Zones with the same clock count as one.

    A town that was chosen by its name is not asked about, because its time zone is known.
    """
    place = details.content.venue
    is_unchanged = before is not None and before.content.venue == place
    if is_unchanged or details.content.mode is Mode.ONLINE or details.is_all_day or not place.latitude:
        return
    key = f"{place.latitude}, {place.longitude}"
    if details.time_zone != form.get(SUGGESTED_ZONE, "") or form.get(CONFIRMED_ZONE) == key or not _finder(request):
        return
    found = places.places_of(request).zones_near(
        float(place.latitude), float(place.longitude), country=countries.known_code(place.country) or ""
    )
    zones: dict[tuple[timedelta | None, ...], str] = {}
    for zone in found:
        zones.setdefault(_clock_of(zone, details.starts_local), zone)
    if len(zones) > 1:
        first, second, *_ = map(zone_words, zones.values())
        raise NeedsConfirmation(
            "time_zone", PlaceReason.WHICH_ZONE(first=first, second=second), name=CONFIRMED_ZONE, key=key
        )


def _clock_of(zone: str, starts_local: str) -> tuple[timedelta | None, ...]:
    """What tells the clock of a zone from those of others: its offsets at this time and half a year later."""
    starts = datetime.fromisoformat(starts_local).replace(tzinfo=ZoneInfo(zone))
    return starts.utcoffset(), (starts + timedelta(days=182)).utcoffset()


def question(request: Request, form: Mapping[str, str]) -> PlaceField:
    """The towns that the typed line could mean, if the form asks which one. Without choices if it does not ask."""
    find, text = _finder(request), form.get(PLACE, "").strip()
    if find is None or not text or form.get(TOWN_OF) != text:
        return NOT_ASKED
    gazetteer = places.places_of(request)
    venue = Venue(locality=form.get("locality", ""), region=form.get("region", ""), country=form.get("country", ""))
    if venue.locality and town_named(venue, gazetteer) is not None:
        return NOT_ASKED
    name = text.rpartition(",")[2].strip()
    country = countries.known_code(venue.country) or places.home_country(form.get("time_zone", ""))
    towns = gazetteer.towns_named(name, country=country)
    return PlaceField(tuple(_town_choices(towns[:_MAX_TOWNS], text)), asks_about=name)


async def show_choices(request: Request) -> Response:
    """An HTML fragment with the towns whose names begin with the text after the last comma of ``q``. With ``streets``,
    addresses are included. If there are none, towns with a similar name.
    """
    await spend_of(request)
    text = request.query_params.get("q", "").strip()
    gazetteer = await places.wait_for_places(request)
    choices = _town_choices(gazetteer.suggest(text.rpartition(",")[2].strip())[:_MAX_TOWNS], text)
    geocoder = services(request).geocoder
    problem: Why = ""
    asks = geocoder is not None and (bool(request.query_params.get("streets")) or geocoder.settings.while_typing)
    if asks:
        try:
            choices += await _address_choices(request, text)
        except Unavailable as later:
            problem = later.why
    may_ask = geocoder is not None and not asks
    field = PlaceField(tuple(choices), credit=_credit(request, choices), may_ask=may_ask, problem=problem)
    if not choices and not problem:
        field = replace(_similar(request, text) or field, may_ask=may_ask)
    return page(request, "events/place_choices.html", {"place": field, "zone_words": zone_words})


async def _matching_places(request: Request, form: Mapping[str, str]) -> list[PlaceChoice]:
    """The place that was chosen, or the places that the typed line could mean."""
    if services(request).places is None:
        return []
    text = form.get(PLACE, "").strip()
    key = form.get(CHOICE, "")
    if key.startswith(_ADDRESS):
        return [one for one in await _address_choices(request, text) if one.key == key]
    if key.isascii() and key.isdigit():
        place = (await places.wait_for_places(request)).by_id(int(key[:12]))
        return [] if place is None else _town_choices([place], text)

    await places.wait_for_places(request)

    def find(name: str) -> PlaceMatch:
        return places.resolve_place(request, name)

    parsed = read_place(text, find, is_asked=True)
    if parsed.town is not None:
        return [_town_choice(parsed.town, places.labels([parsed.town])[0], parsed.venue, text)]
    return _town_choices(find(text.rpartition(",")[2].strip()).choices[:_MAX_TOWNS], text)


def _is_answered(form: Mapping[str, str]) -> bool:
    return bool(form.get(TOWN)) and form.get(TOWN_OF) == form.get(PLACE, "").strip()


def _answered_town(request: Request, form: Mapping[str, str]) -> PlaceChoice | None:
    """The town that was chosen for the typed line. An answer about another line does not count."""
    number = form.get(TOWN, "")
    if _finder(request) is None or not _is_answered(form) or not (number.isascii() and number.isdigit()):
        return None
    town = places.places_of(request).by_id(int(number[:12]))
    return None if town is None else _town_choices([town], form[PLACE].strip())[0]


def _with_choice(form: Mapping[str, str], choice: PlaceChoice) -> tuple[dict[str, str], bool]:
    """The form with the parts of a place filled in, and whether its time zone was, too."""
    sets_zone = bool(choice.zone) and form.get("time_zone", "") in {form.get(SUGGESTED_ZONE, ""), choice.zone}
    filled = _filled(form, choice.fills, _place_before(form)) | {PLACE: choice.fills[PLACE]}
    if sets_zone:
        filled |= {"time_zone": choice.zone, SUGGESTED_ZONE: choice.zone}
    return filled, sets_zone


def _similar(request: Request, text: str) -> PlaceField | None:
    """Towns whose name differs by one typing error from the text after the last comma. None if there are none."""
    gazetteer, name = services(request).places, text.rpartition(",")[2].strip()
    towns = [] if gazetteer is None else gazetteer.similar(name)
    return PlaceField(tuple(_town_choices(towns[:_MAX_TOWNS], text)), unknown=name) if towns else None


def _town_choices(towns: Sequence[Place], text: str) -> list[PlaceChoice]:
    """A choice for each town. The text before the last comma of ``text`` is kept in front of the town."""
    head = head_of(text)
    return [
        _town_choice(town, label, at_town(head, town), f"{head}, {town.name}" if head else town.name)
        for town, label in zip(towns, places.labels(towns), strict=True)
    ]


def _town_choice(town: Place, label: str, venue: Venue, text: str) -> PlaceChoice:
    return PlaceChoice(str(town.id), label, {**_parts_of(venue), _POINT: "", PLACE: text}, town.zone)


async def _address_choices(request: Request, text: str) -> list[PlaceChoice]:
    """Streets and venues with their coordinates. If a result has no name, text typed in front of it becomes its name."""
    return [_address_choice(one, text) for one in await places.addresses(request, text)]


def _address_choice(address: StreetAddress, text: str) -> PlaceChoice:
    head = head_of(text).partition(",")[0].strip()
    # ``Prachtsaal, Marktstraße 8``: the geocoder finds the street. Only the host knows the name of the hall..
    name = address.name or (head if head and folded(head) not in folded(address.line) else "")
    fills = {
        "venue_name": name,
        "street": address.street,
        "postal_code": address.postal_code,
        "locality": address.locality,
        "region": address.region,
        "country": countries.name_of(address.country),
        _POINT: f"{address.latitude}, {address.longitude}",
        PLACE: ", ".join(part for part in (name if not address.name else "", address.line) if part),
    }
    return PlaceChoice(_ADDRESS + address.key, places.address_label(address), fills, address.zone, is_address=True)


def _credit(request: Request, choices: Sequence[PlaceChoice]) -> str:
    geocoder = services(request).geocoder
    return geocoder.settings.credit if geocoder is not None and any(one.is_address for one in choices) else ""


def _finder(request: Request) -> FindPlace:
    """The function that looks up towns. None if the site has no place list, or if the list has not been built yet."""
    try:
        places.places_of(request)
    except (NotFound, Unavailable):
        return None
    return lambda name: places.resolve_place(request, name)


def _parts_of(venue: Venue) -> dict[str, str]:
    return {name: getattr(venue, "name" if name == "venue_name" else name) for name in _PARTS}


def _filled(form: Mapping[str, str], fills: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    filled = dict(form)
    stays = bool(fills["locality"]) and fills["locality"] == before.get("locality", "")
    for name in _PARTS:
        is_typed_by_hand = form.get(name, "") != before.get(name, "")
        if fills[name] or not (is_typed_by_hand or (stays and name in _OF_TOWN)):
            filled[name] = fills[name]
    is_elsewhere = not stays or fills["street"] != before.get("street", "")
    if is_elsewhere and form.get(_POINT, "") == before.get(_POINT, ""):
        # The coordinates of the previous place would be wrong.
        filled[_POINT] = fills.get(_POINT, "")
    return filled


def _place_before(form: Mapping[str, str]) -> dict[str, str]:
    """The place as it was when the form was shown. Empty if it cannot be decoded. In that case every part counts as
    typed by hand.
    """
    try:
        return msgspec.json.decode(form.get(BEFORE) or "{}", type=dict[str, str])
    except msgspec.DecodeError:
        return {}

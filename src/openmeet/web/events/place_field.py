"""The place field of the event form: a town by name fills region, country and time zone.

Without scripts a button asks and the form comes back with the choices; with them the same choices come as a fragment
while somebody types.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import Unavailable, Why
from openmeet.domain.events.values import MAX_SHUFFLE
from openmeet.domain.places.model import MAX_NAME, Place
from openmeet.domain.places.reasons import PlaceReason
from openmeet.i18n import names
from openmeet.web.search import places
from openmeet.web.search.places_api import spend_of
from openmeet.web.site.layout import page
from openmeet.web.site.services import services

# The button that asks, and the choice that was made: a GeoNames number. ``ZONE``: the zone that the form came with.
ASK: Final = "find_town"
CHOICE: Final = "town"
# The button for another generated cover. It is beside the place in this module, since both send the form and come back.
SHUFFLE: Final = "shuffle_cover"
ZONE: Final = "zone_unless_chosen"
_FEW: Final = 6
# Numbers after which there is another one.
_SHUFFLES: Final = frozenset(str(number) for number in range(MAX_SHUFFLE))


@dataclass(frozen=True, slots=True)
class TownChoice:
    """A town among which somebody chooses, and what choosing it fills in."""

    number: int
    label: str
    locality: str
    region: str
    country: str
    zone: str


@dataclass(frozen=True, slots=True)
class TownField:
    """The message beside the town field. ``chosen``: the town whose fields were filled in; ``sets_zone``: its zone, too."""

    choices: tuple[TownChoice, ...] = ()
    chosen: TownChoice | None = None
    sets_zone: bool = False
    problem: Why = ""


NOT_ASKED: Final = TownField()


def routes() -> list[Route]:
    return [Route("/places/choices", show_choices, methods=["GET"])]


def is_asked(typed: Mapping[str, str]) -> bool:
    """Whether the form was sent to look up its town or for another cover, not to be saved."""
    return bool(typed.get(ASK) or typed.get(CHOICE) or typed.get(SHUFFLE))


async def answered(request: Request, typed: Mapping[str, str]) -> tuple[dict[str, str], TownField]:
    """The form with the fields filled in from its town, and the message beside it. A chosen time zone is kept."""
    if typed.get(SHUFFLE):
        before = typed.get("cover_shuffle", "")
        following = int(before) + 1 if before in _SHUFFLES else 1
        return {**typed, "cover_shuffle": str(following)}, NOT_ASKED
    await spend_of(request)
    try:
        found = _found(request, typed)
    except Unavailable as later:
        return dict(typed), TownField(problem=later.why)
    if len(found) != 1:
        return dict(typed), TownField(tuple(found), problem="" if found else PlaceReason.UNKNOWN())
    town = found[0]
    sets_zone = bool(town.zone) and typed.get("time_zone", "") in {typed.get(ZONE, ""), town.zone}
    filled = {"locality": town.locality, "region": town.region, "country": town.country}
    if sets_zone:
        filled |= {"time_zone": town.zone, ZONE: town.zone}
    return {**typed, **filled}, TownField(chosen=town, sets_zone=sets_zone)


async def show_choices(request: Request) -> Response:
    """A fragment: the towns whose name begins with ``q``."""
    await spend_of(request)
    text = request.query_params.get("q", "").strip()[:MAX_NAME]
    context = {"town": TownField(tuple(_choices(places.places_of(request).suggest(text)[:_FEW])))}
    return page(request, "events/town_choices.html", context)


def _found(request: Request, typed: Mapping[str, str]) -> list[TownChoice]:
    """The town that was chosen, or those that the typed name may mean."""
    if services(request).places is None:
        return []
    number = typed.get(CHOICE, "")
    if number.isascii() and number.isdigit():
        place = places.places_of(request).by_id(int(number[:12]))
        return [] if place is None else _choices([place])
    found = places.resolve_place(request, typed.get("locality", "").strip())
    return _choices([found.place] if found.place else list(found.choices[:_FEW]))


def _choices(some: list[Place]) -> list[TownChoice]:
    return [
        TownChoice(one.id, label, one.name, one.region, names.name_of(one.country), one.zone)
        for one, label in zip(some, places.labels(some), strict=True)
    ]

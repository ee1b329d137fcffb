"""Places as people write them: in one line (``Prachtsaal, Marktstraße 8, 10245 Berlin``), or as a point on a map: two
numbers, a ``geo:`` URI (RFC 5870) or a link copied from a map. Pure, apart from the list of places.

The numbers of a point stay text, because the data model of records has no floats. So an unchanged value stays the same,
byte for byte.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from openmeet.domain.events.values import Venue
from openmeet.domain.places.model import Place, PlaceMatch, folded
from openmeet.i18n import countries

# Looks up a typed name. None if there is no list of places.
FindPlace = Callable[[str], PlaceMatch] | None

# Minimum population for reading a name as a town in a country other than the form's, unless somebody asked for the
# town: many venues share their name with a village somewhere.
_LARGE: Final = 100_000
_POSTAL = re.compile(r"((?:[A-Za-z]{1,3}-)?(?:\d{4,6}|\d{3} \d{2})) +(?=\D)")
# Maximum number of parts that can name a town: ``Neukölln, Berlin, Germany``.
_TAIL: Final = 3

# Links from maps have long query strings.
_LONGEST_POINT: Final = 2_000

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)"
_PLAIN_NUMBER = re.compile(_NUMBER)
_PAIR = re.compile(rf"({_NUMBER})(?:\s*[,;]\s*|\s+)({_NUMBER})", re.ASCII)
# Google's marker, Google's viewport, OpenStreetMap's viewport. The marker is what the person meant; the viewport is
# only what was visible.
_GOOGLE_MARKER = re.compile(rf"!3d({_NUMBER})!4d({_NUMBER})", re.ASCII)
_GOOGLE_VIEW = re.compile(rf"/@({_NUMBER}),({_NUMBER})", re.ASCII)
_OSM_VIEW = re.compile(rf"(?:^|&)map={_NUMBER}/({_NUMBER})/({_NUMBER})(?=$|[&/])", re.ASCII)
_QUERIES = ("query", "q", "ll", "destination")


@dataclass(frozen=True, slots=True)
class ReadPlace:
    """A place with its parts. ``town`` is the known town in it, if that is certain."""

    venue: Venue
    town: Place | None = None


def venue_text(venue: Venue) -> str:
    """The place in one line, without country and point."""
    town = " ".join(part for part in (venue.postal_code, venue.locality) if part)
    return ", ".join(part for part in (venue.name, venue.street, town, venue.region) if part)


def head_of(text: str) -> str:
    """The text before the last comma. Suggestions for the town begin after it."""
    return text.rpartition(",")[0].strip()


def at_town(head: str, town: Place) -> Venue:
    """The place in a chosen town. ``head`` is what was typed before the town."""
    return _with_head(_parts_of(head), _venue(town, [town.name], ""))


def read_place(text: str, find: FindPlace, *, country: str = "", is_asked: bool = False) -> ReadPlace:
    """The parts of a place, without a point. ``country`` is the country in the form, which is kept unless the text
    names another.

    Every word of the text ends up in a part. Words that are not recognized as a town stay in the name. ``is_asked``:
    somebody asked which town it is, so a small one far away is also considered.
    """
    parts = _parts_of(text)
    if not parts:
        return ReadPlace(Venue(country=country))
    head, venue, town = _town(parts, find, country, is_asked=is_asked)
    return ReadPlace(_with_head(head, venue), town)


def _parts_of(text: str) -> list[str]:
    return [part for one in re.split(r"[,\n]", text) if (part := " ".join(one.split()))]


def _with_head(head: Sequence[str], town: Venue) -> Venue:
    if not head:
        return town
    if len(head) == 1:
        # ``Sonnenallee 98, Berlin`` is an address. A venue with a number in its name is followed by a street.
        is_street = bool(town.locality) and re.search(r"\d", head[0]) is not None
        return replace(town, street=head[0]) if is_street else replace(town, name=head[0])
    return replace(town, name=head[0], street=", ".join(head[1:]))


def _town(
    parts: list[str], find: FindPlace, country: str, *, is_asked: bool, may_end_in_country: bool = True
) -> tuple[list[str], Venue, Place | None]:
    """The parts before the town, and the town."""
    for count in range(min(_TAIL, len(parts)), 0, -1) if find else ():
        tail = parts[-count:]
        postal, first = _without_postal(tail[0])
        place = find(", ".join((first, *tail[1:]))).place if find else None
        if place is not None and (is_asked or postal or _is_meant(place, tail, parts, country)):
            return parts[:-count], _venue(place, [first, *tail[1:]], postal), place
    last = parts[-1]
    code = countries.known_code(last) if may_end_in_country and len(parts) > 1 else None
    if code:
        named = countries.name_of(code)
        head, town, place = _town(parts[:-1], find, named, is_asked=is_asked, may_end_in_country=False)
        return head, replace(town, country=named), place
    return *_unknown_town(parts, find, Venue(country=country)), None


def _unknown_town(parts: list[str], find: FindPlace, nothing: Venue) -> tuple[list[str], Venue]:
    """Handle a last part that is written like a town, although no town is certain."""
    last = parts[-1]
    postal, name = _without_postal(last)
    if len(parts) == 1:
        return parts, nothing
    if postal and (len(parts) > 2 or find is None):
        return parts[:-1], replace(nothing, postal_code=postal, locality=name)
    if re.search(r"\d", last):
        return parts, nothing
    if find is None or len(parts) > 2 or any(folded(one.name) == folded(last) for one in find(last).choices):
        return parts[:-1], replace(nothing, locality=last)
    return [", ".join(parts)], nothing


def _is_meant(place: Place, tail: Sequence[str], parts: Sequence[str], country: str) -> bool:
    """Whether the name refers to this town: several names together do, and so does the name of a town in the same
    country or of a large town.
    """
    if len(tail) > 1:
        return True
    home = countries.known_code(country) if country else None
    if place.postal_code:
        # On its own it could be the number of a house or a room.
        return place.country == home
    if len(parts) > 1 and not home:
        return True
    return place.country == home or place.population >= _LARGE


def _venue(place: Place, tail: Sequence[str], postal: str) -> Venue:
    """The town as it was typed (``München``, ``Neukölln, Berlin``), without the names of country and region, which have
    their own fields.
    """
    if place.postal_code:
        country = countries.name_of(place.country)
        return Venue(locality=place.name, region=place.region, country=country, postal_code=place.postal_code)
    about = {folded(place.region), folded(place.region_code)} - {""}
    lines = [
        part
        for number, part in enumerate(tail)
        if number == 0 or (folded(part) not in about and countries.known_code(part) != place.country)
    ]
    if folded(lines[0]) == folded(place.name):
        lines[0] = place.name
    return Venue(
        locality=", ".join(lines), region=place.region, country=countries.name_of(place.country), postal_code=postal
    )


def _without_postal(part: str) -> tuple[str, str]:
    match = _POSTAL.match(part)
    return (match[1], part[match.end() :]) if match else ("", part)


def coordinate_of(value: object, limit: int) -> str | None:
    """Decimal degrees within ``-limit…limit`` as text, including ``0``. None for anything else (``""``, ``91``, NaN)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        text = repr(value) if math.isfinite(value) else ""
        if "e" in text:
            text = f"{value:.7f}"
    elif isinstance(value, str):
        text = value.strip()
    else:
        return None
    # Limit the length, so that float() does not read a megabyte of digits.
    if len(text) > 40 or not text.isascii() or _PLAIN_NUMBER.fullmatch(text) is None or abs(float(text)) > limit:
        return None
    return text


def point_text(latitude: str, longitude: str) -> str:
    """Both numbers as one line that ``point_in`` can parse; empty if there are none."""
    return f"{latitude}, {longitude}" if latitude or longitude else ""


def point_in(typed: str) -> tuple[str, str] | None:
    """Latitude and longitude in decimal degrees as text; None if the text contains no point."""
    text = typed.strip()
    if len(text) > _LONGEST_POINT:
        return None
    for pair in _pairs_in(text):
        latitude, longitude = coordinate_of(pair[1], 90), coordinate_of(pair[2], 180)
        if latitude is not None and longitude is not None:
            return latitude, longitude
    return None


def _pairs_in(text: str) -> list[re.Match[str]]:
    """Candidates, most likely first."""
    if any(c.isspace() for c in text) or ":" not in text:
        matches = [_PAIR.fullmatch(text)]
    elif text[:4].lower() == "geo:":
        # Android's "geo:0,0?q=…" has the point in the query.
        path, _, query = text[4:].partition("?")
        matches = [*_queried(query), _PAIR.fullmatch(path.partition(";")[0])]
    else:
        matches = _linked(text)
    return [pair for pair in matches if pair is not None]


def _linked(text: str) -> list[re.Match[str] | None]:
    try:
        link = urlsplit(text)
    except ValueError:
        return []
    if link.scheme not in {"https", "http"}:
        return []
    path = unquote(link.path)
    parameters = dict(parse_qsl(link.query))
    marker = _PAIR.fullmatch(f"{parameters.get('mlat', '')},{parameters.get('mlon', '')}")
    return [
        marker,
        _GOOGLE_MARKER.search(path),
        *_queried(link.query),
        _GOOGLE_VIEW.search(path),
        _OSM_VIEW.search(unquote(link.fragment)),
    ]


def _queried(query: str) -> list[re.Match[str] | None]:
    parameters = dict(parse_qsl(query))
    # "52.5,13.4(Name)" is a marker with a name.
    return [_PAIR.fullmatch(parameters.get(name, "").partition("(")[0].strip()) for name in _QUERIES]

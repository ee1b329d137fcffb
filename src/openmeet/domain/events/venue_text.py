"""A place in one line, as people write it, and its parts: ``Prachtsaal, Marktstraße 8, 10245 Berlin``. Pure but for the list of places."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from openmeet.domain.events.values import Venue
from openmeet.domain.places.model import Found, Place, folded
from openmeet.i18n import names

# What a typed name means. None where no list of places is there.
FindPlace = Callable[[str], Found] | None

# Without being asked, a name is read as a town in a country that the form does not have only if the town is this large:
# many a hall is called like a village somewhere.
_LARGE: Final = 100_000
_POSTAL = re.compile(r"((?:[A-Za-z]{1,3}-)?(?:\d{4,6}|\d{3} \d{2})) +(?=\D)")
# Parts that may name a town: ``Neukölln, Berlin, Germany``.
_TAIL: Final = 3


@dataclass(frozen=True, slots=True)
class ReadPlace:
    """A place with its parts. ``town``: the known one in it, if it is certain."""

    venue: Venue
    town: Place | None = None


def text_of(venue: Venue) -> str:
    """The place in one line. Its country and its point are left out."""
    town = " ".join(part for part in (venue.postal_code, venue.locality) if part)
    return ", ".join(part for part in (venue.name, venue.street, town, venue.region) if part)


def head_of(text: str) -> str:
    """What stands before the last comma, where suggestions for the town begin."""
    return text.rpartition(",")[0].strip()


def at_town(head: str, town: Place) -> Venue:
    """The place at a chosen town. ``head``: what was typed in front of the town."""
    return _with_head(_parts_of(head), _venue(town, [town.name], ""))


def read_place(text: str, find: FindPlace, *, country: str = "", is_asked: bool = False) -> ReadPlace:
    """The parts of a place, without a point. ``country``: the one that the form has; it stays where the text names no other.

    Every word of the text is in a part. What is no town that can be told stays in the name. ``is_asked``: somebody asked
    which town it is, so that a small one far away may be meant.
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
        # ``Sonnenallee 98, Berlin`` is an address; a hall with a number in its name has a street behind it.
        is_street = bool(town.locality) and re.search(r"\d", head[0]) is not None
        return replace(town, street=head[0]) if is_street else replace(town, name=head[0])
    return replace(town, name=head[0], street=", ".join(head[1:]))


def _town(
    parts: list[str], find: FindPlace, country: str, *, is_asked: bool, may_end_in_country: bool = True
) -> tuple[list[str], Venue, Place | None]:
    """The parts in front of the town, and the town."""
    for count in range(min(_TAIL, len(parts)), 0, -1) if find else ():
        tail = parts[-count:]
        postal, first = _without_postal(tail[0])
        place = find(", ".join((first, *tail[1:]))).place if find else None
        if place is not None and (is_asked or postal or _is_meant(place, tail, parts, country)):
            return parts[:-count], _venue(place, [first, *tail[1:]], postal), place
    last = parts[-1]
    code = names.known_code(last) if may_end_in_country and len(parts) > 1 else None
    if code:
        named = names.name_of(code)
        head, town, place = _town(parts[:-1], find, named, is_asked=is_asked, may_end_in_country=False)
        return head, replace(town, country=named), place
    return *_unknown_town(parts, find, Venue(country=country)), None


def _unknown_town(parts: list[str], find: FindPlace, nothing: Venue) -> tuple[list[str], Venue]:
    """A last part that is written like a town, though none is certain."""
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
    """Whether a name alone means a town: several names together do, and so does a town of the country or a large one."""
    if len(tail) > 1:
        return True
    home = names.known_code(country) if country else None
    if len(parts) > 1 and not home:
        return True
    return place.country == home or place.population >= _LARGE


def _venue(place: Place, tail: Sequence[str], postal: str) -> Venue:
    """The town as it was typed (``München``, ``Neukölln, Berlin``), with the country's and region's names left to their fields."""
    about = {folded(place.region), folded(place.region_code)} - {""}
    kept = [
        part
        for number, part in enumerate(tail)
        if number == 0 or (folded(part) not in about and names.known_code(part) != place.country)
    ]
    if folded(kept[0]) == folded(place.name):
        kept[0] = place.name
    return Venue(
        locality=", ".join(kept), region=place.region, country=names.name_of(place.country), postal_code=postal
    )


def _without_postal(part: str) -> tuple[str, str]:
    found = _POSTAL.match(part)
    return (found[1], part[found.end() :]) if found else ("", part)

"""Property values of calendar files: CATEGORIES and structured VLOCATION."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from icalendar import Component as Written
from icalendar.prop import vText

from openmeet.domain.events.values import MAX_CATEGORIES, MAX_PLACE_PART, NOWHERE, Venue
from openmeet.domain.events.vocabulary import CATEGORY_LABELS, MAX_TAG, MAX_TAGS, Category, normalised
from openmeet.domain.icalendar.components import Component, Text
from openmeet.i18n.countries import known_code
from openmeet.i18n.markdown import one_line

# Marks events that a group follows but that were created in another app. It is shown to readers and is not a topic.
ELSEWHERE: Final = "From another app"

# Files have topics in English, whatever the reader's language.
_BY_LABEL: Final = {words.message: category for category, words in CATEGORY_LABELS.items()}


def category_values(categories: Iterable[Category], tags: Iterable[str]) -> tuple[str, ...]:
    """Convert an event's categories and tags to values of ``CATEGORIES``."""
    return (*(CATEGORY_LABELS[one].message for one in categories), *tags)


def topics_in(values: Sequence[str]) -> tuple[tuple[Category, ...], tuple[str, ...]]:
    """Split parsed values into topics and tags, up to the maximum number of each.

    A topic must match exactly, including case. In lower case it counts as a tag, because all tags are in lower case.
    """
    categories = [_BY_LABEL[value] for value in values if value in _BY_LABEL][:MAX_CATEGORIES]
    others = [value for value in values if value != ELSEWHERE and _BY_LABEL.get(value) not in categories]
    tags = dict.fromkeys(tag for tag in map(normalised, others) if tag and len(tag) <= MAX_TAG)
    return tuple(categories), tuple(tags)[:MAX_TAGS]


_SCHEMA = "https://schema.org/PostalAddress"
_PARAMETERS = {"VALUE": "TEXT", "FMTTYPE": "application/ld+json", "SCHEMA": _SCHEMA}
# An address has a few lines; anything longer is not an address.
_MAX_ADDRESS = 8_000


class _Location(Written):
    name = "VLOCATION"


class _Address(msgspec.Struct, rename="camel", omit_defaults=True):
    """A PostalAddress, reduced to the parts that a venue has."""

    kind: str = msgspec.field(default="", name="@type")
    name: str = ""
    street_address: str = ""
    postal_code: str = ""
    address_locality: str = ""
    address_region: str = ""
    address_country: str = ""


def written_place(venue: Venue) -> Written | None:
    """The VLOCATION component for a place; None if the place has nothing to show. The same place always gets the same
    UID.
    """
    if not venue.lines:
        return None
    address = _Address(
        "PostalAddress",
        venue.name,
        venue.street,
        venue.postal_code,
        venue.locality,
        venue.region,
        venue.country,
    )
    text = msgspec.json.encode(address).decode()
    place = _Location()
    place.add("uid", "place-" + hashlib.sha256(text.encode()).hexdigest()[:32])
    if venue.name:
        place.add("name", Text(venue.name))
    place.add("structured-data", Text(text, params=_PARAMETERS))
    return place


def place_in(event: Component) -> Venue | None:
    """The first place of an event that has a structured address. Coordinates are not included, because they are in GEO."""
    return next((venue for one in event.inside if one.name == "VLOCATION" and (venue := _venue(one))), None)


def _venue(component: Component) -> Venue | None:
    try:
        place = Written.from_ical(component.text)
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    structured = place.get("STRUCTURED-DATA")
    for one in structured if isinstance(structured, list) else [structured]:
        if not isinstance(one, vText) or one.params.get("SCHEMA") != _SCHEMA or len(one) > _MAX_ADDRESS:
            continue
        try:
            address = msgspec.json.decode(str(one), type=_Address)
        except (msgspec.MsgspecError, RecursionError):
            continue
        venue = Venue(
            name=_part(address.name),
            street=_part(address.street_address),
            locality=_part(address.address_locality),
            region=_part(address.address_region),
            country=known_code(one_line(address.address_country)) or "",
            postal_code=_part(address.postal_code),
        )
        return None if venue == NOWHERE else venue
    return None


def _part(text: str) -> str:
    return one_line(text.replace("\x00", ""))[:MAX_PLACE_PART]

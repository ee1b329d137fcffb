"""Parse streets and venues from responses of the geocoders Photon and Nominatim. Pure.

The responses are untrusted: malformed parts are left out, texts are truncated and put on one line, and coordinates are
checked. Time zones are not taken from them. Formats: ``https://github.com/komoot/photon``,
``https://nominatim.org/release-docs/latest/api/Output/``.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from openmeet.i18n.markdown import one_line

MAX_ADDRESSES: Final = 6
_MAX_TEXT: Final = 200
# Maximum number of entries read from a response.
_MOST_READ: Final = 20
# Countries in which the house number precedes the street.
_NUMBER_FIRST: Final = frozenset({"AU", "CA", "FR", "GB", "IE", "IN", "LU", "NZ", "US", "ZA"})


class GeocoderKind(StrEnum):
    """The geocoder's software."""

    PHOTON = "photon"
    NOMINATIM = "nominatim"


class StreetAddress(msgspec.Struct, frozen=True):
    """A street, a house or a venue. ``country``: ISO 3166 code. ``zone``: IANA name, taken from the list of places."""

    name: str
    street: str
    postal_code: str
    locality: str
    region: str
    country: str
    latitude: float
    longitude: float
    zone: str = ""

    @property
    def key(self) -> str:
        """Identifies this address among the results of a query."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]

    @property
    def line(self) -> str:
        """The address on one line, without the country."""
        town = " ".join(part for part in (self.postal_code, self.locality) if part)
        return ", ".join(part for part in (self.name, self.street, town) if part)


def addresses_in(document: object, kind: GeocoderKind) -> list[StreetAddress]:
    """The addresses in a response, in order, without repeated lines."""
    parse_entry: Callable[[object], StreetAddress | None]
    if kind is GeocoderKind.PHOTON:
        entries, parse_entry = _mapping(document).get("features"), _of_photon
    else:
        entries, parse_entry = document, _of_nominatim
    addresses: dict[str, StreetAddress] = {}
    for entry in entries[:_MOST_READ] if isinstance(entries, list) else ():
        address = parse_entry(entry)
        if address is not None and address.line:
            addresses.setdefault(address.line, address)
    return list(addresses.values())[:MAX_ADDRESSES]


def _of_photon(entry: object) -> StreetAddress | None:
    feature = _mapping(entry)
    about = _mapping(feature.get("properties"))
    point = _mapping(feature.get("geometry")).get("coordinates")
    if not isinstance(point, list) or len(point) != 2:
        return None
    name, kind = _text(about, "name"), _text(about, "type")
    street = name if kind == "street" else _text(about, "street")
    return _address(
        name="" if kind in {"street", "house", *_AREAS} and (kind != "house" or name == street) else name,
        street=street,
        number=_text(about, "housenumber"),
        postal_code=_text(about, "postcode"),
        locality=_first(about, "city", "town", "village", "locality") or (name if kind in _AREAS else ""),
        region=_text(about, "state"),
        country=_text(about, "countrycode"),
        point=(point[1], point[0]),
    )


# Photon's types for areas without house numbers. Their name is that of the town.
_AREAS: Final = frozenset({"city", "district", "locality", "county", "state", "country"})


def _of_nominatim(entry: object) -> StreetAddress | None:
    fields = _mapping(entry)
    about = _mapping(fields.get("address"))
    name, street = _text(fields, "name"), _first(about, "road", "pedestrian", "footway", "square")
    locality = _first(about, "city", "town", "village", "municipality", "hamlet", "suburb")
    return _address(
        name="" if name in {street, locality, _text(about, "house_number")} else name,
        street=street,
        number=_text(about, "house_number"),
        postal_code=_text(about, "postcode"),
        locality=locality,
        region=_text(about, "state"),
        country=_text(about, "country_code"),
        point=(fields.get("lat"), fields.get("lon")),
    )


def _address(
    *,
    name: str,
    street: str,
    number: str,
    postal_code: str,
    locality: str,
    region: str,
    country: str,
    point: tuple[object, object],
) -> StreetAddress | None:
    latitude, longitude = (_degrees(part, most) for part, most in zip(point, (90, 180), strict=True))
    if latitude is None or longitude is None:
        return None
    code = country.upper() if len(country) == 2 and country.isascii() and country.isalpha() else ""
    parts = (number, street) if code in _NUMBER_FIRST else (street, number)
    return StreetAddress(
        name=name,
        street=" ".join(part for part in parts if part) if street else "",
        postal_code=postal_code[:20],
        locality=locality,
        # For a city that is also a state, the state adds nothing.
        region="" if region == locality else region,
        country=code,
        latitude=latitude,
        longitude=longitude,
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(about: Mapping[str, object], key: str) -> str:
    value = about.get(key)
    # Commas separate the parts of the line that people edit.
    return one_line(value[: 2 * _MAX_TEXT].replace(",", " "))[:_MAX_TEXT] if isinstance(value, str) else ""


def _first(about: Mapping[str, object], *keys: str) -> str:
    return next(_found(about, keys), "")


def _found(about: Mapping[str, object], keys: tuple[str, ...]) -> Iterator[str]:
    return (text for key in keys if (text := _text(about, key)))


def _degrees(value: object, most: float) -> float | None:
    """Parse degrees, which Nominatim writes as text. None if they are out of range."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value[:30] if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return round(number, 6) if math.isfinite(number) and abs(number) <= most else None

"""Streets and venues as a geocoder names them, read from the answers of Photon and Nominatim. Pure.

The answers are a stranger's: what is malformed is left out, texts are cut and in one line, points are on the Earth. The time
zone is not taken from them. ``https://github.com/komoot/photon``, ``https://nominatim.org/release-docs/latest/api/Output/``.
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
# So many entries of an answer are looked at.
_MOST_READ: Final = 20
# Here the number of a house stands before its street.
_NUMBER_FIRST: Final = frozenset({"AU", "CA", "FR", "GB", "IE", "IN", "LU", "NZ", "US", "ZA"})


class GeocoderKind(StrEnum):
    """Which program answers."""

    PHOTON = "photon"
    NOMINATIM = "nominatim"


class StreetAddress(msgspec.Struct, frozen=True):
    """A street, a house or a venue. ``country``: ISO 3166 code; ``zone``: IANA name, from the list of places."""

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
        """What tells it from other answers to the same question."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]

    @property
    def line(self) -> str:
        """In one line, without the country."""
        town = " ".join(part for part in (self.postal_code, self.locality) if part)
        return ", ".join(part for part in (self.name, self.street, town) if part)


def addresses_in(answer: object, kind: GeocoderKind) -> list[StreetAddress]:
    """The addresses in an answer, in its order; of the same line one."""
    read: Callable[[object], StreetAddress | None]
    if kind is GeocoderKind.PHOTON:
        entries, read = _mapping(answer).get("features"), _of_photon
    else:
        entries, read = answer, _of_nominatim
    found: dict[str, StreetAddress] = {}
    for entry in entries[:_MOST_READ] if isinstance(entries, list) else ():
        address = read(entry)
        if address is not None and address.line:
            found.setdefault(address.line, address)
    return list(found.values())[:MAX_ADDRESSES]


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


# What Photon calls a place without a door: its name is the town's.
_AREAS: Final = frozenset({"city", "district", "locality", "county", "state", "country"})


def _of_nominatim(entry: object) -> StreetAddress | None:
    found = _mapping(entry)
    about = _mapping(found.get("address"))
    name, street = _text(found, "name"), _first(about, "road", "pedestrian", "footway", "square")
    locality = _first(about, "city", "town", "village", "municipality", "hamlet", "suburb")
    return _address(
        name="" if name in {street, locality, _text(about, "house_number")} else name,
        street=street,
        number=_text(about, "house_number"),
        postal_code=_text(about, "postcode"),
        locality=locality,
        region=_text(about, "state"),
        country=_text(about, "country_code"),
        point=(found.get("lat"), found.get("lon")),
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
        # The state of a city that is one says nothing.
        region="" if region == locality else region,
        country=code,
        latitude=latitude,
        longitude=longitude,
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(about: Mapping[str, object], key: str) -> str:
    value = about.get(key)
    # Commas part the line that people edit.
    return one_line(value[: 2 * _MAX_TEXT].replace(",", " "))[:_MAX_TEXT] if isinstance(value, str) else ""


def _first(about: Mapping[str, object], *keys: str) -> str:
    return next(_found(about, keys), "")


def _found(about: Mapping[str, object], keys: tuple[str, ...]) -> Iterator[str]:
    return (text for key in keys if (text := _text(about, key)))


def _degrees(value: object, most: float) -> float | None:
    """Nominatim writes numbers as text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value[:30] if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return round(number, 6) if math.isfinite(number) and abs(number) <= most else None

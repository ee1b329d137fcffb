"""Geocoder for streets and venues, if the operator chose one. This server queries it in addition to the list of places.

No geocoder is used unless a setting names one. It receives the typed text and the reader's language, and nothing else
about the reader. Responses are cached. While it fails, only the list of places is used. Like every request to another
server, a query is never made inside a transaction.

Responses of Photon and Nominatim are untrusted: malformed parts are left out, texts are truncated and put on one line,
and coordinates are checked. Time zones are not taken from them. Formats: ``https://github.com/komoot/photon``,
``https://nominatim.org/release-docs/latest/api/Output/``.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal
from urllib.parse import urlencode, urlsplit

import msgspec
import structlog

from groundwork.cache.contract import Cache
from groundwork.clock import SECOND, Clock, Instant
from groundwork.errors import Explanation, Refused, RemoteFailed, RemoteSlow, Unavailable, reason_of
from groundwork.http.client import HttpClient
from groundwork.rate_limit.contract import Counters, Limit
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.places.model import MAX_NAME, PlaceReason
from openmeet.i18n.markdown import one_line

log = structlog.get_logger()

LEAST_LETTERS: Final = 3

MAX_ADDRESSES: Final = 6
_MAX_RESPONSE_BYTES: Final = 128 * 1024
_KEPT_SECONDS: Final = 30 * 86_400.0
# Empty results are cached for a shorter time, because a new street may be added.
_NOTHING_KEPT_SECONDS: Final = 86_400.0
# After a failure, the geocoder is not queried for this long, so that nobody waits for it again and again.
_PAUSE: Final = 30 * SECOND
_MAX_TEXT: Final = 200
# Maximum number of entries read from a response.
_MAX_READ: Final = 20
# Languages that a public Photon server supports. It refuses all others.
_OF_PHOTON: Final = frozenset({"de", "en", "fr"})
# Countries in which the house number precedes the street.
_NUMBER_FIRST: Final = frozenset({"AU", "CA", "FR", "GB", "IE", "IN", "LU", "NZ", "US", "ZA"})

# Photon's types for areas without house numbers. Their name is that of the town.
_AREAS: Final = frozenset({"city", "district", "locality", "county", "state", "country"})

_NEVER: Final = Instant(0)

GeocoderState = Literal["unknown", "answers", "fails"]


class GeocoderKind(StrEnum):
    """The geocoder's software."""

    PHOTON = "photon"
    NOMINATIM = "nominatim"


# Nominatim's public server allows one request per second for the whole site (usage policy).
_LIMITS: Final = {
    GeocoderKind.NOMINATIM: Limit("geocoder", 1, 1),
    GeocoderKind.PHOTON: Limit("geocoder", 10, 1),
}


@dataclass(frozen=True, slots=True)
class GeocoderSettings:
    """Settings of a geocoder.

    ``url``: without the path of the method. ``credit``: the attribution that its licence requires. ``while_typing``:
    also query it for suggestions.
    """

    kind: GeocoderKind
    url: str
    credit: str
    user_agent: str
    while_typing: bool = False
    timeout_seconds: float = 3.0


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


@dataclass(slots=True)
class Geocoder:
    """The geocoder of an installation."""

    settings: GeocoderSettings
    http: HttpClient
    cache: Cache
    counters: Counters
    clock: Clock
    places: Gazetteer
    _silent_until: Instant = _NEVER
    # Result of this process's latest request, and the failure if it failed.
    state: GeocoderState = "unknown"
    failure: Explanation | None = None

    @property
    def host(self) -> str:
        return urlsplit(self.settings.url).hostname or self.settings.url

    async def find(self, text: str, language: str) -> list[StreetAddress]:
        """Find streets and venues, the most likely first. Raises Unavailable while the geocoder fails."""
        query_text = " ".join(text.split())[:MAX_NAME]
        if len(query_text) < LEAST_LETTERS:
            return []
        language = language if self.settings.kind is GeocoderKind.NOMINATIM or language in _OF_PHOTON else "default"
        digest = hashlib.sha256(f"{self.settings.url}\n{language}\n{query_text.casefold()}".encode()).hexdigest()
        key = f"geocoder:{self.settings.kind}:{digest}"
        addresses = await self._kept(key)
        if addresses is None:
            addresses = addresses_in(await self._query(query_text, language), self.settings.kind)
            with suppress(Unavailable):
                lasting = _KEPT_SECONDS if addresses else _NOTHING_KEPT_SECONDS
                await self.cache.put(key, msgspec.json.encode(addresses), ttl_seconds=lasting)
        return [self._in_its_zone(one) for one in addresses]

    async def check(self) -> GeocoderState:
        """Query the geocoder, unless it is paused or at its limit, and return its state."""
        with suppress(Unavailable):
            await self._query("Berlin", "en")
        return self.state

    async def _kept(self, key: str) -> Sequence[StreetAddress] | None:
        with suppress(Unavailable, msgspec.MsgspecError):
            cached = await self.cache.get(key)
            return None if cached is None else msgspec.json.decode(cached, type=list[StreetAddress])
        return None

    async def _query(self, text: str, language: str) -> object:
        if self.clock.now() < self._silent_until:
            raise Unavailable(
                PlaceReason.STREETS_NOT_ASKED, after_seconds=(self._silent_until - self.clock.now()) / SECOND
            )
        limit = _LIMITS[self.settings.kind]
        # Processes that share a cache also share these counters.
        counted = await self.counters.add(limit, self.settings.url, 1, self.clock.now())
        if counted.is_refused:
            raise Unavailable(PlaceReason.STREETS_NOT_ASKED, after_seconds=limit.window_seconds)
        try:
            response = await self.http.get(
                self._address_of(text, language),
                headers={
                    "user-agent": self.settings.user_agent,
                    "accept": "application/json",
                    "accept-language": language,
                },
                timeout_seconds=self.settings.timeout_seconds,
                max_bytes=_MAX_RESPONSE_BYTES,
            )
            document = response.expect_ok().json()
        except (RemoteFailed, RemoteSlow, Refused) as failed:
            self._silent_until = Instant(self.clock.now() + _PAUSE)
            self.state, self.failure = "fails", reason_of(failed)
            log.warning("geocoder.failed", url=self.settings.url, error=str(failed))
            raise Unavailable(PlaceReason.STREETS_NOT_ASKED, after_seconds=_PAUSE / SECOND) from None
        self.state, self.failure = "answers", None
        return document

    def _address_of(self, text: str, language: str) -> str:
        base = self.settings.url.rstrip("/")
        if self.settings.kind is GeocoderKind.PHOTON:
            return f"{base}/api?" + urlencode({"q": text, "limit": MAX_ADDRESSES, "lang": language})
        parameters = {"q": text, "format": "jsonv2", "addressdetails": 1, "limit": MAX_ADDRESSES}
        return f"{base}/search?" + urlencode({**parameters, "accept-language": language})

    def _in_its_zone(self, address: StreetAddress) -> StreetAddress:
        return msgspec.structs.replace(
            address, zone=self.places.zone_at(address.latitude, address.longitude, country=address.country)
        )


def addresses_in(document: object, kind: GeocoderKind) -> list[StreetAddress]:
    """The addresses in a response, in order, without repeated lines."""
    parse_entry: Callable[[object], StreetAddress | None]
    if kind is GeocoderKind.PHOTON:
        entries, parse_entry = _mapping(document).get("features"), _of_photon
    else:
        entries, parse_entry = document, _of_nominatim
    addresses: dict[str, StreetAddress] = {}
    for entry in entries[:_MAX_READ] if isinstance(entries, list) else ():
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

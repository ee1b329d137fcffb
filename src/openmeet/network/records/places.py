"""Locations and media of an event record: read in every known dialect, written in the community's.

A geo entry without a name, listed together with a single address, is that address's point. Coordinates are decimal
degrees as text, because the data model has no floats; numbers occur if an aggregator passed on JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from openmeet.domain.events.inputs import is_web_address
from openmeet.domain.events.place_text import coordinate_of
from openmeet.domain.events.values import MAX_PLACE_PART, EventLink, Venue
from openmeet.i18n.countries import known_code
from openmeet.network.records.preserve import origin_mark_of
from openmeet.network.records.reading_notes import Notes, line_of, text_of

ADDRESS = "community.lexicon.location.address"
GEO = "community.lexicon.location.geo"
FSQ = "community.lexicon.location.fsq"
HTHREE = "community.lexicon.location.hthree"
URI = "community.lexicon.calendar.event#uri"
LEGACY_PLACE = "events.smokesignal.calendar.location#place"
LEGACY_VIRTUAL = "events.smokesignal.calendar.location#virtual"

_ADDRESS_PARTS = (
    ("name", "name"),
    ("street", "street"),
    ("locality", "locality"),
    ("region", "region"),
    ("postalCode", "postal_code"),
    ("country", "country"),
)


@dataclass(frozen=True, slots=True)
class ListedVenue:
    """A venue and its position. ``entries``: the indexes of the entries it was read from."""

    venue: Venue
    entries: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RecordLocations:
    """The content of a list of locations. ``online``: the links among them, with the index of each."""

    venues: tuple[ListedVenue, ...] = ()
    online: tuple[tuple[int, EventLink], ...] = ()


def read_places(record: Mapping[str, object], notes: Notes) -> RecordLocations:
    """Read ``locations`` (or the older ``location``, a list or a single entry)."""
    key = "locations" if "locations" in record else "location"
    listed = record.get(key)
    if listed is None:
        return RecordLocations()
    entries = listed if isinstance(listed, list) else [listed]
    venues: list[ListedVenue] = []
    online: list[tuple[int, EventLink]] = []
    for index, entry in enumerate(entries):
        path = f"{key}/{index}" if isinstance(listed, list) else key
        if not isinstance(entry, Mapping):
            notes.keep(path, "is not an object")
            continue
        match _kind_of(entry):
            case "address":
                venue = _address(entry)
                if venue.is_empty:
                    notes.keep(path, "is an address without any part")
                else:
                    venues.append(ListedVenue(venue, (index,)))
                    notes.read("venue", path, ", ".join(venue.lines))
            case "point":
                _read_point(entry, path, index, venues, notes)
            case "online":
                _read_online(entry, path, index, online, notes)
            case "cell":
                notes.keep(path, "is an H3 cell, which cannot be shown on a map here")
            case _:
                notes.keep(path, f"is of an unknown type: {entry.get('$type')}")
    return RecordLocations(tuple(venues), tuple(online))


def entries_of(venue: Venue) -> list[Value]:
    """Return the entries that we write for a venue: an address if the country is known, then the point. May be empty."""
    entries: list[Value] = []
    country = code_of(venue.country)
    if country is not None:
        address: dict[str, Value] = {"$type": ADDRESS, "country": country}
        for key, part in _ADDRESS_PARTS[:-1]:
            text = getattr(venue, part)
            if text:
                address[key] = text
        entries.append(address)
    latitude, longitude = coordinate_of(venue.latitude, 90), coordinate_of(venue.longitude, 180)
    if latitude is not None and longitude is not None:
        point: dict[str, Value] = {"$type": GEO, "latitude": _short(latitude), "longitude": _short(longitude)}
        if country is None and venue.name:
            point["name"] = venue.name
        entries.append(point)
    return entries


def is_same_place(one: Venue, other: Venue) -> bool:
    """Whether two venues would be written in the same way. A country may be given by code or by name."""
    return entries_of(one) == entries_of(other) and (
        bool(entries_of(one)) or replace(one, country="") == replace(other, country="")
    )


def share_a_part(one: Venue, other: Venue) -> bool:
    """Whether two venues may be the same place, described differently.

    They share name, street or point; or, if one of them has none of these, the town.
    """
    parts = ((one.name, other.name), (one.street, other.street), (_point(one), _point(other)))
    if any(one_part and one_part == theirs for one_part, theirs in parts):
        return True
    is_town = not any(one_part for one_part, _ in parts) or not any(theirs for _, theirs in parts)
    return is_town and bool(one.locality) and one.locality == other.locality


def online_entry(url: str) -> Value:
    """Build a location entry for a public join link."""
    return {"$type": URI, "uri": url}


def _point(venue: Venue) -> str:
    return f"{venue.latitude} {venue.longitude}" if venue.latitude else ""


def _short(degrees: str) -> str:
    # Seven decimals are a centimetre; other readers refuse more.
    digits, _, fraction = degrees.partition(".")
    return f"{digits or '0'}.{fraction[:7]}" if fraction else digits


def _kind_of(entry: Mapping[str, object]) -> str:
    declared = entry.get("$type")
    if isinstance(declared, str):
        return {
            ADDRESS: "address",
            LEGACY_PLACE: "address",
            GEO: "point",
            FSQ: "point",
            HTHREE: "cell",
            URI: "online",
            LEGACY_VIRTUAL: "online",
        }.get(declared, "")
    if "latitude" in entry:
        return "point"
    if any(key in entry for key in ("country", "street", "locality")):
        return "address"
    if "uri" in entry or "url" in entry:
        return "online"
    return ""


def _address(entry: Mapping[str, object]) -> Venue:
    parts = {part: line_of(entry.get(key), MAX_PLACE_PART) for key, part in _ADDRESS_PARTS}
    return Venue(**parts)


def _read_point(entry: Mapping[str, object], path: str, index: int, venues: list[ListedVenue], notes: Notes) -> None:
    latitude, longitude = coordinate_of(entry.get("latitude"), 90), coordinate_of(entry.get("longitude"), 180)
    name = line_of(entry.get("name"), MAX_PLACE_PART)
    if latitude is None or longitude is None:
        if entry.get("$type") == FSQ and name:
            venues.append(ListedVenue(Venue(name=name), (index,)))
            notes.read("venue", path, name)
        elif entry.get("$type") == FSQ:
            notes.keep(path, "is a Foursquare place without name and coordinates")
        else:
            notes.keep(path, "has no usable coordinates")
        return
    before = venues[-1] if venues else None
    if not name and before is not None and before.entries == (index - 1,) and not before.venue.latitude:
        venues[-1] = ListedVenue(
            replace(before.venue, latitude=latitude, longitude=longitude), (*before.entries, index)
        )
    else:
        venues.append(ListedVenue(Venue(name=name, latitude=latitude, longitude=longitude), (index,)))
    notes.read("coordinates", path, f"{latitude}, {longitude}")


def _read_online(
    entry: Mapping[str, object], path: str, index: int, online: list[tuple[int, EventLink]], notes: Notes
) -> None:
    uri = text_of(entry.get("uri") if "uri" in entry else entry.get("url")) or ""
    if not is_followable(uri):
        notes.keep(path, "is not a link that may be followed (https, http and at only)")
        return
    online.append((index, EventLink(uri, line_of(entry.get("name"), MAX_PLACE_PART))))


def is_followable(uri: str) -> bool:
    """Whether this may be rendered as a link; never true for ``javascript:`` or ``data:``."""
    return is_web_address(uri) or (uri.startswith("at://") and not any(c.isspace() for c in uri))


def without(entries: Sequence[Value], indexes: Sequence[int]) -> list[Value]:
    """Return the list without the entries at these indexes, in order."""
    return [entry for index, entry in enumerate(entries) if index not in set(indexes)]


KEY: Final = "picture"
_TYPE: Final = "community.lexicon.calendar.event#media"
_ROLES: Final = ("header", "thumbnail")


@dataclass(frozen=True, slots=True)
class PictureToWrite:
    """Our picture as a blob. Its CID is derived from its bytes, so it is known before the upload."""

    cid: Cid
    mime_type: str
    size: int
    alt: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ParsedPicture:
    """A picture that a record refers to. ``width`` and ``height`` are claimed by the record; 0 if missing."""

    cid: str
    alt: str
    width: int
    height: int


def put_media(record: dict[str, Value], ours: PictureToWrite | None, known: str) -> None:
    """Make the record show our picture, or remove ours. ``known``: the CID of the one that we wrote before, or empty."""
    listed = record.get("media")
    if listed is not None and not isinstance(listed, list):
        return  # an unknown format, so nothing in it is ours
    entries: list[Value] = list(listed or [])
    at = next((index for index, entry in enumerate(entries) if known and _cid_in(entry) == known), None)
    if ours is None:
        if at is not None:
            entries.pop(at)
    elif at is not None:
        entries[at] = _entry(ours, entries[at])
    elif str(ours.cid) != known:
        entries.insert(0, _entry(ours, None))
    if entries != (listed or []):
        if entries:
            record["media"] = entries
        else:
            record.pop("media", None)


def blob_value(ours: PictureToWrite) -> Value:
    """Return the blob reference for a record."""
    return {"$type": "blob", "ref": ours.cid, "mimeType": ours.mime_type, "size": ours.size}


def cid_of_blob(value: object) -> str:
    """Return the CID of a blob reference; empty if this is not one."""
    reference = value.get("ref") if isinstance(value, Mapping) else None
    if isinstance(reference, Cid):
        return str(reference)
    if isinstance(reference, Mapping):  # a link in JSON form
        reference = reference.get("$link")
    if not isinstance(reference, str):
        return ""
    try:
        return str(Cid.parse(reference))
    except Malformed:
        return ""  # some apps write invalid CIDs


def known_picture(*versions: Mapping[str, object] | None) -> str:
    """Return the CID of our picture from the first of these versions that has one; empty if none does."""
    for version in versions:
        value = origin_mark_of(version).get(KEY)
        if isinstance(value, str):
            return value
    return ""


def read_media(record: Mapping[str, object]) -> ParsedPicture | None:
    """Return the event's picture: the header, otherwise the thumbnail, otherwise the first one. None if no entry refers
    to a blob.
    """
    listed = record.get("media")
    images: list[tuple[int, ParsedPicture]] = []
    for entry in listed if isinstance(listed, list) else []:
        cid = _cid_in(entry)
        if not cid or not isinstance(entry, Mapping):
            continue
        role, alt, ratio = entry.get("role"), entry.get("alt"), entry.get("aspect_ratio")
        sides = ratio if isinstance(ratio, Mapping) else {}
        rank = _ROLES.index(role) if role in _ROLES else len(_ROLES)
        images.append(
            (
                rank,
                ParsedPicture(cid, alt if isinstance(alt, str) else "", _side(sides, "width"), _side(sides, "height")),
            )
        )
    return min(images, key=lambda one: one[0])[1] if images else None


def _entry(ours: PictureToWrite, before: Value) -> Value:
    previous_entry = before if isinstance(before, dict) else {"$type": _TYPE, "role": _ROLES[0]}
    sides: Value = {"width": ours.width, "height": ours.height}
    return {**previous_entry, "alt": ours.alt, "aspect_ratio": sides, "content": blob_value(ours)}


def _cid_in(entry: object) -> str:
    return cid_of_blob(entry.get("content")) if isinstance(entry, Mapping) else ""


def _side(sides: Mapping[object, object], name: str) -> int:
    value = sides.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 100_000 else 0


# The Lexicon limits ``country`` to between 2 and 10 bytes.
MIN_BYTES = 2
MAX_BYTES = 10


def code_of(country: str) -> str | None:
    """Return the value to write for a country: its two-letter code if we know it, otherwise the text if it fits,
    otherwise None.
    """
    text = country.strip()
    code = known_code(text)
    if code is not None:
        return code
    if len(text) == 2 and text.isascii() and text.isalpha():
        return text.upper()
    return text if MIN_BYTES <= len(text.encode()) <= MAX_BYTES else None

"""Tolerant reader: parses an event record of any dialect into a ``NetworkEvent``.

Only records that cannot be an event are rejected and kept raw with the reason: not a map, a ``$type`` other than its
collection, larger than 1 MB, a start outside the years 1900 to 2200. Everything else is read as far as possible, and
noted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Final

import regex

from at_protocol.failures import Malformed
from at_protocol.syntax.datetime import format_datetime, parse_datetime
from at_protocol.syntax.tid import parse_tid, to_microseconds
from groundwork.clock import DAY, Instant
from openmeet.domain.events import all_day
from openmeet.domain.events.content import extension_of
from openmeet.domain.events.model import EventStatus, NetworkEvent
from openmeet.domain.events.values import MAX_DESCRIPTION, MAX_PLACE_PART, MAX_TITLE, EventLink, Mode
from openmeet.i18n.markdown import is_visible, one_line
from openmeet.network.records.collections import (
    DETAILS_KEY,
    DETAILS_KEYS,
    OLDER_META_KEY,
    ORIGIN_KEYS,
    SERIES_LINK_KEYS,
    SUCCESSION_KEYS,
)
from openmeet.network.records.extension import RecordDetails, note_older_meta, read_details, stated_parts
from openmeet.network.records.places import RecordLocations, is_followable, read_places
from openmeet.network.records.preserve import sentence_in, without_sentence
from openmeet.network.records.reading_notes import (
    Notes,
    Unmappable,
    line_of,
    of_another_type,
    shortened,
    text_of,
    token_of,
)
from openmeet.network.records.reasons import RecordReason
from openmeet.recurrence import wall_time
from openmeet.recurrence.wall_time import FIRST_YEAR, LAST_YEAR, zone_names

MAX_RECORD_BYTES: Final = 1_000_000
UNTITLED: Final = "(untitled)"
TITLE_GRAPHEMES: Final = 80

_MODES = {"inperson": Mode.IN_PERSON, "virtual": Mode.ONLINE, "hybrid": Mode.HYBRID}
_STATUSES = {status.value: status for status in EventStatus}
# 1900-01-01 and the day after 2200-12-31, in UTC.
_EARLIEST = parse_datetime(f"{FIRST_YEAR}-01-01T00:00:00Z")
_TOO_LATE = parse_datetime(f"{LAST_YEAR + 1}-01-01T00:00:00Z")
# TIDs were introduced in 2022. An older one is a key that only looks like a TID, or the event's own date.
_FIRST_TIDS = parse_datetime("2022-01-01T00:00:00Z")
_GRAPHEME = regex.compile(r"\X")

# The keys of all dialects, the community's first.
_TITLE_KEYS: Final = ("name", "title")
_DESCRIPTION_KEYS: Final = ("description", "text")
# All keys that are read here or by ``places``. ``inspect`` lists the others.
_READ_KEYS: Final = frozenset(
    {
        "$type",
        *_TITLE_KEYS,
        *_DESCRIPTION_KEYS,
        "startsAt",
        "endsAt",
        "timezone",
        "mode",
        "status",
        "locations",
        "location",
        "uris",
        "createdAt",
        "preferences",
        *ORIGIN_KEYS,
        *DETAILS_KEYS,
        *SERIES_LINK_KEYS,
        *SUCCESSION_KEYS,
    }
)


@dataclass(frozen=True, slots=True)
class OriginMark:
    """The installation that the record claims it was written by (``ingestion.origins``)."""

    instance: str
    event_id: str
    version: int


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    """The content of a record: the event value, the claimed origin, and the notes."""

    event: NetworkEvent
    origin: OriginMark | None
    places: RecordLocations
    notes: Notes


def read_event(collection: str, record: object, *, rkey: str, indexed_at: Instant) -> ParsedEvent:
    """Read a decoded event record. Raises Unmappable with the sentence to store with the record."""
    if not isinstance(record, Mapping):
        raise Unmappable(RecordReason.NOT_A_MAP)
    declared = record.get("$type")
    if declared is not None and declared != collection:
        raise of_another_type(declared, collection)
    notes = Notes()
    if declared is None:
        notes.keep("$type", "is missing; the type follows from the collection")
    description = without_sentence(_description(record, notes), sentence_in(record))
    name = _name(record, description, notes)
    starts_at, starts_text = _start(record, notes)
    ends_at, ends_text = _end(record, starts_at, notes)
    named_zone = _zone(record, starts_text, notes)
    time_zone = named_zone or "UTC"
    places = read_places(record, notes)
    stated_mode = _stated_mode(record, notes)
    mode = stated_mode or _mode_by_places(places, notes)
    links = _links(record, notes)
    online_url, links = _online(places, links, stated_mode, notes)
    origin = read_origin(record, notes)
    details = _details(record, notes)
    event = NetworkEvent(
        name=name,
        description=_shown(description, notes),
        starts_at=starts_at,
        ends_at=ends_at,
        starts_text=starts_text,
        ends_text=ends_text,
        time_zone=time_zone,
        mode=mode,
        status=_status(record, notes),
        venues=tuple(place.venue for place in places.venues),
        online_url=online_url,
        links=links,
        is_discoverable=_is_discoverable(record, notes),
        created_at=_created(record, rkey, indexed_at, notes),
        is_all_day=_is_all_day(details, starts_at, ends_at, time_zone, notes),
        is_zone_assumed=not named_zone,
        **extension_of(details),
    )
    _note_foreign_keys(record, notes)
    return ParsedEvent(event, origin, places, notes)


def _details(record: Mapping[str, object], notes: Notes) -> RecordDetails:
    """Read our details, which go beyond the Lexicon."""
    details = read_details(record)
    for name, value in stated_parts(details):
        notes.read(name, DETAILS_KEY, value)
    return details


def _is_all_day(
    details: RecordDetails, starts_at: Instant | None, ends_at: Instant | None, zone: str, notes: Notes
) -> bool:
    """Whether our details say all-day and the times agree. Other apps change the times but leave the flag."""
    if not details.is_all_day or starts_at is None or not wall_time.is_zone(zone):
        return False
    if not all_day.are_whole(starts_at, ends_at, zone):
        notes.keep(DETAILS_KEY, "says all-day, but the times are not whole days")
        return False
    notes.read("whole days", DETAILS_KEY, "yes")
    return True


def read_origin(record: Mapping[str, object], notes: Notes) -> OriginMark | None:
    """Read our own mark, in any spelling that we have ever written."""
    for key in ORIGIN_KEYS:
        origin = record.get(key)
        if not isinstance(origin, Mapping):
            continue
        instance, event_id, version = (
            text_of(origin.get("instance")),
            text_of(origin.get("eventId")),
            origin.get("version"),
        )
        if instance and event_id and isinstance(version, int) and not isinstance(version, bool):
            notes.read("origin", key, f"{instance} {event_id} version {version}")
            return OriginMark(instance, event_id, version)
        notes.keep(key, "is not an origin mark")
    return None


def _name(record: Mapping[str, object], description: str, notes: Notes) -> str:
    for key in _TITLE_KEYS:
        value = record.get(key)
        text = line_of(value, MAX_TITLE)
        if value is not None and not isinstance(value, str):
            notes.keep(key, "is not a text")
        elif text and not is_visible(text):
            notes.keep(key, "has no visible characters")
        elif text:
            notes.read("title", key, text)
            return text
    if is_visible(description):
        text = "".join(_GRAPHEME.findall(one_line(description[:4000]))[:TITLE_GRAPHEMES]) or UNTITLED
        notes.read("title", f"first {TITLE_GRAPHEMES} characters of the description", text)
        return text
    notes.read("title", "nothing", UNTITLED)
    notes.keep("name", "is missing or empty")
    return UNTITLED


def _description(record: Mapping[str, object], notes: Notes) -> str:
    for key in _DESCRIPTION_KEYS:
        text = text_of(record.get(key))
        if text is not None:
            notes.read("description", key, text)
            return text
    return ""


def _shown(description: str, notes: Notes) -> str:
    if len(description) > MAX_DESCRIPTION:
        notes.keep("description", f"has more than {MAX_DESCRIPTION} characters; its beginning is shown")
    return shortened(description, MAX_DESCRIPTION)


def _start(record: Mapping[str, object], notes: Notes) -> tuple[Instant | None, str]:
    raw = record.get("startsAt")
    if raw is None:
        notes.read("start", "nothing", "to be announced")
        return None, ""
    instant = _instant(raw)
    if instant is None:
        notes.keep("startsAt", "is not a date and time with a zone; the date counts as to be announced")
        return None, ""
    if not _EARLIEST <= instant < _TOO_LATE:
        raise Unmappable(RecordReason.OUT_OF_YEARS, first=str(FIRST_YEAR), last=str(LAST_YEAR))
    notes.read("start", "startsAt", raw)
    return instant, str(raw)


def _end(record: Mapping[str, object], starts_at: Instant | None, notes: Notes) -> tuple[Instant | None, str]:
    raw = record.get("endsAt")
    if raw is None:
        return None, ""
    instant = _instant(raw)
    if instant is None:
        notes.keep("endsAt", "is not a date and time with a zone")
    elif not _EARLIEST <= instant < _TOO_LATE:
        notes.keep("endsAt", f"is outside the years {FIRST_YEAR} to {LAST_YEAR}")
    elif starts_at is not None and instant < starts_at:
        notes.keep("endsAt", "is before the start")
    else:
        notes.read("end", "endsAt", raw)
        return instant, str(raw)
    return None, ""


def _instant(value: object) -> Instant | None:
    if not isinstance(value, str):
        return None
    try:
        return Instant(parse_datetime(value))
    except Malformed:
        return None


def _zone(record: Mapping[str, object], starts_text: str, notes: Notes) -> str:
    """Return the zone or offset that the record names; empty if it names none."""
    stated_zone = record.get("timezone")
    if isinstance(stated_zone, str) and stated_zone in zone_names():
        notes.read("time zone", "timezone", stated_zone)
        return stated_zone
    if stated_zone is not None:
        notes.keep("timezone", "is not the name of a time zone")
    offset = starts_text[-6:]
    if offset[:1] in {"+", "-"} and offset[1:] != "00:00" and int(offset[1:3]) < 24:
        notes.read("time zone", "offset of startsAt", offset)
        return offset
    notes.read("time zone", "nothing better", str(UTC))
    return ""


def _stated_mode(record: Mapping[str, object], notes: Notes) -> Mode | None:
    raw = record.get("mode")
    if raw is None:
        return None
    mode = _MODES.get(token_of(raw)) if isinstance(raw, str) else None
    if mode is None:
        notes.keep("mode", f"is an unknown mode: {raw!r}")
    else:
        notes.read("mode", "mode", mode.value)
    return mode


def _mode_by_places(places: RecordLocations, notes: Notes) -> Mode:
    mode = Mode.IN_PERSON
    if places.online:
        mode = Mode.HYBRID if places.venues else Mode.ONLINE
    notes.read("mode", "the kinds of locations", mode.value)
    return mode


def _status(record: Mapping[str, object], notes: Notes) -> EventStatus:
    raw = record.get("status")
    if raw is None:
        return EventStatus.SCHEDULED
    status = _STATUSES.get(token_of(raw)) if isinstance(raw, str) else None
    if status is None:
        notes.keep("status", f"is an unknown status and counts as scheduled: {raw!r}")
        return EventStatus.SCHEDULED
    notes.read("status", "status", status.value)
    return status


def _links(record: Mapping[str, object], notes: Notes) -> tuple[EventLink, ...]:
    listed = record.get("uris")
    if listed is None:
        return ()
    if not isinstance(listed, list):
        notes.keep("uris", "is not a list")
        return ()
    links: list[EventLink] = []
    for index, entry in enumerate(listed):
        path = f"uris/{index}"
        uri = text_of(entry.get("uri")) if isinstance(entry, Mapping) else text_of(entry)
        name = line_of(entry.get("name"), MAX_PLACE_PART) if isinstance(entry, Mapping) else ""
        if uri is None or not is_followable(uri):
            notes.keep(path, "is not a link that may be followed (https, http and at only)")
            continue
        notes.read("link", path, uri)
        links.append(EventLink(uri, name))
    return tuple(links)


def _online(
    places: RecordLocations, links: tuple[EventLink, ...], stated_mode: Mode | None, notes: Notes
) -> tuple[str, tuple[EventLink, ...]]:
    """Return the join address and the links. Online locations of an in-person event become links, because they are
    tickets.
    """
    if stated_mode is Mode.IN_PERSON:
        tickets = tuple(link for _, link in places.online if all(link.uri != known.uri for known in links))
        for link in tickets:
            notes.read("link", "a location of an in-person event", link.uri)
        return "", (*links, *tickets)
    if places.online:
        url = places.online[0][1].uri
        notes.read("online address", "locations", url)
        return url, (*links, *(link for _, link in places.online[1:] if link not in links))
    if stated_mode is Mode.ONLINE and links:
        notes.read("online address", "uris/0", links[0].uri)
        return links[0].uri, links
    return "", links


def _is_discoverable(record: Mapping[str, object], notes: Notes) -> bool:
    preferences = record.get("preferences")
    if isinstance(preferences, Mapping) and isinstance(preferences.get("showInDiscovery"), bool):
        shown = preferences["showInDiscovery"] is True
        notes.read("in search", "preferences/showInDiscovery", "yes" if shown else "no")
        return shown
    return True


def _created(record: Mapping[str, object], rkey: str, indexed_at: Instant, notes: Notes) -> Instant:
    instant = _instant(record.get("createdAt"))
    if instant is not None and _EARLIEST <= instant < _TOO_LATE:
        notes.read("created", "createdAt", record["createdAt"])
        return instant
    notes.keep("createdAt", "is missing" if record.get("createdAt") is None else "is not a date and time")
    moment = moment_of_key(rkey)
    if moment is not None and moment <= indexed_at + DAY:
        notes.read("created", "the record key", format_datetime(moment))
        return moment
    return indexed_at


def moment_of_key(rkey: str) -> Instant | None:
    """Return the time in a record key that is a plausible TID; None for any other key."""
    try:
        moment = to_microseconds(parse_tid(rkey))
    except Malformed:
        return None
    return Instant(moment) if _FIRST_TIDS <= moment < _TOO_LATE else None


def _note_foreign_keys(record: Mapping[str, object], notes: Notes) -> None:
    for key, value in record.items():
        if key in _READ_KEYS:
            continue
        if key == "rsvpExpected" and isinstance(value, bool):
            notes.keep(key, "is the author’s preference for RSVPs; anybody may answer here")
        elif key == "media":
            notes.keep(key, "has pictures, which are stored as blobs")
        elif key == OLDER_META_KEY:
            note_older_meta(value, notes)
        elif key == "facets":
            notes.keep(key, "mark links and mentions in the description; dropped only when we change that text")
        else:
            notes.keep(key, "is not part of the calendar lexicon")

"""Which entries in an event record's lists are ours. They are recognized by their exact value, never by position alone.

Readers take the first location and the first join link of a record as the event's. Usually these are ours, adopted or
written by us. They are not if our venue cannot be written without a country, or if our link was removed and another
app's is now first. The origin mark then says so; otherwise each later edit would remove one more entry of other apps:

- ``read``: the digest of the entry that is read first although it is not ours. Once a different entry is first, the
  note is void, because ingestion has made that entry the event's.
- ``ours``: the digests of the entries that are ours; empty if none of ours is listed.

Digests are stored so that our mark does not preserve what another app removes later.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from at_protocol.data import cbor
from at_protocol.data.model import Value
from openmeet.domain.events.values import EventLink, Mode, Venue
from openmeet.network.records.collections import ORIGIN_KEYS
from openmeet.network.records.event_reader import ParsedEvent
from openmeet.network.records.places import ListedVenue, is_same_place, read_places, share_a_part
from openmeet.network.records.reading_notes import Notes, text_of

VENUE = "venue"
LINK = "link"


@dataclass(frozen=True, slots=True)
class OwnEntryNote:
    """A note in our mark, about either the locations or the join link."""

    read: str
    ours: tuple[str, ...]

    def as_value(self) -> Value:
        """Return the note in the form that the mark stores."""
        return {"read": self.read, "ours": list(self.ours)}


@dataclass(frozen=True, slots=True)
class EntryOwner:
    """The event whose notes in the mark are trusted. Another installation that shares the DID may have written about
    its own event.
    """

    instance: str
    event_id: str


@dataclass(frozen=True, slots=True)
class EarlierVersions:
    """Earlier versions of the record, if they differ.

    ``agreed``: the last one agreed with the repository. Entries that were ours in it are ours wherever they are now.
    ``written``: the last one that we wrote. Its mark is used if another app has removed the record's mark.
    """

    agreed: Mapping[str, Value] | None = None
    written: Mapping[str, Value] | None = None


# The current version is the agreed one, and ours if we wrote it.
NO_EARLIER_VERSIONS = EarlierVersions()


def digest(value: Value) -> str:
    """Return a digest of the exact value."""
    return hashlib.sha256(cbor.encode(value)).hexdigest()[:16]


def list_of(record: Mapping[str, Value]) -> tuple[str, list[Value]]:
    """Return the key of the record's locations, and the list."""
    key = "location" if "locations" not in record and "location" in record else "locations"
    listed = record.get(key)
    if listed is None:
        return key, []
    return key, list(listed) if isinstance(listed, list) else [listed]


def first_place(parsed_event: ParsedEvent) -> ListedVenue:
    """Return what is read as the event's venue; an empty venue without entries if there is none."""
    return parsed_event.places.venues[0] if parsed_event.places.venues else ListedVenue(Venue(), ())


def read_digest(listed: Sequence[Value], place: ListedVenue) -> str:
    """Return the digest of all entries that a venue was read from."""
    return digest([listed[index] for index in place.entries])


def our_place(
    record: Mapping[str, Value], parsed_event: ParsedEvent, whose: EntryOwner, earlier: EarlierVersions
) -> ListedVenue:
    """Return our venue in the record and its entries, which may be empty."""
    first = first_place(parsed_event)
    if not first.entries:
        return first
    _, listed = list_of(record)
    note = _note(record, earlier, VENUE, whose)
    if note is not None and note.read == read_digest(listed, first):
        return _place_at(listed, _indexes(listed, note.ours))
    agreed = earlier.agreed
    if agreed is not None and _note(agreed, NO_EARLIER_VERSIONS, VENUE, whose) is None:
        agreed_digests = [
            digest(list_of(agreed)[1][index])
            for was in read_places(agreed, Notes()).venues[:1]
            for index in was.entries
        ]
        indexes = _indexes(listed, agreed_digests)
        if indexes and len(indexes) == len(agreed_digests):
            return _place_at(listed, indexes)
        before = next((was.venue for was in read_places(agreed, Notes()).venues), Venue())
        if not share_a_part(before, first.venue):
            # The first venue is not a changed version of the agreed one but another app's, listed in addition to ours.
            return ListedVenue(Venue(), ())
    return first


def venue_note(
    record: Mapping[str, Value], parsed_event: ParsedEvent, ours: Venue, entries: Sequence[Value]
) -> OwnEntryNote | None:
    """Return the note that says which locations of a finished record are ours; None if a reader finds them without it.
    ``entries``: our locations.
    """
    first = first_place(parsed_event)
    # If none of our entries is listed, an equal one belongs to another app that lists the same place.
    if not first.entries or (entries and is_same_place(first.venue, ours)):
        return None
    _, listed = list_of(record)
    return OwnEntryNote(read_digest(listed, first), tuple(digest(entry) for entry in entries))


def read_link(parsed_event: ParsedEvent, instance: str, page_url: str) -> str:
    """Return what is read as the join address. Our own page never counts, even if it is an online event's first link."""
    url = parsed_event.event.online_url
    is_page = url == page_url or (bool(instance) and url.startswith(instance.rstrip("/") + "/events/"))
    return "" if is_page and not parsed_event.places.online else url


def our_link(
    record: Mapping[str, Value], link: str, whose: EntryOwner, earlier: EarlierVersions, agreed_link: str
) -> str:
    """Return our join link among those of the record; empty if it is not listed. ``link`` is the one that is read
    first.

    ``agreed_link`` is the one that is read first in the agreed version.
    """
    if not link:
        return ""
    urls = _urls(record)
    note = _note(record, earlier, LINK, whose)
    if note is not None and note.read == digest(link):
        return next((url for url in urls if digest(url) in note.ours), "")
    if (
        earlier.agreed is not None
        and _note(earlier.agreed, NO_EARLIER_VERSIONS, LINK, whose) is None
        and agreed_link in urls
    ):
        return agreed_link
    return link


def online_entries(listed: Sequence[Value]) -> tuple[tuple[int, EventLink], ...]:
    """Return the join links in a list of locations, with the index of each."""
    return read_places({"locations": list(listed)}, Notes()).online


def link_note(parsed_event: ParsedEvent, link: str, ours: str) -> OwnEntryNote | None:
    """Return the note for the mark about the join link of a finished record. ``link`` is the one that is read first."""
    if not link or link == ours or parsed_event.event.mode is Mode.IN_PERSON:
        return None
    return OwnEntryNote(digest(link), (digest(ours),) if ours else ())


def uri_of(entry: Value) -> str | None:
    """Return the address in an entry of the locations or links, as the reader takes it."""
    if isinstance(entry, dict):
        return text_of(entry.get("uri") if "uri" in entry else entry.get("url"))
    return text_of(entry)


def _urls(record: Mapping[str, Value]) -> list[str]:
    uris = record.get("uris")
    entries = [*list_of(record)[1], *(uris if isinstance(uris, list) else [])]
    return [url for url in map(uri_of, entries) if url]


def _place_at(listed: Sequence[Value], indexes: tuple[int, ...]) -> ListedVenue:
    venues = read_places({"locations": [listed[index] for index in indexes]}, Notes()).venues
    return ListedVenue(venues[0].venue if venues else Venue(), indexes)


def _indexes(listed: Sequence[Value], digests: Sequence[str]) -> tuple[int, ...]:
    """Return the indexes of entries with these digests, each used once."""
    indexes: list[int] = []
    entry_digests = [digest(entry) for entry in listed]
    for expected in digests:
        index = next((at for at, one in enumerate(entry_digests) if one == expected and at not in indexes), None)
        if index is not None:
            indexes.append(index)
    return tuple(sorted(indexes))


def _note(record: Mapping[str, Value], earlier: EarlierVersions, name: str, whose: EntryOwner) -> OwnEntryNote | None:
    """Return the note in the mark, if the mark is ours."""
    mark = _mark(record)
    if mark is None and earlier.written is not None:
        mark = _mark(earlier.written)
    if mark is None or (mark.get("instance"), mark.get("eventId")) != (whose.instance, whose.event_id):
        return None
    note = mark.get(name)
    if not isinstance(note, dict):
        return None
    read, ours = note.get("read"), note.get("ours")
    if not isinstance(read, str) or not isinstance(ours, list):
        return None
    return OwnEntryNote(read, tuple(one for one in ours if isinstance(one, str)))


def _mark(record: Mapping[str, Value]) -> dict[str, Value] | None:
    marks = (record.get(key) for key in ORIGIN_KEYS)
    return next((mark for mark in marks if isinstance(mark, dict)), None)

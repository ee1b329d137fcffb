"""Write one of our events as a record.

Only fields that differ after mapping are changed. Every other key, ours or another app's, stays exactly as it was: the
text of dates, the order of lists, unknown locations, pictures, facets. Private content is never written: neither a join
link that is for attendees only nor the entry instructions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.syntax.datetime import format_datetime
from groundwork.clock import Instant
from openmeet.domain.events.model import Event, EventStatus, NetworkEvent, ZoneSource
from openmeet.domain.events.publication import PublishLevel, RecordAudience, circle_of, reach_of
from openmeet.domain.events.values import NOWHERE, Audience, EventLink, Mode, Venue, public_place
from openmeet.domain.page_paths import event_path
from openmeet.network.records.collections import EVENT, ORIGIN_KEY, ORIGIN_KEYS
from openmeet.network.records.event_reader import ParsedEvent, read_event
from openmeet.network.records.extension import NOTHING_MORE, RecordDetails, details_in_record, put_details
from openmeet.network.records.group_statements import put_link
from openmeet.network.records.own_entries import (
    LINK,
    NO_EARLIER_VERSIONS,
    VENUE,
    EarlierVersions,
    EntryOwner,
    first_place,
    link_note,
    list_of,
    online_entries,
    our_link,
    our_place,
    read_link,
    uri_of,
    venue_note,
)
from openmeet.network.records.places import (
    ADDRESS,
    GEO,
    PictureToWrite,
    entries_of,
    is_same_place,
    known_picture,
    online_entry,
    put_media,
)
from openmeet.network.records.places import KEY as PICTURE
from openmeet.network.records.places import without as without_entries
from openmeet.network.records.preserve import KEY as SENTENCE
from openmeet.network.records.preserve import ends_in, origin_mark_of, sentence_in, with_sentence, without_sentence
from openmeet.network.records.series import SeriesPart, put_native, put_series
from openmeet.network.records.succession import NO_PREDECESSORS, Predecessors, put_predecessors
from openmeet.recurrence.wall_time import zone_names

# Replaces the description if only name, time and link are public. The event's page shows more.
NOTES: Mapping[RecordAudience, str] = {
    RecordAudience.EVERYBODY: "More about it on its page: {}",
    RecordAudience.LINK_HOLDERS: "",
    RecordAudience.MEMBERS: "For members of its group. Join it to see more: {}",
    RecordAudience.INVITED: "By invitation only. Who is invited sees more: {}",
}

# Key in the mark that says that the rule in the record is ours, so that we may change and remove it.
NATIVE = "native"

_MODE_TOKENS = {Mode.IN_PERSON: "inperson", Mode.ONLINE: "virtual", Mode.HYBRID: "hybrid"}


@dataclass(frozen=True, slots=True)
class WrittenRecord:
    """A record, its bytes and their CID."""

    record: dict[str, Value]
    body: bytes
    cid: Cid


@dataclass(frozen=True, slots=True)
class Publishable:
    """The public part of an event. ``page_url`` is the event's page on this installation. ``time_zone`` is empty if nobody
    named one.
    """

    title: str
    description: str
    starts_at: Instant | None
    ends_at: Instant | None
    time_zone: str
    mode: Mode
    status: EventStatus
    venue: Venue
    online_url: str
    created_at: Instant
    page_url: str
    instance: str
    event_id: str
    version: int
    details: RecordDetails = NOTHING_MORE
    series: SeriesPart | None = None
    media: PictureToWrite | None = None
    group_uri: str | None = None
    predecessors: Predecessors = NO_PREDECESSORS


def publishable(
    event: Event, *, instance: str, series: SeriesPart | None = None, group_uri: str | None = None
) -> Publishable:
    """Reduce an event to what may be public, or to the minimum if its audience requires that. ``instance`` is the address
    of this site, without a slash at the end.

    ``series`` comes from ``series_part`` and ``group_uri`` from ``group_part``; those functions decide what may be
    public of either.
    """
    page_url = f"{instance}{event_path(event.slug)}"
    is_minimal = reach_of(event) is PublishLevel.MINIMAL
    note = NOTES[circle_of(event.content.visibility, event.group)]
    is_shown = (
        event.content.online_url_audience is Audience.EVERYONE
        and event.content.online_url_from is None
        and event.content.mode is not Mode.IN_PERSON
    )
    return Publishable(
        title=event.title,
        description=note.format(page_url) if is_minimal else event.content.description,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        time_zone="" if event.zone_source is not ZoneSource.NAMED else event.time_zone,
        mode=event.content.mode,
        status=event.status,
        venue=NOWHERE if is_minimal else public_place(event.content.venue, event.content.place_audience),
        online_url=event.content.online_url if is_shown and not is_minimal else "",
        created_at=event.created_at,
        page_url=page_url,
        instance=instance,
        event_id=event.id,
        version=event.version,
        details=RecordDetails(is_all_day=event.is_all_day) if is_minimal else details_in_record(event),
        series=series,
        group_uri=group_uri,
    )


def is_minimal(record: Mapping[str, Value]) -> bool:
    """Whether a record of ours contains only the minimum that may be public for a restricted event."""
    description = record.get("description")
    notes = [note.partition("{}")[0] for note in NOTES.values() if note]
    return not record.get("locations") and isinstance(description, str) and description.startswith(tuple(notes))


def write_event(
    ours: Publishable, previous: Mapping[str, Value] | None, earlier: EarlierVersions = NO_EARLIER_VERSIONS
) -> dict[str, Value]:
    """Write an event into its record: return the record to store in place of ``previous`` (what the PDS has now, or
    None).

    Idempotent: calling it on its own result changes nothing.
    """
    ours = replace(ours, venue=_place_of(ours, previous, earlier))
    if previous is None:
        return _new(ours)
    record, entries, link = _edited(ours, previous, earlier)
    _put_page_name(record, ours, previous, earlier)
    put_details(record, ours.details)
    put_series(record, ours.series)
    was_native = NATIVE in origin_mark_of(previous) or NATIVE in origin_mark_of(earlier.written)
    put_native(record, ours.series, was_ours=was_native)
    put_link(record, ours.group_uri)
    put_predecessors(record, ours.predecessors, earlier.written)
    put_media(record, ours.media, known_picture(previous, earlier.written))
    if record == previous:
        return record
    record.setdefault("$type", EVENT)
    record.setdefault("createdAt", format_datetime(ours.created_at))
    key = next((key for key in ORIGIN_KEYS if key in record), ORIGIN_KEY)
    _note_others(record, key, ours, entries, link)
    _note_sentence(record, key, ours, previous, earlier)
    _note_native(record, key, ours)
    _note_picture(record, key, ours)
    return record


def _edited(
    ours: Publishable, previous: Mapping[str, Value], earlier: EarlierVersions
) -> tuple[dict[str, Value], list[Value], str]:
    """Return the record with our fields, and which location entries and which join link are ours."""
    record = dict(previous)
    _put_texts(record, ours, _read(record, ours), earlier)
    _put_instant(record, "startsAt", ours.starts_at, _read(record, ours).event.starts_at)
    # An end before the start is read as no end, so compare the end after the start is written.
    _put_instant(record, "endsAt", ours.ends_at, _read(record, ours).event.ends_at)
    previous_event = _read(record, ours)
    if ours.time_zone != previous_event.event.time_zone and ours.time_zone in zone_names():
        record["timezone"] = ours.time_zone
    if ours.status is not previous_event.event.status:
        record["status"] = f"{EVENT}#{ours.status.value}"
    entries = _put_venue(record, ours, previous_event, earlier)
    link = _put_online(record, ours, previous_event, earlier)
    # If the record has no mode, the mode follows from the locations, so compare it after these are final.
    return _in_mode(record, ours, _read(record, ours)), entries, link


def _place_of(ours: Publishable, previous: Mapping[str, Value] | None, earlier: EarlierVersions) -> Venue:
    """Return the venue to write. An online event has none, because an earlier address must not stay public (invariant
    3).

    Exception: a venue in a record whose mode is already online was added on purpose and stays.
    """
    if ours.mode is not Mode.ONLINE:
        return ours.venue
    if previous is None:
        return NOWHERE
    previous_event = _read(previous, ours)
    modes = {
        previous_event.event.mode,
        previous_event.event.mode if earlier.agreed is None else _read(earlier.agreed, ours).event.mode,
    }
    listed_venue = our_place(previous, previous_event, EntryOwner(ours.instance, ours.event_id), earlier)
    return ours.venue if modes == {Mode.ONLINE} and is_same_place(listed_venue.venue, ours.venue) else NOWHERE


def is_up_to_date(
    ours: Publishable, current: Mapping[str, Value], earlier: EarlierVersions = NO_EARLIER_VERSIONS
) -> bool:
    """Whether the record already contains all our fields. A different CID alone never causes a write."""
    return write_event(ours, current, earlier) == dict(current)


def ours_as_read(
    ours: Publishable, base: Mapping[str, Value], *, rkey: str, earlier: EarlierVersions = NO_EARLIER_VERSIONS
) -> NetworkEvent:
    """Return our side as the reader would read it after writing it on ``base``, so that it can be compared field by
    field.

    The label of the link to our page is derived from the title, so it does not count as an edit of the links.
    """
    written, _, _ = _edited(replace(ours, venue=_place_of(ours, base, earlier)), base, earlier)
    put_details(written, ours.details)
    return read_event(EVENT, {**written, "$type": EVENT}, rkey=rkey, indexed_at=ours.created_at).event


def encode_record(record: dict[str, Value]) -> WrittenRecord:
    """Encode a record and compute its CID before anything is sent."""
    body = cbor.encode(record)
    return WrittenRecord(record, body, Cid.for_cbor(body))


def _new(ours: Publishable) -> dict[str, Value]:
    record: dict[str, Value] = {
        "$type": EVENT,
        "name": ours.title,
        "createdAt": format_datetime(ours.created_at),
        "mode": f"{EVENT}#{_MODE_TOKENS[ours.mode]}",
        "status": f"{EVENT}#{ours.status.value}",
    }
    sentence = "" if ours.series is None else ours.series.sentence
    if ours.description or sentence:
        record["description"] = with_sentence(ours.description, sentence)
    if ours.starts_at is not None:
        record["startsAt"] = format_datetime(ours.starts_at)
    if ours.ends_at is not None:
        record["endsAt"] = format_datetime(ours.ends_at)
    if ours.time_zone in zone_names():
        record["timezone"] = ours.time_zone
    locations = entries_of(ours.venue)
    uris: list[Value] = [{"uri": ours.page_url, "name": ours.title}] if ours.page_url else []
    if ours.online_url:
        locations.append(online_entry(ours.online_url))
        uris.append({"uri": ours.online_url})
    if locations:
        record["locations"] = locations
    if uris:
        record["uris"] = uris
    put_details(record, ours.details)
    put_series(record, ours.series)
    put_native(record, ours.series, was_ours=False)
    put_link(record, ours.group_uri)
    put_predecessors(record, ours.predecessors)
    put_media(record, ours.media, "")
    record[ORIGIN_KEY] = _mark(ours, ORIGIN_KEY) | ({SENTENCE: sentence} if sentence else {})
    _note_native(record, ORIGIN_KEY, ours)
    _note_picture(record, ORIGIN_KEY, ours)
    return record


def _mark(ours: Publishable, key: str) -> dict[str, Value]:
    return {"$type": key, "instance": ours.instance, "eventId": ours.event_id, "version": ours.version}


def _read(record: Mapping[str, Value], ours: Publishable) -> ParsedEvent:
    return read_event(EVENT, {**record, "$type": EVENT}, rkey="", indexed_at=ours.created_at)


def _note_others(record: dict[str, Value], key: str, ours: Publishable, entries: Sequence[Value], link: str) -> None:
    """Note in the mark which entries are not ours although they are read first."""
    parsed_event = _read(record, ours)
    venue = venue_note(record, parsed_event, ours.venue, entries)
    online = link_note(parsed_event, read_link(parsed_event, ours.instance, ours.page_url), link)
    note = _mark(ours, key)
    if venue is not None:
        note[VENUE] = venue.as_value()
    if online is not None:
        note[LINK] = online.as_value()
    record[key] = note


def _in_mode(record: dict[str, Value], ours: Publishable, previous_event: ParsedEvent) -> dict[str, Value]:
    if ours.mode is previous_event.event.mode:
        return record
    return {**record, "mode": f"{EVENT}#{_MODE_TOKENS[ours.mode]}"}


def _put_texts(
    record: dict[str, Value], ours: Publishable, previous_event: ParsedEvent, earlier: EarlierVersions
) -> None:
    if ours.title != previous_event.event.name:
        record["name"] = ours.title
    sentence_before = sentence_in(record) or sentence_in(earlier.written)
    their_text = without_sentence(previous_event.event.description, sentence_before)
    previous_text = record.get("description")
    text = ours.description
    if text != their_text:
        # Facets refer to byte ranges of the old text. In a different text they would mark the wrong words.
        record.pop("facets", None)
    elif isinstance(previous_text, str):
        # The text stored here may be only the beginning of the record's text.
        text = without_sentence(previous_text, sentence_before)
    new_text = with_sentence(text, _sentence_for(record, ours, earlier))
    if new_text != (previous_text if isinstance(previous_text, str) else previous_event.event.description):
        record["description"] = new_text


def _note_native(record: dict[str, Value], key: str, ours: Publishable) -> None:
    """Note in the mark that the rule in the record is ours."""
    note = record[key]
    if isinstance(note, dict) and ours.series is not None and ours.series.native:
        note[NATIVE] = True


def _note_picture(record: dict[str, Value], key: str, ours: Publishable) -> None:
    """Note in the mark which of the pictures is ours."""
    note = record[key]
    if isinstance(note, dict) and ours.media is not None:
        note[PICTURE] = str(ours.media.cid)


def _sentence_for(record: Mapping[str, Value], ours: Publishable, earlier: EarlierVersions) -> str:
    """Return the sentence to add; empty if somebody changed or removed the one that was added before."""
    sentence_before = sentence_in(record) or sentence_in(earlier.written)
    text = record.get("description")
    if ours.series is None or (sentence_before and not ends_in(text if isinstance(text, str) else "", sentence_before)):
        return ""
    return ours.series.sentence


def _note_sentence(
    record: dict[str, Value], key: str, ours: Publishable, previous: Mapping[str, Value], earlier: EarlierVersions
) -> None:
    """Keep in the mark which sentence is ours, even after somebody changed it, so that it is not added again."""
    sentence_before = sentence_in(previous) or sentence_in(earlier.written)
    sentence = _sentence_for(previous, ours, earlier) or (sentence_before if ours.series is not None else "")
    note = record[key]
    if sentence and isinstance(note, dict):
        note[SENTENCE] = sentence


def _put_page_name(
    record: dict[str, Value], ours: Publishable, previous: Mapping[str, Value], earlier: EarlierVersions
) -> None:
    """Rename the link to the event's page when the event is renamed, if the link had the event's name. Other labels
    stay.
    """
    uris = record.get("uris")
    if not isinstance(uris, list) or not ours.page_url:
        return
    titles = [version.get("name") for version in (previous, earlier.agreed) if version is not None]

    def renamed(entry: Value) -> Value:
        if isinstance(entry, dict) and entry.get("uri") == ours.page_url and entry.get("name", "") in titles:
            return {**entry, "name": ours.title}
        return entry

    record["uris"] = [renamed(entry) for entry in uris]


def _put_instant(record: dict[str, Value], key: str, ours: Instant | None, previous_instant: Instant | None) -> None:
    # We write milliseconds, others any precision. A difference below a millisecond is not an edit.
    if ours is not None and previous_instant is not None and ours // 1000 == previous_instant // 1000:
        return
    if ours == previous_instant:
        return
    if ours is None:
        record.pop(key, None)
    else:
        record[key] = format_datetime(ours)


def _put_venue(
    record: dict[str, Value], ours: Publishable, previous_event: ParsedEvent, earlier: EarlierVersions
) -> list[Value]:
    """Replace our entries if our venue differs; other apps' entries keep their order. Returns our entries in the
    result.
    """
    key, listed = list_of(record)
    first = first_place(previous_event)
    # A first location that equals ours is ours, regardless of the agreed version, unless the mark says that it is
    # another app's.
    earlier_known = replace(earlier, agreed=None) if is_same_place(first.venue, ours.venue) else earlier
    own_entry = our_place(record, previous_event, EntryOwner(ours.instance, ours.event_id), earlier_known)
    if is_same_place(own_entry.venue, ours.venue):
        return [listed[index] for index in own_entry.entries]
    entries = entries_of(ours.venue)
    if not entries and not own_entry.entries:
        return []
    their_venues = [one for one in previous_event.places.venues if one.entries != own_entry.entries]
    alike = next((one for one in their_venues if entries and is_same_place(one.venue, ours.venue)), None)
    if alike is not None and own_entry.entries:
        # The event moved to a place that another app already listed: that entry serves both.
        record[key] = without_entries(listed, own_entry.entries)
        return [listed[index] for index in alike.entries]
    # The first location is read as the event's venue, so ours goes before the others.
    position = min((*own_entry.entries, *first.entries), default=len(listed))
    old = listed[own_entry.entries[0]] if own_entry.entries else None
    if entries and isinstance(old, dict) and old.get("$type") in {ADDRESS, GEO}:
        entries = [_with_foreign_keys(entries[0], old), *entries[1:]]
    other_entries = without_entries(listed, own_entry.entries)
    record[key] = [*other_entries[:position], *entries, *other_entries[position:]]
    return entries


def _with_foreign_keys(entry: Value, old: dict[str, Value]) -> Value:
    """Return our entry with the keys that other apps added to the one it replaces."""
    known_keys = {
        "$type",
        "country",
        "postalCode",
        "region",
        "locality",
        "street",
        "name",
        "latitude",
        "longitude",
        "altitude",
    }
    if not isinstance(entry, dict):
        return entry
    return {**entry, **{key: value for key, value in old.items() if key not in known_keys}}


def _put_online(
    record: dict[str, Value], ours: Publishable, previous_event: ParsedEvent, earlier: EarlierVersions
) -> str:
    """Write a public join link to the locations and the links, and remove the one it replaces from both. Returns our
    link.
    """
    # An in-person event has nothing to join; its links are tickets.
    url = "" if ours.mode is Mode.IN_PERSON else ours.online_url
    link = read_link(previous_event, ours.instance, ours.page_url)
    # The first link is the join address of an online event, but not of a hybrid one, so the new mode decides.
    if url in {link, previous_event.event.online_url} and (
        not url or _read(_in_mode(record, ours, previous_event), ours).event.online_url == url
    ):
        return url
    agreed = earlier.agreed
    agreed_link = "" if agreed is None else read_link(_read(agreed, ours), ours.instance, ours.page_url)
    was = our_link(record, link, EntryOwner(ours.instance, ours.event_id), earlier, agreed_link)
    key, listed = list_of(record)
    uris = record.get("uris")
    is_list = isinstance(uris, list)
    links: list[Value] = list(uris) if isinstance(uris, list) else []
    if was and was != url:
        listed = without_entries(listed, [index for index, online in online_entries(listed) if online.uri == was])
        links = [entry for entry in links if uri_of(entry) != was]
    if url:
        if all(online.uri != url for _, online in online_entries(listed)):
            listed = _with_first_link(listed, online_entry(url))
        if (is_list or uris is None) and all(uri_of(entry) != url for entry in links):
            links = [*links, {"uri": url}]
    if listed != list_of(record)[1]:
        record[key] = listed
    if links != (uris if is_list else []):
        record["uris"] = links
    return url


def _with_first_link(listed: list[Value], entry: Value) -> list[Value]:
    """Return the list with our link before other apps' links, because the first one is read as the event's."""
    online = online_entries(listed)
    position = online[0][0] if online else len(listed)
    return [*listed[:position], entry, *listed[position:]]


def own_links(links: tuple[EventLink, ...], instance: str) -> tuple[EventLink, ...]:
    """Return a record's links without those to this installation's own pages, which the readers of this site do not
    need.
    """
    root = instance.rstrip("/") + "/"
    return tuple(link for link in links if not link.uri.startswith(root))

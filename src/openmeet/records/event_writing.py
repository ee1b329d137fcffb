"""An event of ours as a record: the careful writer (calendar.md 6.1, 6.2).

Only fields that differ after mapping are touched; every other key, foreign or ours, goes back as it came: the same
text of a date, the same order of a list, unknown locations, pictures, facets. Nothing that is not everybody's business
is written: no join link that is for attendees, never a door instruction.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.syntax.datetime import format_datetime
from groundwork.clock import Instant
from openmeet.events.model import Audience, Event, Link, Mode, NetworkEvent, Status, Venue
from openmeet.events.wall_time import zone_names
from openmeet.records.collections import EVENT, ORIGIN_KEY, ORIGIN_KEYS
from openmeet.records.event import EventRead, read_event
from openmeet.records.places import ADDRESS, GEO, entries_of, is_same_place, online_entry, without

_MODE_WORDS = {Mode.IN_PERSON: "inperson", Mode.ONLINE: "virtual", Mode.HYBRID: "hybrid"}


@dataclass(frozen=True, slots=True)
class Written:
    """A record with its bytes and the CID that they have anywhere."""

    record: dict[str, Value]
    body: bytes
    cid: Cid


@dataclass(frozen=True, slots=True)
class Publishable:
    """What of an event everybody may know. ``page_url`` is the event's page on this installation."""

    title: str
    description: str
    starts_at: Instant | None
    ends_at: Instant | None
    time_zone: str
    mode: Mode
    status: Status
    venue: Venue
    online_url: str
    created_at: Instant
    page_url: str
    instance: str
    event_id: str
    revision: int


def publishable(event: Event, *, instance: str, page_url: str) -> Publishable:
    """Cut an event down to what may be written where everybody reads."""
    is_shown = event.online_url_audience is Audience.EVERYONE and event.mode is not Mode.IN_PERSON
    return Publishable(
        title=event.title,
        description=event.description,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        time_zone=event.time_zone,
        mode=event.mode,
        status=event.status,
        venue=event.venue,
        online_url=event.online_url if is_shown else "",
        created_at=event.created_at,
        page_url=page_url,
        instance=instance,
        event_id=event.id,
        revision=event.revision,
    )


def write_event(ours: Publishable, previous: Mapping[str, Value] | None) -> dict[str, Value]:
    """The record to store in place of ``previous`` (what the PDS holds now; None where it holds nothing)."""
    if previous is None:
        return _new(ours)
    before = read_event(EVENT, {**previous, "$type": EVENT}, rkey="", indexed_at=ours.created_at)
    record = dict(previous)
    old = before.event
    if ours.title != old.name:
        record["name"] = ours.title
    if ours.description != old.description:
        # Facets point at bytes of the text they came with; beside another text they would mark the wrong words.
        record["description"] = ours.description
        record.pop("facets", None)
    _put_instant(record, "startsAt", ours.starts_at, old.starts_at)
    _put_instant(record, "endsAt", ours.ends_at, old.ends_at)
    if ours.time_zone != old.time_zone and ours.time_zone in zone_names():
        record["timezone"] = ours.time_zone
    if ours.mode is not old.mode:
        record["mode"] = f"{EVENT}#{_MODE_WORDS[ours.mode]}"
    if ours.status is not old.status:
        record["status"] = f"{EVENT}#{ours.status.value}"
    _put_venue(record, ours, before)
    _put_online(record, ours, before)
    if record == previous:
        return record
    record.setdefault("$type", EVENT)
    record.setdefault("createdAt", format_datetime(ours.created_at))
    key = next((key for key in ORIGIN_KEYS if key in record), ORIGIN_KEY)
    record[key] = _mark(ours, key)
    return record


def owes_nothing(ours: Publishable, current: Mapping[str, Value]) -> bool:
    """Whether the record says all of ours already: another CID alone never causes a write (design, section 6)."""
    return write_event(ours, current) == dict(current)


def ours_as_read(ours: Publishable, base: Mapping[str, Value], *, rkey: str) -> NetworkEvent:
    """Our side as the reader would see it once written on ``base``: what can be compared field by field."""
    return read_event(EVENT, {**write_event(ours, base), "$type": EVENT}, rkey=rkey, indexed_at=ours.created_at).event


def seal_in_cbor(record: dict[str, Value]) -> Written:
    """Fix the bytes of a record before anything is sent."""
    body = cbor.encode(record)
    return Written(record, body, Cid.for_cbor(body))


def _new(ours: Publishable) -> dict[str, Value]:
    record: dict[str, Value] = {
        "$type": EVENT,
        "name": ours.title,
        "createdAt": format_datetime(ours.created_at),
        "mode": f"{EVENT}#{_MODE_WORDS[ours.mode]}",
        "status": f"{EVENT}#{ours.status.value}",
    }
    if ours.description:
        record["description"] = ours.description
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
    record[ORIGIN_KEY] = _mark(ours, ORIGIN_KEY)
    return record


def _mark(ours: Publishable, key: str) -> dict[str, Value]:
    return {"$type": key, "instance": ours.instance, "eventId": ours.event_id, "version": ours.revision}


def _put_instant(record: dict[str, Value], key: str, ours: Instant | None, read: Instant | None) -> None:
    # Records carry milliseconds where we write and any precision where others did: what differs only below a
    # millisecond was not edited here.
    if ours is not None and read is not None and ours // 1000 == read // 1000:
        return
    if ours == read:
        return
    if ours is None:
        record.pop(key, None)
    else:
        record[key] = format_datetime(ours)


def _put_venue(record: dict[str, Value], ours: Publishable, before: EventRead) -> None:
    """Replace the entries of the first venue where ours is another; entries of others keep their places."""
    first = before.places.venues[0] if before.places.venues else None
    if is_same_place(first.venue if first else Venue(), ours.venue):
        return
    key, listed = _list_of(record)
    entries = entries_of(ours.venue)
    if first is None:
        if not entries:
            return
        listed = [*listed, *entries]
    else:
        position = first.entries[0]
        old = listed[position]
        if entries and isinstance(old, dict) and old.get("$type") in {ADDRESS, GEO}:
            entries = [_with_foreign_keys(entries[0], old), *entries[1:]]
        rest = without(listed, first.entries)
        listed = [*rest[:position], *entries, *rest[position:]]
    record[key] = listed


def _with_foreign_keys(entry: Value, old: dict[str, Value]) -> Value:
    """Our entry with what somebody else added to the one it replaces."""
    known = {
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
    return {**entry, **{key: value for key, value in old.items() if key not in known}}


def _put_online(record: dict[str, Value], ours: Publishable, before: EventRead) -> None:
    """A public join link stands in the locations and among the links; the one it replaces goes from both."""
    was = before.event.online_url
    if was == ours.page_url:  # the first link of an online event is read as its address; ours is the page, and stays
        was = ""
    if ours.online_url == was:
        return
    key, listed = _list_of(record)
    uris = record.get("uris")
    links: list[Value] = list(uris) if isinstance(uris, list) else []
    if was:
        listed = [
            entry for entry in listed if not (isinstance(entry, dict) and was in (entry.get("uri"), entry.get("url")))
        ]
        links = [entry for entry in links if _uri_of(entry) != was]
    if ours.online_url:
        listed = [*listed, online_entry(ours.online_url)]
        if all(_uri_of(entry) != ours.online_url for entry in links):
            links = [*links, {"uri": ours.online_url}]
    if listed or key in record:
        record[key] = listed
    if links or "uris" in record:
        record["uris"] = links


def _uri_of(entry: Value) -> Value:
    return entry.get("uri") if isinstance(entry, dict) else entry


def _list_of(record: Mapping[str, Value]) -> tuple[str, list[Value]]:
    key = "location" if "locations" not in record and "location" in record else "locations"
    listed = record.get(key)
    if listed is None:
        return key, []
    return key, list(listed) if isinstance(listed, list) else [listed]


def own_links(links: tuple[Link, ...], instance: str) -> tuple[Link, ...]:
    """Links of a record without those to this installation's own pages, which every reader here has anyway."""
    root = instance.rstrip("/") + "/"
    return tuple(link for link in links if not link.uri.startswith(root))

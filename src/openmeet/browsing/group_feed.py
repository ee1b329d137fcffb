"""A group as a calendar file and as an Atom feed: what everybody who sees the group may read, and never a link to join.

Sources: RFC 5545 by ``calendars``; RFC 4287 (Atom). The same group is the same bytes, so its tag holds.
"""

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

from groundwork.clock import DAY
from openmeet.browsing.listing import place_words
from openmeet.calendars.of_event import written
from openmeet.calendars.writing import write_calendar
from openmeet.events.model import Event
from openmeet.groups.model import Group
from openmeet.recurrence.wall_time import local_of
from openmeet.site import times
from openmeet.site.texts import summary_of

# Calendars keep what they have read: what is long over need not be said again.
PAST = 366 * DAY
AHEAD = 2 * 366 * DAY
MOST = 2_000
NEWEST = 50

_ATOM = "http://www.w3.org/2005/Atom"


def calendar_of(group: Group, events: Sequence[Event], public_url: str) -> bytes:
    """The file. Events of others whom the group follows say so in their text."""
    host = urlsplit(public_url).hostname or "localhost"
    entries = []
    for event in events:
        address = f"{public_url}/events/{quote(event.slug)}"
        description = event.description
        if not is_own(group, event):
            note = f"From the network: {event.record_uri}"
            description = f"{note}\n\n{description}" if description else note
        entry = written(event, host=host, url=address, description=description)
        if entry is not None:
            marks = () if is_own(group, event) else ("From the network",)
            entries.append(replace(entry, categories=(*marks, *entry.categories)))
    return write_calendar(entries, name=group.details.name)


def atom_of(group: Group, events: Sequence[Event], public_url: str) -> bytes:
    """The feed, the newest event first. Cancelled ones say so in their title."""
    ET.register_namespace("", _ATOM)
    address = f"{public_url}/groups/{quote(group.slug)}"
    feed = ET.Element(_name("feed"))
    _put(feed, "title", group.details.name)
    _put(feed, "id", f"urn:uuid:{group.id}")
    # What a feed says never begins before the group itself, whatever its events do.
    _put(feed, "updated", times.iso(max([group.updated_at, *(event.updated_at for event in events)])))
    ET.SubElement(feed, _name("link"), rel="alternate", type="text/html", href=address)
    ET.SubElement(feed, _name("link"), rel="self", type="application/atom+xml", href=f"{address}.atom")
    _put(ET.SubElement(feed, _name("author")), "name", group.details.name)
    for event in events:
        entry = ET.SubElement(feed, _name("entry"))
        _put(entry, "title", f"Cancelled: {event.title}" if event.is_cancelled else event.title)
        _put(entry, "id", f"urn:uuid:{event.id}")
        _put(entry, "published", times.iso(event.created_at))
        _put(entry, "updated", times.iso(event.updated_at))
        ET.SubElement(
            entry, _name("link"), rel="alternate", type="text/html", href=f"{public_url}/events/{quote(event.slug)}"
        )
        _put(
            entry,
            "summary",
            " · ".join(filter(None, (when_words(event), place_words(event), summary_of(event.description)))),
        )
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + bytes(ET.tostring(feed, encoding="utf-8"))


def is_own(group: Group, event: Event) -> bool:
    """Whether the group hosts it; otherwise it follows whoever does."""
    return event.group is not None and event.group.id == group.id


def when_words(event: Event) -> str:
    """``Saturday 4 July 2026, 18:00 Berlin time (UTC+2)``."""
    if event.starts_at is None:
        return "Date to be announced"
    starts = local_of(event.starts_at, event.time_zone)
    return f"{times.span(starts, None)} {times.zone_words(starts, event.time_zone)}"


def _put(parent: ET.Element, name: str, text: str) -> None:
    # XML 1.0 knows no control characters, however escaped.
    clean = "".join(char for char in text if char in "\t\n" or char >= " ")
    ET.SubElement(parent, _name(name)).text = clean


def _name(name: str) -> str:
    return f"{{{_ATOM}}}{name}"

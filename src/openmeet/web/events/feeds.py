"""Events as feeds: Atom, JSON Feed, iCalendar. They contain only public information and never a join link. Any search of
the front page is a feed with the same query string.

Sources: RFC 4287 (Atom), JSON Feed 1.1, RFC 5545 (through ``icalendar``), RFC 9110 section 13 (conditional requests).
The output is deterministic, so the ETag of an unchanged feed stays the same.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Final
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import DAY, SECOND, Instant
from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.time_and_place import place_label
from openmeet.domain.events.values import Venue
from openmeet.domain.events.vocabulary import CATEGORY_LABELS
from openmeet.domain.icalendar.write import FeedAddress, WrittenEvent, vevent_of, write_calendar
from openmeet.domain.page_paths import event_path
from openmeet.domain.search import corrected_search, search
from openmeet.domain.search import query as searches
from openmeet.domain.search.filters import FIELDS
from openmeet.domain.series import calendar_uids
from openmeet.domain.series.calendar_uids import CalendarIdentity
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext
from openmeet.i18n.markdown import summary_of
from openmeet.recurrence.wall_time import local_of
from openmeet.web.search import places
from openmeet.web.site.services import front_page_policy, services
from openmeet.web.site.tenant_routing import database_of

ATOM = "application/atom+xml; charset=utf-8"
JSON = "application/feed+json; charset=utf-8"
CALENDAR = "text/calendar; charset=utf-8"

# How long events stay in calendar files after they are over. Calendar programs keep what they have read.
KEPT_AFTER_END: Final = 366 * DAY

# How long caches may keep a feed that is the same for everyone.
_SHARED_SECONDS = 15 * 60

_ATOM = "http://www.w3.org/2005/Atom"
# How many events the feed of a search has.
MAX_FOUND = 100


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed: its title, permanent id, page and own URL.

    ``since`` is a lower bound for the time of its last change.
    """

    name: str
    id: str
    page: str
    address: str
    since: Instant | None = None


def atom_of(feed: Feed, events: Sequence[Event], public_url: str) -> bytes:
    """The events as Atom, in order. The title of a cancelled event says so."""
    ET.register_namespace("", _ATOM)
    root = ET.Element(_xml_name("feed"))
    _add_element(root, "title", feed.name)
    _add_element(root, "id", feed.id)
    _add_element(
        root, "updated", formatting.iso(max([feed.since or Instant(0), *(event.updated_at for event in events)]))
    )
    ET.SubElement(root, _xml_name("link"), rel="alternate", type="text/html", href=feed.page)
    ET.SubElement(root, _xml_name("link"), rel="self", type="application/atom+xml", href=feed.address)
    _add_element(ET.SubElement(root, _xml_name("author")), "name", feed.name)
    for event in events:
        entry = ET.SubElement(root, _xml_name("entry"))
        _add_element(entry, "title", _title(event))
        _add_element(entry, "id", f"urn:uuid:{event.id}")
        _add_element(entry, "published", formatting.iso(event.created_at))
        _add_element(entry, "updated", formatting.iso(event.updated_at))
        ET.SubElement(
            entry, _xml_name("link"), rel="alternate", type="text/html", href=f"{public_url}{event_path(event.slug)}"
        )
        _add_element(entry, "summary", _summary(event))
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + bytes(ET.tostring(root, encoding="utf-8"))


def json_of(feed: Feed, events: Sequence[Event], public_url: str) -> bytes:
    """The events as JSON Feed."""
    items = [
        {
            "id": f"urn:uuid:{event.id}",
            "url": f"{public_url}{event_path(event.slug)}",
            "title": _title(event),
            "content_text": _summary(event),
            "date_published": formatting.iso(event.created_at),
            "date_modified": formatting.iso(event.updated_at),
            "tags": [*(str(CATEGORY_LABELS[one]) for one in event.content.categories), *event.content.tags],
        }
        for event in events
    ]
    return msgspec.json.encode(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": feed.name,
            "home_page_url": feed.page,
            "feed_url": feed.address,
            "items": items,
        }
    )


def calendar_of(
    feed: Feed,
    events: Sequence[Event],
    identities: Mapping[EventId, CalendarIdentity],
    public_url: str,
    series: Sequence[WrittenEvent] = (),
) -> bytes:
    """The events as iCalendar, with their identities (``calendar_uids``). Events without a date are left out.

    ``series`` has the components of whole series.
    """
    entries = [entry for event in events if (entry := entry_of(event, identities[event.id], public_url)) is not None]
    return write_calendar([*series, *entries], name=feed.name, feed=FeedAddress(feed.page, feed.address))


def entry_of(
    event: Event, identity: CalendarIdentity, public_url: str, *, place: Venue | None = None
) -> WrittenEvent | None:
    """The event as an entry of a calendar file, without the join link. None if it has no date.

    ``place``: the place to write, for readers who may see more of it than the public.
    """
    return vevent_of(
        event,
        identity,
        host=urlsplit(public_url).hostname or "localhost",
        url=f"{public_url}{event_path(event.slug)}",
        description=event.content.description,
        place=place,
    )


def changed_at(events: Sequence[Event], now: Instant, since: Instant | None = None) -> Instant:
    """The time of the last change of the file with these events, for use in an HTTP date. Never earlier than the start
    of the current day (UTC).

    The start of the day is needed because deleted and past events leave the file without changing any ``updated_at``.
    Clients that compare dates instead of ETags notice this on the next day at the latest.
    """
    return Instant(max(since or 0, now - now % DAY, *(event.updated_at for event in events)))


def feed_response(
    request: Request,
    file: bytes,
    media_type: str,
    changed: Instant,
    name: str = "",
    *,
    is_shared: bool = False,
    varies: bool = False,
) -> Response:
    """The file, or 304 if the client already has it. With ``is_shared``, the file is the same for everyone and shared
    caches may store it.

    ``varies`` means that signed-in users get a different file at this URL. A shared file may be fifteen minutes old,
    because clients poll only every few hours anyway. ``changed`` comes from ``changed_at``. It is used only for clients
    that send exactly this date and no ETag.
    """
    tag = f'"{hashlib.sha256(file).hexdigest()[:32]}"'
    date = formatdate(changed // SECOND, usegmt=True)
    headers = {
        "etag": tag,
        "last-modified": date,
        "cache-control": f"public, max-age={_SHARED_SECONDS}" if is_shared else "private, no-cache",
        # Dates and notes are in the reader's language.
        "vary": "Accept-Language, Cookie" if varies else "Accept-Language",
    }
    if_none_match = request.headers.get("if-none-match")
    if request.headers.get("if-modified-since") == date if if_none_match is None else tag in if_none_match:
        return Response(status_code=304, headers=headers)
    if name:
        headers["content-disposition"] = f'inline; filename="{name}"'
    return Response(file, headers=headers, media_type=media_type)


def served_as(
    request: Request, kind: str, feed: Feed, events: Sequence[Event], public_url: str, changed: Instant
) -> Response:
    """Serve a feed that is the same for everyone as ``kind``: ``atom`` or ``json``."""
    writing, media_type = _NEWS[kind]
    return feed_response(request, writing(feed, events, public_url), media_type, changed, is_shared=True)


def when_label(event: Event) -> str:
    """``Saturday 4 July 2026, 18:00 Berlin time``."""
    if event.starts_at is None:
        return gettext("Date to be announced")
    starts = local_of(event.starts_at, event.time_zone)
    return f"{formatting.span(starts, None)} {formatting.zone_label(starts, event.time_zone)}"


_NEWS = {"atom": (atom_of, ATOM), "json": (json_of, JSON)}


def _title(event: Event) -> str:
    return gettext("Cancelled: %(title)s", title=event.title) if event.is_cancelled else event.title


def _summary(event: Event) -> str:
    return " · ".join(filter(None, (when_label(event), place_label(event), summary_of(event.content.description))))


def _add_element(parent: ET.Element, name: str, text: str) -> None:
    # XML 1.0 does not allow control characters, not even escaped.
    clean = "".join(char for char in text if char in "\t\n" or char >= " ")
    ET.SubElement(parent, _xml_name(name)).text = clean


def _xml_name(name: str) -> str:
    return f"{{{_ATOM}}}{name}"


def routes() -> list[Route]:
    return [
        Route("/events.ics", serve_calendar, methods=["GET"]),
        Route("/events.atom", serve_atom, methods=["GET"]),
        Route("/events.json", serve_json, methods=["GET"]),
    ]


async def serve_calendar(request: Request) -> Response:
    feed, events, public_url, changed = await _feed_content(request, "ics")
    async with database_of(request).reader() as reader:
        identities = await calendar_uids.identities(reader, [event.id for event in events])
    file = calendar_of(feed, events, identities, public_url)
    return feed_response(request, file, CALENDAR, changed, "events.ics", is_shared=True)


async def serve_atom(request: Request) -> Response:
    feed, events, public_url, changed = await _feed_content(request, "atom")
    return served_as(request, "atom", feed, events, public_url, changed)


async def serve_json(request: Request) -> Response:
    feed, events, public_url, changed = await _feed_content(request, "json")
    return served_as(request, "json", feed, events, public_url, changed)


async def public_search(
    request: Request, reader: Reader, most: int, *, once_per_series: bool = False
) -> tuple[dict[str, str], list[Event]]:
    """The search in a query string, and the events that it finds in the public view. Without a query string, the events
    of the front page.

    Raises InvalidForm, which names invalid fields, and Unavailable if the place list cannot be built now.
    """
    search_fields = await places.add_point(request, {name: request.query_params.get(name, "") for name in FIELDS})
    search_query = replace(searches.parse_query(search_fields), once_per_series=once_per_series)
    if any(search_fields.values()):
        return search_fields, (
            await corrected_search.coming(database_of(request), reader, search_query, None, most)
        ).events
    shown = front_page_policy(request)
    return search_fields, await search.coming_on_front_page(
        reader, None, shown, None, most, once_per_series=once_per_series
    )


async def _feed_content(request: Request, kind: str) -> tuple[Feed, list[Event], str, Instant]:
    """The events of the search, and the time at which the feed changed. Raises InvalidForm, which names invalid fields."""
    async with database_of(request).reader() as reader:
        search_fields, events = await public_search(request, reader, MAX_FOUND)
        changed = changed_at(events, reader.now)
    public_url = services(request).settings.public_url
    query_string = searches.query_string(search_fields)
    query = f"?{query_string}" if query_string else ""
    address = f"{public_url}/events.{kind}{query}"
    return Feed(searches.name_of(search_fields), address, f"{public_url}/{query}", address), events, public_url, changed

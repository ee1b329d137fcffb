"""Parse events from the JSON-LD (schema.org ``Event``) of another site's page. Pure, bounded work.

Pages are parsed as text, and no script is run. All events of a page are returned; everything else is ignored.
"""

import html
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

from groundwork.errors import InvalidInput
from groundwork.http.json_bodies import parse_json
from openmeet.domain.events.inputs import is_web_address
from openmeet.domain.events.place_text import coordinate_of, point_text
from openmeet.domain.events.rules import Submission
from openmeet.domain.events.values import MAX_DESCRIPTION, MAX_PLACE_PART, MAX_TITLE, Mode
from openmeet.domain.imports.event_times import with_end
from openmeet.domain.imports.model import MAX_EVENTS, ImportedEvent, ImportReason, ParsedImport, start_label
from openmeet.i18n.catalogue import gettext
from openmeet.i18n.countries import known_code
from openmeet.i18n.markdown import one_line
from openmeet.i18n.reasons.messages import explain
from openmeet.recurrence.wall_time import FIRST_YEAR, LAST_YEAR, instant_of, local_of, zone

MAX_PAGE = 3_000_000
_MAX_SCRIPTS = 50
_MAX_TITLE_PIECES = 50
# The match ends at the next bracket, so that a page full of opening brackets takes linear time.
_TAG = re.compile(r"<[^<>]*>")
_BREAK = re.compile(r"<\s{0,9}(br|/p|/li|/h[1-6])[^<>]*>", re.IGNORECASE)


def parse_page(data: bytes, url: str, own_zone: str) -> ParsedImport:
    """Return the events of a page. Raises InvalidInput (``url``) if it has none."""
    scripts = _Scripts()
    scripts.feed(data[:MAX_PAGE].decode("utf-8", errors="replace"))
    events: list[ImportedEvent] = []
    warnings: list[str] = []
    for pieces in scripts.found:
        try:
            value = parse_json("".join(pieces).strip().encode())
        except InvalidInput as wrong:
            warnings.append(
                gettext(
                    "A part of the page that describes events can’t be read: %(problem)s", problem=explain(wrong.why)
                )
            )
            continue
        for node in _events(value, 0):
            if len(events) < MAX_EVENTS:
                events.append(_found(node, url, own_zone))
    if not events:
        raise InvalidInput("url", ImportReason.NO_EVENT_DESCRIBED)
    return ParsedImport(one_line("".join(scripts.title))[:MAX_TITLE], tuple(events), tuple(warnings))


class _Scripts(HTMLParser):
    """Collects the title of a page and its JSON-LD scripts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        # Collected in pieces, because repeated concatenation would copy the text each time.
        self.found: list[list[str]] = []
        self.title: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = (dict(attrs).get("type") or "").partition(";")[0].strip().lower()
        if tag == "script" and kind == "application/ld+json" and len(self.found) < _MAX_SCRIPTS:
            self.found.append([])
            self._inside = "script"
        elif tag == "title" and not self.title:
            self._inside = "title"

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.found[-1].append(data)
        elif self._inside == "title" and len(self.title) < _MAX_TITLE_PIECES:
            self.title.append(data[:MAX_TITLE])


def _events(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    if depth > 8:
        return
    if isinstance(value, list):
        for one in value:
            yield from _events(one, depth + 1)
    elif isinstance(value, Mapping):
        kinds = value.get("@type")
        names = kinds if isinstance(kinds, list) else [kinds]
        if any(isinstance(name, str) and name.rpartition("/")[2].endswith("Event") for name in names):
            yield value
            return
        for name in ("@graph", "mainEntity", "itemListElement", "item", "event", "events"):
            yield from _events(value.get(name), depth + 1)


def _found(node: Mapping[str, Any], url: str, own_zone: str) -> ImportedEvent:
    doubts: list[str] = []
    starts, is_day, zone_label = _moment(node.get("startDate"), own_zone)
    ends, ends_is_day, end_zone = _moment(node.get("endDate"), zone_label)
    if ends is not None and end_zone != zone_label:
        # The end has another offset than the start, and the event has one zone.
        ends = local_of(instant_of(ends, end_zone), zone_label).replace(tzinfo=None)
    if starts is None:
        doubts.append(gettext("It doesn’t say when it starts."))
    places = node.get("location")
    places = places if isinstance(places, list) else [places]
    online = next((_text(one.get("url")) for one in places if _is(one, "VirtualLocation")), "")
    venue = next((one for one in places if isinstance(one, str) or _is(one, "Place", "PostalAddress")), None)
    address = _text(node.get("url"))
    status = _text(node.get("eventStatus")).rpartition("/")[2]
    submission = Submission(
        title=_line(node.get("name"))[:MAX_TITLE],
        starts="" if starts is None else starts.isoformat(timespec="minutes"),
        ends=_ends(starts, ends, is_day=is_day, ends_is_day=ends_is_day, doubts=doubts),
        time_zone=zone_label,
        description=_plain(_text(node.get("description")))[:MAX_DESCRIPTION],
        online_url=online if is_web_address(online) else "",
        all_day="yes" if is_day and starts is not None else "",
        **_venue(venue),
    )
    mode = Mode.HYBRID if online and venue else Mode.ONLINE if online else Mode.IN_PERSON
    submission = _with(submission, mode=mode.value)
    when = gettext("To be announced") if starts is None else start_label(starts, is_all_day=is_day)
    imported = ImportedEvent(
        uid=f"page:{_text(node.get('@id')) or address or url}#{submission.starts}"[:1000],
        typed=submission,
        when=when,
        is_cancelled=status == "EventCancelled",
        warnings=tuple(doubts),
    )
    return with_end(imported)


def _with(submission: Submission, **more: str) -> Submission:
    return Submission(**{**{name: getattr(submission, name) for name in Submission.__dataclass_fields__}, **more})


def _ends(starts: datetime | None, ends: datetime | None, *, is_day: bool, ends_is_day: bool, doubts: list[str]) -> str:
    if starts is None or ends is None:
        return ""
    if ends < starts or ends - starts > timedelta(days=366):
        doubts.append(gettext("The end was left out: it’s before the start or more than a year after it."))
        return ""
    return "" if ends_is_day and not is_day else ends.isoformat(timespec="minutes")


def _moment(value: object, own_zone: str) -> tuple[datetime | None, bool, str]:
    """Return the wall-clock time, whether it is an all-day date, and the zone: the user's zone if its offset matches on
    that day.
    """
    text = _text(value).strip()
    try:
        if len(text) == len("2027-03-02"):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day), True, own_zone  # noqa: DTZ001  # wall time is naive here
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None, False, own_zone
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        return None, False, own_zone
    if moment.tzinfo is None:
        return moment.replace(second=0, microsecond=0), False, own_zone
    local = moment.astimezone(zone(own_zone))
    if local.utcoffset() == moment.utcoffset():
        return local.replace(tzinfo=None, second=0, microsecond=0), False, own_zone
    offset = moment.utcoffset() or timedelta(0)
    minutes = round(offset / timedelta(minutes=1))
    zone_label = (
        "UTC" if not minutes else f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    )
    return moment.replace(tzinfo=None, second=0, microsecond=0), False, zone_label


def _venue(place: object) -> dict[str, str]:
    if isinstance(place, str):
        return {"venue_name": _line(place)[:MAX_PLACE_PART]}
    if not isinstance(place, Mapping):
        return {}
    address = place.get("address", place if _is(place, "PostalAddress") else {})
    fields = {"venue_name": "" if _is(place, "PostalAddress") else _text(place.get("name"))}
    if isinstance(address, str):
        fields["street"] = address
    elif isinstance(address, Mapping):
        country = address.get("addressCountry")
        country = country.get("name") if isinstance(country, Mapping) else country
        fields |= {
            "street": _text(address.get("streetAddress")),
            "postal_code": _text(address.get("postalCode")),
            "locality": _text(address.get("addressLocality")),
            "region": _text(address.get("addressRegion")),
            "country": _text(country) if known_code(one_line(_text(country))) else "",
        }
    return {name: _line(text)[:MAX_PLACE_PART] for name, text in fields.items()} | {"point": _point(place.get("geo"))}


def _point(geo: object) -> str:
    """Coordinates from GeoCoordinates, given as numbers or text. Empty if they are out of range."""
    if not isinstance(geo, Mapping):
        return ""
    latitude, longitude = coordinate_of(geo.get("latitude"), 90), coordinate_of(geo.get("longitude"), 180)
    return "" if latitude is None or longitude is None else point_text(latitude, longitude)


def _is(value: object, *kinds: str) -> bool:
    if not isinstance(value, Mapping):
        return False
    types = value.get("@type")
    names = types if isinstance(types, list) else [types]
    return any(isinstance(name, str) and name.rpartition("/")[2] in kinds for name in names)


def _text(value: object) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    return value.replace("\x00", "") if isinstance(value, str) else ""


def _line(value: object) -> str:
    """A title or a part of an address. JSON-LD is not HTML, but many sites write “Choir &amp; friends” into it."""
    return one_line(html.unescape(_text(value)).replace("\x00", ""))


def _plain(text: str) -> str:
    """Remove markup from a description but keep its line breaks."""
    words = html.unescape(_TAG.sub("", _BREAK.sub("\n", text)))
    return words.replace("\x00", "").replace("\r\n", "\n").strip()

"""Metadata of a public event's page: schema.org JSON-LD and link previews.

Only for public events, and only public information, no matter who views the page, because this data gets copied.
"""

from typing import Any
from urllib.parse import quote

import msgspec
from markupsafe import Markup

from openmeet.domain.events import time_and_place
from openmeet.domain.events.model import Event, EventStatus
from openmeet.domain.events.values import Mode, Venue, Visibility
from openmeet.i18n.markdown import summary_of
from openmeet.i18n.names import known_code
from openmeet.recurrence import wall_time

_STATUS = {
    EventStatus.CANCELLED: "EventCancelled",
    EventStatus.POSTPONED: "EventPostponed",
    EventStatus.RESCHEDULED: "EventRescheduled",
}
_MODE = {
    Mode.IN_PERSON: "OfflineEventAttendanceMode",
    Mode.ONLINE: "OnlineEventAttendanceMode",
    Mode.HYBRID: "MixedEventAttendanceMode",
}


def address_of(event: Event, public_url: str) -> str:
    """The public URL of the event page."""
    return f"{public_url}/events/{quote(event.slug)}"


def json_ld(event: Event, host: str, public_url: str) -> Markup | None:
    """The JSON-LD block. None if the event is not public or has no date yet."""
    if event.visibility is not Visibility.PUBLIC or event.is_held or event.starts_at is None:
        return None
    text = msgspec.json.encode(_event_data(event, host, public_url)).decode()
    # Escaped so that nothing can close the script element.
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704


def _event_data(event: Event, host: str, public_url: str) -> dict[str, Any]:
    url = address_of(event, public_url)
    document: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Event",
        "name": event.title,
        "url": url,
        **_time_data(event),
        "eventStatus": f"https://schema.org/{_STATUS.get(event.status, 'EventScheduled')}",
        "eventAttendanceMode": f"https://schema.org/{_MODE[event.content.mode]}",
        "organizer": {"@type": "Person", "name": host},
    }
    if event.content.description:
        document["description"] = summary_of(event.content.description, 1000)
    places = [_place_data(event.place)] if not event.place.is_empty else []
    if event.content.mode is not Mode.IN_PERSON:
        places.append({"@type": "VirtualLocation", "url": url})
    if places:
        document["location"] = places[0] if len(places) == 1 else places
    if event.content.picture is not None:
        document["image"] = f"{public_url}/media/{event.content.picture.key}/large"
    if event.content.languages:
        document["inLanguage"] = list(event.content.languages)
    if event.content.tags:
        document["keywords"] = list(event.content.tags)
    if event.content.tickets.url:
        document["offers"] = {"@type": "Offer", "url": event.content.tickets.url}
    return document


def _time_data(event: Event) -> dict[str, str]:
    days = time_and_place.days_of(event)
    if days is not None:
        return {"startDate": days[0].isoformat(), "endDate": days[1].isoformat()}
    assert event.starts_at is not None  # noqa: S101  # asked by the caller
    times = {"startDate": wall_time.local_of(event.starts_at, event.time_zone).isoformat()}
    if event.ends_at is not None:
        times["endDate"] = wall_time.local_of(event.ends_at, event.time_zone).isoformat()
    return times


def _place_data(place: Venue) -> dict[str, Any]:
    address = {
        "streetAddress": place.street,
        "postalCode": place.postal_code,
        "addressLocality": place.locality,
        "addressRegion": place.region,
        "addressCountry": known_code(place.country) or place.country,
    }
    place_document: dict[str, Any] = {"@type": "Place"}
    if place.lines:
        place_document["name"] = place.name or place.locality or place.lines[0]
        place_document["address"] = {"@type": "PostalAddress", **{name: text for name, text in address.items() if text}}
    if place.latitude and place.longitude:
        place_document["geo"] = {"@type": "GeoCoordinates", "latitude": place.latitude, "longitude": place.longitude}
    return place_document

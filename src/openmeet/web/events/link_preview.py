"""How other programs see a public event's page: schema.org JSON-LD, link previews, and their picture.

Only for public events, and only public information, no matter who views the page, because this data gets copied.
"""

import hashlib
from typing import Any

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from groundwork.ui.tones import tone_of
from openmeet.domain.covers.model import cover_for, tone_for
from openmeet.domain.covers.social_card import CARD_HEIGHT, CARD_WIDTH, CardFacts, card
from openmeet.domain.events import time_and_place
from openmeet.domain.events.model import Event, EventStatus
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.time_and_place import place_label
from openmeet.domain.events.values import Mode, Venue, Visibility
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.media.pictures import PORTRAIT_SIDES, PictureKey, portrait_key
from openmeet.domain.page_paths import event_path
from openmeet.domain.profiles import portraits
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext
from openmeet.i18n.countries import known_code
from openmeet.i18n.markdown import summary_of
from openmeet.recurrence import wall_time
from openmeet.web.api.etags import answer_unless_known
from openmeet.web.media.drawings import draw_cached
from openmeet.web.media.pages import PictureView
from openmeet.web.media.uploads import store_of
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

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
# Caches ask each time whether their copy is current, so that a portrait that its owner removed or that a moderator hides
# is gone from all of them at once. The text in the picture is in the reader's language.
_HEADERS = {
    "cache-control": "public, no-cache",
    "vary": "Accept-Language",
    "x-content-type-options": "nosniff",
}


def json_ld(event: Event, host: str, public_url: str) -> Markup | None:
    """The JSON-LD block. None if the event is not public or has no date yet."""
    if event.visibility is not Visibility.PUBLIC or event.is_held or event.starts_at is None:
        return None
    text = msgspec.json.encode(_event_data(event, host, public_url)).decode()
    # Escaped so that nothing can close the script element.
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704


def _event_data(event: Event, host: str, public_url: str) -> dict[str, Any]:
    url = f"{public_url}{event_path(event.slug)}"
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


def routes() -> list[Route]:
    return [Route("/events/{slug}/card.png", show_card, methods=["GET"])]


async def show_card(request: Request) -> Response:
    """The preview image, with public information only, or 304 if the client has it. Raises NotFound unless the event is
    public.
    """
    async with database_of(request).reader() as reader:
        event = await by_slug(reader, event_slug_of(request))
        if event is None or not _is_for_everybody(event):
            raise NotFound(GeneralReason.NO_SUCH_EVENT)
        names = await shown_names(reader, [event.author_id])
        pictures = await portraits.shown(reader, None, [event.author_id])
    facts = CardFacts(
        event.title,
        time_and_place.short_start_label(event),
        place_label(event),
        names[event.author_id],
        tone_of(event.author_id),
        await _portrait(request, pictures.get(event.author_id)),
        tone_for(event.content),
    )
    picture = await draw_cached(request, card, cover_for(event.content), facts)
    return answer_unless_known(request, Response(picture, media_type="image/png", headers=_HEADERS))


async def _portrait(request: Request, key: PictureKey | None) -> bytes:
    """The file of a portrait; empty without a key, or if the person has just replaced it."""
    if key is None:
        return b""
    try:
        return b"".join([part async for part in store_of(request).read(portrait_key(key, PORTRAIT_SIDES[1]))])
    except NotFound:
        return b""


def _is_for_everybody(event: Event) -> bool:
    return event.visibility is Visibility.PUBLIC and not (event.is_held or event.is_hidden or event.is_gone)


async def card_picture_of(reader: Reader, event: Event, host: str) -> PictureView:
    """The preview image as the picture of a public event's page, with the name of the ``host``.

    Services that show previews keep the picture of a URL. The URL changes with everything on the picture, so that they
    fetch it again.
    """
    portrait = (await portraits.shown(reader, None, [event.author_id])).get(event.author_id, "")
    version = hashlib.sha256(f"{event.updated_at} {portrait} {host}".encode()).hexdigest()[:16]
    return PictureView(
        f"{event_path(event.slug)}/card.png?v={version}",
        gettext("%(title)s, %(when)s", title=event.title, when=time_and_place.start_label(event)),
        CARD_WIDTH,
        CARD_HEIGHT,
    )

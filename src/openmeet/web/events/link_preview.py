"""How other programs see the page of a public event: schema.org JSON-LD, link previews, and their picture. Series,
groups and hosts have such a picture, too.

Only for public pages, and only public information, no matter who views the page, because this data gets copied.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from groundwork.ui.tones import tone_of
from openmeet.domain.covers.model import Cover, cover_for, cover_of_group, cover_of_person, tone_for, tone_of_group
from openmeet.domain.covers.social_card import CARD_HEIGHT, CARD_WIDTH, CardFacts, card
from openmeet.domain.events import time_and_place
from openmeet.domain.events.model import Event, EventStatus
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.values import NOWHERE, Mode, Venue, Visibility, public_place
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import Group, GroupVisibility
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.media.pictures import PORTRAIT_SIDES, PictureKey, portrait_key
from openmeet.domain.page_paths import event_path, group_path, person_path, series_path
from openmeet.domain.profiles import actions as profiles
from openmeet.domain.profiles import portraits
from openmeet.domain.profiles import queries as hosts
from openmeet.domain.series import agenda
from openmeet.domain.series.model import Series
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.i18n.countries import known_code
from openmeet.i18n.markdown import summary_of
from openmeet.recurrence import wall_time
from openmeet.recurrence.describe import describe
from openmeet.web.api.etags import answer_unless_known
from openmeet.web.media.drawings import draw_cached
from openmeet.web.media.pages import PictureView
from openmeet.web.media.uploads import store_of
from openmeet.web.site.slugs import event_slug_of, group_slug_of, series_slug_of
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
# At most this many upcoming events of a host are shown and counted.
SHOWN_OF_HOST: Final = 50
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
    return [
        Route("/events/{slug}/card.png", show_card_of_event, methods=["GET"]),
        Route("/series/{slug}/card.png", show_card_of_series, methods=["GET"]),
        Route("/groups/{slug}/card.png", show_card_of_group, methods=["GET"]),
        Route("/people/{userId}/card.png", show_card_of_person, methods=["GET"]),
    ]


async def show_card_of_event(request: Request) -> Response:
    """The preview image, with public information only, or 304 if the client has it. Raises NotFound unless the event is
    public.
    """
    async with database_of(request).reader() as reader:
        event = await by_slug(reader, event_slug_of(request))
        if event is None or not _is_for_everybody(event):
            raise NotFound(GeneralReason.NO_SUCH_EVENT)
        host = await _host(reader, event.author_id)
    facts = CardFacts(
        event.title,
        time_and_place.short_start_label(event),
        time_and_place.place_label(event),
        host.name,
        tone_of(event.author_id),
        await _portrait(request, host.portrait),
        tone_for(event.content),
    )
    return await _drawn(request, cover_for(event.content), facts)


async def show_card_of_series(request: Request) -> Response:
    """The same for a series, with its rule. Raises NotFound unless the series is public."""
    async with database_of(request).reader() as reader:
        series = await agenda.visible(reader, series_slug_of(request), None)
        if series.visibility is not Visibility.PUBLIC:
            raise NotFound(SeriesReason.NO_SUCH_SERIES)
        host = await _host(reader, series.owner_id)
    content = series.content
    venue = NOWHERE if content.mode is Mode.ONLINE else public_place(content.venue, content.place_audience)
    facts = CardFacts(
        content.title,
        describe(series.timing.pattern),
        time_and_place.venue_label(content.mode, venue),
        host.name,
        tone_of(series.owner_id),
        await _portrait(request, host.portrait),
        tone_for(content),
    )
    return await _drawn(request, cover_for(content), facts)


async def show_card_of_group(request: Request) -> Response:
    """The same for a group, without names of people. Raises NotFound unless the group is public."""
    async with database_of(request).reader() as reader:
        group, _ = await groups.visible(reader, group_slug_of(request), None)
    if group.details.visibility is not GroupVisibility.PUBLIC:
        raise NotFound(GroupReason.NO_SUCH_GROUP)
    tone = tone_of_group(group.details.name, None)
    facts = CardFacts(group.details.name, gettext("Group"), group.place, "", tone=tone)
    return await _drawn(request, cover_of_group(group.details.name), facts)


async def show_card_of_person(request: Request) -> Response:
    """The preview image of a host: name, picture and the number of their events. Raises NotFound unless everybody can
    see the profile.
    """
    async with database_of(request).reader() as reader:
        person = await profiles.visible_profile(reader, UserId(request.path_params["userId"]))
        host = await _host(reader, person.id)
        upcoming = await hosts.upcoming_without_repeats(reader, person.id, SHOWN_OF_HOST)
    facts = CardFacts(
        host.name,
        hosting_label(len(upcoming)),
        "",
        "",
        host_picture=await _portrait(request, host.portrait),
        tone=tone_of(person.id),
    )
    return await _drawn(request, cover_of_person(host.name), facts)


def hosting_label(number: int) -> str:
    """``Hosts 3 upcoming events``: about a person whose profile is shown."""
    if not number:
        return gettext("Nothing public is planned at the moment.")
    return ngettext("Hosts %(number)s upcoming event", "Hosts %(number)s upcoming events", number)


async def _drawn(request: Request, cover: Cover, facts: CardFacts) -> Response:
    picture = await draw_cached(request, card, cover, facts)
    return answer_unless_known(request, Response(picture, media_type="image/png", headers=_HEADERS))


@dataclass(frozen=True, slots=True)
class _Host:
    name: str
    portrait: PictureKey | None


async def _host(reader: Reader, user_id: UserId) -> _Host:
    names = await shown_names(reader, [user_id])
    return _Host(names[user_id], (await portraits.shown(reader, None, [user_id])).get(user_id))


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


async def card_of_event(reader: Reader, event: Event, host: str) -> PictureView:
    """The preview image as the picture of a public event's page, with the name of the ``host``."""
    portrait = (await portraits.shown(reader, None, [event.author_id])).get(event.author_id, "")
    alt = gettext("%(title)s, %(when)s", title=event.title, when=time_and_place.start_label(event))
    return _card_view(event_path(event.slug), alt, event.updated_at, portrait, host)


async def card_of_series(reader: Reader, series: Series, host: str) -> PictureView:
    """The same for a public series."""
    portrait = (await portraits.shown(reader, None, [series.owner_id])).get(series.owner_id, "")
    alt = gettext("%(title)s, %(when)s", title=series.content.title, when=describe(series.timing.pattern))
    return _card_view(series_path(series.slug), alt, series.updated_at, portrait, host)


def card_of_group(group: Group) -> PictureView:
    """The same for a public group."""
    return _card_view(group_path(group.slug), group.details.name, group.details.name, group.place)


async def card_of_person(reader: Reader, user_id: UserId, name: str, label: str) -> PictureView:
    """The preview image of a host whose profile everybody can see. ``label`` is the result of ``hosting_label``."""
    portrait = (await portraits.shown(reader, None, [user_id])).get(user_id, "")
    return _card_view(person_path(user_id), name, name, label, portrait)


def _card_view(page: str, alt: str, *shown: object) -> PictureView:
    """Services that show previews keep the picture of a URL. The URL changes with everything on the picture, so that they
    fetch it again.
    """
    version = hashlib.sha256(" ".join(map(str, shown)).encode()).hexdigest()[:16]
    return PictureView(f"{page}/card.png?v={version}", alt, CARD_WIDTH, CARD_HEIGHT)

"""Preview image for links to a public event."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound, Unavailable
from openmeet.domain.covers.model import Cover, cover_for
from openmeet.domain.covers.social_card import CARD_HEIGHT, CARD_WIDTH, CardFacts, card
from openmeet.domain.events import time_and_place
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.time_and_place import place_label
from openmeet.domain.events.values import Visibility
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.media.reasons import MediaReason
from openmeet.i18n.catalogue import gettext
from openmeet.web.media.urls import PictureView
from openmeet.web.site.tenant_routing import database_of

# Services keep their copy anyway; the revision in the address makes them fetch a new one.
_HEADERS = {"cache-control": "public, max-age=3600", "x-content-type-options": "nosniff"}

# Cards have a thread of their own: those of the process also read pictures and compress pages.
_DRAWING: Final = ThreadPoolExecutor(1, thread_name_prefix="cards")
_MOST_WAITING: Final = 16
_waiting: Final[dict[tuple[Cover, CardFacts], asyncio.Future[bytes]]] = {}


def routes() -> list[Route]:
    return [Route("/events/{slug}/card.png", show_card, methods=["GET"])]


async def show_card(request: Request) -> Response:
    """What everybody may know of the event; 404 for one that is not public."""
    async with database_of(request).reader() as reader:
        event = await by_slug(reader, EventSlug(request.path_params["slug"]))
        if event is None or not _is_for_everybody(event):
            raise NotFound(EventReason.NO_SUCH_EVENT)
        names = await shown_names(reader, [event.author_id])
    facts = CardFacts(
        event.title,
        time_and_place.start_label(event),
        place_label(event),
        gettext("Hosted by %(host)s", host=names[event.author_id]),
    )
    picture = await _drawn(cover_for(event.content), facts)
    return Response(picture, media_type="image/png", headers=_HEADERS)


def _is_for_everybody(event: Event) -> bool:
    return event.visibility is Visibility.PUBLIC and not (event.is_held or event.is_hidden or event.is_gone)


async def _drawn(cover: Cover, facts: CardFacts) -> bytes:
    """Raises Unavailable where too many cards wait already."""
    key = cover, facts
    if key not in _waiting:
        if len(_waiting) >= _MOST_WAITING:
            raise Unavailable(MediaReason.TOO_MANY_CARDS, after_seconds=10)
        drawing = asyncio.get_running_loop().run_in_executor(_DRAWING, card, cover, facts)
        _waiting[key] = drawing
        drawing.add_done_callback(lambda _: _waiting.pop(key, None))
    # Anyone who gives up leaves it to the others who wait for the same card.
    return await asyncio.shield(_waiting[key])


def card_picture_of(event: Event) -> PictureView:
    """The card of a public event as a picture of its page."""
    return PictureView(
        f"/events/{event.slug}/card.png?v={event.revision}",
        gettext("%(title)s, %(when)s", title=event.title, when=time_and_place.start_label(event)),
        CARD_WIDTH,
        CARD_HEIGHT,
    )

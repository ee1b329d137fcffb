"""Preview image for links to a public event."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound
from groundwork.ui.tones import tone_of
from openmeet.domain.covers.model import cover_for
from openmeet.domain.covers.social_card import CARD_HEIGHT, CARD_WIDTH, CardFacts, card
from openmeet.domain.events import time_and_place
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.time_and_place import place_label
from openmeet.domain.events.values import Visibility
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext
from openmeet.web.media.drawings import draw_cached
from openmeet.web.media.pages import PictureView
from openmeet.web.site.tenant_routing import database_of

# Services always keep a copy. The URL contains the revision, so they fetch a new picture after a change. The text in
# the picture is in the reader's language.
_HEADERS = {
    "cache-control": "public, max-age=3600",
    "vary": "Accept-Language",
    "x-content-type-options": "nosniff",
}


def routes() -> list[Route]:
    return [Route("/events/{slug}/card.png", show_card, methods=["GET"])]


async def show_card(request: Request) -> Response:
    """The preview image, with public information only. Raises NotFound unless the event is public."""
    async with database_of(request).reader() as reader:
        event = await by_slug(reader, EventSlug(request.path_params["slug"]))
        if event is None or not _is_for_everybody(event):
            raise NotFound(GeneralReason.NO_SUCH_EVENT)
        names = await shown_names(reader, [event.author_id])
    facts = CardFacts(
        event.title,
        time_and_place.short_start_label(event),
        place_label(event),
        names[event.author_id],
        tone_of(event.author_id),
    )
    picture = await draw_cached(request, card, cover_for(event.content), facts)
    return Response(picture, media_type="image/png", headers=_HEADERS)


def _is_for_everybody(event: Event) -> bool:
    return event.visibility is Visibility.PUBLIC and not (event.is_held or event.is_hidden or event.is_gone)


def card_picture_of(event: Event) -> PictureView:
    """The preview image as the picture of a public event's page."""
    return PictureView(
        f"/events/{event.slug}/card.png?v={event.revision}",
        gettext("%(title)s, %(when)s", title=event.title, when=time_and_place.start_label(event)),
        CARD_WIDTH,
        CARD_HEIGHT,
    )

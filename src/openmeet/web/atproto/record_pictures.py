"""Pictures that remote records refer to, re-encoded, for viewers of the event or group. If a picture is broken or cannot
be fetched, its URL redirects to the generated cover.
"""

from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from at_protocol.syntax.did import parse_did
from groundwork.clock import SECOND
from groundwork.errors import NotFound
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.rules import rsvp_gives_access
from openmeet.domain.covers.model import Cover, cover_for, cover_of_group
from openmeet.domain.events import event_access
from openmeet.domain.events.queries import by_slug
from openmeet.network.ingestion import record_pictures
from openmeet.network.ingestion.record_pictures import ABSENT_FOR, picture_of, picture_of_group
from openmeet.network.records.places import ParsedPicture
from openmeet.web.atproto.reasons import AtprotoReason
from openmeet.web.groups.viewed_group import view_group
from openmeet.web.media.pages import INERT, accepted_format, requested_size, serve_picture
from openmeet.web.site.caller import viewer_of
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

_HEADERS = {
    **INERT,
    # A later version of the record can have a different picture at the same URL.
    "cache-control": "private, max-age=3600",
}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/record-picture/{size}", show, methods=["GET"]),
        Route("/groups/{slug}/record-picture/{size}", show_of_group, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    viewer = viewer_of(request)
    async with database_of(request).reader() as reader:
        event = await by_slug(reader, event_slug_of(request))
        own_rsvp = await attendance_queries.find(reader, event.id, viewer) if event and viewer else None
        if event is None or event.is_gone or event.record_did is None:
            raise NotFound(AtprotoReason.NO_SUCH_PICTURE)
        if not await event_access.may_see(reader, event, viewer, has_rsvp_access=rsvp_gives_access(own_rsvp)):
            raise NotFound(AtprotoReason.NO_SUCH_PICTURE)
        picture = await picture_of(reader, event)
    return await _served(request, event.record_did, picture, cover_for(event.content))


async def show_of_group(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        seen = await view_group(reader, request)
        picture = await picture_of_group(reader, seen.group)
    did = (seen.group.network.record_uri or "").removeprefix("at://").partition("/")[0]
    return await _served(request, did, picture, cover_of_group(seen.group.details.name))


async def _served(request: Request, did: str, picture: ParsedPicture | None, cover: Cover) -> Response:
    pictures = services(request).record_pictures
    if pictures is None or picture is None:
        raise NotFound(AtprotoReason.NO_SUCH_PICTURE)
    size = requested_size(request)
    try:
        await pictures.ensure_stored(parse_did(did), picture.cid, size, accepted_format(request))
    except NotFound:
        # Programs that show link previews do not draw SVG.
        draws_svg = "image/svg+xml" in request.headers.get("accept", "")
        return RedirectResponse(
            cover.path if draws_svg else cover.png_path,
            302,
            {"cache-control": f"private, max-age={ABSENT_FOR // SECOND}", "vary": "Accept"},
        )
    return await serve_picture(
        request, pictures.store, picture.cid, partial(record_pictures.blob_key, picture.cid), _HEADERS
    )

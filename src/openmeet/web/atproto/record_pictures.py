"""Pictures named by remote records, re-encoded, for viewers of the event or group."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from at_protocol.syntax.did import parse_did
from groundwork.errors import NotFound
from openmeet.domain.attendance import queries as attendance
from openmeet.domain.attendance.rules import rsvp_gives_access
from openmeet.domain.events import seeing
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.media.pictures import CONTENT_TYPE, Size
from openmeet.network.ingestion.record_pictures import picture_of, picture_of_group
from openmeet.network.records.places import MediaIn
from openmeet.web.atproto.reasons import AtprotoReason
from openmeet.web.groups.access import see
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

_HEADERS = {
    # Another version of the record may have another picture at this URL.
    "cache-control": "private, max-age=3600",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "content-disposition": "inline",
    "x-robots-tag": "noindex",
}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/record-picture/{size}", show, methods=["GET"]),
        Route("/groups/{slug}/record-picture/{size}", show_of_group, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    caller = caller_or_none(request)
    viewer = caller.user_id if caller else None
    async with database_of(request).reader() as reader:
        event = await by_slug(reader, EventSlug(request.path_params["slug"]))
        mine = await attendance.find(reader, event.id, viewer) if event and viewer else None
        if event is None or event.is_gone or event.record_did is None:
            raise NotFound(AtprotoReason.NO_SUCH_PICTURE)
        if not await seeing.may_see(reader, event, viewer, has_rsvp_access=rsvp_gives_access(mine)):
            raise NotFound(AtprotoReason.NO_SUCH_PICTURE)
        found = await picture_of(reader, event)
    return await _served(request, event.record_did, found)


async def show_of_group(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        seen = await see(reader, request)
        found = await picture_of_group(reader, seen.group)
    return await _served(request, (seen.group.network.record_uri or "").removeprefix("at://").partition("/")[0], found)


async def _served(request: Request, did: str, found: MediaIn | None) -> Response:
    pictures = services(request).record_pictures
    size = request.path_params["size"]
    if pictures is None or found is None or size not in set(Size):
        raise NotFound(AtprotoReason.NO_SUCH_PICTURE)
    tag = f'"{found.cid}-{size}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={**_HEADERS, "etag": tag})
    key = await pictures.have(parse_did(did), found.cid, Size(size))
    headers = {**_HEADERS, "etag": tag, "content-length": str(await pictures.store.size(key))}
    return StreamingResponse(pictures.store.read(key), headers=headers, media_type=CONTENT_TYPE)

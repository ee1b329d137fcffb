"""An event's picture, as JSON."""

from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import read_json
from openmeet.domain.events import actions, queries, seeing
from openmeet.domain.events.model import EventSlug
from openmeet.domain.media import pictures as media
from openmeet.domain.media.pictures import Picture
from openmeet.web.api.etags import IF_MATCH, expected_revision
from openmeet.web.api.operations import ApiOperation
from openmeet.web.events.detail import to_host
from openmeet.web.events.schemas import EventDetail
from openmeet.web.media.schemas import PictureInput, check_alt
from openmeet.web.media.uploads import store_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of, workers_of


async def put_picture(request: Request) -> Response:
    caller = caller_of(request)
    slug = EventSlug(request.path_params["slug"])
    body = await read_json(request, PictureInput)
    db = database_of(request)
    async with db.reader() as reader:
        event = await seeing.require_visible(reader, await queries.by_slug(reader, slug), caller.user_id)
        await seeing.require_editable(reader, event, caller.user_id)
    alt = check_alt(body.alt)
    key, stored_picture = await media.store_picture(
        db, store_of(request), workers_of(request, caller.user_id), caller.user_id, body.image
    )
    async with db.transaction() as tx:
        saved = await actions.set_picture(
            tx,
            caller,
            slug,
            Picture(key, alt, stored_picture.width, stored_picture.height),
            expected_revision=expected_revision(request),
        )
        return await to_host(request, tx, saved)


async def remove_picture(request: Request) -> Response:
    slug = EventSlug(request.path_params["slug"])
    async with database_of(request).transaction() as tx:
        saved = await actions.remove_picture(tx, caller_of(request), slug, expected_revision=expected_revision(request))
        return await to_host(request, tx, saved)


_FAILURES = (403, 404, 412, 422)

OPERATIONS = (
    ApiOperation(
        "PUT",
        "/api/events/{slug}/picture",
        "putEventPicture",
        "Set the picture of the event",
        put_picture,
        {200: EventDetail},
        PictureInput,
        (IF_MATCH,),
        failures=_FAILURES,
        is_idempotent=True,
    ),
    ApiOperation(
        "DELETE",
        "/api/events/{slug}/picture",
        "removeEventPicture",
        "Remove the picture of the event",
        remove_picture,
        {200: EventDetail},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
)

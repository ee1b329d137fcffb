"""An event's picture, as JSON."""

from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import NotFound
from groundwork.http.json_bodies import read_json
from openmeet.events import pictures, queries, seeing
from openmeet.events.api import to_host
from openmeet.events.model import EventSlug
from openmeet.events.shapes import EventShown
from openmeet.media import actions as media
from openmeet.media.edge import store_of
from openmeet.media.model import Picture
from openmeet.media.shapes import PictureWanted
from openmeet.media.words import check_alt
from openmeet.site.etags import IF_MATCH, expected_revision
from openmeet.site.operations import Operation
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of


async def put_picture(request: Request) -> Response:
    caller = caller_of(request)
    slug = EventSlug(request.path_params["slug"])
    wanted = await read_json(request, PictureWanted)
    db = database_of(request)
    async with db.reader() as reader:
        event = await queries.by_slug(reader, slug)
        if event is None or event.is_gone or not await seeing.may_see(reader, event, caller.user_id, is_invited=False):
            raise NotFound("There is no such event.")
        await seeing.must_be_editable(reader, event, caller.user_id)
    alt = check_alt(wanted.alt)
    key, made = await media.keep(db, store_of(request), caller.user_id, wanted.image)
    async with db.transaction() as tx:
        saved = await pictures.put(
            tx,
            caller,
            slug,
            Picture(key, alt, made.width, made.height),
            expected_revision=expected_revision(request),
        )
    return to_host(request, saved)


async def remove_picture(request: Request) -> Response:
    slug = EventSlug(request.path_params["slug"])
    async with database_of(request).transaction() as tx:
        saved = await pictures.remove(tx, caller_of(request), slug, expected_revision=expected_revision(request))
    return to_host(request, saved)


_FAILURES = (403, 404, 412, 422)

OPERATIONS = (
    Operation(
        "PUT",
        "/api/events/{slug}/picture",
        "putEventPicture",
        "Show a picture with the event",
        put_picture,
        {200: EventShown},
        PictureWanted,
        (IF_MATCH,),
        failures=_FAILURES,
        is_idempotent=True,
    ),
    Operation(
        "DELETE",
        "/api/events/{slug}/picture",
        "removeEventPicture",
        "Show no picture with the event",
        remove_picture,
        {200: EventShown},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
)

"""A series' picture, as JSON."""

from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import read_json
from openmeet.domain.media import pictures as media
from openmeet.domain.media.pictures import Picture
from openmeet.domain.series import agenda, apply_edits
from openmeet.web.api.etags import IF_MATCH, expected_revision
from openmeet.web.api.operations import ApiOperation
from openmeet.web.media.schemas import PictureInput, check_alt
from openmeet.web.media.uploads import store_of
from openmeet.web.series.api import series_response, slug_of
from openmeet.web.series.schemas import SeriesOutput
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of, workers_of


async def put_picture(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, PictureInput)
    db = database_of(request)
    async with db.reader() as reader:
        # Check permission before the picture is re-encoded.
        await agenda.editable(reader, slug_of(request), caller.user_id)
    alt = check_alt(body.alt)
    key, stored_picture = await media.store_picture(
        db, store_of(request), workers_of(request, caller.user_id), caller.user_id, body.image
    )
    async with db.transaction() as tx:
        series = await apply_edits.set_picture(
            tx,
            caller,
            slug_of(request),
            Picture(key, alt, stored_picture.width, stored_picture.height),
            expected_revision=expected_revision(request),
        )
        return await series_response(request, tx, series)


async def remove_picture(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        series = await apply_edits.remove_picture(
            tx, caller_of(request), slug_of(request), expected_revision=expected_revision(request)
        )
        return await series_response(request, tx, series)


_FAILURES = (403, 404, 412, 422)

OPERATIONS = (
    ApiOperation(
        "PUT",
        "/api/series/{slug}/picture",
        "putSeriesPicture",
        "Set the picture of the series and of its upcoming dates that have no picture of their own",
        put_picture,
        {200: SeriesOutput},
        PictureInput,
        (IF_MATCH,),
        failures=_FAILURES,
        is_idempotent=True,
    ),
    ApiOperation(
        "DELETE",
        "/api/series/{slug}/picture",
        "removeSeriesPicture",
        "Remove the picture of the series",
        remove_picture,
        {200: SeriesOutput},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
)

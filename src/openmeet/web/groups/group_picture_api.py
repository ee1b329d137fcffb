"""A group's picture, as JSON."""

from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.groups import actions, rules
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.media import pictures as media
from openmeet.domain.media.pictures import Picture
from openmeet.web.api.etags import IF_MATCH, etag_of, expected_revision
from openmeet.web.api.operations import ApiOperation
from openmeet.web.groups.api import shown_to, slug_of
from openmeet.web.groups.schemas import GroupOutput
from openmeet.web.media.schemas import PictureInput, check_alt
from openmeet.web.media.uploads import store_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of, workers_of


async def put_picture(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, PictureInput)
    db = database_of(request)
    async with db.reader() as reader:
        group, membership = await actions.visible(reader, slug_of(request), caller.user_id)
        rules.require_managed_here(group, GroupPermission.EDIT_GROUP)
        rules.require_permission(membership.role if membership else None, GroupPermission.EDIT_GROUP)
    alt = check_alt(body.alt)
    key, stored_picture = await media.store_picture(
        db, store_of(request), workers_of(request, caller.user_id), caller.user_id, body.image
    )
    async with db.transaction() as tx:
        saved = await actions.set_picture(
            tx,
            caller,
            group.slug,
            Picture(key, alt, stored_picture.width, stored_picture.height),
            expected_revision=expected_revision(request),
        )
        shown = await shown_to(tx, request, saved, caller.user_id)
    return json_response(shown, headers=etag_of(saved.revision))


async def remove_picture(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        saved = await actions.remove_picture(tx, caller, slug_of(request), expected_revision=expected_revision(request))
        shown = await shown_to(tx, request, saved, caller.user_id)
    return json_response(shown, headers=etag_of(saved.revision))


_FAILURES = (403, 404, 412, 422)

OPERATIONS = (
    ApiOperation(
        "PUT",
        "/api/groups/{slug}/picture",
        "putGroupPicture",
        "Set the picture of the group",
        put_picture,
        {200: GroupOutput},
        PictureInput,
        (IF_MATCH,),
        failures=_FAILURES,
        is_idempotent=True,
    ),
    ApiOperation(
        "DELETE",
        "/api/groups/{slug}/picture",
        "removeGroupPicture",
        "Remove the picture of the group",
        remove_picture,
        {200: GroupOutput},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
)

"""Form for a group's picture."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.http.forms import FormState
from openmeet.domain.groups import actions, rules
from openmeet.domain.groups.rules import GroupPermission
from openmeet.web.groups.access import GroupAccess, context_of, path_of, redirect_to_current_slug, see, slug_of
from openmeet.web.media.uploads import form_of, save_sent
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of


def routes() -> list[Route]:
    return [
        Route("/groups/{slug}/picture", show, methods=["GET"]),
        Route("/groups/{slug}/picture", save, methods=["POST"]),
        Route("/groups/{slug}/picture/remove", remove, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    seen = await _editable_group(request)
    moved = redirect_to_current_slug(request, seen.group)
    if moved is not None:
        return moved
    return _picture_form_page(request, seen, FormState({"alt": seen.group.picture.alt if seen.group.picture else ""}))


async def save(request: Request) -> Response:
    seen = await _editable_group(request)
    caller = caller_of(request)
    refused_form = await save_sent(
        request,
        caller.user_id,
        lambda tx, picture: actions.set_picture(tx, caller, seen.group.slug, picture),
        lambda tx, alt: actions.describe_picture(tx, caller, seen.group.slug, alt),
    )
    if refused_form is not None:
        form_state, status = refused_form
        return _picture_form_page(request, seen, form_state, status=status)
    return go(path_of(seen.group), flash="picture_saved")


async def remove(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        group = await actions.remove_picture(tx, caller_of(request), slug_of(request))
    return go(path_of(group), flash="picture_removed")


async def _editable_group(request: Request) -> GroupAccess:
    caller_of(request)
    async with database_of(request).reader() as reader:
        seen = await see(reader, request, GroupPermission.EDIT_GROUP)
    rules.require_managed_here(seen.group, GroupPermission.EDIT_GROUP)
    return seen


def _picture_form_page(request: Request, seen: GroupAccess, form_state: FormState, *, status: int = 200) -> Response:
    settings = f"{seen.path}/settings"
    has_record_picture = seen.group.network.avatar_cid is not None
    form = form_of(
        seen.group.picture, seen.path, back=settings, form_state=form_state, has_record_picture=has_record_picture
    )
    return page(request, "groups/group_picture.html", context_of(seen, settings) | form, status=status)

"""Announcing something to everybody in a group, and taking it away again."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, TooMany, kind_of
from openmeet.domain.groups import actions, announcements
from openmeet.domain.groups.model import MAX_KEY, AnnouncementId
from openmeet.web.groups import view
from openmeet.web.groups.access import path_of, see, slug_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.forms import read_form, typed_again
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of


def routes() -> list[Route]:
    return [
        Route("/groups/{slug}/announcements", announce, methods=["POST"]),
        Route("/groups/{slug}/announcements/{announcement}/remove", remove, methods=["POST"]),
    ]


async def announce(request: Request) -> Response:
    caller = caller_of(request)
    typed = await read_form(request)
    key = typed.get("submission", "")[:MAX_KEY]
    try:
        async with database_of(request).transaction() as tx:
            await announcements.announce(
                tx, caller, slug_of(request), typed.get("text", ""), submission_key=key or None
            )
            group, _ = await actions.visible(tx, slug_of(request), caller.user_id)
    except (InvalidForm, TooMany, announcements.AlreadySaid) as wrong:
        problem = wrong if isinstance(wrong, InvalidForm) else InvalidForm({"text": wrong.why})
        if isinstance(wrong, announcements.AlreadySaid):
            typed = {**typed, "submission": ""}
        async with database_of(request).reader() as reader:
            context = await view.view_of(
                reader, await see(reader, request), typed_again(typed, problem), services(request).settings.public_url
            )
        return page(request, "groups/group.html", context, status=kind_of(wrong).http_status)
    return go(path_of(group) + "#announcements", said="announced")


async def remove(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await announcements.remove(tx, caller, slug_of(request), AnnouncementId(request.path_params["announcement"]))
        group, _ = await actions.visible(tx, slug_of(request), caller.user_id)
    return go(path_of(group), said="announcement_removed")

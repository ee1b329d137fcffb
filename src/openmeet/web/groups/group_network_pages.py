"""A group's page about the network: one's own name, for everybody who is in; the group's record and its own repository, for its owner."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput, NotFound, Refused
from openmeet.domain.attendance import group_hosting
from openmeet.domain.groups import actions, publication_settings
from openmeet.domain.groups.model import Role
from openmeet.domain.groups.rules import Action
from openmeet.network.repositories.custodial import Keeper, check_handle, suggest_handle
from openmeet.web.groups.access import Seen, context_of, elsewhere, path_of, see, slug_of
from openmeet.web.groups.atproto_pages import on_the_network
from openmeet.web.site.caller import caller_of
from openmeet.web.site.forms import EMPTY, Typed, read_form
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import publishing_of, services
from openmeet.web.site.tenant_routing import database_of

LABELS = {"handle": "Handle"}


def routes() -> list[Route]:
    return [
        Route("/groups/{slug}/network", show, methods=["GET"]),
        Route("/groups/{slug}/network", save, methods=["POST"]),
        Route("/groups/{slug}/repository", ask_repository, methods=["GET"]),
        Route("/groups/{slug}/repository", make_repository, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    return await _page(request, EMPTY)


async def save(request: Request) -> Response:
    caller = caller_of(request)
    typed = await read_form(request)
    is_public = typed.get("public") == "yes"
    try:
        async with database_of(request).transaction() as tx:
            await publication_settings.show_membership(tx, caller, slug_of(request), is_public=is_public)
            group, _ = await actions.visible(tx, slug_of(request), caller.user_id)
    except Refused as refused:
        return await _page(request, Typed(typed, {"": refused.why}), status=422)
    return go(path_of(group, "network"), said="membership_shown" if is_public else "membership_hidden")


async def ask_repository(request: Request) -> Response:
    """The page on which a group gets a repository of its own, where there is somebody who keeps repositories."""
    return await _ask_repository(request, publishing_of(request).keeper, EMPTY)


async def make_repository(request: Request) -> Response:
    keeper, caller = publishing_of(request).keeper, caller_of(request)
    typed = await read_form(request)
    try:
        handle = _agreed(typed, keeper)
        async with database_of(request).transaction() as tx:
            group = await group_hosting.open_account(tx, caller, slug_of(request), handle)
    except InvalidInput as wrong:
        return await _ask_repository(request, keeper, Typed(typed, {wrong.field: wrong.why}), status=400)
    except Refused as refused:
        return await _ask_repository(request, keeper, Typed(typed, {"": refused.why}), status=422)
    return go(path_of(group, "network"), said="group_repository_asked")


async def _page(request: Request, typed: Typed, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        seen = await see_network(reader, request)
        moved = elsewhere(request, seen.group)
        if moved is not None and request.method == "GET":
            return moved
        context = context_of(seen, f"{seen.path}/network")
        context |= {"typed": typed, "net": await on_the_network(reader, seen), "is_owner": seen.role is Role.OWNER}
    context["can_have_repository"] = services(request).asks_to_publish
    return page(request, "groups/group_network.html", context, status=status)


async def see_network(reader: Reader, request: Request) -> Seen:
    """The group, for who is in it; of one that is kept elsewhere, for everybody who is signed in. Raises NotFound, Forbidden."""
    caller_of(request)
    seen = await see(reader, request)
    return seen if seen.group.is_read_only else await see(reader, request, Action.SEE_MEMBERS)


def _agreed(typed: dict[str, str], keeper: Keeper) -> str:
    """The handle, where they said yes. Raises InvalidInput."""
    if typed.get("publish") != "yes":
        raise InvalidInput("publish", "Say yes, or leave it as it is.")
    return check_handle(typed.get("handle", ""), keeper.handle_domain)


async def _ask_repository(request: Request, keeper: Keeper, typed: Typed, *, status: int = 200) -> Response:
    caller_of(request)
    async with database_of(request).reader() as reader:
        seen = await see(reader, request, Action.TRANSFER)
        if seen.group.is_read_only:
            raise NotFound("There is no such page.")
        moved = elsewhere(request, seen.group)
        if moved is not None and request.method == "GET":
            return moved
    handle = suggest_handle(seen.group.details.name, seen.group.id, keeper.handle_domain)
    context = context_of(seen, f"{seen.path}/network") | {
        "typed": Typed({"handle": handle, **typed.values}, typed.problems),
        "labels": LABELS,
        "domain": keeper.handle_domain,
    }
    return page(request, "groups/group_repository.html", context, status=status)

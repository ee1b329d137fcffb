"""The switch for event suggestions, with an explanation of what they are based on."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.http.forms import local_path, read_form
from openmeet.domain.users import queries
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of


def routes() -> list[Route]:
    return [
        Route("/settings/suggestions", show_suggestions, methods=["GET"]),
        Route("/settings/suggestions", save_suggestions, methods=["POST"]),
    ]


async def show_suggestions(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        user = await queries.by_id(reader, caller.user_id)
    return page(request, "account/suggestions.html", {"is_on": user is not None and user.wants_suggestions})


async def save_suggestions(request: Request) -> Response:
    """Turn suggestions on (``wants_suggestions``) or off."""
    caller = caller_of(request)
    form = await read_form(request)
    wants_suggestions = bool(form.get("wanted"))
    async with database_of(request).transaction() as tx:
        await queries.set_wants_suggestions(tx, caller.user_id, wanted=wants_suggestions)
    back = local_path(form.get("next", "/settings/suggestions"))
    return go(back, flash="suggestions_on" if wants_suggestions else "suggestions_off")

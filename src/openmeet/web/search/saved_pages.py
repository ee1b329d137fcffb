"""Pages of saved searches: save one from the results, list them, switch one off, remove one."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound, Refused
from groundwork.http.forms import EMPTY, FormState, read_form
from openmeet.domain.saved_searches import actions, queries
from openmeet.domain.saved_searches.queries import SearchId
from openmeet.domain.search.filters import FIELDS
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/my/searches"


def routes() -> list[Route]:
    return [Route(PATH, show, methods=["GET"]), Route(PATH, change, methods=["POST"])]


async def show(request: Request) -> Response:
    return await _saved_searches_page(request, EMPTY)


async def change(request: Request) -> Response:
    """Save a search, or change a saved one."""
    caller = caller_of(request)
    form = await read_form(request)
    action, search_id = form.get("act", ""), SearchId(form.get("search", ""))
    try:
        async with database_of(request).transaction() as tx:
            match action:
                case "keep":
                    await actions.save(tx, caller, {name: form.get(name, "") for name in FIELDS})
                case "on" | "off":
                    await actions.switch(tx, caller, search_id, is_on=action == "on")
                case "remove":
                    await actions.remove(tx, caller, search_id)
                case _:
                    raise NotFound(SiteReason.NOTHING_HERE)
    except Refused as refused:
        return await _saved_searches_page(request, FormState(form, {"": refused.why}), status=422)
    return go(
        PATH, flash={"keep": "search_kept", "on": "search_on", "off": "search_off", "remove": "search_removed"}[action]
    )


async def _saved_searches_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        searches = await queries.of_person(reader, caller_of(request).user_id)
        now = reader.now
    return page(request, "search/searches.html", {"typed": form_state, "searches": searches, "now": now}, status=status)

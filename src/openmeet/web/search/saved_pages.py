"""Saved searches, on pages and as JSON: save one from the results, list them, switch one off, remove one."""

from typing import Final
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound, Refused
from groundwork.http.forms import EMPTY, FormState, read_form
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.saved_searches import actions, queries
from openmeet.domain.saved_searches.queries import MAX_SEARCHES, SavedSearch, SearchId
from openmeet.domain.search.filters import FIELDS
from openmeet.i18n.formatting import iso
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.search import places
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


class SearchOutput(msgspec.Struct, rename="camel"):
    """A saved search. ``query`` is the query string of listEvents that gives the same results. ``isOn`` says whether
    the caller is notified of new matches.
    """

    id: str
    query: str
    name: str
    is_on: bool
    created_at: str


class SearchList(msgspec.Struct, rename="camel"):
    """The caller's saved searches, newest first. ``cursor`` is null on the last page."""

    searches: list[SearchOutput]
    cursor: str | None


class SearchInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``query`` has the search parameters of listEvents as a query string: ``q=jazz&near=52.52,13.40&within=25``."""

    query: str


class SearchSwitch(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Whether to notify the caller of new matches."""

    is_on: bool


async def list_searches(request: Request) -> Response:
    page = paging(request)
    async with database_of(request).reader() as reader:
        read = await queries.of_person(reader, caller_of(request).user_id, page)
    own_searches, cursor = page.cut(read, lambda one: (one.created_at, one.id))
    return json_response(SearchList([_search_output(one) for one in own_searches], cursor))


async def keep_search(request: Request) -> Response:
    body = await read_json(request, SearchInput)
    parameters = dict(parse_qsl(body.query.removeprefix("?")))
    wanted_search = await places.add_point(request, {name: parameters.get(name, "") for name in FIELDS})
    async with database_of(request).transaction() as tx:
        saved = await actions.save(tx, caller_of(request), wanted_search)
    return json_response(_search_output(saved), 201)


async def switch_search(request: Request) -> Response:
    body = await read_json(request, SearchSwitch)
    async with database_of(request).transaction() as tx:
        saved = await actions.switch(tx, caller_of(request), _search_id(request), is_on=body.is_on)
    return json_response(_search_output(saved))


async def remove_search(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await actions.remove(tx, caller_of(request), _search_id(request))
    return Response(status_code=204)


def _search_id(request: Request) -> SearchId:
    return SearchId(request.path_params["id"])


def _search_output(search: SavedSearch) -> SearchOutput:
    return SearchOutput(search.id, search.asked, search.name, search.is_on, iso(search.created_at))


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/searches",
        "listSearches",
        f"Your saved searches, at most {MAX_SEARCHES}",
        list_searches,
        {200: SearchList},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "POST",
        "/api/searches",
        "keepSearch",
        "Save a search and get notifications about each new public event that matches. A search saved before is "
        "switched on",
        keep_search,
        {201: SearchOutput},
        SearchInput,
        failures=(422,),
    ),
    ApiOperation(
        "PUT",
        "/api/searches/{id}",
        "switchSearch",
        "Switch notifications of a saved search on or off",
        switch_search,
        {200: SearchOutput},
        SearchSwitch,
        failures=(404,),
    ),
    ApiOperation(
        "DELETE",
        "/api/searches/{id}",
        "removeSearch",
        "Delete a saved search",
        remove_search,
        {204: None},
        failures=(404,),
    ),
)

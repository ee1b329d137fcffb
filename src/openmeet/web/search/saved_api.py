"""Saved searches as JSON."""

from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.saved_searches import actions, queries
from openmeet.domain.saved_searches.queries import MAX_SEARCHES, SavedSearch, SearchId
from openmeet.domain.search import query as searches
from openmeet.i18n.formatting import iso
from openmeet.web.api.operations import ApiOperation
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of


class SearchShown(msgspec.Struct, rename="camel"):
    """A saved search. ``query``: the query string of listEvents with the same results; ``isOn``: whether matches are
    announced.
    """

    id: str
    query: str
    name: str
    is_on: bool
    created_at: str


class SearchList(msgspec.Struct, rename="camel"):
    """All saved searches of the caller, newest first."""

    searches: list[SearchShown]


class SearchWanted(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``query``: search parameters of listEvents as a query string: ``q=jazz&near=52.52,13.40&within=25``."""

    query: str


class SearchSwitch(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Whether to announce new matches."""

    is_on: bool


async def list_searches(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        found = await queries.of_person(reader, caller_of(request).user_id)
    return json_response(SearchList([_shown(one) for one in found]))


async def keep_search(request: Request) -> Response:
    wanted = await read_json(request, SearchWanted)
    asked = dict(parse_qsl(wanted.query.removeprefix("?")))
    async with database_of(request).transaction() as tx:
        kept = await actions.save(tx, caller_of(request), {name: asked.get(name, "") for name in searches.FIELDS})
    return json_response(_shown(kept), 201)


async def switch_search(request: Request) -> Response:
    wanted = await read_json(request, SearchSwitch)
    async with database_of(request).transaction() as tx:
        kept = await actions.switch(tx, caller_of(request), _id(request), is_on=wanted.is_on)
    return json_response(_shown(kept))


async def remove_search(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await actions.remove(tx, caller_of(request), _id(request))
    return Response(status_code=204)


def _id(request: Request) -> SearchId:
    return SearchId(request.path_params["id"])


def _shown(one: SavedSearch) -> SearchShown:
    return SearchShown(one.id, one.asked, one.name, one.is_on, iso(one.created_at))


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/searches",
        "listSearches",
        f"Searches that the caller keeps, at most {MAX_SEARCHES}",
        list_searches,
        {200: SearchList},
    ),
    ApiOperation(
        "POST",
        "/api/searches",
        "keepSearch",
        "Keep a search, and hear of each new public event that fits; the same again is switched on",
        keep_search,
        {201: SearchShown},
        SearchWanted,
        failures=(422,),
    ),
    ApiOperation(
        "PUT",
        "/api/searches/{id}",
        "switchSearch",
        "Hear of what is new, or keep the search in silence",
        switch_search,
        {200: SearchShown},
        SearchSwitch,
        failures=(404,),
    ),
    ApiOperation(
        "DELETE",
        "/api/searches/{id}",
        "removeSearch",
        "Keep a search no longer",
        remove_search,
        {204: None},
        failures=(404,),
    ),
)

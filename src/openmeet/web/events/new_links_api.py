"""Replace the links of unlisted events, series and groups, as JSON."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response
from openmeet.domain.events import actions as event_actions
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.series import actions as series_actions
from openmeet.web.api.etags import IF_MATCH, expected_revision
from openmeet.web.api.operations import ApiOperation
from openmeet.web.site.caller import caller_of
from openmeet.web.site.slugs import event_slug_of, group_slug_of, series_slug_of
from openmeet.web.site.tenant_routing import database_of


class NewLink(msgspec.Struct, rename="camel"):
    """The new link."""

    slug: str


async def make_for_event(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        slug = event_slug_of(request)
        revision = expected_revision(request)
        event = await event_actions.replace_link(tx, caller_of(request), slug, expected_revision=revision)
    return json_response(NewLink(event.slug))


async def make_for_series(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        slug = series_slug_of(request)
        revision = expected_revision(request)
        series = await series_actions.replace_links(tx, caller_of(request), slug, expected_revision=revision)
    return json_response(NewLink(series.slug))


async def make_for_group(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        slug = group_slug_of(request)
        revision = expected_revision(request)
        group = await group_actions.replace_link(tx, caller_of(request), slug, expected_revision=revision)
    return json_response(NewLink(group.slug))


_FAILURES = (403, 404, 412, 422)
OPERATIONS = (
    ApiOperation(
        "POST",
        "/api/events/{slug}/new-link",
        "makeNewEventLink",
        "Replace the link of an event that is not public; the old one stops working",
        make_for_event,
        {200: NewLink},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/new-link",
        "makeNewSeriesLink",
        "Replace the links of a series that is not public and of its dates; the old ones stop working",
        make_for_series,
        {200: NewLink},
        None,
        (IF_MATCH,),
        failures=(*_FAILURES, 410),
    ),
    ApiOperation(
        "POST",
        "/api/groups/{slug}/new-link",
        "makeNewGroupLink",
        "Replace the link of a group that is not public; every earlier one stops working",
        make_for_group,
        {200: NewLink},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
)

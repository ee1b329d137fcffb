"""The secret calendar feed of a group, as JSON: each member has their own URL."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response
from openmeet.domain.groups import actions, calendar_feeds, rules
from openmeet.domain.groups.rules import GroupPermission
from openmeet.web.api.operations import ApiOperation
from openmeet.web.groups.feeds import calendar_feed_url, calendar_url_for
from openmeet.web.site.caller import caller_of
from openmeet.web.site.services import services
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of


class GroupFeedOutput(msgspec.Struct, rename="camel"):
    """The caller's secret URL of the group's calendar. Null if there is none, or if it is so old that it cannot be
    shown again.
    """

    url: str | None


async def show(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        group, membership = await actions.visible(reader, group_slug_of(request), caller.user_id)
        rules.require_permission(membership.role if membership else None, GroupPermission.VIEW)
        url = await calendar_url_for(reader, request, group, caller.user_id)
    return json_response(GroupFeedOutput(url or None))


async def renew(request: Request) -> Response:
    """Create a new URL. The previous one stops working."""
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        group, membership = await actions.lock_visible(tx, caller, group_slug_of(request))
        token = await calendar_feeds.renew(tx, services(request).code_key, group, membership)
    return json_response(GroupFeedOutput(calendar_feed_url(request, token)), 201)


async def close(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        group, _ = await actions.lock_visible(tx, caller, group_slug_of(request))
        await calendar_feeds.close(tx, group.id, caller.user_id)
    return Response(status_code=204)


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/groups/{slug}/calendar-feed",
        "showGroupFeed",
        "The caller’s secret URL of a group’s calendar",
        show,
        {200: GroupFeedOutput},
        failures=(403, 404),
    ),
    ApiOperation(
        "POST",
        "/api/groups/{slug}/calendar-feed",
        "renewGroupFeed",
        "Create or replace the secret URL of a group’s calendar; the old one stops working",
        renew,
        {201: GroupFeedOutput},
        failures=(403, 404),
    ),
    ApiOperation(
        "DELETE",
        "/api/groups/{slug}/calendar-feed",
        "closeGroupFeed",
        "Remove the caller’s secret URL of the group’s calendar",
        close,
        {204: None},
        failures=(404,),
    ),
)

"""A group on the AT Protocol network, as JSON: its record and the caller's public membership."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.groups import publication_settings
from openmeet.web.api.operations import ApiOperation
from openmeet.web.groups.atproto_pages import on_the_network, see_network
from openmeet.web.site.caller import caller_of
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of


class NameInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Whether to publish the caller's membership as a record in their repository."""

    is_public: bool


class NameOutput(msgspec.Struct, rename="camel"):
    """Whether the caller publishes their membership of a group. ``state`` is the state of the membership record. It is
    null if none was ever requested. ``asksPermission`` means that the PDS must grant permission first.
    """

    is_public: bool
    state: str | None
    record_uri: str | None
    asks_permission: bool


class GroupNetworkOutput(msgspec.Struct, rename="camel"):
    """``share`` says how much of the group is published. ``handle`` is the handle of its own repository; null if its
    owner's repository is used.

    ``mine`` is null for callers who are not members.
    """

    record_uri: str | None
    share: Literal["nothing", "least", "all"]
    is_kept_elsewhere: bool
    handle: str | None
    mine: NameOutput | None


async def show(request: Request) -> Response:
    caller_of(request)
    return json_response(await _network_output(request))


async def put_name(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, NameInput)
    async with database_of(request).transaction() as tx:
        await publication_settings.show_membership(tx, caller, group_slug_of(request), is_public=body.is_public)
    return json_response(await _network_output(request))


async def _network_output(request: Request) -> GroupNetworkOutput:
    async with database_of(request).reader() as reader:
        seen = await see_network(reader, request)
        network = await on_the_network(reader, seen)
    own_name = network.mine
    return GroupNetworkOutput(
        record_uri=network.uri,
        share=("nothing", "least", "all")[network.share],
        is_kept_elsewhere=seen.group.is_read_only,
        handle=network.handle or None,
        mine=None
        if own_name is None
        else NameOutput(
            own_name.is_public, own_name.state.value if own_name.state else None, own_name.uri, own_name.asks
        ),
    )


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/groups/{slug}/network",
        "showGroupNetwork",
        "Publication status of a group and of the caller’s membership",
        show,
        {200: GroupNetworkOutput},
        failures=(403, 404),
    ),
    ApiOperation(
        "PUT",
        "/api/groups/{slug}/network/name",
        "showMembership",
        "Publish or retract the caller’s membership; for a group of another installation, publishing requests membership",
        put_name,
        {200: GroupNetworkOutput},
        NameInput,
        failures=(403, 404, 422),
    ),
)

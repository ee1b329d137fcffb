"""Co-hosts of an event, as JSON."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events import co_host_queries, co_hosts, event_access, ownership, queries
from openmeet.domain.events.co_host_invitations import CoHost, CoHostId, invitation_in
from openmeet.domain.events.permissions import EventPermission
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.users.model import UserId
from openmeet.i18n.formatting import iso
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.events.co_hosts_pages import asked_of, spend_on_co_host
from openmeet.web.site.caller import caller_of
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

CoHostStateName = Literal["invited", "accepted", "declined", "left", "removed"]


class CoHostInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``whom`` is an e-mail address, or the handle of somebody who has signed in on this site.

    With ``forSeries``, they are invited to co-host every upcoming date of the event's series, including dates added
    later.
    """

    whom: str
    for_series: bool = False


class CoHostOutput(msgspec.Struct, rename="camel"):
    """One co-host invitation. ``personId`` is null until somebody accepts it. ``email`` is set if the invitation was
    e-mailed. With ``isAskedForSeries``, they co-host this date and are asked to host every date.
    """

    id: str
    person_id: str | None
    display_name: str
    email: str | None
    state: CoHostStateName
    for_series: bool
    is_asked_for_series: bool
    invited_at: str
    expires_at: str


class CoHostList(msgspec.Struct, rename="camel"):
    """One page of the co-hosts of an event and of those invited, in order. ``cursor`` is null on the last page."""

    co_hosts: list[CoHostOutput]
    cursor: str | None


class CoHostRequestOutput(msgspec.Struct, rename="camel"):
    """A co-host invitation that the caller has not answered yet. ``token`` identifies it."""

    token: str
    title: str
    host_name: str
    expires_at: str


class AskedList(msgspec.Struct, rename="camel"):
    """The invitations to co-host that the caller has not answered, oldest first. ``cursor`` is null on the last page."""

    invitations: list[CoHostRequestOutput]
    cursor: str | None


async def list_co_hosts(request: Request) -> Response:
    caller, page = caller_of(request), paging(request)
    async with database_of(request).reader() as reader:
        event = await event_access.require_visible(
            reader, await queries.by_slug(reader, event_slug_of(request)), caller.user_id
        )
        await event_access.require_permission(reader, event, caller.user_id, EventPermission.SEE)
        read = await co_host_queries.listed(reader, event.id, page)
        hosts, cursor = page.cut(read, lambda one: (one.created_at, one.id))
        return json_response(CoHostList(await _co_host_outputs(reader, hosts), cursor))


async def list_asked(request: Request) -> Response:
    caller, page = caller_of(request), paging(request)
    async with database_of(request).reader() as reader:
        invitations, cursor = await asked_of(reader, caller.user_id, services(request).code_key, page)
    shown = [CoHostRequestOutput(one.token, one.title, one.by, iso(one.expires_at)) for one in invitations]
    return json_response(AskedList(shown, cursor))


async def invite(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, CoHostInput)
    await spend_on_co_host(request, caller, event_slug_of(request), body.whom, for_series=body.for_series)
    async with database_of(request).transaction() as tx:
        co_host = await co_hosts.invite(tx, caller, event_slug_of(request), body.whom, for_series=body.for_series)
        (shown,) = await _co_host_outputs(tx, [co_host])
    return json_response(shown, 201)


async def remove(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await co_hosts.remove(tx, caller_of(request), event_slug_of(request), CoHostId(request.path_params["id"]))
    return Response(status_code=204)


async def leave(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await co_hosts.leave(tx, caller_of(request), event_slug_of(request))
    return Response(status_code=204)


async def offer(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await ownership.offer(tx, caller_of(request), event_slug_of(request), CoHostId(request.path_params["id"]))
    return Response(status_code=204)


async def take_over(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await event_hosting.take_over(tx, caller_of(request), event_slug_of(request))
    return Response(status_code=204)


async def drop_offer(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await ownership.drop(tx, caller_of(request), event_slug_of(request))
    return Response(status_code=204)


async def accept(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await co_hosts.accept(tx, caller_of(request), _co_host_id(request))
    return Response(status_code=204)


async def decline(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await co_hosts.decline(tx, caller_of(request), _co_host_id(request))
    return Response(status_code=204)


async def _co_host_outputs(reader: Reader, hosts: list[CoHost]) -> list[CoHostOutput]:
    people: list[UserId] = [one.user_id for one in hosts if one.user_id is not None]
    names = await shown_names(reader, people)
    return [
        CoHostOutput(
            one.id,
            one.user_id,
            names[one.user_id] if one.user_id is not None else "",
            one.email,
            one.state.value,
            one.is_for_series,
            one.is_asked_for_series,
            iso(one.created_at),
            iso(one.expires_at),
        )
        for one in hosts
    ]


def _co_host_id(request: Request) -> CoHostId:
    co_host_id = invitation_in(services(request).code_key, request.path_params["token"])
    if co_host_id is None:
        raise NotFound(EventReason.INVITATION_OVER)
    return co_host_id


_FAILURES = (403, 404)

OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/events/{slug}/co-hosts",
        "listCoHosts",
        "Co-hosts and open invitations, for hosts",
        list_co_hosts,
        {200: CoHostList},
        parameters=(CURSOR, LIMIT),
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/co-hosts",
        "inviteCoHost",
        "Invite a co-host",
        invite,
        {201: CoHostOutput},
        CoHostInput,
        failures=(403, 404, 422, 429),
    ),
    ApiOperation(
        "DELETE",
        "/api/events/{slug}/co-hosts/{id}",
        "removeCoHost",
        "Remove a co-host, or revoke an invitation",
        remove,
        {204: None},
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/co-hosts/leave",
        "leaveCoHosts",
        "Stop co-hosting the event",
        leave,
        {204: None},
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/co-hosts/{id}/offer",
        "offerEvent",
        "Offer the ownership of the event to a co-host",
        offer,
        {204: None},
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/owner",
        "takeEventOver",
        "Accept the ownership of an event. The previous owner becomes a co-host",
        take_over,
        {204: None},
        failures=(404, 422),
    ),
    ApiOperation(
        "DELETE",
        "/api/events/{slug}/owner/offer",
        "dropEventOffer",
        "Withdraw or decline the offer of an event",
        drop_offer,
        {204: None},
        failures=(404, 409),
    ),
    ApiOperation(
        "GET",
        "/api/my/co-hosting",
        "listMyCoHosting",
        "Your co-host invitations",
        list_asked,
        {200: AskedList},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "POST",
        "/api/co-hosting/{token}/accept",
        "acceptCoHosting",
        "Accept a co-host invitation",
        accept,
        {204: None},
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "POST",
        "/api/co-hosting/{token}/decline",
        "declineCoHosting",
        "Decline a co-host invitation",
        decline,
        {204: None},
        failures=_FAILURES,
    ),
)

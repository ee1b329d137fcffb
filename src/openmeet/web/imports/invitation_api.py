"""Accept or decline an invitation from an imported list, as JSON. To decline, only the token in the e-mail is needed."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response
from openmeet.domain.imports import people
from openmeet.domain.page_paths import event_path, group_path
from openmeet.web.api.operations import ApiOperation
from openmeet.web.site.caller import caller_of
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of


class InvitationPreviewOutput(msgspec.Struct, rename="camel"):
    """The event (``guests``) or group (``members``) of the invitation. Includes the inviter's message."""

    what: Literal["guests", "members"]
    title: str
    url: str
    message: str
    state: Literal["invited", "accepted", "declined"]


class ArrivalAccepted(msgspec.Struct, rename="camel"):
    """The event or group that was joined."""

    url: str


async def show(request: Request) -> Response:
    """Show the invitation. This changes nothing, because mail servers open links before people do."""
    person_id = people.person_in(services(request).code_key, request.path_params["token"])
    async with database_of(request).reader() as reader:
        person, event, group = await people.find_invitation(reader, person_id)
    path = event_path(event.slug) if event else group_path(group.slug) if group else "/"
    title = event.title if event else group.details.name if group else ""
    url = f"{services(request).settings.public_url}{path}"
    shown = msgspec.convert(
        {"what": person.what, "title": title, "url": url, "message": person.message, "state": person.stage},
        InvitationPreviewOutput,
    )
    return json_response(shown, headers={"cache-control": "no-store"})


async def accept(request: Request) -> Response:
    caller = caller_of(request)
    person_id = people.person_in(services(request).code_key, request.path_params["token"])
    async with database_of(request).transaction() as tx:
        path = await people.accept(tx, caller, person_id)
    return json_response(ArrivalAccepted(f"{services(request).settings.public_url}{path}"))


async def decline(request: Request) -> Response:
    person_id = people.person_in(services(request).code_key, request.path_params["token"])
    async with database_of(request).transaction() as tx:
        await people.decline(tx, services(request).code_key, person_id)
    return Response(status_code=204)


_ARRIVAL = "/api/arrivals/{token}"

OPERATIONS = (
    ApiOperation(
        "GET",
        _ARRIVAL,
        "showArrival",
        "The event or group of an invitation from an imported list, for anyone with its token; changes nothing",
        show,
        {200: InvitationPreviewOutput},
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "POST",
        _ARRIVAL,
        "acceptArrival",
        "Accept the invitation: the caller attends the event or joins the group",
        accept,
        {200: ArrivalAccepted},
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "DELETE",
        _ARRIVAL,
        "declineArrival",
        "Decline the invitation; no more e-mails are sent about it",
        decline,
        {204: None},
        needs_session=False,
        failures=(404,),
    ),
)

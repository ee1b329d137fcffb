"""Matrix guests, as JSON. Hosts can list, invite, remove and ban them."""

from typing import ClassVar, assert_never

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import NotFound
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.chat import matrix_guests
from openmeet.domain.chat.access import require_access
from openmeet.domain.chat.matrix_guests import GuestPresence, GuestState, MatrixGuest
from openmeet.domain.chat.model import Access
from openmeet.domain.chat.reasons import ChatReason
from openmeet.i18n.formatting import iso
from openmeet.web.api.operations import ApiOperation
from openmeet.web.chat.matrix_api import require_matrix
from openmeet.web.chat.requests import room_id, spend_on_guest
from openmeet.web.site.caller import caller_of
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of


class MatrixGuestShown(msgspec.Struct, rename="camel"):
    """A guest. ``state`` is what the hosts decided. ``membership`` is what the homeserver reports: ``invite``, ``join``
    or ``leave``; ``refused`` if it could not invite the guest; empty if it has not been asked yet. ``invitedBy`` is the
    person who decided. It is null for guests who were in the room before this site took it over.
    """

    EXAMPLE: ClassVar = {
        "address": "@zoe:matrix.example",
        "state": "invited",
        "membership": "join",
        "reason": "",
        "invitedBy": "0199a3c2-7d11-7f60-9f3e-0f2d5b1c8a77",
        "at": "2027-02-01T09:00:00.000Z",
    }

    address: str
    state: GuestState
    membership: GuestPresence
    reason: str
    invited_by: str | None
    at: str


class MatrixGuestList(msgspec.Struct, rename="camel"):
    """Guests ordered by address, at most a few hundred."""

    guests: list[MatrixGuestShown]


class MatrixGuestWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """``invited`` also works for somebody who was removed, banned or left. Somebody who is ``removed`` can be invited
    again. Somebody who is ``banned`` stays banned until a host invites them again. ``reason`` is stored in the log.
    """

    EXAMPLE: ClassVar = {"address": "@zoe:matrix.example", "state": "invited"}

    address: str
    state: GuestState = GuestState.INVITED
    reason: str = ""


async def list_guests(request: Request) -> Response:
    require_matrix(request)
    async with database_of(request).reader() as reader:
        await require_access(reader, room_id(request), caller_of(request).user_id, Access.MODERATE)
        guests = await matrix_guests.guests_of(reader, room_id(request))
    return json_response(MatrixGuestList([_guest_output(one) for one in guests]))


async def change_guest(request: Request) -> Response:
    """Invite, remove or ban a guest. Raises NotFound, Forbidden, Refused (``NoMatrix``, ``NoGuests``,
    ``TooManyGuests``), InvalidForm (``address``), TooMany.
    """
    require_matrix(request)
    caller, room, settings = caller_of(request), room_id(request), services(request).settings
    body = await read_json(request, MatrixGuestWanted)
    await spend_on_guest(request, caller.user_id)
    async with database_of(request).transaction() as tx:
        matrix_guest: MatrixGuest | None
        match body.state:
            case GuestState.INVITED:
                only = "" if settings.matrix_federate else settings.matrix_server_name
                matrix_guest = await matrix_guests.invite(tx, caller, room, body.address, only_of_server=only)
            case GuestState.REMOVED:
                matrix_guest = await matrix_guests.remove(tx, caller, room, body.address, body.reason)
            case GuestState.BANNED:
                matrix_guest = await matrix_guests.ban(tx, caller, room, body.address, body.reason)
            case _:
                assert_never(body.state)
    if matrix_guest is None:
        raise NotFound(ChatReason.NO_SUCH_GUEST)
    return json_response(_guest_output(matrix_guest))


def _guest_output(guest: MatrixGuest) -> MatrixGuestShown:
    return MatrixGuestShown(guest.mxid, guest.state, guest.presence, guest.reason, guest.by_user_id, iso(guest.at))


_GUESTS = "/api/chat/rooms/{room}/matrix/guests"

OPERATIONS = (
    ApiOperation(
        "GET",
        _GUESTS,
        "listMatrixGuests",
        "Guests of a room from Matrix, for its hosts",
        list_guests,
        {200: MatrixGuestList},
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "POST",
        _GUESTS,
        "changeMatrixGuest",
        "Invite a guest from Matrix by their address, remove or ban them, for hosts of public events, series and groups",
        change_guest,
        {200: MatrixGuestShown},
        MatrixGuestWanted,
        failures=(403, 404, 422, 429),
    ),
)

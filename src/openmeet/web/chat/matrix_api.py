"""Matrix mirror of rooms, as JSON: the switch of a room for its hosts, and each person's consent and linked account."""

from typing import ClassVar, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader
from groundwork.errors import NotFound, Refused
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.chat import log, matrix_people, mirroring
from openmeet.domain.chat.access import require_access
from openmeet.domain.chat.matrix_people import InvitationMode, MatrixConsent
from openmeet.domain.chat.mirroring import MirrorState
from openmeet.domain.chat.model import Access, RoomId
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.users.model import UserId
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.matrix.names import bot_localpart
from openmeet.web.api.etags import IF_MATCH, require_match_with_shown
from openmeet.web.api.operations import ApiOperation
from openmeet.web.chat.requests import room_id
from openmeet.web.chat.room_settings import matrix_alias
from openmeet.web.site.caller import caller_of
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

MAX_CHOICES: Final = 100


class ChatMirrorWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Whether to mirror the room. ``guests`` says whether people without an account on this site can be invited on
    Matrix. ``confirmed`` must be true if the room is not public, because the operators of the homeserver can read the
    messages.
    """

    enabled: bool
    guests: bool = False
    confirmed: bool = False


class ChatMirrorShown(msgspec.Struct, rename="camel"):
    """The status of a room's mirror. ``roomId`` and ``alias`` identify the room on Matrix and are null until it has
    been created. A room that was taken over from an older installation has no alias. ``guests`` says whether hosts can
    invite people without an account on this site. ``federates`` says whether other homeservers can join. ``since`` is
    the time at which the mirror was switched on; null while it is off. ``waiting`` is the number of entries that have
    not been sent yet. ``lastError`` is the code of the last error, or empty.
    """

    EXAMPLE: ClassVar = {
        "state": "on",
        "roomId": "!Kd1yF0bUqYwGzXa3cQ",
        "alias": "#_om_town_0199a3c2-7d11-7f60-9f3e-0f2d5b1c8a77:matrix.example",
        "guests": False,
        "federates": False,
        "since": "2027-02-01T09:00:00.000Z",
        "waiting": 0,
        "lastError": "",
    }

    state: MirrorState
    room_id: str | None
    alias: str | None
    guests: bool
    federates: bool
    since: str | None
    waiting: int
    last_error: str


class MatrixConsentWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """With ``name_and_words``, messages that the caller writes in mirrored rooms from then on are forwarded to Matrix
    under their name. With ``none``, messages that were already forwarded are deleted on Matrix, although others may
    keep copies. ``invitations`` says which mirrored rooms invite the linked account: ``all``, ``chosen`` or ``none``.
    If left out, it is unchanged.
    """

    consent: MatrixConsent | None = None
    invitations: InvitationMode | None = None


class MatrixPersonShown(msgspec.Struct, rename="camel"):
    """``answeredAt`` is null if the caller has not answered yet. ``account`` is their own Matrix account, if it is
    linked. ``invitations`` says which mirrored rooms invite it.
    """

    EXAMPLE: ClassVar = {
        "consent": "none",
        "answeredAt": None,
        "account": "@ana:matrix.example",
        "linkedAt": None,
        "invitations": "all",
    }

    consent: MatrixConsent
    answered_at: str | None
    account: str | None
    linked_at: str | None
    invitations: InvitationMode


class MatrixChoiceShown(msgspec.Struct, rename="camel"):
    """A mirrored room that the caller can write in. ``invited`` says whether it invites the linked account."""

    EXAMPLE: ClassVar = {"roomId": "0199a3c2-7d11-7f60-9f3e-0f2d5b1c8a77", "name": "Games night", "invited": True}

    room_id: str
    name: str
    invited: bool


class MatrixChoiceList(msgspec.Struct, rename="camel"):
    """The caller's mirrored rooms, at most a hundred. Rooms with the latest messages come first."""

    rooms: list[MatrixChoiceShown]


class MatrixChoiceWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """``invited`` true sends an invitation, even if the caller has left the room on Matrix. False withdraws an
    invitation but removes nobody from the room.
    """

    invited: bool


class MatrixLinkCode(msgspec.Struct, rename="camel"):
    """Send ``code`` to the Matrix user ``to`` in a direct chat, from the account to link, before ``expiresAt``."""

    EXAMPLE: ClassVar = {
        "code": "7KQM2PXA4D",
        "to": "@_om_town_keeper:matrix.example",
        "expiresAt": "2027-02-01T09:10:00.000Z",
    }

    code: str
    to: str
    expires_at: str


async def show_mirror(request: Request) -> Response:
    require_matrix(request)
    async with database_of(request).reader() as reader:
        await require_access(reader, room_id(request), caller_of(request).user_id, Access.MODERATE)
        mirror = await _mirror_output(reader, request, room_id(request))
    return json_response(mirror)


async def switch_mirror(request: Request) -> Response:
    """Turn the mirror on or off. Raises NotFound, Forbidden, Refused (``NoMatrix``, ``NeverMirrored``,
    ``ConfirmationNeeded``).
    """
    require_matrix(request)
    caller, room, body = caller_of(request), room_id(request), await read_json(request, ChatMirrorWanted)
    async with database_of(request).transaction() as tx:
        await require_access(tx, room, caller.user_id, Access.MODERATE)
        require_match_with_shown(request, await _mirror_output(tx, request, room))
        if body.enabled:
            await mirroring.switch_on(tx, caller, room, is_confirmed=body.confirmed, guests=body.guests)
        else:
            await mirroring.switch_off(tx, caller, room)
        mirror = await _mirror_output(tx, request, room)
    return json_response(mirror)


async def retry_mirror(request: Request) -> Response:
    require_matrix(request)
    async with database_of(request).transaction() as tx:
        await require_access(tx, room_id(request), caller_of(request).user_id, Access.MODERATE)
        await log.wake_mirror(tx, room_id(request))
        mirror = await _mirror_output(tx, request, room_id(request))
    return json_response(mirror)


async def show_person(request: Request) -> Response:
    require_matrix(request)
    async with database_of(request).reader() as reader:
        person = await _matrix_person(reader, caller_of(request).user_id)
    return json_response(person)


async def answer_consent(request: Request) -> Response:
    require_matrix(request)
    body = await read_json(request, MatrixConsentWanted)
    async with database_of(request).transaction() as tx:
        require_match_with_shown(request, await _matrix_person(tx, caller_of(request).user_id))
        if body.consent is not None:
            await matrix_people.answer_consent(tx, caller_of(request), body.consent)
        if body.invitations is not None:
            await matrix_people.choose_mode(tx, caller_of(request), body.invitations)
        person = await _matrix_person(tx, caller_of(request).user_id)
    return json_response(person)


async def make_link_code(request: Request) -> Response:
    require_matrix(request)
    settings = services(request).settings
    async with database_of(request).transaction() as tx:
        code, ends = await matrix_people.new_link_code(tx, caller_of(request))
    to = f"@{bot_localpart(services(request).tenant.name)}:{settings.matrix_server_name}"
    return json_response(MatrixLinkCode(code, to, iso(ends)))


async def unlink(request: Request) -> Response:
    require_matrix(request)
    async with database_of(request).transaction() as tx:
        require_match_with_shown(request, await _matrix_person(tx, caller_of(request).user_id))
        await matrix_people.unlink(tx, caller_of(request))
    return Response(status_code=204)


def require_matrix(request: Request) -> None:
    """Raises Refused (``NoMatrix``) if the site has no homeserver."""
    if not services(request).settings.matrix_url:
        raise Refused(ChatReason.NO_MATRIX_HERE, name="NoMatrix")


async def _mirror_output(reader: Reader, request: Request, room: RoomId) -> ChatMirrorShown:
    status = await mirroring.status(reader, room)
    if status is None:
        raise NotFound(ChatReason.NO_SUCH_ROOM)
    federates = services(request).settings.matrix_federate
    return ChatMirrorShown(
        status.state,
        status.matrix_room_id,
        matrix_alias(request, room, status) or None,
        guests=status.allows_guests,
        federates=federates,
        since=iso_or_none(status.since),
        waiting=status.waiting,
        last_error=status.error.code if status.error else "",
    )


async def _matrix_person(reader: Reader, user_id: UserId) -> MatrixPersonShown:
    matrix_person = await matrix_people.person(reader, user_id)
    if matrix_person is None:
        return MatrixPersonShown(MatrixConsent.NONE, None, None, None, InvitationMode.ALL)
    return MatrixPersonShown(
        matrix_person.consent,
        iso_or_none(matrix_person.answered_at),
        matrix_person.mxid,
        iso_or_none(matrix_person.linked_at),
        await matrix_people.mode_of(reader, user_id),
    )


async def list_choices(request: Request) -> Response:
    require_matrix(request)
    async with database_of(request).reader() as reader:
        rooms = await matrix_people.rooms_to_choose(reader, caller_of(request).user_id, MAX_CHOICES)
    return json_response(MatrixChoiceList([MatrixChoiceShown(one.room_id, one.name, one.is_invited) for one in rooms]))


async def choose_room(request: Request) -> Response:
    """Set whether a room invites the caller's linked account. Raises NotFound, Refused (``NoMatrix``)."""
    require_matrix(request)
    body = await read_json(request, MatrixChoiceWanted)
    async with database_of(request).transaction() as tx:
        await matrix_people.choose_room(tx, caller_of(request), room_id(request), invited=body.invited)
    return Response(status_code=204)


_ROOM = "/api/chat/rooms/{room}"

OPERATIONS = (
    ApiOperation(
        "GET",
        f"{_ROOM}/matrix",
        "showChatMirror",
        "Whether a room is mirrored to Matrix, and the number of unsent entries, for its hosts",
        show_mirror,
        {200: ChatMirrorShown},
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "PUT",
        f"{_ROOM}/matrix",
        "switchChatMirror",
        "Start or stop mirroring a room to Matrix, for its hosts",
        switch_mirror,
        {200: ChatMirrorShown},
        ChatMirrorWanted,
        parameters=(IF_MATCH,),
        failures=(403, 404, 412, 422),
    ),
    ApiOperation(
        "POST",
        f"{_ROOM}/matrix/again",
        "retryChatMirror",
        "Retry sending the unsent entries to Matrix, for hosts",
        retry_mirror,
        {200: ChatMirrorShown},
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "GET",
        "/api/me/matrix",
        "showMyMatrix",
        "Whether your messages are forwarded to Matrix, and your linked Matrix account",
        show_person,
        {200: MatrixPersonShown},
        failures=(422,),
    ),
    ApiOperation(
        "PUT",
        "/api/me/matrix",
        "answerMatrixConsent",
        "Set whether your name and messages are forwarded to Matrix (none deletes forwarded messages), "
        "and which rooms invite you",
        answer_consent,
        {200: MatrixPersonShown},
        MatrixConsentWanted,
        parameters=(IF_MATCH,),
        failures=(412, 422),
    ),
    ApiOperation(
        "GET",
        "/api/me/matrix/rooms",
        "listMatrixChoices",
        "Your mirrored rooms, and which of them invite your own Matrix account",
        list_choices,
        {200: MatrixChoiceList},
        failures=(422,),
    ),
    ApiOperation(
        "PUT",
        "/api/me/matrix/rooms/{room}",
        "chooseMatrixRoom",
        "Set whether a mirrored room invites your Matrix account, even after you left it",
        choose_room,
        {204: None},
        MatrixChoiceWanted,
        failures=(404, 422),
    ),
    ApiOperation(
        "POST",
        "/api/me/matrix/link",
        "linkMatrix",
        "A code that links the Matrix account from which you send it within ten minutes",
        make_link_code,
        {200: MatrixLinkCode},
        failures=(422,),
    ),
    ApiOperation(
        "DELETE",
        "/api/me/matrix",
        "unlinkMatrix",
        "Unlink your own Matrix account",
        unlink,
        {204: None},
        parameters=(IF_MATCH,),
        failures=(412, 422),
    ),
)

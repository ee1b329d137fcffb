"""Matrix settings: whether the user's messages are forwarded to Matrix, and linking their own Matrix account."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Transaction
from groundwork.errors import NotFound
from groundwork.http.forms import FormState, read_form
from openmeet.domain.chat import matrix_people
from openmeet.domain.chat.matrix_people import InvitationMode, MatrixConsent
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.users.model import Caller
from openmeet.i18n.catalogue import lazy
from openmeet.matrix.names import bot_localpart
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

PATH = "/settings/matrix"
_MAX_ROOMS: Final = 40
_MODES: Final = {
    InvitationMode.ALL: lazy("All my chats, except those not selected below"),
    InvitationMode.CHOSEN: lazy("Only the chats selected below"),
    InvitationMode.NONE: lazy("None"),
}


def routes() -> list[Route]:
    return [Route(PATH, show, methods=["GET"]), Route(PATH, change, methods=["POST"])]


async def show(request: Request) -> Response:
    return await _matrix_page(request)


async def change(request: Request) -> Response:
    """Handle the form. ``action`` is pass_on, keep_here, link, unlink or invitations. A new link code is shown only
    once.
    """
    _require_matrix(request)
    caller, form = caller_of(request), await read_form(request)
    action = form.get("act", "")
    code = ""
    async with database_of(request).transaction() as tx:
        match action:
            case "pass_on":
                await matrix_people.answer_consent(tx, caller, MatrixConsent.NAME_AND_WORDS)
            case "keep_here":
                await matrix_people.answer_consent(tx, caller, MatrixConsent.NONE)
            case "link":
                code, _ = await matrix_people.new_link_code(tx, caller)
            case "unlink":
                await matrix_people.unlink(tx, caller)
            case "invitations":
                await _save_choices(tx, caller, form)
            case _:
                raise NotFound(ChatReason.NO_MATRIX_HERE)
    return go(PATH, flash="chat_saved") if not code else await _matrix_page(request, code)


async def _save_choices(tx: Transaction, caller: Caller, form: Mapping[str, str]) -> None:
    """Set which rooms send invitations: the mode, and one checkbox for each room on the page (``shown`` has their ids)."""
    mode = next((one for one in InvitationMode if one.value == form.get("mode")), None)
    if mode is not None:
        await matrix_people.choose_mode(tx, caller, mode)
    if mode is InvitationMode.NONE:
        return
    for room in await matrix_people.rooms_to_choose(tx, caller.user_id, _MAX_ROOMS):
        field = f"room-{room.room_id}"
        # Rooms that were not on the page keep their setting.
        if f"shown-{room.room_id}" in form and bool(form.get(field)) is not room.is_invited:
            await matrix_people.choose_room(tx, caller, room.room_id, invited=bool(form.get(field)))


async def _matrix_page(request: Request, code: str = "") -> Response:
    _require_matrix(request)
    caller, site = caller_of(request), services(request)
    async with database_of(request).reader() as reader:
        person = await matrix_people.person(reader, caller.user_id)
        is_withdrawing = await matrix_people.is_withdrawing(reader, caller.user_id)
        mode = await matrix_people.mode_of(reader, caller.user_id)
        rooms = await matrix_people.rooms_to_choose(reader, caller.user_id, _MAX_ROOMS)
    context = {
        "server": site.settings.matrix_server_name,
        "bot": f"@{bot_localpart(site.tenant.name)}:{site.settings.matrix_server_name}",
        "passes_on": person is not None and person.consent is MatrixConsent.NAME_AND_WORDS,
        "is_withdrawing": is_withdrawing,
        "account": person.mxid if person else None,
        "name": caller.display_name,
        "code": code,
        "mode": FormState({"mode": mode.value}),
        "modes": [(one.value, words, "") for one, words in _MODES.items()],
        "rooms": rooms,
    }
    return page(request, "account/matrix.html", context)


def _require_matrix(request: Request) -> None:
    """Raises NotFound if the site has no homeserver."""
    if not services(request).settings.matrix_url:
        raise NotFound(ChatReason.NO_MATRIX_HERE)

"""Settings for Matrix: whether one's messages are passed on there, and linking one's own account."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.errors import NotFound
from openmeet.domain.chat import mirroring
from openmeet.domain.chat.mirroring import MatrixConsent
from openmeet.domain.chat.reasons import ChatReason
from openmeet.matrix.names import keeper
from openmeet.web.site.caller import caller_of
from openmeet.web.site.forms import read_form
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

PATH = "/settings/matrix"


def routes() -> list[Route]:
    return [Route(PATH, show, methods=["GET"]), Route(PATH, change, methods=["POST"])]


async def show(request: Request) -> Response:
    return await _page(request)


async def change(request: Request) -> Response:
    """``act``: pass_on, keep_here, link or unlink. A new code is shown once."""
    _must_be_connected(request)
    caller, act = caller_of(request), (await read_form(request)).get("act", "")
    code: tuple[str, Instant] | None = None
    async with database_of(request).transaction() as tx:
        match act:
            case "pass_on":
                await mirroring.answer_consent(tx, caller, MatrixConsent.NAME_AND_WORDS)
            case "keep_here":
                await mirroring.answer_consent(tx, caller, MatrixConsent.NONE)
            case "link":
                code = await mirroring.new_link_code(tx, caller)
            case "unlink":
                await mirroring.unlink(tx, caller)
            case _:
                raise NotFound(ChatReason.NO_MATRIX_HERE)
    return go(PATH, flash="chat_saved") if code is None else await _page(request, code)


async def _page(request: Request, code: tuple[str, Instant] | None = None) -> Response:
    _must_be_connected(request)
    caller, site = caller_of(request), services(request)
    async with database_of(request).reader() as reader:
        person = await mirroring.person(reader, caller.user_id)
        is_withdrawing = await mirroring.is_withdrawing(reader, caller.user_id)
        now = reader.now
    context = {
        "server": site.settings.matrix_server_name,
        "keeper": f"@{keeper(site.tenant.name)}:{site.settings.matrix_server_name}",
        "passes_on": person is not None and person.consent is MatrixConsent.NAME_AND_WORDS,
        "is_withdrawing": is_withdrawing,
        "account": person.mxid if person else None,
        "name": caller.display_name,
        "code": code[0] if code else "",
        "code_ends": code[1] if code else None,
        "now": now,
    }
    return page(request, "account/matrix.html", context)


def _must_be_connected(request: Request) -> None:
    """Raises NotFound on a site without a homeserver."""
    if not services(request).settings.matrix_url:
        raise NotFound(ChatReason.NO_MATRIX_HERE)

"""The page on which a user takes over their custodial repository."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidInput, NotFound, Refused, RemoteFailed, RemoteSlow
from groundwork.http.forms import EMPTY, FormState, read_form
from openmeet.domain.identities import recovery_key_queries
from openmeet.domain.users.queries import by_id
from openmeet.domain.users.reasons import UserReason
from openmeet.network.repositories.custodial import check_password, custodial_identity_of, take_over
from openmeet.web.account import custodial_pages
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import publishing_of
from openmeet.web.site.tenant_routing import database_of

PATH = "/settings/identity/take-over"


def routes() -> list[Route]:
    return [Route(PATH, show, methods=["GET"]), Route(PATH, take, methods=["POST"])]


async def show(request: Request) -> Response:
    return await _taking_over_page(request, EMPTY)


async def take(request: Request) -> Response:
    publishing, caller = publishing_of(request), caller_of(request)
    form = await read_form(request)
    try:
        password = check_password(form.get("password", ""), form.get("again", ""))
        await take_over(database_of(request), publishing.network, publishing.custodial_pds, caller.user_id, password)
    except InvalidInput as wrong:
        field = wrong.field if wrong.field in {"password", "again"} else "password"
        return await _taking_over_page(request, FormState({}, {field: wrong.why}), status=400)
    except Refused as refused:
        return await _taking_over_page(request, FormState({}, {"": refused.why}), status=422)
    except (RemoteFailed, RemoteSlow) as away:
        reason = UserReason.NOTHING_LOST(problem=away.quoted)
        return await _taking_over_page(request, FormState({}, {"": reason}), status=502)
    async with database_of(request).reader() as reader:
        waits = await recovery_key_queries.unsaved_key(reader, caller.user_id) is not None
    return go(custodial_pages.PATH if waits else "/settings/identity", flash="identity_taken_over")


async def _taking_over_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    custodial_pds, caller = publishing_of(request).custodial_pds, caller_of(request)
    async with database_of(request).reader() as reader:
        identity = await custodial_identity_of(reader, caller.user_id)
        person = await by_id(reader, caller.user_id)
        has_key = identity is not None and await recovery_key_queries.has_key(reader, identity.did)
    if identity is None:
        raise NotFound(UserReason.NO_ACCOUNT_KEPT)
    context = {
        "typed": form_state,
        "identity": identity,
        "email": person.email if person else None,
        "has_key": has_key,
        "account_page": f"{custodial_pds.pds_url}/account",
    }
    return page(request, "account/taking_over.html", context, status=status)

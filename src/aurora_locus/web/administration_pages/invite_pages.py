"""Invite codes: list, create, disable."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.accounts import account_details, invites
from aurora_locus.i18n.sentences import gettext_noop, localizable
from aurora_locus.moderation import account_actions
from aurora_locus.moderation.roles import OperatorAction
from aurora_locus.web.administration_pages.operator_access import (
    admin_page,
    audit_of,
    operator_get,
    operator_post,
)
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import redirect_to
from aurora_locus.web.site.services import services
from groundwork.errors import InvalidForm, InvalidInput
from groundwork.http.forms import EMPTY, FormState, form_with_problems

PAGE = 50
MAX_CODES = 100
MAX_USES = 10_000


def routes() -> list[Route]:
    """Routes of the page of invite codes."""
    return [
        operator_get("/admin/invites", show_invites),
        operator_post("/admin/invites/create", create, OperatorAction.CREATE_CODES),
        operator_post("/admin/invites/disable", disable, OperatorAction.DISABLE_CODES),
    ]


async def show_invites(request: Request) -> Response:
    """Show all codes, by age or by use."""
    return await _page(request, EMPTY)


async def create(request: Request) -> Response:
    """Create codes. They are shown on the next page and in the list."""
    form = posted(request)
    try:
        amount, uses = _number(form, "amount", MAX_CODES), _number(form, "uses", MAX_USES)
        hostname = urlsplit(services(request).registry.url).netloc
        codes = await account_actions.create_codes(
            services(request).registry, audit_of(request), ["admin"], codes=amount, uses=uses, hostname=hostname
        )
    except InvalidInput as wrong:
        return await _page(request, form_with_problems(form, wrong), status=400)
    return await _page(request, EMPTY, new_codes=codes["admin"])


async def disable(request: Request) -> Response:
    """Disable a code."""
    form = posted(request)
    try:
        await account_actions.disable_codes(services(request).registry, audit_of(request), [_code(form)], [])
    except InvalidInput as wrong:
        return await _page(request, form_with_problems(form, wrong), status=400)
    return redirect_to("/admin/invites", flash="done")


async def _page(
    request: Request, form_state: FormState, *, new_codes: list[str] | None = None, status: int = 200
) -> Response:
    query = request.query_params
    sort = "usage" if query.get("sort") == "usage" else "recent"
    key, _, code = query.get("after", "").partition("::")
    after = (
        (int(key), code) if code.isprintable() and code and key.isascii() and key.isdigit() and len(key) < 19 else None
    )
    async with services(request).registry.db.reader() as reader:
        codes = await invites.page(reader, sort, after, PAGE)
        handles = await account_details.handles(reader, {code.for_account for _, code in codes})
    context = {
        "typed": form_state,
        "made": new_codes or [],
        "codes": [code for _, code in codes],
        "handles": handles,
        "sort": sort,
        "more": f"{codes[-1][0]}::{codes[-1][1].code}" if len(codes) == PAGE else "",
        "needs_invite": services(request).registry.needs_invite,
    }
    return admin_page(request, "invites.html", context, status=status)


def _code(form: dict[str, str]) -> str:
    code = form.get("code", "").strip()
    if not code or not code.isprintable():
        raise InvalidInput("code", gettext_noop("Type the code."))
    return code


def _number(form: dict[str, str], name: str, maximum: int) -> int:
    text = form.get(name, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= maximum):
        raise InvalidForm({name: localizable("Type a number from 1 to %(most)s.", most=maximum)})
    return int(text)

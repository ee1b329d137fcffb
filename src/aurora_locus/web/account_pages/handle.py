"""Change the handle to a name under this server's domains, or to the owner's own domain, which is checked on request."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.failures import Malformed
from at_protocol.syntax.did import is_plc
from at_protocol.syntax.handle import parse_handle
from aurora_locus.accounts import handle_change
from aurora_locus.accounts.limits import CHECK_HANDLE, UPDATE_HANDLE, UPDATE_HANDLE_DAILY
from aurora_locus.accounts.model import Account
from aurora_locus.i18n.sentences import localizable
from aurora_locus.identity.handles import MAX_LABEL, MIN_LABEL
from aurora_locus.web.account_pages.forms import count, kept_for, own_account, page_with_failure
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.errors import Failure, InvalidInput
from groundwork.http.forms import EMPTY, FormState

PATH = "/account/handle"
_TEMPLATE = "account_pages/handle.html"


def routes() -> list[Route]:
    """The routes of this module."""
    return [show(PATH, show_handle), take(PATH, change_handle)]


async def show_handle(request: Request) -> Response:
    """Show the forms to take a name under this server's domains, or to use one's own domain."""
    account = await own_account(request, authentication.account_of(request).did)
    return page(request, _TEMPLATE, {**_context(request, account), "typed": EMPTY})


async def change_handle(request: Request) -> Response:
    """Take a name under this server's domains, or check whether a domain resolves to the account."""
    registry, form = services(request).registry, posted(request)
    account = await own_account(request, authentication.account_of(request).did)
    is_own_domain = "domain" in form
    context = _context(request, account)
    try:
        if form.get("act") == "look":
            await count(request, account.did, CHECK_HANDLE)
            return await _check_handle(request, account, form)
        await count(request, account.did, UPDATE_HANDLE, UPDATE_HANDLE_DAILY)
        new_handle = form["domain"] if is_own_domain else f"{form.get('name', '').strip()}{form.get('ending', '')}"
        await handle_change.rename(registry, account.did, new_handle.strip().removeprefix("@").rstrip("."))
    except InvalidInput as wrong:
        field = "domain" if is_own_domain else "name"
        return page_with_failure(request, _TEMPLATE, context, form, InvalidInput(field, wrong.why))
    except Failure as failure:
        return page_with_failure(request, _TEMPLATE, context, form, failure, "domain" if is_own_domain else "name")
    return redirect_to(PATH, flash="handle_changed")


async def _check_handle(request: Request, account: Account, form: dict[str, str]) -> Response:
    try:
        handle = parse_handle(form.get("domain", "").strip().removeprefix("@").rstrip("."))
    except Malformed as error:
        raise InvalidInput("domain", localizable("This isn’t a domain: %(why)s.", why=error.why)) from None
    ways = await services(request).handles.look_up_both_ways(handle)
    context = {**_context(request, account), "typed": FormState(form), "looked_up": handle, "ways": ways}
    return page(request, _TEMPLATE, context)


def _context(request: Request, account: Account) -> dict[str, object]:
    registry = services(request).registry
    return {
        "account": account,
        "endings": registry.handle_domains,
        "min_label": MIN_LABEL,
        "max_label": MAX_LABEL,
        "kept_for": kept_for(registry.handle_quarantine),
        "is_plc": is_plc(account.did),
        "looked_up": None,
        "ways": None,
    }

"""E-mail address: a token sent to the address confirms it. A change requires a token sent to the current address."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.accounts import email_changes
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.limits import REQUEST_CONFIRMATION, REQUEST_EMAIL_UPDATE
from aurora_locus.accounts.model import Account
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.web.account_pages.forms import TOKEN, count, own_account, page_with_failure
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.errors import Failure, InvalidInput
from groundwork.http.forms import EMPTY

PATH = "/account/email"
_TEMPLATE = "account_pages/email.html"


def routes() -> list[Route]:
    """The routes of this module."""
    return [show(PATH, show_email), take(PATH, change_email)]


async def show_email(request: Request) -> Response:
    """Show the address, and whether it is confirmed."""
    account = await own_account(request, authentication.proven_account_of(request).did)
    return page(request, _TEMPLATE, {**_context(request, account), "typed": EMPTY})


async def change_email(request: Request) -> Response:
    """Send a token to the address, or use a token to confirm or change the address."""
    account = await own_account(request, authentication.proven_account_of(request).did)
    form = posted(request)
    try:
        return await _act(request, account, form)
    except Failure as failure:
        field = "email" if form.get("act") == "change" else ""
        return page_with_failure(request, _TEMPLATE, _context(request, account), form, failure, field)


async def _act(request: Request, account: Account, form: dict[str, str]) -> Response:
    registry = services(request).registry
    match form.get("act"):
        case "ask_to_confirm":
            await count(request, account.did, *REQUEST_CONFIRMATION)
            await email_changes.send_token(registry, account, TokenPurpose.CONFIRM_EMAIL)
            return redirect_to(PATH, flash="mail_sent")
        case "confirm":
            token = form.get(TOKEN, "").strip()
            await email_changes.confirm(registry, account.did, account.email or "", token)
            return redirect_to(PATH, flash="email_confirmed")
        case "ask_to_change":
            await count(request, account.did, *REQUEST_EMAIL_UPDATE)
            await email_changes.send_token(registry, account, TokenPurpose.UPDATE_EMAIL)
            return redirect_to(PATH, flash="mail_sent")
        case "change":
            await email_changes.update(
                registry,
                account.did,
                form.get("email", "").strip(),
                form.get(TOKEN, "").strip() or None,
                is_proven=True,
            )
            return redirect_to(PATH, flash="email_changed")
        case _:
            raise InvalidInput("", gettext_noop("Press one of the buttons."))


def _context(request: Request, account: Account) -> dict[str, object]:
    return {"account": account, "sends_mail": services(request).registry.sends_mail}

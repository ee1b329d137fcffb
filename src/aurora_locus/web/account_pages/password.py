"""Change the password after entering the current one. Every other session ends. The page also lists what opens the account
without the password, because somebody who had it may have added that.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.accounts import app_passwords, password_reset
from aurora_locus.accounts.browser_sessions import SignedInAccount
from aurora_locus.accounts.second_factors import checking
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.web.account_pages.forms import own_account, page_with_failure
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.errors import Failure, InvalidForm
from groundwork.http.forms import EMPTY

PATH = "/account/password"
_TEMPLATE = "account_pages/password.html"


def routes() -> list[Route]:
    """The routes of this module."""
    return [show(PATH, show_password), take(PATH, change_password)]


async def show_password(request: Request) -> Response:
    """The form to change the password."""
    account = authentication.proven_account_of(request)
    return page(request, _TEMPLATE, {**await _context(request, account), "typed": EMPTY})


async def change_password(request: Request) -> Response:
    """Set a new password and sign this browser in again, because every session of the old password ends."""
    signed_in, form = authentication.proven_account_of(request), posted(request)
    try:
        if form.get("password", "") != form.get("repeated", ""):
            raise InvalidForm({"repeated": gettext_noop("The passwords don’t match. Type the same one twice.")})
        await password_reset.change(services(request).registry, signed_in.did, form.get("password", ""))
    except Failure as failure:
        context = await _context(request, signed_in)
        return page_with_failure(request, _TEMPLATE, context, {}, failure, "password")
    account = await own_account(request, signed_in.did)
    await authentication.sign_in(request, account.did, account.tokens_valid_after, remember=signed_in.is_remembered)
    return redirect_to(PATH, flash="password_changed")


async def _context(request: Request, account: SignedInAccount) -> dict[str, object]:
    registry = services(request).registry
    async with registry.db.reader() as reader:
        passwords = await app_passwords.list_all(reader, account.did)
    factors = await checking.find(registry, account.did)
    return {"account": account, "passkeys": factors.passkeys, "app_passwords": passwords}

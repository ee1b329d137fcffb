"""App passwords, for apps without OAuth. Each is shown once, when it is created, and can be revoked on its own."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.accounts import app_passwords
from aurora_locus.web.account_pages.forms import page_with_failure
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.errors import Failure
from groundwork.http.forms import EMPTY

PATH = "/account/app-passwords"
_TEMPLATE = "account_pages/app_passwords.html"


def routes() -> list[Route]:
    """The routes of this module."""
    return [show(PATH, show_app_passwords), take(PATH, change_app_passwords)]


async def show_app_passwords(request: Request) -> Response:
    """The app passwords of the account, and the form for a new one."""
    authentication.proven_account_of(request)
    return page(request, _TEMPLATE, {**await _context(request), "typed": EMPTY})


async def change_app_passwords(request: Request) -> Response:
    """Revoke an app password, or create one and show it in the response itself, which is never cached."""
    registry, account, form = (
        services(request).registry,
        authentication.proven_account_of(request),
        posted(request),
    )
    if "revoke" in form:
        await registry.db.write(lambda w: app_passwords.revoke(w, account.did, form["revoke"]))
        return redirect_to(PATH, flash="app_password_revoked")
    try:
        app_password, password = await app_passwords.create(
            registry.db,
            registry.passwords,
            account.did,
            form.get("name", ""),
            is_privileged="privileged" in form,
        )
    except Failure as failure:
        return page_with_failure(request, _TEMPLATE, await _context(request), form, failure, "name")
    return page(
        request, _TEMPLATE, {**await _context(request), "made": app_password, "password": password, "typed": EMPTY}
    )


async def _context(request: Request) -> dict[str, object]:
    registry, account = services(request).registry, authentication.account_of(request)
    async with registry.db.reader() as reader:
        listed = await app_passwords.list_all(reader, account.did)
    return {"app_passwords": listed, "made": None, "password": "", "now": registry.clock.now(), "account": account}

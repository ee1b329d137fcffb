"""Active sessions: browsers, and apps that signed in with a password. Each can be signed out on this page."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aurora_locus.accounts import browser_sessions, sessions
from aurora_locus.i18n.catalogue import gettext
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show, take
from aurora_locus.web.site.forms import posted
from aurora_locus.web.site.frame import page, redirect_to
from aurora_locus.web.site.services import services
from groundwork.database.transaction import Writer
from groundwork.errors import InvalidInput
from groundwork.http.devices import device_of

PATH = "/account/sessions"


def routes() -> list[Route]:
    """The routes of this module."""
    return [show(PATH, show_sessions), take(PATH, end_session)]


async def show_sessions(request: Request) -> Response:
    """Show the browsers and apps that are signed in, most recently used first."""
    registry, account = services(request).registry, authentication.account_of(request)
    async with registry.db.reader() as reader:
        browsers = await browser_sessions.of_account(reader, account.did)
        apps = await sessions.list_open(reader, account.did)
    context = {
        "browsers": browsers,
        "apps": apps,
        "this_browser": authentication.visit_of(request).id_hash,
        "device_label": _device_label,
        "now": registry.clock.now(),
    }
    return page(request, "account_pages/sessions.html", context)


def _device_label(user_agent: str) -> str:
    """The name of a device, such as "Firefox on Android". Unknown programs are named as they name themselves."""
    device = device_of(user_agent)
    browser = device.browser or user_agent[:40] or gettext("A browser")
    return gettext("%(browser)s on %(system)s", browser=browser, system=device.system) if device.system else browser


async def end_session(request: Request) -> Response:
    """Sign out one browser, one app, or everything except this browser."""
    registry, account, form = services(request).registry, authentication.account_of(request), posted(request)
    did, own_id_hash = account.did, authentication.visit_of(request).id_hash
    if "browser" in form:
        try:
            id_hash = bytes.fromhex(form["browser"])
        except ValueError:
            raise InvalidInput("browser", gettext_noop("That browser isn’t in the list any more.")) from None
        if id_hash == own_id_hash:
            await authentication.sign_out(request, did)
            return redirect_to("/sign-in", flash="signed_out")
        await registry.db.write(lambda w: browser_sessions.end(w, id_hash, did))
    elif "app" in form:
        await registry.db.write(lambda w: sessions.end_one(w, did, form["app"]))
    elif form.get("act") == "others":

        def work(w: Writer) -> None:
            for browser in other_sessions:
                browser_sessions.end(w, browser.id_hash, did)
            sessions.end_all_apps(w, did)

        async with registry.db.reader() as reader:
            other_sessions = [
                one for one in await browser_sessions.of_account(reader, did) if one.id_hash != own_id_hash
            ]
        await registry.db.write(work)
    return redirect_to(PATH, flash="signed_out_there")

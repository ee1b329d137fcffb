"""The front page at ``/`` (HTML for browsers, a few lines of text for programs) and the page for people who want to
move their account to this server.
"""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aurora_locus.i18n.catalogue import CATALOGUE
from aurora_locus.i18n.language import COOKIE
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.settings import PdsSettings
from aurora_locus.web.browser_sessions import authentication
from aurora_locus.web.browser_sessions.routes import show
from aurora_locus.web.site.frame import page, redirect_to
from groundwork.errors import NotFound
from groundwork.http.forms import local_path

_TEXT = """\
This is Aurora Locus, a Personal Data Server of the AT Protocol.

Most of the API is below /xrpc/
"""

_YEAR = 365 * 24 * 3600

# One URL has several representations, which caches must keep apart.
_VARY = {"vary": "accept, accept-language, cookie"}


def routes(settings: PdsSettings) -> list[Route]:
    """Routes of the front page and of "move here".

    The front page is also served on the host of every handle, where nobody is signed in, so its links use this server's
    URL.
    """
    context = {
        "url": settings.url,
        "hostname": settings.hostname,
        "domains": settings.service_handle_domains,
        "needs_invite": settings.needs_invite,
        "is_development": settings.dev_mode,
    }

    async def front_page(request: Request) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse(_TEXT, headers=_VARY)
        return page(
            request, "site/front.html", {**context, "account": authentication.account_or_none(request)}, headers=_VARY
        )

    async def speak(request: Request) -> Response:
        """Remember the language that somebody chose in this browser, for its pages and for later e-mails, and go back.
        Raises NotFound.
        """
        tag = request.path_params["tag"]
        if not CATALOGUE.is_known(tag):
            raise NotFound(gettext_noop("These pages aren’t available in that language yet."))
        # Because of ``Referrer-Policy: same-origin``, pages send their full address to this server, so it does not have
        # to be in the link.
        referer = urlsplit(request.headers.get("referer", ""))
        is_ours = referer.netloc in {request.headers.get("host"), urlsplit(settings.url).netloc}
        if is_ours:  # a link on another site must not change what the account stores
            await authentication.note_language(request, tag)
        response = redirect_to(local_path(referer._replace(scheme="", netloc="").geturl()) if is_ours else "/")
        response.set_cookie(
            COOKIE,
            tag,
            max_age=_YEAR,
            path="/",
            httponly=True,
            samesite="lax",
            secure=settings.url.startswith("https:"),
        )
        return response

    async def move_here(request: Request) -> Response:
        return page(request, "site/move_here.html", context)

    return [show("/", front_page), show("/move-here", move_here), show("/language/{tag}", speak)]

"""The front page at ``/``: HTML for browsers, a few lines of text for programs; and the page for people who move here."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aurora_locus.browser_sessions import edge
from aurora_locus.browser_sessions.routes import show
from aurora_locus.settings import PdsSettings
from aurora_locus.site.frame import page

_TEXT = """\
This is Aurora Locus, a Personal Data Server of the AT Protocol.

Most of the API is below /xrpc/
"""

# One URL with two representations: caches must keep them apart.
_VARY = {"vary": "accept"}


def routes(settings: PdsSettings) -> list[Route]:
    """The front page and "move here". The former is served at every handle's host as well, where nobody is signed in: its
    links name this server.
    """
    context = {
        "url": settings.url,
        "hostname": settings.hostname,
        "domains": settings.service_handle_domains,
        "needs_invite": settings.needs_invite,
        "contact": settings.contact_email_address,
        "is_development": settings.dev_mode,
    }

    async def front_page(request: Request) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse(_TEXT, headers=_VARY)
        return page(request, "site/front.html", {**context, "account": edge.account_or_none(request)}, headers=_VARY)

    async def move_here(request: Request) -> Response:
        return page(request, "site/move_here.html", context)

    return [show("/", front_page), show("/move-here", move_here)]

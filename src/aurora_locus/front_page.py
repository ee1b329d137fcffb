"""What a server says of itself at ``/``: a page to people, a few lines of text to programs."""

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

# The same address is two documents: whatever keeps answers must keep them apart.
_VARY = {"vary": "accept"}


def routes(settings: PdsSettings) -> list[Route]:
    """The front page. It is served at every handle's name as well, where nobody is signed in: its links name this server."""

    async def front_page(request: Request) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse(_TEXT, headers=_VARY)
        context = {
            "account": edge.account_or_none(request),
            "url": settings.url,
            "hostname": settings.hostname,
            "domains": settings.service_handle_domains,
            "needs_invite": settings.needs_invite,
            "contact": settings.contact_email_address,
            "is_development": settings.dev_mode,
        }
        return page(request, "site/front.html", context, headers=_VARY)

    return [show("/", front_page)]

"""The pages that other websites show in a frame: the same for everybody, without cookies, readable without scripts.

Only these may be framed (``frame-ancestors``). They have no forms and nothing to press but links that open a new tab, so a site
around them cannot make a visitor do anything.
"""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from groundwork.errors import Gone, InvalidForm, NotFound
from groundwork.http.security_headers import content_policy
from openmeet.i18n.catalogue import current, speaking
from openmeet.web.embeds.contents import CONTENTS, EmbedContent, Load
from openmeet.web.embeds.look import EmbedLook, EmbedTheme, look_of
from openmeet.web.site.layout import environment
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

# Other sites load it under this address, so it cannot have the hash of its content in it.
SCRIPT: Final = "/embed.js"
_SCRIPT_FILE: Final = Path(__file__).parent.parent / "site" / "static" / "embed.js"
_SCRIPT_HEADERS: Final = {"cache-control": "public, max-age=3600"}
_SCHEMES: Final = {EmbedTheme.AUTO: "light dark", EmbedTheme.LIGHT: "light", EmbedTheme.DARK: "dark"}


def routes() -> list[Route]:
    """The pages in frames. They have no viewer: see ``app``."""
    return [Route(f"/embed{page}", _shown_by(load), methods=["GET"]) for page, load in CONTENTS.items()]


def open_routes() -> list[Route]:
    return [Route(SCRIPT, serve_script, methods=["GET"])]


async def serve_script(_request: Request) -> Response:
    """The script that gives the frames on another site's page the height of what they show."""
    return Response(_SCRIPT_FILE.read_bytes(), media_type="text/javascript", headers=_SCRIPT_HEADERS)


def _shown_by(load: Load) -> Callable[[Request], Awaitable[Response]]:
    async def show(request: Request) -> Response:
        look = look_of(request.query_params)
        with speaking(look.language) if look.language else nullcontext():
            try:
                async with database_of(request).reader() as reader:
                    content = await load(request, reader, look.events)
            except (NotFound, InvalidForm) as failure:
                return _absent(request, look, failure)
            return _page(request, look, content)

    return show


def _page(request: Request, look: EmbedLook, content: EmbedContent) -> Response:
    known = {"name": content.name, "page": content.page, **content.shown}
    return _rendered(request, look, content.template, known, HTTPStatus.OK)


def _absent(request: Request, look: EmbedLook, failure: NotFound | InvalidForm) -> Response:
    """Also what is missing is said inside the frame: the usual page cannot be shown there."""
    if isinstance(failure, InvalidForm):
        status = HTTPStatus.BAD_REQUEST
    else:
        status = HTTPStatus.GONE if isinstance(failure, Gone) else HTTPStatus.NOT_FOUND
    return _rendered(request, look, "absent", {"page": "/"}, status)


def _rendered(
    request: Request, look: EmbedLook, template: str, context: dict[str, object], status: HTTPStatus
) -> Response:
    settings = services(request).settings
    made = environment(settings.site_name, settings.public_url).get_template(f"embeds/{template}.html")
    policy = content_policy(
        style_src=look.style_source, frame_ancestors="*", form_action="'none'", connect_src="'none'"
    )
    known = {"lang": current().tag, "dir": current().direction, "look": look, "scheme": _SCHEMES[look.theme], **context}
    headers = {"cache-control": "no-cache", "content-security-policy": policy}
    return HTMLResponse(made.render(known), status, headers)

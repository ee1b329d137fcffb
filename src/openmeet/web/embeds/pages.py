"""Pages that other websites show in a frame: the same for everyone, without cookies, readable without scripts.

These are the only pages that may be framed (``frame-ancestors``). They have no forms, and the only controls are links
that open a new tab, so a surrounding site cannot trick a visitor into doing anything.
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

# Other sites load the script from this fixed URL, so the URL cannot contain a hash of the content.
SCRIPT: Final = "/embed.js"
_SCRIPT_FILE: Final = Path(__file__).parent.parent / "site" / "static" / "embed.js"
_SCRIPT_HEADERS: Final = {"cache-control": "public, max-age=3600"}
_SCHEMES: Final = {EmbedTheme.AUTO: "light dark", EmbedTheme.LIGHT: "light", EmbedTheme.DARK: "dark"}


def routes() -> list[Route]:
    """The framed pages. They have no viewer: see ``app``."""
    return [Route(f"/embed{page}", _embed_handler(load), methods=["GET"]) for page, load in CONTENTS.items()]


def open_routes() -> list[Route]:
    return [Route(SCRIPT, serve_script, methods=["GET"])]


async def serve_script(_request: Request) -> Response:
    """The script with which another site adjusts the height of its frames to their content."""
    return Response(_SCRIPT_FILE.read_bytes(), media_type="text/javascript", headers=_SCRIPT_HEADERS)


def _embed_handler(load: Load) -> Callable[[Request], Awaitable[Response]]:
    async def show(request: Request) -> Response:
        look = look_of(request.query_params, services(request).settings.accent_color)
        with speaking(look.language) if look.language else nullcontext():
            try:
                async with database_of(request).reader() as reader:
                    content = await load(request, reader, look.events)
            except (NotFound, InvalidForm) as failure:
                return _error_page(request, look, failure)
            return _embed_page(request, look, content)

    return show


def _embed_page(request: Request, look: EmbedLook, content: EmbedContent) -> Response:
    base_context = {"name": content.name, "page": content.page, **content.shown}
    return _render(request, look, content.template, base_context, HTTPStatus.OK)


def _error_page(request: Request, look: EmbedLook, failure: NotFound | InvalidForm) -> Response:
    """The error page inside the frame, where the usual error page cannot be shown."""
    if isinstance(failure, InvalidForm):
        status = HTTPStatus.BAD_REQUEST
    else:
        status = HTTPStatus.GONE if isinstance(failure, Gone) else HTTPStatus.NOT_FOUND
    return _render(request, look, "absent", {"page": "/"}, status)


def _render(
    request: Request, look: EmbedLook, template: str, context: dict[str, object], status: HTTPStatus
) -> Response:
    settings = services(request).settings
    embed_template = environment(settings.site_name, settings.public_url).get_template(f"embeds/{template}.html")
    policy = content_policy(
        style_src=look.style_source, frame_ancestors="*", form_action="'none'", connect_src="'none'"
    )
    base_context = {
        "lang": current().tag,
        "dir": current().direction,
        "look": look,
        "scheme": _SCHEMES[look.theme],
        **context,
    }
    headers = {"cache-control": "no-cache", "content-security-policy": policy}
    return HTMLResponse(embed_template.render(base_context), status, headers)

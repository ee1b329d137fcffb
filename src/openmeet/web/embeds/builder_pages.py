"""Embed builder: a form, a preview, and the code to copy. It works without scripts."""

from collections.abc import Awaitable, Callable
from typing import Final

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.http.forms import FormState
from groundwork.http.security_headers import content_policy
from openmeet.domain.search.filters import FIELDS
from openmeet.i18n.catalogue import available, gettext, language
from openmeet.web.embeds.contents import CONTENTS, EmbedContent, Load
from openmeet.web.embeds.pages import MAX_EVENTS, MAX_RADIUS, SCRIPT, EmbedLook, EmbedTheme, look_of
from openmeet.web.site.layout import page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

# Frame heights in pixels, for sites that do not include the script: header and footer, a row of a list, and a single
# event.
_FRAME_HEIGHT: Final = 110
_ROW_HEIGHT: Final = {True: 100, False: 84}
_EVENT_HEIGHT: Final = 330


def routes() -> list[Route]:
    return [Route(f"{path}/embed", _builder_handler(load), methods=["GET"]) for path, load in CONTENTS.items()]


def _builder_handler(load: Load) -> Callable[[Request], Awaitable[Response]]:
    async def build(request: Request) -> Response:
        look = look_of(request.query_params, services(request).settings.accent_color)
        async with database_of(request).reader() as reader:
            content = await load(request, reader, look.events)
        resizes = request.query_params.get("script", "yes") != ""
        address, height = _embed_url(content, look), _height(content, look)
        context = {
            "content": content,
            "typed": _form_state(look, resizes=resizes),
            "themes": [
                (EmbedTheme.AUTO.value, gettext("Like the visitor’s device")),
                (EmbedTheme.LIGHT.value, gettext("Light")),
                (EmbedTheme.DARK.value, gettext("Dark")),
            ],
            "languages": [
                ("", gettext("The visitor’s language")),
                *((tag, language(tag).name) for tag in available()),
            ],
            "is_list": content.template != "event",
            "most_events": MAX_EVENTS,
            "most_radius": MAX_RADIUS,
            "searched": [(name, text) for name in FIELDS if (text := request.query_params.get(name, ""))]
            if content.frame.startswith("/embed/search")
            else [],
            "frame": address,
            "height": height,
            "script": SCRIPT,
            "code": _embed_code(services(request).settings.public_url, content.name, address, height, resizes=resizes),
        }
        return page(
            request,
            "embeds/builder.html",
            context,
            headers={"content-security-policy": content_policy(frame_src="'self'")},
        )

    return build


def _embed_url(content: EmbedContent, look: EmbedLook) -> str:
    if not look.query:
        return content.frame
    return f"{content.frame}{'&' if '?' in content.frame else '?'}{look.query}"


def _height(content: EmbedContent, look: EmbedLook) -> int:
    if content.template == "event":
        return _EVENT_HEIGHT
    return _FRAME_HEIGHT + _ROW_HEIGHT[look.has_pictures] * max(1, content.rows)


def _embed_code(public_url: str, name: str, address: str, height: int, *, resizes: bool) -> str:
    """The HTML to paste into another site."""
    frame = Markup(
        '<iframe src="{}" title="{}" width="100%" height="{}" loading="lazy" style="border:0"></iframe>'
    ).format(public_url + address, name, height)
    script = Markup('\n<script src="{}" async></script>').format(public_url + SCRIPT) if resizes else ""
    return str(escape(frame) + script)


def _form_state(look: EmbedLook, *, resizes: bool) -> FormState:
    return FormState(
        {
            "theme": look.theme.value,
            "accent": look.accent,
            "radius": str(look.radius),
            "lang": look.language,
            "events": str(look.events),
            "pictures": "yes" if look.has_pictures else "",
            "script": "yes" if resizes else "",
        }
    )

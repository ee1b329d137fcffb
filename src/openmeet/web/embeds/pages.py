"""Pages that other websites show in a frame: the same for everyone, without cookies, readable without scripts; and their
look, read from their URL: color scheme, accent colour, corners, language, number of events, pictures.

These are the only pages that may be framed (``frame-ancestors``). They have no forms, and the only controls are links
that open a new tab, so a surrounding site cannot trick a visitor into doing anything.

Anyone can write such a URL. Invalid values are replaced by the default, so a bad URL never breaks an embed. Every
colour is adjusted to be readable.
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from groundwork.errors import Gone, InvalidForm, NotFound
from groundwork.http.security_headers import content_policy
from groundwork.ui.colours import Rgb, hex_of, readable_on, rgb, text_on
from openmeet.i18n.catalogue import available, current, speaking
from openmeet.web.embeds.contents import CONTENTS, EmbedContent, Load
from openmeet.web.site.layout import environment
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

MAX_EVENTS: Final = 12
MAX_RADIUS: Final = 24
DEFAULT_ACCENT: Final = "#0e6557"
_USUAL_EVENTS: Final = 5
_USUAL_RADIUS: Final = 12

# The background colours of both schemes, as in embed.css and embed_dark.css.
_LIGHT_SHEET: Final[Rgb] = (255, 255, 255)
_DARK_SHEET: Final[Rgb] = (0x1F, 0x1C, 0x19)

_COLOUR: Final = re.compile(r"#?([0-9a-fA-F]{6})")
_NUMBER: Final = re.compile(r"[0-9]{1,4}")
# Other sites load the script from this fixed URL, so the URL cannot contain a hash of the content.
SCRIPT: Final = "/embed.js"
_SCRIPT_FILE: Final = Path(__file__).parent.parent / "site" / "static" / "embed.js"
_SCRIPT_HEADERS: Final = {"cache-control": "public, max-age=3600"}


class EmbedTheme(StrEnum):
    """Color scheme of an embed. ``AUTO`` follows the visitor's device."""

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


_SCHEMES: Final = {EmbedTheme.AUTO: "light dark", EmbedTheme.LIGHT: "light", EmbedTheme.DARK: "dark"}


@dataclass(frozen=True, slots=True)
class EmbedLook:
    """The look of an embed. ``accent`` is ``#rrggbb``, and ``site_accent`` the one that embeds of this site have by
    default. ``radius`` is the corner radius in pixels. ``language`` is a language tag, or empty for the visitor's
    language.
    """

    theme: EmbedTheme = EmbedTheme.AUTO
    accent: str = DEFAULT_ACCENT
    radius: int = _USUAL_RADIUS
    language: str = ""
    events: int = _USUAL_EVENTS
    has_pictures: bool = True
    site_accent: str = DEFAULT_ACCENT

    @property
    def query(self) -> str:
        """The query string for this look. Empty for the default look."""
        usual = EmbedLook()
        fields = {
            "theme": (self.theme.value, usual.theme.value),
            "accent": (self.accent.removeprefix("#"), self.site_accent.removeprefix("#")),
            "radius": (str(self.radius), str(usual.radius)),
            "lang": (self.language, usual.language),
            "events": (str(self.events), str(usual.events)),
            "pictures": ("yes" if self.has_pictures else "no", "yes"),
        }
        return urlencode({name: value for name, (value, default) in fields.items() if value != default})

    @property
    def styles(self) -> str:
        """The CSS for the values that differ from the stylesheet. Empty for the default look."""
        css = "" if self.radius == _USUAL_RADIUS else f":root{{--round:{self.radius}px}}"
        if self.accent == DEFAULT_ACCENT:
            return css
        accent_rgb = rgb(self.accent)
        if self.theme is not EmbedTheme.DARK:
            css += f":root{{{_accent(readable_on(_LIGHT_SHEET, accent_rgb))}}}"
        dark = f":root{{{_accent(readable_on(_DARK_SHEET, accent_rgb))}}}"
        if self.theme is EmbedTheme.DARK:
            css += dark
        elif self.theme is EmbedTheme.AUTO:
            css += f"@media (prefers-color-scheme:dark){{{dark}}}"
        return css

    @property
    def style_source(self) -> str:
        """The ``style-src`` of the content security policy: our files, and the hash of these ``styles``."""
        if not self.styles:
            return "'self'"
        digest = base64.b64encode(hashlib.sha256(self.styles.encode()).digest()).decode()
        return f"'self' 'sha256-{digest}'"


def look_of(query_params: Mapping[str, str], site_accent: str = "") -> EmbedLook:
    """The look that a query string describes. ``site_accent``: the accent colour of the site, if it has one."""
    usual_accent = site_accent.lower() or DEFAULT_ACCENT
    colour = _COLOUR.fullmatch(query_params.get("accent", ""))
    theme, language = query_params.get("theme", ""), query_params.get("lang", "")
    return EmbedLook(
        theme=EmbedTheme(theme) if theme in set(EmbedTheme) else EmbedTheme.AUTO,
        accent=f"#{colour[1].lower()}" if colour else usual_accent,
        radius=min(_parse_number(query_params.get("radius", ""), _USUAL_RADIUS), MAX_RADIUS),
        language=language if language in available() else "",
        events=max(1, min(_parse_number(query_params.get("events", ""), _USUAL_EVENTS), MAX_EVENTS)),
        # Without scripts, the form sends an empty field for a checkbox that is not selected.
        has_pictures=query_params.get("pictures", "yes") not in {"", "no"},
        site_accent=usual_accent,
    )


def _parse_number(text: str, usual: int) -> int:
    return int(text) if text.isascii() and _NUMBER.fullmatch(text) else usual


def _accent(colour: Rgb) -> str:
    return f"--accent:{hex_of(colour)};--on-accent:{hex_of(text_on(colour))}"


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

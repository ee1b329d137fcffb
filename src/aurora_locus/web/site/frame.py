"""Page rendering: template environment, layout, and the branding that the operator can choose.

A page is ``page(request, "sign_in/start.html", …)``; the first part of the name is the package that owns the template.
Escaping is always on, and an undefined name is an error, not an empty string.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from aurora_locus.i18n.catalogue import CATALOGUE, SOURCE, current, plazy
from aurora_locus.i18n.sentences import capital, explain, gettext_noop
from aurora_locus.web.site import formatting
from groundwork import ui
from groundwork.errors import Explanation, Why
from groundwork.http.security_headers import content_policy, page_headers
from groundwork.http.static_files import StaticFiles
from groundwork.i18n.templates import speak
from groundwork.ui.colours import accent_stylesheet
from groundwork.ui.tones import tone_of

# Names of account states, which several pages show.
STATUSES: Final = {
    "active": plazy("status of an account", "active"),
    "deactivated": plazy("status of an account", "paused"),
    "suspended": plazy("status of an account", "suspended"),
    "takendown": plazy("status of an account", "taken down"),
    "deleted": plazy("status of an account", "deleted"),
}

_HERE = Path(__file__).parent
_PACKAGES = _HERE.parent

# Flash messages. The cookie holds only the key, never the text. Packages with pages add their own.
FLASH_MESSAGES: dict[str, Why] = {
    "signed_in": gettext_noop("You’re signed in."),
    "signed_out": gettext_noop("You’re signed out."),
    "saved": "Saved.",
    "done": "Done, and noted in the audit log.",
    "welcome": gettext_noop("Welcome. Your account is ready."),
    "email_sent": gettext_noop("An e-mail is on its way."),
    "email_confirmed": gettext_noop("Your e-mail address is confirmed."),
    "password_changed": gettext_noop(
        "Your password has been changed. Sign in with the new one, and remove passkeys and app passwords you don’t know."
    ),
}
_STYLES = (
    "tokens.css",
    "sky.css",
    "base.css",
    ui.TABS,
    ui.FILTERS,
    ui.WAITING,
    ui.PANELS,
    "forms.css",
    ui.CHOICES,
    ui.PROBLEMS,
    "frame.css",
    "inputs.css",
)
_FLASH_COOKIE = "aurora_flash"
_FLASH_SECONDS = 60

_PAGE = "aurora_locus.page"


@dataclass(frozen=True, slots=True)
class Branding:
    """The operator's choices. Empty texts are not shown. ``contact`` is the operator's e-mail address; ``colour`` is
    ``#rrggbb``, or empty for the default.
    """

    name: str
    home_url: str = ""
    support_url: str = ""
    contact: str = ""
    terms_url: str = ""
    privacy_url: str = ""
    logo_url: str = ""
    colour: str = ""

    @property
    def logo_origin(self) -> str:
        """The origin of the logo for the content policy; empty without a logo."""
        parts = urlsplit(self.logo_url)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


@dataclass(frozen=True, slots=True)
class Face:
    """The person who views the page, as far as the layout needs to know. ``tone`` selects the colours of their avatar."""

    handle: str
    tone: int


@dataclass(slots=True)
class LayoutContext:
    """Data about this request that the session layer passes to the layout.

    ``csrf`` returns the token for this browser's forms. ``form_targets`` are other origins to which a form of this page
    may redirect; ``picture_origins`` are those from which the page shows images.
    """

    csrf: Callable[[], str]
    face: Face | None = None
    form_targets: tuple[str, ...] = ()
    picture_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """The pages of one server. ``url`` is its public URL."""

    branding: Branding
    url: str
    csrf_key: bytes
    files: StaticFiles
    templates: jinja2.Environment

    @property
    def is_https(self) -> bool:
        return self.url.startswith("https:")


def open_site(branding: Branding, url: str, csrf_key: bytes, numbers: Mapping[str, int]) -> Site:
    """Open the pages of a server. Every package can have templates. ``numbers``: limits that they mention."""
    files = StaticFiles(
        [ui.STATIC, _HERE / "static"],
        {"site.css": _STYLES, "admin.css": ("operators.css", "admin.css")},
        more={"brand.css": accent_stylesheet(branding.colour)},
    )
    return Site(branding, url, csrf_key, files, _environment(branding, url, files, numbers))


def _environment(branding: Branding, url: str, files: StaticFiles, numbers: Mapping[str, int]) -> jinja2.Environment:
    folders = list(_PACKAGES.glob("*/templates"))
    environment = jinja2.Environment(
        loader=jinja2.PrefixLoader(
            {_package_of(folder): jinja2.FileSystemLoader(folder) for folder in folders}
            | {"ui": jinja2.FileSystemLoader(ui.TEMPLATES)}
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    speak(environment, CATALOGUE, _shown)
    environment.globals |= {
        "brand": branding,
        "static": files.url,
        "formatting": formatting,
        "tone_of": tone_of,
    }
    environment.globals |= {"explain": explain, "home": url, "status_words": STATUSES, "language": current, **numbers}
    environment.filters |= {"breakable": _breakable, "capital": capital}
    return environment


def _shown(value: object) -> object:
    return explain(value) if isinstance(value, Explanation) else value


def _breakable(text: str) -> Markup:
    """Allow line breaks in a name after each dot, but not in the middle of a word."""
    return Markup(".<wbr>").join(text.split("."))


def _package_of(folder: Path) -> str:
    return folder.relative_to(_PACKAGES).parts[0]


def mark_as_page(connection: HTTPConnection, layout: LayoutContext) -> None:
    """Mark the request as one for a page, so that failures are shown as pages too. Called once per request, before
    anything can fail.
    """
    connection.scope[_PAGE] = layout


def shown_of(connection: HTTPConnection) -> LayoutContext | None:
    """Return the layout context; None if the request is not (yet) marked as one for a page."""
    layout: LayoutContext | None = connection.scope.get(_PAGE)
    return layout


def site_of(connection: HTTPConnection) -> Site:
    """Return the site of the server that handles this request."""
    site: Site = connection.app.state.site
    return site


def page(
    connection: HTTPConnection,
    template: str,
    context: Mapping[str, object] | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Render a template in the layout. The page is never cached, not even by the browser, so that the back button does
    not show it again after sign-out.
    """
    site, layout = site_of(connection), shown_of(connection)
    flash = explain(FLASH_MESSAGES.get(connection.cookies.get(_FLASH_COOKIE, ""), ""))
    frame = {
        "face": None if layout is None else layout.face,
        "csrf": (lambda: "") if layout is None else layout.csrf,
        "path": connection.url.path,
        "here": current_path(connection),
        "flash": flash,
        "languages": CATALOGUE.choices(SOURCE),
        **(context or {}),
    }
    response = HTMLResponse(
        site.templates.get_template(template).render(frame),
        status,
        {
            **page_headers(is_https=site.is_https),
            "content-security-policy": _policy(site, layout),
            "cross-origin-opener-policy": "same-origin",
            "cache-control": "no-store",
            "content-language": current().tag,
            **(headers or {}),
        },
    )
    if flash:
        response.delete_cookie(_FLASH_COOKIE, path="/", httponly=True, samesite="lax")
    return response


def current_path(connection: HTTPConnection) -> str:
    """Return the path and query of this request, to come back to it later."""
    return connection.url.path + (f"?{connection.url.query}" if connection.url.query else "")


def _policy(site: Site, layout: LayoutContext | None) -> str:
    origins = () if layout is None else layout.picture_origins
    pictures = " ".join(filter(None, ("'self' data:", site.branding.logo_origin, *origins)))
    # CSP treats a redirect after a form as the form's target (CSP 3, section 6.4.4), so an app's origin is listed only
    # if it is the next step.
    targets = " ".join(("'self'", *(() if layout is None else layout.form_targets)))
    return content_policy(img_src=pictures, form_action=targets)


def redirect_to(path: str, *, flash: str = "") -> Response:
    """Redirect (303) after a form. ``flash`` is the key in ``FLASH_MESSAGES`` of a message for the next page."""
    response = RedirectResponse(path, 303, {"cache-control": "no-store", "referrer-policy": "no-referrer"})
    if flash:
        if flash not in FLASH_MESSAGES:
            raise KeyError(flash)
        response.set_cookie(_FLASH_COOKIE, flash, max_age=_FLASH_SECONDS, path="/", httponly=True, samesite="lax")
    return response

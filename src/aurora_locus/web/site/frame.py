"""Page rendering: the layout, and what a request shows in it.

A page is ``page(request, "sign_in/start.html", …)``; the first part of the name is the package that owns the template.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from aurora_locus.i18n.catalogue import CATALOGUE, SOURCE, current
from aurora_locus.i18n.sentences import explain, gettext_noop
from aurora_locus.web.site.services import services
from aurora_locus.web.site.templating import Site
from groundwork.errors import Why
from groundwork.http.security_headers import content_policy, page_headers

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
_FLASH_COOKIE = "aurora_flash"
_FLASH_SECONDS = 60

_PAGE = "aurora_locus.page"


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


def mark_as_page(connection: HTTPConnection, layout: LayoutContext) -> None:
    """Mark the request as one for a page, so that failures are shown as pages too. Called once per request, before
    anything can fail.
    """
    connection.scope[_PAGE] = layout


def shown_of(connection: HTTPConnection) -> LayoutContext | None:
    """Return the layout context; None if the request is not (yet) marked as one for a page."""
    layout: LayoutContext | None = connection.scope.get(_PAGE)
    return layout


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
    site, layout = services(connection).site, shown_of(connection)
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

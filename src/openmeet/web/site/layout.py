"""Page rendering: the template environment, and the layout around each page; and the URLs that subscribe to a calendar
feed with one click.

Apple Calendar, Thunderbird and most other programs open ``webcal:``. Google Calendar needs a ``webcal:`` URL in ``cid``
and accepts no ``https:``. Outlook's ``addfromweb`` is widely used but undocumented; it fetches the ``https:`` URL
itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlencode

import jinja2
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from groundwork import ui
from groundwork.clock import DAY
from openmeet.domain.chat.model import ARCHIVED_AFTER, SEALED_FOR
from openmeet.domain.media.pictures import ACCEPTED_TYPES, MAX_UPLOAD_MEGABYTES
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import current, lazy
from openmeet.i18n.markdown import html_of, summary_of
from openmeet.i18n.templates import speak
from openmeet.web.site import flash_messages
from openmeet.web.site.caller import saves_data
from openmeet.web.site.flash_messages import FLASH_MESSAGES
from openmeet.web.site.services import services
from openmeet.web.site.static_files import accent_url, static_url
from openmeet.web.site.viewer import viewer_of, viewing_as_of

_WEB = Path(__file__).parent.parent

# Sign-in itself, and pages whose addresses are secrets.
_WITHOUT_RETURN = ("/sign-in", "/mail/", "/answers/", "/attendance-proofs/")
_FLASH_COOKIE = "openmeet_flash"
_FLASH_SECONDS = 60
# Shown next to Google's button, because Google updates its copy late, and neither the site nor the user can change
# that.
GOOGLE_HOURS = lazy("updates every 8–24 hours")


@cache
def environment(site_name: str, public_url: str) -> jinja2.Environment:
    """The template environment of one site, created once. ``public_url`` is the URL under which the site is reached
    from outside.
    """
    loaders = {folder.parent.name: jinja2.FileSystemLoader(folder) for folder in _WEB.glob("*/templates")}
    loaders["ui"] = jinja2.FileSystemLoader(ui.TEMPLATES)
    loaders["emails"] = jinja2.FileSystemLoader(_WEB.parent / "emails" / "templates")
    jinja_environment = jinja2.Environment(
        loader=jinja2.PrefixLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    speak(jinja_environment)
    jinja_environment.globals |= {
        "site_name": site_name,
        "public_url": public_url,
        "times": formatting,
        "static": static_url,
        "picture_types": ACCEPTED_TYPES,
        "picture_megabytes": MAX_UPLOAD_MEGABYTES,
        "open_chat_days": ARCHIVED_AFTER // DAY,
        "removed_text_days": SEALED_FOR // DAY,
    }
    jinja_environment.globals |= {"saves_data": saves_data}
    jinja_environment.globals |= {
        "subscription": subscription,
        "google_hours": GOOGLE_HOURS,
    }
    jinja_environment.filters |= {"markdown": html_of, "summary": summary_of, "capital": formatting.capital}
    return jinja_environment


def page(
    connection: HTTPConnection,
    template: str,
    context: Mapping[str, object] | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Render a template inside the layout. Pages depend on the viewer, so shared caches must not store them.

    Pages of signed-in viewers are not stored at all, because the back button of the browser must not show them after
    sign-out.
    """
    flash_cookie = connection.cookies.get(_FLASH_COOKIE, "")
    flash = FLASH_MESSAGES.get(flash_cookie) or flash_messages.notice_text(flash_cookie)
    viewing_as = viewing_as_of(connection)
    here = connection.url.path + (f"?{connection.url.query}" if connection.url.query else "")
    settings = services(connection).settings
    frame = {
        "viewer": viewer_of(connection),
        "viewing_as": viewing_as,
        "path": connection.url.path,
        "here": here,
        "sign_in": _sign_in_path(connection, here, status),
        "flash": flash,
        "lang": current().tag,
        "dir": current().direction,
        # For scripts that write dates and times.
        "locale": current().locale.replace("_", "-"),
        "contact": settings.contact,
        "accent": accent_url(settings.accent_color),
        **(context or {}),
    }
    response = HTMLResponse(
        environment(settings.site_name, settings.public_url).get_template(template).render(frame),
        status,
        {
            "cache-control": "no-store" if frame["viewer"] or viewing_as else "private, no-cache",
            "vary": "Save-Data",
            **(headers or {}),
        },
    )
    if flash:
        response.delete_cookie(_FLASH_COOKIE, path="/", httponly=True, samesite="lax")
    return response


def _sign_in_path(connection: HTTPConnection, here: str, status: int) -> str:
    """The link to the sign-in page, which leads back to the page that the visitor sees."""
    is_page = status == 200 and connection.scope.get("method") in {"GET", "HEAD"}
    if not is_page or here == "/" or here.startswith(_WITHOUT_RETURN):
        return "/sign-in"
    return f"/sign-in?next={quote(here, safe='')}"


def go(path: str, *, flash: str = "", numbers: Sequence[int] = ()) -> Response:
    """Redirect with 303 See Other, as after every form. ``flash`` is the key of the flash message in ``FLASH_MESSAGES``
    or, with ``numbers``, in ``NOTICES``.
    """
    response = RedirectResponse(path, 303)
    if flash:
        if numbers:
            flash = flash_messages.format_notice(flash, numbers)
        elif flash not in FLASH_MESSAGES:
            raise KeyError(flash)
        response.set_cookie(_FLASH_COOKIE, flash, max_age=_FLASH_SECONDS, path="/", httponly=True, samesite="lax")
    return response


@dataclass(frozen=True, slots=True)
class FeedLinks:
    """One feed. ``address`` is the feed's URL, for copying. The other URLs open the feed in a calendar."""

    address: str
    webcal: str
    google: str
    outlook: str
    office: str


def subscription(address: str, name: str) -> FeedLinks:
    """The links of a feed. ``address`` is its full URL (``http:`` or ``https:``) with the query. ``name`` is its title
    in Outlook.
    """
    _, _, rest = address.partition("://")
    webcal = f"webcal://{rest}"
    query_string = urlencode({"url": address, "name": name}, quote_via=quote)
    return FeedLinks(
        address,
        webcal,
        f"https://calendar.google.com/calendar/r?cid={quote(webcal, safe='')}",
        f"https://outlook.live.com/calendar/0/addfromweb?{query_string}",
        f"https://outlook.office.com/calendar/0/addfromweb?{query_string}",
    )

"""Files below ``/static``: stylesheets, scripts, font. The URL of each contains the hash of its content."""

from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork import ui
from groundwork.http.static_files import StaticFiles
from groundwork.ui.colours import accent_stylesheet
from openmeet.web.site.services import services

_ACCENT = "accent.css"
# Every page loads ``site.css`` and ``site.js``. The other stylesheets and scripts belong to one area; its pages request
# them in the blocks ``styles`` and ``head``.
_BUNDLES = {
    "site.css": (*ui.STYLES, "frame.css", "inputs.css", "print.css"),
    # Pages whose template names no others. The pages that visitors open first have only the parts that they need.
    "pages.css": (
        *(ui.TABS, ui.FILTERS, ui.WAITING, ui.PANELS, ui.CHOICES),
        *("parts.css", "rows.css", "search.css", "subscribing.css", "lists.css", "cards.css", "needs.css", "tiles.css"),
    ),
    # The form of an event, which has no lists.
    "form.css": (ui.FILTERS, ui.PANELS, ui.CHOICES, "rows.css"),
    "lists.css": (ui.TABS, "lists.css", "cards.css", "tiles.css"),
    "home.css": (ui.FILTERS, ui.WAITING, "needs.css", "home.css"),
    "discover.css": (ui.FILTERS, "search.css", "subscribing.css", "lists.css", "tiles.css", "discover.css", "hero.css"),
    "event.css": (ui.CHOICES, "parts.css", "tiles.css", "event.css"),
    "series.css": ("subscribing.css", "dates.css"),
    "groups.css": ("parts.css", "subscribing.css", "groups.css"),
    "map.css": (
        *(ui.FILTERS, "search.css", "subscribing.css", "lists.css", "tiles.css", "discover.css"),
        *("map_drawing.css", "map.css"),
    ),
    "month.css": (
        *(ui.FILTERS, "search.css", "subscribing.css", "lists.css", "tiles.css", "discover.css", "month.css"),
    ),
    "calendar.css": ("month.css", "calendar.css"),
    "operating.css": ("operators.css", "operating.css"),
    "sign_in.css": (ui.PANELS, ui.CHOICES, "sign_in.css"),
    "site.js": ("page.js", "improve.js", "offline.js", "live.js"),
}


@cache
def _files() -> StaticFiles:
    return StaticFiles([ui.STATIC, Path(__file__).parent / "static"], _BUNDLES)


def static_url(name: str) -> str:
    """The URL of a file of this release. It changes with the file's content."""
    return _files().url(name)


@cache
def _accent(colour: str) -> StaticFiles:
    """The stylesheet of an accent colour, apart from the other files because each community has its own."""
    return StaticFiles([], more={_ACCENT: accent_stylesheet(colour)})


def accent_url(colour: str) -> str:
    """The URL of the stylesheet that replaces the accent colour; empty for no colour."""
    return _accent(colour).url(_ACCENT) if colour else ""


def routes() -> list[Route]:
    return [Route("/static/{hash}/{name}", serve, methods=["GET"])]


async def serve(request: Request) -> Response:
    """A file of this release, or the stylesheet of the site's accent colour. Raises NotFound."""
    if request.path_params["name"] == _ACCENT:
        return await _accent(services(request).settings.accent_color).serve(request)
    return await _files().serve(request)

"""Files below ``/static``: stylesheets, scripts, font. The URL of each contains the hash of its content."""

from functools import cache
from pathlib import Path

from starlette.routing import Route

from groundwork import ui
from groundwork.http.static_files import StaticFiles

# Every page loads ``site.css`` and ``site.js``. The other stylesheets and scripts belong to one area; its pages request
# them in the blocks ``styles`` and ``head``.
_BUNDLES = {
    "site.css": (*ui.STYLES, "frame.css", "inputs.css", "parts.css", "print.css"),
    # Pages whose template names no others. The pages that visitors open first have only the parts that they need.
    "pages.css": (ui.PANELS, "rows.css", "lists.css", "needs.css", "tiles.css"),
    "lists.css": ("lists.css", "needs.css", "tiles.css"),
    "discover.css": ("discover.css", "hero.css"),
    "event.css": ("tiles.css", "event.css", "map_drawing.css"),
    # The page of the map loads nothing else.
    "map.css": ("lists.css", "tiles.css", "discover.css", "map_drawing.css", "map.css"),
    "operating.css": ("operators.css", "operating.css"),
    "site.js": ("page.js", "improve.js", "offline.js", "live.js"),
}


@cache
def _files() -> StaticFiles:
    return StaticFiles([ui.STATIC, Path(__file__).parent / "static"], _BUNDLES)


def static_url(name: str) -> str:
    """The URL of a file of this release. It changes with the file's content."""
    return _files().url(name)


def routes() -> list[Route]:
    return _files().routes()

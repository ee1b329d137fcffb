"""The files below ``/static``: stylesheets, scripts, font; each under the hash of its content."""

from functools import cache
from pathlib import Path

from starlette.routing import Route

from groundwork import ui
from groundwork.http.static_files import StaticFiles

# ``site.css`` and ``site.js`` are for every page; pages with more of their own ask for it in the blocks ``styles`` and ``head``.
_BUNDLES = {
    "site.css": (*ui.STYLES, "frame.css", "inputs.css", "events.css", "tell.css", "groups.css", "print.css"),
    "chat.css": ("chat.css",),
    "calendar.css": ("calendar.css",),
    "door.css": ("door.css",),
    "make.css": ("make.css",),
    "operating.css": ("operators.css", "operating.css"),
    "site.js": ("page.js", "improve.js", "offline.js", "live.js"),
}


@cache
def _files() -> StaticFiles:
    return StaticFiles([ui.STATIC, Path(__file__).parent / "static"], _BUNDLES)


def static_url(name: str) -> str:
    """The URL of a file of this release; it changes with the content."""
    return _files().url(name)


def routes() -> list[Route]:
    return _files().routes()

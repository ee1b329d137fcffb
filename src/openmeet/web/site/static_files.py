"""The files below ``/static``: stylesheets, scripts, font; each under the hash of its content."""

from functools import cache
from pathlib import Path

from starlette.routing import Route

from groundwork import ui
from groundwork.http.static_files import StaticFiles

# ``site.css`` is for every page; pages with more of their own ask for it in the block ``styles``.
_STYLESHEETS = {
    "site.css": (*ui.STYLES, "frame.css", "inputs.css", "events.css", "tell.css", "groups.css", "print.css"),
    "chat.css": ("chat.css",),
    "calendar.css": ("calendar.css",),
    "door.css": ("door.css",),
    "make.css": ("make.css",),
    "operating.css": ("operators.css", "operating.css"),
}


@cache
def _files() -> StaticFiles:
    return StaticFiles([ui.STATIC, Path(__file__).parent / "static"], _STYLESHEETS)


def static_url(name: str) -> str:
    """The URL of a file of this release; it changes with the content."""
    return _files().url(name)


def routes() -> list[Route]:
    return _files().routes()

"""Files below ``/static``: stylesheets, scripts, font. The URL of each contains the hash of its content."""

from functools import cache
from pathlib import Path

from starlette.routing import Route

from groundwork import ui
from groundwork.http.static_files import StaticFiles

# Every page loads ``site.css`` and ``site.js``. Pages that need more files request them in the blocks ``styles`` and
# ``head``.
_BUNDLES = {
    "site.css": (*ui.STYLES, "frame.css", "inputs.css", "events.css", "tell.css", "groups.css", "print.css"),
    "chat.css": ("chat.css",),
    "calendar.css": ("calendar.css",),
    "door.css": ("door.css",),
    "make.css": ("make.css",),
    "map.css": ("map.css",),
    "sync.css": ("sync.css",),
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

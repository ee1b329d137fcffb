"""The files below ``/static``: one stylesheet made of several, scripts, font; each under the hash of its content."""

from functools import cache
from pathlib import Path

from starlette.routing import Route

from groundwork import ui
from groundwork.http.static_files import StaticFiles

_STYLES = ("frame.css", "inputs.css", "events.css", "groups.css", "chat.css", "calendar.css", "print.css")


@cache
def _files() -> StaticFiles:
    return StaticFiles([ui.STATIC, Path(__file__).parent / "static"], {"site.css": (*ui.STYLES, *_STYLES)})


def static_url(name: str) -> str:
    """The URL of a file of this release; it changes with the content."""
    return _files().url(name)


def routes() -> list[Route]:
    return _files().routes()

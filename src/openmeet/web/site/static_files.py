"""The files below ``/static``: stylesheets per subject and one script, each served under the hash of its content."""

from functools import cache
from pathlib import Path

from starlette.routing import Route

from groundwork.http.static_files import StaticFiles


@cache
def _files() -> StaticFiles:
    return StaticFiles(Path(__file__).parent / "static")


def static_url(name: str) -> str:
    """The URL of a file of this release; it changes with the content."""
    return _files().url(name)


def routes() -> list[Route]:
    return _files().routes()

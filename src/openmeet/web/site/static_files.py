"""The files below ``/static``: one stylesheet per subject, one script. Each is served under the hash of its content."""

from functools import cache
from pathlib import Path

from starlette.routing import Route

from groundwork.http.static_files import StaticFiles


@cache
def _files() -> StaticFiles:
    return StaticFiles(Path(__file__).parent / "static")


def static_url(name: str) -> str:
    """The address of a file of this release; another content has another address."""
    return _files().url(name)


def routes() -> list[Route]:
    return _files().routes()

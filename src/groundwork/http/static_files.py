"""Static files of a release, cacheable for ever: each is served under the hash of its content."""

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_HASH_CHARACTERS = 12
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}


class StaticFiles:
    """The stylesheets, scripts and pictures of one folder, read once, because the folder belongs to the release.

    ``more`` are files that are generated at start (name to content).
    """

    def __init__(self, folder: Path, more: dict[str, bytes] | None = None) -> None:
        contents = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in _TYPES}
        self._files = {name: (content, _tag(content)) for name, content in (contents | (more or {})).items()}

    def url(self, name: str) -> str:
        """The address of a file of this release; it changes with the content. Raises KeyError."""
        return f"/static/{self._files[name][1]}/{name}"

    def routes(self) -> list[Route]:
        """The one route, ``/static/{hash}/{name}``."""
        return [Route("/static/{hash}/{name}", self.serve, methods=["GET"])]

    async def serve(self, request: Request) -> Response:
        """The file, under its current address only. Raises NotFound."""
        name = request.path_params["name"]
        content, tag = self._files.get(name, (b"", ""))
        if not tag or tag != request.path_params["hash"]:
            raise NotFound("There is nothing at this address.")
        return Response(content, media_type=_TYPES[Path(name).suffix], headers=_FOR_EVER)


def _tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_HASH_CHARACTERS]

"""The files below ``/static``: one stylesheet per subject, one script. Each is served under the hash of its content."""

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import NotFound

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_HASH_CHARACTERS = 12


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Name to content and hash; read once, the folder belongs to the release."""
    found = {}
    for path in sorted(_FOLDER.iterdir()):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            found[path.name] = (content, hashlib.sha256(content).hexdigest()[:_HASH_CHARACTERS])
    return found


def static_url(name: str) -> str:
    """The address of a file of this release; another content has another address."""
    return f"/static/{_files()[name][1]}/{name}"


async def serve_file(request: Request) -> Response:
    name = request.path_params["name"]
    content, tag = _files().get(name, (b"", ""))
    if not tag or tag != request.path_params["hash"]:
        raise NotFound("There is nothing at this address.")
    return Response(
        content,
        media_type=_TYPES[Path(name).suffix],
        headers={"cache-control": "public, max-age=31536000, immutable"},
    )


def routes() -> list[Route]:
    return [Route("/static/{hash}/{name}", serve_file)]

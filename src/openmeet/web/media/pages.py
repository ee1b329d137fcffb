"""Serve pictures: immutable bytes, to anyone who has the URL, and never as anything but an image."""

import re

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from groundwork.errors import NotFound
from openmeet.domain.media.pictures import CONTENT_TYPE, Size, blob_key
from openmeet.domain.media.reasons import MediaReason
from openmeet.web.media.uploads import store_of

_KEY = re.compile(r"[0-9a-f]{32}")

# Whatever is sent from an address that holds a hash of its content.
IMMUTABLE = {
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "content-disposition": "inline",
    "cross-origin-resource-policy": "cross-origin",
    "x-robots-tag": "noindex",
}


def routes() -> list[Route]:
    return [Route("/media/{key}/{size}", show, methods=["GET"])]


async def show(request: Request) -> Response:
    key, size = request.path_params["key"], request.path_params["size"]
    if _KEY.fullmatch(key) is None or size not in set(Size):
        raise NotFound(MediaReason.NO_SUCH_PICTURE)
    store = store_of(request)
    tag = f'"{key}-{size}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={**IMMUTABLE, "etag": tag})
    at = blob_key(key, Size(size))
    length = await store.size(at)
    headers = {**IMMUTABLE, "etag": tag, "content-length": str(length)}
    return StreamingResponse(store.read(at), headers=headers, media_type=CONTENT_TYPE)

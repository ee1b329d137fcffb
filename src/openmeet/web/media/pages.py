"""Serve pictures: immutable bytes, to anyone who has the URL, and never as anything but an image."""

import re

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from groundwork.blobstore.contract import BlobStore
from groundwork.errors import NotFound
from openmeet.domain.media.pictures import CONTENT_TYPE, PORTRAIT_SIDES, Size, blob_key, portrait_key
from openmeet.domain.media.portraits import CONTENT_TYPE as PORTRAIT_TYPE
from openmeet.domain.media.reasons import MediaReason
from openmeet.domain.profiles import portraits
from openmeet.web.media.uploads import store_of
from openmeet.web.site.session import person_of_cookie
from openmeet.web.site.tenant_routing import database_of

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

# An address has one picture for ever, but only a person's browser keeps it: a cache between would show it to those who may not
# see them, or when it is removed.
_OF_PEOPLE = IMMUTABLE | {
    "cache-control": "private, max-age=604800, immutable",
}
_PORTRAIT_SIDES = frozenset(map(str, PORTRAIT_SIDES))


def routes() -> list[Route]:
    return [
        Route("/media/{key}/{size}", show, methods=["GET"]),
        Route("/portraits/{key}/{side}", show_portrait, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    key, size = request.path_params["key"], request.path_params["size"]
    if _KEY.fullmatch(key) is None or size not in set(Size):
        raise NotFound(MediaReason.NO_SUCH_PICTURE)
    store = store_of(request)
    tag = f'"{key}-{size}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={**IMMUTABLE, "etag": tag})
    headers = {**IMMUTABLE, "etag": tag}
    try:
        return await _served(store, blob_key(key, Size(size)), CONTENT_TYPE, headers)
    except NotFound:
        if size != Size.THUMBNAIL:
            raise
        # Pictures that are older than thumbnails have none.
        return await _served(store, blob_key(key, Size.SMALL), CONTENT_TYPE, headers)


async def show_portrait(request: Request) -> Response:
    """A person's picture, while it is theirs, for who may see them. Raises NotFound."""
    key, side = request.path_params["key"], request.path_params["side"]
    if _KEY.fullmatch(key) is None or side not in _PORTRAIT_SIDES:
        raise NotFound(MediaReason.NO_SUCH_PICTURE)
    async with database_of(request).reader() as reader:
        if not await portraits.is_shown(reader, await person_of_cookie(request, reader), key):
            raise NotFound(MediaReason.NO_SUCH_PICTURE)
    return await _served(store_of(request), portrait_key(key, int(side)), PORTRAIT_TYPE, _OF_PEOPLE)


async def _served(store: BlobStore, at: str, content_type: str, headers: dict[str, str]) -> Response:
    length = await store.size(at)
    return StreamingResponse(
        store.read(at), headers={**headers, "content-length": str(length)}, media_type=content_type
    )

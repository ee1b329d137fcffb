"""Serve pictures: immutable bytes, for anyone who has the URL, always with an image media type."""

import re
from functools import partial

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from groundwork.errors import NotFound
from openmeet.domain.media.pictures import PORTRAIT_SIDES, PORTRAIT_TYPE, MediaReason, blob_key, portrait_key
from openmeet.domain.profiles import portraits
from openmeet.web.media.picture_files import INERT, requested_size, serve_picture
from openmeet.web.media.uploads import store_of
from openmeet.web.site.session import person_of_cookie
from openmeet.web.site.tenant_routing import database_of

_KEY = re.compile(r"[0-9a-f]{32}")

# For everything whose URL contains a hash of its content.
IMMUTABLE = {
    **INERT,
    "cache-control": "public, max-age=31536000, immutable",
    "cross-origin-resource-policy": "cross-origin",
}

# The picture at a URL never changes, but only the person's own browser may cache it. A shared cache would show it to
# people who may not see it, or after it was removed.
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
    key = request.path_params["key"]
    if _KEY.fullmatch(key) is None:
        raise NotFound(MediaReason.NO_SUCH_PICTURE)
    # Checked before the store is accessed, so an unknown size also gives 404 on a site that stores no pictures.
    requested_size(request)
    return await serve_picture(request, store_of(request), key, partial(blob_key, key), IMMUTABLE)


async def show_portrait(request: Request) -> Response:
    """A person's current picture, for viewers who may see that person. Raises NotFound."""
    key, side = request.path_params["key"], request.path_params["side"]
    if _KEY.fullmatch(key) is None or side not in _PORTRAIT_SIDES:
        raise NotFound(MediaReason.NO_SUCH_PICTURE)
    async with database_of(request).reader() as reader:
        if not await portraits.is_shown(reader, await person_of_cookie(request, reader), key):
            raise NotFound(MediaReason.NO_SUCH_PICTURE)
    store, name = store_of(request), portrait_key(key, int(side))
    headers = {**_OF_PEOPLE, "content-length": str(await store.size(name))}
    return StreamingResponse(store.read(name), headers=headers, media_type=PORTRAIT_TYPE)

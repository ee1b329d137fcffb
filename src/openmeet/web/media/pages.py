"""Serve pictures to anyone who has the URL, always with an image media type. Also the URLs of pictures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from groundwork.blobstore.contract import BlobStore
from groundwork.errors import InvalidForm, NotFound, TooLarge, TooMany, Unavailable
from groundwork.telemetry.logs import log
from openmeet.domain.media.pictures import (
    MAX_SQUARE_BYTES,
    PORTRAIT_SIDES,
    PORTRAIT_TYPE,
    MediaReason,
    PictureFormat,
    Size,
    blob_key,
    is_picture_key,
    portrait_key,
)
from openmeet.domain.media.uploads import add_squares
from openmeet.domain.profiles import portraits
from openmeet.network.records.places import ParsedPicture
from openmeet.web.media.uploads import store_of
from openmeet.web.site.services import services
from openmeet.web.site.session import person_of_cookie
from openmeet.web.site.tenant_routing import database_of, workers_of_anybody

SafeHeaders = Mapping[str, str]

# Sent with every picture. Browsers never treat it as another media type, and search engines index the page instead of
# the file.
INERT: SafeHeaders = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "content-disposition": "inline",
    "x-robots-tag": "noindex",
}
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
# The most common aspect ratio. Used for records that do not state one, to limit layout shift.
_USUAL = (1600, 900)


@dataclass(frozen=True, slots=True)
class PictureView:
    """A picture's URL without the size."""

    path: str
    alt: str
    width: int
    height: int


def routes() -> list[Route]:
    return [
        Route("/media/{key}/{size}", show, methods=["GET"]),
        Route("/portraits/{key}/{side}", show_portrait, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    key = request.path_params["key"]
    if not is_picture_key(key):
        raise NotFound(MediaReason.NO_SUCH_PICTURE)
    # Checked before the store is accessed, so an unknown size also gives 404 on a site that stores no pictures.
    size, store = requested_size(request), store_of(request)
    if size in MAX_SQUARE_BYTES:
        await _ensure_square(request, store, key, size)
    return await serve_picture(request, store, key, partial(blob_key, key), IMMUTABLE)


async def _ensure_square(request: Request, store: BlobStore, key: str, size: Size) -> None:
    """Store the squares of a picture from an older version: once, in a worker process, from its small size."""
    try:
        await store.size(blob_key(key, size, PictureFormat.WEBP))
    except NotFound:
        try:
            await add_squares(store, workers_of_anybody(request), key)
        except (NotFound, InvalidForm, TooLarge, TooMany, Unavailable) as failure:
            # A larger size is served, if there is one. The next request tries again.
            log.info("picture.square_not_added", key=key, reason=failure.why)


async def show_portrait(request: Request) -> Response:
    """A person's current picture, for viewers who may see that person. Raises NotFound."""
    key, side = request.path_params["key"], request.path_params["side"]
    if not is_picture_key(key) or side not in _PORTRAIT_SIDES:
        raise NotFound(MediaReason.NO_SUCH_PICTURE)
    async with database_of(request).reader() as reader:
        if not await portraits.is_shown(reader, await person_of_cookie(request, reader), key):
            raise NotFound(MediaReason.NO_SUCH_PICTURE)
    store, name = store_of(request), portrait_key(key, int(side))
    headers = {**_OF_PEOPLE, "content-length": str(await store.size(name))}
    return StreamingResponse(store.read(name), headers=headers, media_type=PORTRAIT_TYPE)


def requested_size(request: Request) -> Size:
    """The size in the path. Raises NotFound if there is no such size."""
    try:
        return Size(request.path_params["size"])
    except ValueError:
        raise NotFound(MediaReason.NO_SUCH_PICTURE) from None


def accepted_format(request: Request) -> PictureFormat:
    """WebP if the ``Accept`` header names it, as browsers do for ``<img>``."""
    accepted = (entry.partition(";")[0].strip() for entry in request.headers.get("accept", "").split(","))
    return PictureFormat.WEBP if PictureFormat.WEBP.content_type in accepted else PictureFormat.JPEG


async def serve_picture(
    request: Request,
    store: BlobStore,
    key: str,
    blob_key: Callable[[Size, PictureFormat], str],
    headers: SafeHeaders,
) -> Response:
    """The requested size, or 304 if the client has it. Raises NotFound.

    ``key`` identifies the picture in its ETag; ``blob_key`` returns the storage key of a file.
    """
    size, accepted = requested_size(request), accepted_format(request)
    for larger in _at_least(size):
        for format_ in dict.fromkeys((accepted, PictureFormat.JPEG)):
            name = blob_key(larger, format_)
            try:
                length = await store.size(name)
            except NotFound:
                continue
            response_headers = {**headers, "etag": f'"{key}-{larger}-{format_.value}"', "vary": "Accept"}
            if larger is not size:
                response_headers["cache-control"] = _for_an_hour(headers["cache-control"])
            if request.headers.get("if-none-match") == response_headers["etag"]:
                return Response(status_code=304, headers=response_headers)
            response_headers["content-length"] = str(length)
            return StreamingResponse(store.read(name), headers=response_headers, media_type=format_.content_type)
    raise NotFound(MediaReason.NO_SUCH_PICTURE)


def _for_an_hour(cache_control: str) -> str:
    """For a larger size in place of the requested one, which may be stored later (``_ensure_square``)."""
    if "immutable" not in cache_control:
        return cache_control
    return f"{cache_control.partition(',')[0]}, max-age=3600"


def _at_least(size: Size) -> list[Size]:
    """The size itself and the larger ones, the smallest first. Pictures from an older version lack some sizes."""
    sizes = list(Size)
    return sizes[sizes.index(size) :: -1]


def record_picture(path: str, picture: ParsedPicture) -> PictureView:
    """The picture of a record. Its URL is below the page of the event or group."""
    sides = (picture.width, picture.height) if picture.width and picture.height else _USUAL
    return PictureView(f"{path}/record-picture", picture.alt[:1000], *sides)


def portrait_url(connection: HTTPConnection, key: str | None) -> str | None:
    """The URL of the largest size of a person's picture, for API clients. None if there is no picture."""
    return f"{services(connection).settings.public_url}/portraits/{key}/{max(PORTRAIT_SIDES)}" if key else None

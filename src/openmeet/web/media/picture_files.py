"""Serve a stored picture: WebP to browsers that accept it, JPEG to everyone else."""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from groundwork.blobstore.contract import BlobStore
from groundwork.errors import NotFound
from openmeet.domain.media.pictures import MediaReason, PictureFormat, Size

SafeHeaders = Mapping[str, str]

# Sent with every picture. Browsers never treat it as another media type, and search engines index the page instead of
# the file.
INERT: SafeHeaders = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "content-disposition": "inline",
    "x-robots-tag": "noindex",
}


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
    response_headers = {**headers, "etag": f'"{key}-{size}-{accepted.value}"', "vary": "Accept"}
    if request.headers.get("if-none-match") == response_headers["etag"]:
        return Response(status_code=304, headers=response_headers)
    for larger in _at_least(size):
        for format_ in dict.fromkeys((accepted, PictureFormat.JPEG)):
            name = blob_key(larger, format_)
            try:
                response_headers["content-length"] = str(await store.size(name))
            except NotFound:
                continue
            return StreamingResponse(store.read(name), headers=response_headers, media_type=format_.content_type)
    raise NotFound(MediaReason.NO_SUCH_PICTURE)


def _at_least(size: Size) -> list[Size]:
    """The size itself and the larger ones, the smallest first. Pictures from an older version lack some sizes."""
    sizes = list(Size)
    return sizes[sizes.index(size) :: -1]

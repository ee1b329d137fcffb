"""Photos of an event, as JSON."""

from typing import ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.media.pictures import PictureFormat
from openmeet.domain.photos import actions, queries
from openmeet.domain.photos.access import event_with_photos, visible_photo
from openmeet.domain.photos.model import EventPhoto
from openmeet.i18n.formatting import iso
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.photos.pages import add_photo, photo_response
from openmeet.web.site.caller import caller_of
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

_PATH = "/api/events/{slug}/photos"
_PHOTO_PATH = "/api/photos/{photoId}"


class PhotoInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``image`` is a JPEG, PNG, WebP or GIF in base64. It is re-encoded, which removes location and camera details.
    ``caption`` has at most 300 characters.
    """

    EXAMPLE: ClassVar[dict[str, str]] = {
        "image": "R0lGODdhAQABAIEAAP///wAAAAAAAAAAACwAAAAAAQABAAAIBAABBAQAOw==",
        "caption": "The winners with their pizza",
    }

    image: bytes
    caption: str = ""


class CaptionInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The new caption, which may be empty. It has at most 300 characters."""

    EXAMPLE: ClassVar[dict[str, str]] = {"caption": "The winners with their pizza"}

    caption: str


class PhotoOutput(msgspec.Struct, rename="camel"):
    """A photo of an event. ``url`` and ``smallUrl`` are paths on this site. Fetching them requires a token of somebody
    who may see the photos of the event. ``width`` and ``height`` are those of the large size, in pixels.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {
        "id": "2f6a1b8c4d0198a3c27b1e7c409d5e2f",
        "url": "/api/photos/2f6a1b8c4d0198a3c27b1e7c409d5e2f/large",
        "smallUrl": "/api/photos/2f6a1b8c4d0198a3c27b1e7c409d5e2f/small",
        "caption": "The winners with their pizza",
        "width": 1600,
        "height": 1200,
        "addedBy": "Ben",
        "addedById": "0198a3c2-7b1e-7c40-9d5e-2f6a1b8c4d01",
        "createdAt": "2026-03-06T09:12:00Z",
    }

    id: str
    url: str
    small_url: str
    caption: str
    width: int
    height: int
    added_by: str
    added_by_id: str
    created_at: str


class PhotoList(msgspec.Struct, rename="camel"):
    """Photos of an event, newest first. ``cursor`` is null on the last page."""

    photos: list[PhotoOutput]
    cursor: str | None


async def list_photos(request: Request) -> Response:
    requested, viewer = paging(request), caller_of(request).user_id
    async with database_of(request).reader() as reader:
        event, access = await event_with_photos(reader, event_slug_of(request), viewer)
        read = await queries.shown(reader, event.id, viewer, access, requested)
        photos, cursor = requested.cut(read, lambda one: (one.created_at, one.key))
        names = await shown_names(reader, [one.user_id for one in photos])
    return json_response(PhotoList([_output(one, names[one.user_id]) for one in photos], cursor))


async def add(request: Request) -> Response:
    caller, slug = caller_of(request), event_slug_of(request)
    # Check this before reading and parsing megabytes from somebody who may not send them.
    async with database_of(request).reader() as reader:
        await actions.require_adding(reader, slug, caller.user_id)
    body = await read_json(request, PhotoInput)
    photo = await add_photo(request, caller.user_id, slug, body.image, body.caption)
    async with database_of(request).reader() as reader:
        shown = await _shown(reader, photo)
    return json_response(shown, 201)


async def describe(request: Request) -> Response:
    caller, body = caller_of(request), await read_json(request, CaptionInput)
    async with database_of(request).transaction() as tx:
        photo = await actions.describe(tx, caller.user_id, _key(request), body.caption)
        shown = await _shown(tx, photo)
    return json_response(shown)


async def remove(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await actions.remove(tx, caller.user_id, _key(request))
    return Response(status_code=204)


async def show_file(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        photo, _, _ = await visible_photo(reader, _key(request), caller.user_id)
    return await photo_response(request, photo)


async def _shown(reader: Reader, photo: EventPhoto) -> PhotoOutput:
    names = await shown_names(reader, [photo.user_id])
    return _output(photo, names[photo.user_id])


def _output(photo: EventPhoto, name: str) -> PhotoOutput:
    below = f"/api/photos/{photo.key}"
    return PhotoOutput(
        photo.key,
        f"{below}/large",
        f"{below}/small",
        photo.caption,
        photo.width,
        photo.height,
        name,
        photo.user_id,
        iso(photo.created_at),
    )


def _key(request: Request) -> str:
    return str(request.path_params["photoId"])


OPERATIONS = (
    ApiOperation(
        "GET",
        _PATH,
        "listPhotos",
        "Photos of an event, for its hosts and guests",
        list_photos,
        {200: PhotoList},
        parameters=(CURSOR, LIMIT),
        failures=(404,),
    ),
    ApiOperation(
        "POST",
        _PATH,
        "addPhoto",
        "Add a photo to an event that has begun. The same file again returns the stored photo",
        add,
        {201: PhotoOutput},
        PhotoInput,
        failures=(404, 413, 422, 429, 503),
        is_idempotent=True,
    ),
    ApiOperation(
        "PUT",
        _PHOTO_PATH,
        "describePhoto",
        "Change the caption of a photo that you added",
        describe,
        {200: PhotoOutput},
        CaptionInput,
        failures=(404,),
    ),
    ApiOperation(
        "DELETE",
        _PHOTO_PATH,
        "removePhoto",
        "Remove a photo, as the person who added it or as a host of the event",
        remove,
        {204: None},
        failures=(404,),
    ),
    ApiOperation(
        "GET",
        f"{_PHOTO_PATH}/{{size}}",
        "showPhoto",
        "A photo as a file. Size: large, medium, small, thumbnail, square or small-square",
        show_file,
        {200: None},
        media_type=PictureFormat.JPEG.content_type,
        is_streamed=True,
        failures=(404,),
    ),
)

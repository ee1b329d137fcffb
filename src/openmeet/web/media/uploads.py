"""Uploaded pictures in forms and JSON: parse them, store them, and show them again."""

from collections.abc import Awaitable, Callable
from typing import ClassVar

import msgspec
from starlette.datastructures import UploadFile
from starlette.requests import HTTPConnection, Request

from groundwork.blobstore.contract import BlobStore
from groundwork.database.transaction import Transaction
from groundwork.errors import InvalidForm, InvalidInput, Refused, TooLarge, TooMany, Unavailable, kind_of
from groundwork.http.forms import FormState, form_with_problems, open_form
from openmeet.domain.covers.model import Cover
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import MAX_ALT, MAX_UPLOAD_BYTES, MediaReason, Picture
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.i18n.markdown import one_line
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of, workers_of

_LABELS = {"picture": lazy("Picture"), "alt": lazy("What’s in the picture?")}


class PictureInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``image`` is a JPEG, PNG, WebP or GIF in base64. It is re-encoded. ``alt`` is a description of the picture."""

    EXAMPLE: ClassVar[dict[str, str]] = {
        "image": "R0lGODdhAQABAIEAAP///wAAAAAAAAAAACwAAAAAAQABAAAIBAABBAQAOw==",
        "alt": "A white square.",
    }

    image: bytes
    alt: str


class PictureOutput(msgspec.Struct, rename="camel"):
    """A picture in two sizes, with its description."""

    url: str
    small_url: str
    alt: str
    width: int
    height: int


def picture_shown(picture: Picture | None, public_url: str) -> PictureOutput | None:
    """The URLs of both sizes, or None if there is no picture."""
    if picture is None:
        return None
    at = f"{public_url}/media/{picture.key}"
    return PictureOutput(f"{at}/large", f"{at}/small", picture.alt, picture.width, picture.height)


def check_alt(text: str) -> str:
    """The description. It is required, because screen readers have nothing else to read. Raises InvalidForm (``alt``)."""
    alt = one_line(text)
    if not alt:
        raise InvalidForm({"alt": MediaReason.ALT_NEEDED})
    if len(alt) > MAX_ALT:
        raise InvalidForm({"alt": GeneralReason.TEXT_TOO_LONG(most=MAX_ALT)})
    return alt


async def read_picture(request: Request) -> tuple[bytes, str]:
    """The bytes of the file (empty if none was chosen) and its description. Raises InvalidInput."""
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "multipart/form-data":
        raise InvalidInput("", MediaReason.UPLOAD_EXPECTED)
    async with open_form(request, max_files=1, max_fields=5) as form:
        file, alt = form.get("picture"), form.get("alt", "")
        body = await read_upload(file)
    text = alt if isinstance(alt, str) else ""
    if "\x00" in text:
        raise InvalidInput("", GeneralReason.UNSTORABLE_CHARACTER)
    return body, text


async def read_upload(file: UploadFile | str | None) -> bytes:
    """The bytes of an uploaded picture; empty if no file was chosen. Of a file that is too large, only enough is read for
    ``uploads.store_picture`` to refuse it.
    """
    return await file.read(MAX_UPLOAD_BYTES + 1) if isinstance(file, UploadFile) else b""


async def store_uploaded(request: Request, user_id: str, body: bytes, alt: str) -> Picture:
    """Store a picture that this person uploaded, and return it with its checked description. Raises like
    ``uploads.store_picture``.
    """
    key, prepared = await uploads.store_picture(
        database_of(request), store_of(request), workers_of(request, user_id), user_id, body
    )
    return Picture(key, alt, prepared.width, prepared.height, prepared.tone)


async def save_sent(
    request: Request,
    user_id: str,
    put: Callable[[Transaction, Picture], Awaitable[object]],
    describe: Callable[[Transaction, str], Awaitable[object]],
) -> tuple[FormState, int] | None:
    """Store the uploaded picture. If no file was chosen, change the description of the current picture.

    Returns None on success, otherwise the form's context and the HTTP status. Raises what ``put`` and ``describe``
    raise, except ``NoPicture``, which means that the field was empty.
    """
    db = database_of(request)
    body, alt_text = await read_picture(request)
    form = {"alt": alt_text}
    try:
        alt = check_alt(alt_text)
        if body:
            picture = await store_uploaded(request, user_id, body, alt)
            async with db.transaction() as tx:
                await put(tx, picture)
        else:
            async with db.transaction() as tx:
                await describe(tx, alt)
    except InvalidForm as wrong:
        return form_with_problems(form, wrong), 400
    except (TooLarge, TooMany, Unavailable) as refused:
        return FormState(form, {"picture": refused.why}), kind_of(refused).http_status
    except Refused as refused:
        if refused.name != "NoPicture":
            raise
        return FormState(form, {"picture": gettext("Choose a picture.")}), 400
    return None


def form_of(
    picture: Picture | None,
    address: str,
    *,
    cover: Cover,
    back: str,
    form_state: FormState,
    has_record_picture: bool = False,
) -> dict[str, object]:
    """The context of ``media/picture_form.html`` for the object at this path. ``cover`` is shown while there is no
    picture. ``has_record_picture``: the picture was set by another app.
    """
    return {
        "picture": picture,
        "cover": cover.path,
        "theirs": has_record_picture,
        "address": address,
        "back": back,
        "typed": form_state,
        "labels": _LABELS,
    }


def store_of(connection: HTTPConnection) -> BlobStore:
    """The site's picture store. Raises Unavailable if the site has none."""
    blob_store = services(connection).pictures
    if blob_store is None:
        raise Unavailable(MediaReason.KEEPS_NO_PICTURES)
    return blob_store

"""Pictures in messages: read from the form of a conversation, uploaded through the API, and served to people who can
read the message.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, InvalidInput, NotFound, TooLarge, TooMany, Unavailable
from groundwork.http.forms import MAX_FIELDS, open_form, read_form
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.chat import pictures, room_queries
from openmeet.domain.chat.messages import require_write_access
from openmeet.domain.chat.model import MAX_PICTURES, MessagePicture, NewPicture, SentPictureKey
from openmeet.domain.chat.pictures import StoredPicture
from openmeet.domain.media.pictures import MAX_UPLOAD_BYTES, MediaReason, Size, is_picture_key
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext
from openmeet.i18n.reasons.messages import explain
from openmeet.web.chat.requests import room_id, spend_on_picture
from openmeet.web.media.pages import INERT, serve_picture
from openmeet.web.media.uploads import read_upload, store_of
from openmeet.web.site.caller import caller_of, viewer_of
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of, workers_of

# Enough for two pictures of the largest size that a site can allow, or four of the usual size.
FORM_BYTES: Final = 2 * MAX_UPLOAD_BYTES + 200_000
PATH: Final = "/chat/pictures"
_HEADERS: Final = {
    **INERT,
    # Browsers may cache the picture but must revalidate it before each use, so people who lost access cannot load it
    # again.
    "cache-control": "private, no-cache",
    "cross-origin-resource-policy": "same-origin",
}


def routes() -> list[Route]:
    return [Route(f"{PATH}/{{key}}/{{size}}", show, methods=["GET"])]


async def show(request: Request) -> Response:
    """One size of a picture, for people who can read its message now. Raises NotFound."""
    async with database_of(request).reader() as reader:
        picture = await pictures.readable_picture(reader, key_of(request), viewer_of(request))
    return await picture_response(request, picture)


def key_of(request: Request) -> SentPictureKey:
    """The picture key in the path. Raises NotFound if it is malformed."""
    key = request.path_params["key"]
    if not is_picture_key(key):
        raise NotFound(MediaReason.NO_SUCH_PICTURE)
    return SentPictureKey(key)


async def picture_response(request: Request, picture: StoredPicture) -> Response:
    """Serve the bytes of a picture. The caller has checked that the viewer may see it."""
    blob_key = partial(pictures.blob_key, picture.key)
    return await serve_picture(request, store_of(request), picture.key, blob_key, _HEADERS)


class ChatPictureWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """``image`` is a JPEG, PNG, WebP or GIF in base64. It is re-encoded, which removes location and camera details."""

    EXAMPLE: ClassVar[dict[str, str]] = {"image": "R0lGODdhAQABAIEAAP///wAAAAAAAAAAACwAAAAAAQABAAAIBAABBAQAOw=="}

    image: bytes


class ChatPictureUploaded(msgspec.Struct, rename="camel"):
    """An uploaded picture. Send its ``id`` with a message within a day. ``width`` and ``height`` are in pixels."""

    id: str
    width: int
    height: int


async def upload(request: Request) -> Response:
    """Upload a picture. Only for people who can write in the room now. Raises NotFound, Forbidden, InvalidForm
    (``picture``), TooLarge, TooMany.
    """
    caller, room = caller_of(request), room_id(request)
    # Check this before reading and parsing megabytes from somebody who may not send them.
    async with database_of(request).reader() as reader:
        await require_write_access(reader, await room_queries.by_id(reader, room), caller.user_id)
    await spend_on_picture(request, caller.user_id)
    body = await read_json(request, ChatPictureWanted)
    stored_picture = await _store_picture(request, caller.user_id, body.image)
    return json_response(ChatPictureUploaded(stored_picture.key, stored_picture.width, stored_picture.height), 201)


async def _store_picture(request: Request, person: UserId, body: bytes) -> StoredPicture:
    most = services(request).settings.chat_picture_bytes
    workers = workers_of(request, person)
    return await pictures.store_picture(database_of(request), store_of(request), workers, person, body, most_bytes=most)


@dataclass(frozen=True, slots=True)
class PictureField:
    """A picture field of the form. ``kept`` is the key of a picture that an earlier submission stored."""

    number: int
    kept: str = ""
    alt: str = ""
    problem: str = ""


def empty_fields() -> list[PictureField]:
    """The picture fields of a new form."""
    return [PictureField(number) for number in range(1, MAX_PICTURES + 1)]


@dataclass(frozen=True, slots=True)
class SentForm:
    """The submitted form: the text fields, and the file and description of each picture field."""

    fields: dict[str, str]
    files: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class TakenPictures:
    """Pictures that are ready to be sent. ``fields`` are the form's picture fields, to be shown again. ``problem`` is
    the error of the first picture that failed.
    """

    ready: tuple[NewPicture, ...] = ()
    fields: Sequence[PictureField] = field(default_factory=empty_fields)
    problem: str = ""

    def require(self) -> None:
        """Raises InvalidForm (``pictures``) if a file was not accepted."""
        if self.problem:
            raise InvalidForm({"pictures": self.problem})


async def read_message_form(request: Request) -> SentForm:
    """Read the form of a conversation, with or without files. Raises InvalidInput."""
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "multipart/form-data":
        return SentForm(await read_form(request))
    async with open_form(request, max_files=MAX_PICTURES, max_fields=MAX_FIELDS) as form:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        files = [await read_upload(form.get(f"picture_{number}")) for number in range(1, MAX_PICTURES + 1)]
    if any("\x00" in value for value in fields.values()):
        raise InvalidInput("", GeneralReason.UNSTORABLE_CHARACTER)
    return SentForm(fields, files)


async def store_pictures(request: Request, person: UserId, message_form: SentForm) -> TakenPictures:
    """Store the pictures that were sent with a chat message, and find those that an earlier submission of its form stored.
    A picture that is refused has its problem beside its field; nothing is raised for it.
    """
    fields: list[PictureField] = []
    ready: list[NewPicture] = []
    for number in range(1, MAX_PICTURES + 1):
        alt, kept_key = message_form.fields.get(f"alt_{number}", ""), message_form.fields.get(f"kept_{number}", "")
        body = message_form.files[number - 1] if message_form.files else b""
        problem = ""
        if body:
            kept_key = ""
            try:
                await spend_on_picture(request, person)
                kept_key = (await _store_picture(request, person, body)).key
            except InvalidForm as wrong:
                problem = " ".join(explain(why) for why in wrong.problems.values())
            except (TooLarge, TooMany, Unavailable) as refused:
                problem = explain(refused.why)
        elif kept_key and message_form.fields.get(f"drop_{number}"):
            kept_key, alt = "", ""
        if kept_key:
            ready.append(NewPicture(SentPictureKey(kept_key), alt))
        fields.append(PictureField(number, kept_key, alt, problem))
    first = next((one for one in fields if one.problem), None)
    problem = gettext("Picture %(number)s: %(problem)s", number=first.number, problem=first.problem) if first else ""
    return TakenPictures(tuple(ready), fields, problem)


@dataclass(frozen=True, slots=True)
class MessagePictureView:
    """A picture on a page: the URLs of both sizes, and its size in pixels."""

    small: str
    large: str
    alt: str
    width: int
    height: int


def picture_views(message_pictures: Sequence[MessagePicture], author: str, path: str) -> tuple[MessagePictureView, ...]:
    """The pictures of a message. ``path`` is the prefix of their URLs for this reader. A picture without a description
    is described by its author's name.
    """
    return tuple(
        MessagePictureView(
            f"{path}/{one.key}/{Size.SMALL}",
            f"{path}/{one.key}/{Size.LARGE}",
            one.alt or gettext("Picture by %(name)s", name=author),
            one.width,
            one.height,
        )
        for one in message_pictures
    )


class ChatPictureShown(msgspec.Struct, rename="camel"):
    """A picture of a message. ``url`` and ``smallUrl`` are paths on this site. Fetching them requires a token that can
    read the message. ``alt`` is empty if the picture has no description.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {
        "id": "2f6a1b8c4d0198a3c27b1e7c409d5e2f",
        "url": "/api/chat/pictures/2f6a1b8c4d0198a3c27b1e7c409d5e2f/large",
        "smallUrl": "/api/chat/pictures/2f6a1b8c4d0198a3c27b1e7c409d5e2f/small",
        "alt": "The board after the last move",
        "width": 1600,
        "height": 1200,
    }

    id: str
    url: str
    small_url: str
    alt: str
    width: int
    height: int


def pictures_shown(message_pictures: Sequence[MessagePicture]) -> list[ChatPictureShown]:
    return [
        ChatPictureShown(
            one.key,
            f"/api/chat/pictures/{one.key}/{Size.LARGE}",
            f"/api/chat/pictures/{one.key}/{Size.SMALL}",
            one.alt,
            one.width,
            one.height,
        )
        for one in message_pictures
    ]

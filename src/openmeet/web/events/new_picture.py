"""The picture that comes with the form for a new event. It is kept before anything else is looked at, so that what is wrong
elsewhere in the form does not lose it: browsers do not send a file twice.
"""

from dataclasses import dataclass, field
from typing import Final

from starlette.datastructures import UploadFile
from starlette.requests import Request

from groundwork.errors import InvalidForm, InvalidInput, TooLarge, TooMany
from groundwork.http.forms import MAX_FIELDS
from openmeet.domain.media import pictures
from openmeet.domain.media.pictures import MAX_UPLOAD_BYTES, Picture, PictureKey
from openmeet.domain.users.model import Caller
from openmeet.web.media.schemas import check_alt
from openmeet.web.media.uploads import store_of
from openmeet.web.site.forms import read_form
from openmeet.web.site.tenant_routing import database_of, workers_of

# The name of the field that carries a picture which is kept already from one sending of the form to the next.
KEPT = "picture_key"

LABELS: Final = {"picture": "Picture", "alt": "What is in the picture?"}


@dataclass(frozen=True, slots=True)
class SentPicture:
    """``picture`` is None where none was sent, or where ``problems`` say what is wrong with it. ``kept``: what the form carries on."""

    picture: Picture | None = None
    problems: dict[str, str] = field(default_factory=dict)
    kept: str = ""


async def read(request: Request) -> tuple[dict[str, str], bytes]:
    """The fields as text, and the bytes of the one file, none where none was chosen. Raises InvalidInput."""
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "multipart/form-data":
        return await read_form(request), b""
    async with request.form(max_files=1, max_fields=MAX_FIELDS) as form:
        found = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        file = form.get("picture")
        body = await file.read(MAX_UPLOAD_BYTES + 1) if isinstance(file, UploadFile) else b""
    if any("\x00" in value for value in found.values()):
        raise InvalidInput("", "The form contains a character that cannot be kept.")
    return found, body


async def take(request: Request, caller: Caller, typed: dict[str, str], body: bytes) -> SentPicture:
    """Keep what was sent now, or find what was sent with the same form before."""
    key, size = PictureKey(typed.get(KEPT, "")), None
    if body:
        try:
            key, made = await pictures.keep(
                database_of(request), store_of(request), workers_of(request, caller.user_id), caller.user_id, body
            )
        except InvalidForm as wrong:
            return SentPicture(problems=wrong.problems)
        except (TooLarge, TooMany) as refused:
            return SentPicture(problems={"picture": refused.why})
        size = (made.width, made.height)
    elif key:
        async with database_of(request).reader() as reader:
            size = await pictures.size_of_own(reader, key, caller.user_id)
    words = typed.get("alt", "")
    if size is None:
        gone = key or words.strip()
        return (
            SentPicture(problems={"picture": "Choose the picture, or empty the words about it."})
            if gone
            else SentPicture()
        )
    try:
        return SentPicture(Picture(key, check_alt(words), *size), kept=key)
    except InvalidForm as wrong:
        return SentPicture(problems=wrong.problems, kept=key)

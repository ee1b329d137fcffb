"""A form with a picture in it, as a browser sends it."""

from starlette.datastructures import UploadFile
from starlette.requests import Request

from groundwork.errors import InvalidInput
from openmeet.media.model import MAX_UPLOAD_BYTES, Picture
from openmeet.site.forms import Typed

_LABELS = {"picture": "Picture", "alt": "What is in the picture?"}


async def sent(request: Request) -> tuple[bytes, str]:
    """The bytes of the one file, none where none was chosen, and the words beside it. Raises InvalidInput."""
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "multipart/form-data":
        raise InvalidInput("", "A form with a file was expected.")
    async with request.form(max_files=1, max_fields=5) as form:
        file, alt = form.get("picture"), form.get("alt", "")
        body = await file.read(MAX_UPLOAD_BYTES + 1) if isinstance(file, UploadFile) else b""
    text = alt if isinstance(alt, str) else ""
    if "\x00" in text:
        raise InvalidInput("", "The form contains a character that cannot be kept.")
    return body, text


def form_of(
    picture: Picture | None, address: str, *, back: str, typed: Typed, theirs: bool = False
) -> dict[str, object]:
    """What ``media/picture_form.html`` shows: for the picture of what has this address. ``theirs``: another app has put one up."""
    return {
        "picture": picture,
        "theirs": theirs,
        "address": address,
        "back": back,
        "typed": typed,
        "labels": _LABELS,
        "megabytes": MAX_UPLOAD_BYTES // 1_000_000,
    }

"""JSON types of pictures, with names in lowerCamelCase."""

from typing import ClassVar

import msgspec

from groundwork.errors import InvalidForm
from openmeet.domain.media.pictures import MAX_ALT, MediaReason, Picture
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.markdown import one_line


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

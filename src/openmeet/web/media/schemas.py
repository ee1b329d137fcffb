"""A picture as JSON, in and out; names in lowerCamelCase."""

from typing import ClassVar

import msgspec

from openmeet.domain.media.pictures import Picture


class PictureWanted(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``image``: a JPEG, PNG, WebP or GIF in base64; it is made anew. ``alt``: what is in it, in words."""

    EXAMPLE: ClassVar[dict[str, str]] = {
        "image": "R0lGODdhAQABAIEAAP///wAAAAAAAAAAACwAAAAAAQABAAAIBAABBAQAOw==",
        "alt": "A white square.",
    }

    image: bytes
    alt: str


class PictureShown(msgspec.Struct, rename="camel"):
    """A picture: two sizes of it, and what is on it in words."""

    url: str
    small_url: str
    alt: str
    width: int
    height: int


def picture_shown(picture: Picture | None, public_url: str) -> PictureShown | None:
    """Where both sizes are; None for none."""
    if picture is None:
        return None
    at = f"{public_url}/media/{picture.key}"
    return PictureShown(f"{at}/large", f"{at}/small", picture.alt, picture.width, picture.height)

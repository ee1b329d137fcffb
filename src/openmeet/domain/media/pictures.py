"""What a picture is, and how large it may be."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

PictureKey = NewType("PictureKey", str)

# What a telephone takes today; more is refused before it is read.
MAX_UPLOAD_BYTES: Final = 12_000_000
# 50 megapixels are 150 MB while they are decoded; anything above is a bomb, or a poster.
MAX_PIXELS: Final = 50_000_000
# The smallest common limit of records' pictures, so that each could stand in one.
MAX_STORED_BYTES: Final = 1_000_000
CONTENT_TYPE: Final = "image/jpeg"
MAX_ALT: Final = 1_000


class Size(StrEnum):
    """The sizes that are kept; the number is the longer side at most."""

    LARGE = "large"
    SMALL = "small"


SIDES: Final = {Size.LARGE: 1600, Size.SMALL: 640}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was made here of what somebody sent; ``key`` names it in the store, ``alt`` says what is on it."""

    key: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture made anew: its bytes by size, and how large the large one is."""

    bodies: dict[Size, bytes]
    width: int
    height: int


def blob_key(key: str, size: Size) -> str:
    """Where a size of a picture is kept in the store."""
    return f"pictures/{key}-{size.value}.jpg"

"""URLs of the pictures of events and groups."""

from dataclasses import dataclass

from openmeet.network.records.places import MediaIn

# The most common aspect ratio, for records without one, to limit layout shift.
_USUAL = (1600, 900)


@dataclass(frozen=True, slots=True)
class PictureView:
    """A picture's URL without the size."""

    path: str
    alt: str
    width: int
    height: int


def record_picture(path: str, found: MediaIn) -> PictureView:
    """A record's picture, below the page of its object."""
    sides = (found.width, found.height) if found.width and found.height else _USUAL
    return PictureView(f"{path}/record-picture", found.alt[:1000], *sides)

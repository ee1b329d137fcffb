"""Where the pictures of events and groups are served."""

from dataclasses import dataclass

from openmeet.network.records.places import MediaIn

# Where a record does not say: the shape that most have, so that the page does not jump much.
_USUAL = (1600, 900)


@dataclass(frozen=True, slots=True)
class PictureView:
    """A picture: its address without a size."""

    path: str
    alt: str
    width: int
    height: int


def record_picture(path: str, found: MediaIn) -> PictureView:
    """The picture of a record, below the page of what it belongs to."""
    sides = (found.width, found.height) if found.width and found.height else _USUAL
    return PictureView(f"{path}/record-picture", found.alt[:1000], *sides)

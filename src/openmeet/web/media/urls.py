"""URLs of the pictures of events, groups and people."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from openmeet.domain.media.pictures import PORTRAIT_SIDES
from openmeet.network.records.places import ParsedPicture
from openmeet.web.site.services import services

# The most common aspect ratio. Used for records that do not state one, to limit layout shift.
_USUAL = (1600, 900)


@dataclass(frozen=True, slots=True)
class PictureView:
    """A picture's URL without the size."""

    path: str
    alt: str
    width: int
    height: int


def record_picture(path: str, picture: ParsedPicture) -> PictureView:
    """The picture of a record. Its URL is below the page of the event or group."""
    sides = (picture.width, picture.height) if picture.width and picture.height else _USUAL
    return PictureView(f"{path}/record-picture", picture.alt[:1000], *sides)


def portrait_url(connection: HTTPConnection, key: str | None) -> str | None:
    """The URL of the largest size of a person's picture, for API clients. None if there is no picture."""
    return f"{services(connection).settings.public_url}/portraits/{key}/{max(PORTRAIT_SIDES)}" if key else None

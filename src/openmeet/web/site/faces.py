"""Faces next to names: a person's own picture, or an initial in one of nine tones. ``parts.avatar`` draws them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from groundwork.database.transaction import Reader
from groundwork.ui.tones import tone_of
from openmeet.domain.media.pictures import PictureKey
from openmeet.domain.profiles import portraits
from openmeet.domain.users.model import UserId
from openmeet.web.site.caller import saves_data

Portraits = Mapping[UserId, PictureKey]


@dataclass(frozen=True, slots=True)
class Avatar:
    """The face next to a name. ``picture`` is the key of a portrait; empty for an initial."""

    initial: str
    tone: int
    picture: str = ""


async def portraits_of(reader: Reader, viewer: UserId | None, people: Collection[UserId]) -> Portraits:
    """The pictures of these people that the viewer may see. Empty if the browser asks to save data."""
    return {} if saves_data() else await portraits.shown(reader, viewer, people)


def avatar_of(subject: str, name: str, shown: Portraits | None = None) -> Avatar:
    """The face of a person, or of a group or series, which have no portrait. The id ``subject`` determines the tone."""
    return Avatar(initial_of(name), tone_of(subject), (shown or {}).get(UserId(subject), ""))


def avatar_with(subject: str, name: str, portrait: PictureKey | None) -> Avatar:
    """Like ``avatar_of``, with a portrait that has already been read. An initial if the browser asks to save data."""
    return Avatar(initial_of(name), tone_of(subject), "" if saves_data() else portrait or "")


def initial_of(name: str) -> str:
    """The first letter or digit of a name."""
    return next((char.upper() for char in name if char.isalnum()), "·")

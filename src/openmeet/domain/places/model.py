"""Places, and the comparison of their names. Pure."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from groundwork.errors import Reason


class PlaceReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/events.py``."""

    NOT_READY = "place.not_ready"
    UNKNOWN = "place.unknown"
    SEVERAL = "place.several"
    NO_SUCH_PLACE = "place.no_such_place"
    STREETS_NOT_ASKED = "place.streets_not_asked"


MAX_NAME: Final = 100
CREDIT: Final = "GeoNames, CC BY 4.0"

# Letters that Unicode decomposition does not change. ``ß`` is casefolded to ``ss``.
_PLAIN: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"}
)
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa"})
_APART = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A town or a district.

    ``country``: ISO 3166 code. ``zone``: IANA name. ``region`` and its code: a state of the United States, otherwise
    empty. ``near``: the largest place around it, which tells apart places with the same name in the same country; empty
    if this place is the largest.
    """

    id: int
    name: str
    country: str
    region: str
    region_code: str
    near: str
    latitude: float
    longitude: float
    population: int
    zone: str


@dataclass(frozen=True, slots=True)
class PlaceMatch:
    """The result of a look-up: one place, or the choices for a person (empty if no place has this name)."""

    place: Place | None
    choices: tuple[Place, ...] = ()


def folded(name: str) -> str:
    """Fold a name for comparison, without case, diacritics and punctuation. ``Neukölln`` and ``NEUKOLLN`` are equal."""
    if name.isascii():
        return _APART.sub(" ", name.lower()).strip()
    bare = "".join(one for one in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(one))
    return _APART.sub(" ", bare.translate(_PLAIN)).strip()


def spelled_out(name: str) -> str:
    """Fold a name with ``ae``, ``oe`` and ``ue`` for umlauts: ``koeln``."""
    return folded(name if name.isascii() else unicodedata.normalize("NFC", name.casefold()).translate(_UMLAUTS))

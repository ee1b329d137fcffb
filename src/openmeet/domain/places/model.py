"""Places, and the comparison of their names. Pure."""

import re
import unicodedata
from dataclasses import dataclass
from itertools import filterfalse
from typing import Final

from groundwork.errors import Reason


class PlaceReason(Reason):
    """Why a place cannot be found by its name. The messages are in ``i18n/reasons/events.py``."""

    NOT_READY = "place.not_ready"
    UNKNOWN = "place.unknown"
    SEVERAL = "place.several"
    WHICH_TOWN = "place.which_town"
    WHICH_ZONE = "place.which_zone"
    NO_SUCH_PLACE = "place.no_such_place"
    STREETS_NOT_ASKED = "place.streets_not_asked"


MAX_NAME: Final = 100
CREDIT: Final = "GeoNames, CC BY 4.0"

# Letters that Unicode decomposition does not change. ``ß`` is casefolded to ``ss``.
_PLAIN: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"}
)
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa"})
_UMLAUTED: Final = re.compile("[äöüå]")
_APART = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A town or a district.

    ``country``: ISO 3166 code. ``zone``: IANA name. ``region`` and its code: a state of the United States, otherwise
    empty. ``near``: the largest place around it, which tells apart places with the same name in the same country; empty
    if this place is the largest. ``postal_code``: for a part of a town, of which it is the code; its ``id`` is not one of
    GeoNames.
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
    postal_code: str = ""

    @property
    def full_name(self) -> str:
        """``10115 Berlin``; a town has only a name."""
        return f"{self.postal_code} {self.name}" if self.postal_code else self.name


@dataclass(frozen=True, slots=True)
class PlaceMatch:
    """The result of a look-up: one place, or the choices for a person (empty if no place has this name)."""

    place: Place | None
    choices: tuple[Place, ...] = ()


def folded(name: str) -> str:
    """Fold a name for comparison, without case, diacritics and punctuation. ``Neukölln`` and ``NEUKOLLN`` are equal."""
    if name.isascii():
        bare = name.lower()
    else:
        decomposed = unicodedata.normalize("NFKD", name.casefold())
        bare = "".join(filterfalse(unicodedata.combining, decomposed)).translate(_PLAIN)
    return bare if bare.isalnum() else _APART.sub(" ", bare).strip()


def forms(name: str) -> tuple[str, ...]:
    """The folded forms of a name: ``koln``, and ``koeln`` with ``ae``, ``oe`` and ``ue`` for umlauts."""
    form = folded(name)
    if name.isascii():
        return (form,)
    composed = unicodedata.normalize("NFC", name.casefold())
    return (form, folded(composed.translate(_UMLAUTS))) if _UMLAUTED.search(composed) else (form,)

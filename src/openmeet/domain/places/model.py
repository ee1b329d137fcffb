"""Places and what a name may mean. Pure."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

MAX_NAME: Final = 100
CREDIT: Final = "GeoNames, CC BY 4.0"

# Letters that decomposition leaves as they are. ``ß`` is casefolded to ``ss``.
_PLAIN: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"}
)
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa"})
_APART = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A town or a district. ``country``: ISO 3166 code; ``zone``: IANA name. ``region`` and its code: states of the United States, else empty; ``near``: the largest place around, by which places
    of one name in one country are told apart; empty where the place is the largest.
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
class Found:
    """What a name means: the one place, or those among which a person has to choose (none: nothing has this name)."""

    place: Place | None
    choices: tuple[Place, ...] = ()


def folded(name: str) -> str:
    """The form in which names are compared: no case, marks or punctuation. ``Neukölln`` and ``NEUKOLLN`` are the same."""
    if name.isascii():
        return _APART.sub(" ", name.lower()).strip()
    bare = "".join(one for one in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(one))
    return _APART.sub(" ", bare.translate(_PLAIN)).strip()


def spelled_out(name: str) -> str:
    """The folded form with ``ae``, ``oe`` and ``ue`` for umlauts: ``koeln``."""
    return folded(name if name.isascii() else unicodedata.normalize("NFC", name.casefold()).translate(_UMLAUTS))

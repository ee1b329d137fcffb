"""The message catalogue of the events platform, and messages that are marked for it where they are not yet shown, such as
those for reasons.

``groundwork.i18n.catalogue`` documents its functions. A marked message has ``%(name)s`` for each parameter.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from groundwork.i18n import catalogue

DOMAIN: Final = "openmeet"
LOCALES: Final = Path(__file__).parent / "locale"
CATALOGUE: Final = catalogue.Catalogue(DOMAIN, LOCALES)

SOURCE: Final = catalogue.SOURCE
LazyText = catalogue.LazyText

available = CATALOGUE.available
choices = CATALOGUE.choices
current = CATALOGUE.current
gettext = CATALOGUE.gettext
in_language = CATALOGUE.in_language
is_known = CATALOGUE.is_known
language = CATALOGUE.language
lazy = CATALOGUE.lazy
negotiated = CATALOGUE.negotiated
ngettext = CATALOGUE.ngettext
pgettext = CATALOGUE.pgettext
plazy = CATALOGUE.plazy
read_all = CATALOGUE.read_all
speaking = CATALOGUE.speaking
switch_to = CATALOGUE.switch_to


@dataclass(frozen=True, slots=True)
class Plural:
    """A message whose plural form depends on the parameter ``by``."""

    one: str
    many: str
    by: str = "number"


Message = str | Plural


def mark(message: str) -> str:
    """Mark a message so that ``make messages`` adds it to the catalogue."""
    return message


def plural(one: str, many: str, by: str = "number") -> Plural:
    """Like ``mark``, for a message that depends on a number."""
    return Plural(one, many, by)

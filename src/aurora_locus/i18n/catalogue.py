"""Messages of pages and e-mails. The functions are documented in ``groundwork.i18n.catalogue``."""

from pathlib import Path
from typing import Final

from groundwork.i18n import catalogue

DOMAIN: Final = "aurora_locus"
LOCALES: Final = Path(__file__).parent / "locale"
CATALOGUE: Final = catalogue.Catalogue(DOMAIN, LOCALES)

SOURCE: Final = catalogue.SOURCE
LazyText = catalogue.LazyText

current = CATALOGUE.current
gettext = CATALOGUE.gettext
lazy = CATALOGUE.lazy
ngettext = CATALOGUE.ngettext
pgettext = CATALOGUE.pgettext
plazy = CATALOGUE.plazy
speaking = CATALOGUE.speaking

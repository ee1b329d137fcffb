"""Countries: the list for forms, the names that people type, and the two-letter codes of records (ISO 3166-1)."""

from functools import cache
from unicodedata import normalize

from babel import Locale

from openmeet.i18n.catalogue import current
from openmeet.i18n.languages import UNDERSTOOD_LANGUAGES

# Codes in the table that are not countries: they are reserved for unions, for tests and for "unknown".
_NO_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})

# Common names that are missing from the tables.
_ALSO_CALLED = {
    "america": "US",
    "czech republic": "CZ",
    "england": "GB",
    "great britain": "GB",
    "holland": "NL",
    "ivory coast": "CI",
    "northern ireland": "GB",
    "scotland": "GB",
    "turkey": "TR",
    "u.k.": "GB",
    "u.s.": "US",
    "u.s.a.": "US",
    "uk": "GB",
    "united states of america": "US",
    "usa": "US",
    "wales": "GB",
}


@cache
def _names_in(locale: str) -> dict[str, str]:
    """Country names by code, in the language of a locale such as ``en_GB``."""
    return {
        code: name
        for code, name in Locale.parse(locale).territories.items()
        if len(code) == 2 and code.isalpha() and code not in _NO_COUNTRIES
    }


def offered() -> tuple[tuple[str, str], ...]:
    """Code and name of every country, sorted by name in the current language."""
    # Sorted without accents, so that Österreich is listed under O.
    return tuple(sorted(_names_in(current().locale).items(), key=lambda one: normalize("NFKD", one[1]).casefold()))


@cache
def _codes_in(locale: str) -> dict[str, str]:
    return {name.casefold(): code for code, name in _names_in(locale).items()}


@cache
def _codes() -> dict[str, str]:
    codes = dict(_ALSO_CALLED)
    for language in reversed(UNDERSTOOD_LANGUAGES):
        codes.update((name.casefold(), code) for code, name in _names_in(language).items())
    codes.update((code.casefold(), code) for code in _names_in(UNDERSTOOD_LANGUAGES[0]))
    return codes


def name_of(country: str) -> str:
    """The name of a country in the current language. Text that is not a country code is returned unchanged."""
    return _names_in(current().locale).get(country, country)


def known_code(country: str) -> str | None:
    """The code of a country that was typed as a code or a name; None if it is unknown."""
    typed = country.strip().casefold()
    return _codes().get(typed) or _codes_in(current().locale).get(typed)

"""Countries: those in forms, names that people type, and the two-letter codes of records (ISO 3166-1)."""

from functools import cache
from unicodedata import normalize

from babel import Locale

from openmeet.i18n.catalogue import current

# Languages in which names are understood, besides that of the page.
_LANGUAGES = ("en", "es", "fr", "de")

# Codes in the table that are no country: reserved for unions, for tests, and for "unknown".
_NO_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})

# Common names that are in no table.
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
    """Code to name, in the language of a locale like ``en_GB``."""
    return {
        code: name
        for code, name in Locale.parse(locale).territories.items()
        if len(code) == 2 and code.isalpha() and code not in _NO_COUNTRIES
    }


def offered() -> tuple[tuple[str, str], ...]:
    """(code, name) of every country, by its name in the current language."""
    # Without accents: Österreich stands at O.
    return tuple(sorted(_names_in(current().locale).items(), key=lambda one: normalize("NFKD", one[1]).casefold()))


@cache
def _codes_in(locale: str) -> dict[str, str]:
    return {name.casefold(): code for code, name in _names_in(locale).items()}


@cache
def _codes() -> dict[str, str]:
    codes = dict(_ALSO_CALLED)
    for language in reversed(_LANGUAGES):
        codes.update((name.casefold(), code) for code, name in _names_in(language).items())
    codes.update((code.casefold(), code) for code in _names_in(_LANGUAGES[0]))
    return codes


def name_of(country: str) -> str:
    """The name of a country code in the current language; any other text is returned as it is."""
    return _names_in(current().locale).get(country, country)


def known_code(country: str) -> str | None:
    """The code of a country, typed as code or as name; None for an unknown one."""
    typed = country.strip().casefold()
    return _codes().get(typed) or _codes_in(current().locale).get(typed)

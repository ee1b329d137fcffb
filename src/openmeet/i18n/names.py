"""Countries: those in forms, names that people type, and the two-letter codes of records (ISO 3166-1)."""

from functools import cache

from babel import Locale

# Languages in which names are understood; the first is that of forms.
_LANGUAGES = ("en", "es", "fr", "de")

# Codes in the table that are no country: reserved for unions, for tests, and for "unknown".
_NO_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})

# Common names that are in no table.
_ALSO_SAID = {
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


def _names_in(language: str) -> dict[str, str]:
    """Code to name."""
    return {
        code: name
        for code, name in Locale(language).territories.items()
        if len(code) == 2 and code.isalpha() and code not in _NO_COUNTRIES
    }


@cache
def offered() -> tuple[tuple[str, str], ...]:
    """(code, name) of every country, by name."""
    return tuple(sorted(_names_in(_LANGUAGES[0]).items(), key=lambda one: one[1]))


@cache
def _codes() -> dict[str, str]:
    codes = dict(_ALSO_SAID)
    for language in reversed(_LANGUAGES):
        codes.update((name.casefold(), code) for code, name in _names_in(language).items())
    codes.update((code.casefold(), code) for code in _names_in(_LANGUAGES[0]))
    return codes


@cache
def name_of(country: str) -> str:
    """The name of a country code; any other text is returned as it is."""
    return _names_in(_LANGUAGES[0]).get(country, country)


def known_code(country: str) -> str | None:
    """The code of a country, typed as code or as name; None for an unknown one."""
    return _codes().get(country.strip().casefold())

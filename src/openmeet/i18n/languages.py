"""Languages: the names that people type, and the stored codes (BCP 47, primary subtags)."""

from collections.abc import Sequence
from functools import cache

from babel import Locale

from openmeet.i18n.catalogue import current

# Language names are understood in these languages, and in each language itself.
_UNDERSTOOD = ("en", "es", "fr", "de")

# Codes in the table that are not languages: undetermined, multiple, none.
_NO_LANGUAGES = frozenset({"und", "mul", "zxx", "mis", "root"})

# Languages whose native names are understood.
_BY_OWN_NAME = (
    "ar bg bn ca cs cy da de el en es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja ka kn ko lt lv mk ml mr ms mt nb"
    " nl pa pl pt ro ru sk sl sq sr sv sw ta te th tr uk ur uz vi zh zu"
)


@cache
def _names_in(language: str) -> dict[str, str]:
    return {
        code: name
        for code, name in Locale.parse(language).languages.items()
        if code.isalpha() and code.islower() and 2 <= len(code) <= 3 and code not in _NO_LANGUAGES
    }


@cache
def _names() -> dict[str, str]:
    return _names_in(_UNDERSTOOD[0])


@cache
def _codes() -> dict[str, str]:
    codes: dict[str, str] = {}
    for code in _BY_OWN_NAME.split():
        own = Locale(code).get_language_name(code)
        if own:
            codes[own.casefold()] = code
    for language in reversed(_UNDERSTOOD):
        codes.update((name.casefold(), code) for code, name in _names_in(language).items())
    return codes


@cache
def _codes_in(locale: str) -> dict[str, str]:
    return {name.casefold(): code for code, name in _names_in(locale).items()}


def is_code(text: str) -> bool:
    """Whether this is a language code in its stored form."""
    return text in _names()


def known_code(text: str) -> str | None:
    """The code of a language that was typed as a code or a name; None if it is unknown."""
    typed = text.strip().casefold()
    if not typed:
        return None
    if is_code(typed):
        return typed
    # The names in all languages fill many tables, which take a second to load. Forms show those in the reader's own.
    return _codes_in(current().locale).get(typed) or _codes().get(typed)


def name_of(code: str) -> str:
    """The name of a language in the current one: ``German`` for ``de``. Returns the code if it has no name."""
    return _names_in(current().locale).get(code, code)


def joined(codes: Sequence[str]) -> str:
    """The names of several languages, as a form shows them."""
    return ", ".join(name_of(code) for code in codes)

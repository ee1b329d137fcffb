"""Languages: the names that people type, and the stored codes (BCP 47, primary subtags)."""

from collections.abc import Sequence
from functools import cache
from typing import Final

from babel import Locale

from openmeet.i18n.catalogue import current

# Language names are understood in these languages, and in each language itself.
_UNDERSTOOD = ("en", "es", "fr", "de")

# Codes in the table that are not languages: undetermined, multiple, none.
_NO_LANGUAGES = frozenset({"und", "mul", "zxx", "mis", "root"})

# Languages whose native names are understood: codes with these names. Babel has the names, too, but it takes a second to
# load the data of so many languages.
_OWN_NAMES: Final = """
    ar العربية, bg български, bn বাংলা, ca català, cs čeština, cy Cymraeg, da dansk, de Deutsch, el Ελληνικά,
    en English, es español, et eesti, eu euskara, fa فارسی, fi suomi, fr français, ga Gaeilge, gl galego,
    gu ગુજરાતી, he עברית, hi हिन्दी, hr hrvatski, hu magyar, hy հայերեն, id Indonesia, is íslenska, it italiano,
    ja 日本語, ka ქართული, kn ಕನ್ನಡ, ko 한국어, lt lietuvių, lv latviešu, mk македонски, ml മലയാളം, mr मराठी, ms Melayu,
    mt Malti, nb norsk bokmål, nl Nederlands, pa ਪੰਜਾਬੀ, pl polski, pt português, ro română, ru русский,
    sk slovenčina, sl slovenščina, sq shqip, sr српски, sv svenska, sw Kiswahili, ta தமிழ், te తెలుగు, th ไทย,
    tr Türkçe, uk українська, ur اردو, uz o‘zbek, vi Tiếng Việt, zh 中文, zu isiZulu
"""


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
    codes = {name.casefold(): code for code, name in own_names().items()}
    for language in reversed(_UNDERSTOOD):
        codes.update((name.casefold(), code) for code, name in _names_in(language).items())
    return codes


def own_names() -> dict[str, str]:
    """The native names that are understood, by code."""
    return dict(entry.strip().split(maxsplit=1) for entry in _OWN_NAMES.split(","))


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
    # Forms show the names in the reader's own language.
    return _codes_in(current().locale).get(typed) or _codes().get(typed)


def name_of(code: str) -> str:
    """The name of a language in the current one: ``German`` for ``de``. Returns the code if it has no name."""
    return _names_in(current().locale).get(code, code)


def marked_as(codes: Sequence[str]) -> str:
    """The ``lang`` attribute of texts by people who named these languages: empty if they named several or none, or the
    one of the page, which needs no attribute.
    """
    page_language = current().tag.partition("-")[0]
    return codes[0] if len(codes) == 1 and codes[0] != page_language else ""


def joined(codes: Sequence[str]) -> str:
    """The names of several languages, as a form shows them."""
    return ", ".join(name_of(code) for code in codes)

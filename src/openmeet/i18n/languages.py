"""Languages: the names that people type, and the stored codes (BCP 47, primary subtags)."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from babel import Locale

from openmeet.i18n.catalogue import current

# Names of languages and countries are understood in these languages, whatever the language of the page, and in the
# reader's own. If a name means different things, that of the first language counts.
UNDERSTOOD_LANGUAGES: Final = ("en", "es", "fr", "de")

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

# Words that most texts in a language contain. A word in several lists counts for each of these languages.
_COMMON_WORDS: Final = """
    de aber auch auf das dein dem den der die ein eine einen euch für ich ihr im ist kommt mit nicht oder sind und uns von wir zum zur
    en and are at bring can come everybody everyone for from have is of our the this to we what who with you your
    es con del donde el ella en los las muy nos para pero por que sus una y ya
    fr au aux avec ce ces dans des du elle est et être il les leur nous ou pas pour qui sur une vous
    it alla anche che chi ci con del della di gli il lo nella non per più sono sul una
    nl aan bij dat deze een en het hun ik je maar met niet of ons onze te van voor waar wij zijn
    pl albo ale czy dla do i jak jest na nie od oraz po przy się są to w wszyscy z za
    pt ao com da das do dos e em mais não nas no nos os para pela por que se uma você
"""  # noqa: E501 (one line per language)
_WORDS: Final = re.compile(r"[^\W\d_]+")
# Characters of each text that are read: a list shows many events, and the language is clear long before.
_MAX_READ: Final = 1_000
# A single word can be part of a name.
_LEAST_WORDS: Final = 2


@cache
def _names_in(language: str) -> dict[str, str]:
    return {
        code: name
        for code, name in Locale.parse(language).languages.items()
        if code.isalpha() and code.islower() and 2 <= len(code) <= 3 and code not in _NO_LANGUAGES
    }


@cache
def _names() -> dict[str, str]:
    return _names_in(UNDERSTOOD_LANGUAGES[0])


@cache
def _codes() -> dict[str, str]:
    codes = {name.casefold(): code for code, name in own_names().items()}
    for language in reversed(UNDERSTOOD_LANGUAGES):
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


def marked_as(*texts: str, spoken: Sequence[str]) -> str:
    """The ``lang`` attribute of the texts of an event where these languages are spoken. Empty if their language is not
    known, or is that of the page, which needs no attribute.

    It is the language whose common words they have. The spoken one is theirs only if they have no common word of another
    language.
    """
    words = set(_WORDS.findall("\n".join(text[:_MAX_READ] for text in texts).casefold()))
    counts = {code: len(words & common) for code, common in _common_words().items()}
    best = max(counts, key=counts.__getitem__)
    if counts[best] >= _LEAST_WORDS and counts[best] >= 2 * max(n for code, n in counts.items() if code != best):
        language = best
    else:
        is_stated = len(spoken) == 1 and not any(n for code, n in counts.items() if code != spoken[0])
        language = spoken[0] if is_stated else ""
    return "" if language == current().tag.partition("-")[0] else language


@cache
def _common_words() -> dict[str, frozenset[str]]:
    lines = (line.split() for line in _COMMON_WORDS.strip().splitlines())
    return {code: frozenset(words) for code, *words in lines}


def joined(codes: Sequence[str]) -> str:
    """The names of several languages, as a form shows them."""
    return ", ".join(name_of(code) for code in codes)

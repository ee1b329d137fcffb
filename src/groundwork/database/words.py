"""Words of the search index and of queries, in one form for both engines. Pure.

The engines' own text parsers are not used, because they differ and do not handle scripts without spaces. A word is
written with ASCII letters and digits. Every other character becomes ``_``, its code point in hexadecimal, and ``_``. No
engine folds, splits or interprets this form, and a prefix of a word is a prefix of its form. Words of the title are
stored a second time with the prefix ``t=``. Exact terms (a category, a tag) have the prefix ``k=``.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator

# More words than people search for.
MAX_WORDS = 8
# A prefix of one or two letters matches many rows, and more of them hardly narrow the result.
_MAX_SHORT = 4
_SHORT = 2
# Longer words are cut, both in texts and in queries. PostgreSQL accepts 2,046 bytes, and a character takes at most 9.
_MAX_WORD = 60
# PostgreSQL's ``tsvector`` holds 1 MB. Nine bytes for each character of a script without spaces, twice, stay below
# this.
_MAX_TEXT = 40_000

TITLE = "t="
_TOPIC = "k="
# The letters of the prefixes, which ordinary words can also start with.
_MARKS = frozenset({TITLE[0], _TOPIC[0]})

# Scripts without spaces between words. Pairs of characters are used as words.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3007),
    (0x3040, 0x30FF),  # kana
    (0x3400, 0x9FFF),  # ideographs
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_FIRST_UNSPACED = chr(_UNSPACED[0][0])
# Variation selectors, which choose how the previous character is drawn.
_VARIATIONS = range(0xFE00, 0xFE10)

_ENCODED = re.compile(r"_([0-9a-f]+)_")


# Cached because all dates of a series have the same text and are written together.
@functools.lru_cache(maxsize=4)
def words_of(title: str, text: str, topics: tuple[str, ...] = ()) -> str:
    """Return the value of the column ``search_words``: each word once, between spaces.

    Both arguments are folded, and ``text`` includes the title's words. If there is no text, the result is empty and the
    row is never found.
    """
    if not text:
        return ""
    plain = dict.fromkeys(_indexed(text))
    title_words = dict.fromkeys(f"{TITLE}{word}" for word in _indexed(title))
    words = (*plain, *title_words, *map(topic_term, topics))
    return "".join(f" {word}" for word in words) + " " if words else ""


def topic_term(topic: str) -> str:
    """Return an exact term, such as ``category:music``."""
    return f"{_TOPIC}{_form(topic)}"


def query_terms(query: str) -> tuple[str, ...]:
    """Return the terms of a folded query. Each is the prefix of a word that must occur. Empty if the query has only
    punctuation.

    Words after the eighth are ignored, and so are prefixes of one or two letters after the fourth.
    """
    terms = list(dict.fromkeys(form for run in _runs(query) for form in _query_forms(run)))[:MAX_WORDS]
    short = [form for form in terms if len(form) <= _SHORT]
    return tuple(form for form in terms if form not in short[_MAX_SHORT:])


def has_beginning(words: str, form: str) -> bool:
    """Whether a word in ``search_words`` has this prefix. The marks ``t=`` and ``k=`` are not part of the word."""
    return f" {form}" in (_without_mark(words, form) if form in _MARKS else words)


def _without_mark(words: str, letter: str) -> str:
    return words.replace(f" {letter}=", " =")


def beginning_clause(column: str, at: str, parameter: str, form: str) -> str:
    """Return ``has_beginning`` as SQL. ``at`` is the engine's position function; the parameter must be a space and the
    term.
    """
    # ``form`` is one of the two letters of this module, so the statement contains no user input.
    text = f"replace({column}, ' {form}=', ' =')" if form in _MARKS else column
    return f"{at}({text}, :{parameter}) > 0"


def is_in_title(title: str, beginnings: tuple[str, ...]) -> bool:
    """Whether all terms are in the folded title. Such rows are listed first."""
    words = list(_indexed(title))
    return all(any(word.startswith(one) for word in words) for one in beginnings)


def _indexed(text: str) -> Iterator[str]:
    for run in _runs(text[:_MAX_TEXT]):
        if _is_unspaced(run[0]):
            # The last character is also a word of its own, so that a single character can be found.
            yield from (_form(run[at : at + 2]) for at in range(len(run)))
        else:
            yield _form(run)


def _query_forms(run: str) -> Iterator[str]:
    if _is_unspaced(run[0]) and len(run) > 1:
        yield from (_form(run[at : at + 2]) for at in range(len(run) - 1))
    else:
        yield _form(run)


def _runs(text: str) -> Iterator[str]:
    """Yield runs of letters and digits in one kind of script. A symbol such as an emoji is a run of its own."""
    run = ""
    for char in text:
        kind = unicodedata.category(char)
        # Joiners, direction marks and soft hyphens are invisible, so they do not separate words.
        if kind == "Cf" or ord(char) in _VARIATIONS:
            continue
        if kind[0] in "LNM":
            if run and _is_unspaced(run[0]) is not _is_unspaced(char):
                yield run
                run = ""
            run += char
            continue
        if run:
            yield run
            run = ""
        if kind == "So":
            yield char
    if run:
        yield run


def _is_unspaced(char: str) -> bool:
    # Most characters are below the first range.
    return char >= _FIRST_UNSPACED and any(first <= ord(char) <= last for first, last in _UNSPACED)


def _form(word: str) -> str:
    return "".join(char if char.isascii() and char.isalnum() else f"_{ord(char):x}_" for char in word[:_MAX_WORD])


def word_of_form(form: str) -> str:
    """Return the folded word that is written in this form, without the prefixes of titles and exact terms."""
    return _ENCODED.sub(lambda match: chr(int(match[1], 16)), form)

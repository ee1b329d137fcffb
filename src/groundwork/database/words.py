"""Words of the search index and of queries, in one form for both engines. Pure.

The engines' own text parsers are not used: they differ, and neither handles scripts without spaces. A word is written
with ASCII letters and digits; every other character is ``_``, its number in hexadecimal, ``_``. So no engine folds,
splits or interprets it, and a prefix of a word is a prefix of its form. A word of the title is stored a second time
with the prefix ``t=``; exact terms (a category, a tag) have the prefix ``k=``.
"""

import functools
import unicodedata
from collections.abc import Iterator

# More words than anybody searches for.
MAX_WORDS = 8
# A prefix of one or two letters matches many rows; further ones narrow little.
_MAX_SHORT = 4
_SHORT = 2
# Longer words are cut, in texts and queries alike. PostgreSQL takes 2,046 bytes; a character has 9 at most.
_MAX_WORD = 60
# PostgreSQL's ``tsvector`` holds 1 MB; twice nine bytes for each character of a script without spaces stay below it.
_MAX_TEXT = 40_000

TITLE = "t="
_TOPIC = "k="
# Letters that prefixed words begin with, too.
_MARKS = frozenset({TITLE[0], _TOPIC[0]})

# Scripts without spaces between words: pairs of characters serve as words.
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
# Variation selectors: they choose how the character before is drawn.
_VARIATIONS = range(0xFE00, 0xFE10)


# All dates of a series have the same text, and are written together.
@functools.lru_cache(maxsize=4)
def words_of(title: str, text: str, topics: tuple[str, ...] = ()) -> str:
    """The column ``search_words``: each word once, between spaces. Both are folded; ``text`` includes the title's
    words.

    Without a text it is empty: such a row is not found.
    """
    if not text:
        return ""
    plain = dict.fromkeys(_indexed(text))
    titled = dict.fromkeys(f"{TITLE}{word}" for word in _indexed(title))
    found = (*plain, *titled, *map(topic_term, topics))
    return "".join(f" {word}" for word in found) + " " if found else ""


def topic_term(topic: str) -> str:
    """An exact term, like ``category:music``."""
    return f"{_TOPIC}{_form(topic)}"


def query_terms(query: str) -> tuple[str, ...]:
    """The terms of a folded query: each is a prefix of a word that must occur. Empty where the query has only
    punctuation.

    Of prefixes of one or two letters those after the fourth are ignored, like words after the eighth.
    """
    found = list(dict.fromkeys(form for run in _runs(query) for form in _asked(run)))[:MAX_WORDS]
    short = [form for form in found if len(form) <= _SHORT]
    return tuple(form for form in found if form not in short[_MAX_SHORT:])


def has_beginning(words: str, form: str) -> bool:
    """Whether a word in ``search_words`` has this prefix; the marks ``t=`` and ``k=`` do not count."""
    return f" {form}" in (_without_mark(words, form) if form in _MARKS else words)


def _without_mark(words: str, letter: str) -> str:
    return words.replace(f" {letter}=", " =")


def beginning_clause(column: str, at: str, parameter: str, form: str) -> str:
    """``has_beginning`` in SQL; ``at`` is the engine's position function, the parameter has a space before the term."""
    # The letter is one of two of ours: no user input is in the statement.
    text = f"replace({column}, ' {form}=', ' =')" if form in _MARKS else column
    return f"{at}({text}, :{parameter}) > 0"


def is_in_title(title: str, wanted: tuple[str, ...]) -> bool:
    """Whether all terms are in the folded title: such rows are listed first."""
    words = list(_indexed(title))
    return all(any(word.startswith(one) for word in words) for one in wanted)


def _indexed(text: str) -> Iterator[str]:
    for run in _runs(text[:_MAX_TEXT]):
        if _is_unspaced(run[0]):
            # The last character alone is a word, too, so that a single character is found.
            yield from (_form(run[at : at + 2]) for at in range(len(run)))
        else:
            yield _form(run)


def _asked(run: str) -> Iterator[str]:
    if _is_unspaced(run[0]) and len(run) > 1:
        yield from (_form(run[at : at + 2]) for at in range(len(run) - 1))
    else:
        yield _form(run)


def _runs(text: str) -> Iterator[str]:
    """Runs of letters and digits of one kind of script; a symbol such as an emoji is one on its own."""
    run = ""
    for char in text:
        kind = unicodedata.category(char)
        # Joiners, direction marks and soft hyphens are invisible, so they separate nothing.
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

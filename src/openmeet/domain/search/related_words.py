"""Words of titles that are related to a searched one.

``Konzerte`` is related to ``Konzert``, ``Wohnzimmerkonzert`` and ``Konzertabend``. German writes compounds as one word,
so most titles about concerts do not contain the word ``Konzert``.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from openmeet.domain.search.spelling import LINKS, SECOND_PARTS, stems, without_umlauts

# Shorter words and stems are part of too many others.
_LEAST_RELATED: Final = 4
_LEAST_HEAD: Final = 3
# A word of this length ends others by accident only rarely. A shorter one must be a common second part, or what comes
# before it must be a word.
_LONG: Final = 6
# How many words with the same beginning or ending are examined, and how many related words a search uses.
_MAX_EXAMINED: Final = 200
_MAX_RELATED: Final = 16
# Longer words are no real ones. Titles have longer words than texts: Nachbarschaftsversammlung has 25 letters.
_MAX_LETTERS: Final = 40
_AFTER_ALL: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class TitleWords:
    """The words of titles. ``words``: how often each occurs; ``ordered``: the same words in order. ``endings``: their
    forms without inflection, reversed and in order, each with its word.
    """

    words: Mapping[str, int]
    ordered: Sequence[str]
    endings: Sequence[tuple[str, str]]

    def related(self, word: str) -> tuple[str, ...]:
        """Words of titles that are related to this one, the most frequent first. Words that begin with it are left out,
        because a search finds them anyway.
        """
        if len(word) < _LEAST_RELATED or not is_title_word(word):
            return ()
        found = {
            one
            for form in _forms(word) | _forms(without_umlauts(word))
            for one in (
                *self._inflected(form),
                *self._compounds_beginning_with(form),
                *self._compounds_ending_with(form),
            )
            if not one.startswith(word)
        }
        return tuple(sorted(found, key=lambda one: (-self.words[one], one))[:_MAX_RELATED])

    def _inflected(self, form: str) -> Iterator[str]:
        return (one for one in self._beginning_with(form) if form in _forms(one))

    def _compounds_beginning_with(self, form: str) -> Iterator[str]:
        for one in self._beginning_with(form):
            for link in LINKS:
                rest = one.removeprefix(form + link)
                if rest != one and len(rest) >= _LEAST_RELATED and self._is_second_part(rest, besides=one):
                    yield one
                    break

    def _compounds_ending_with(self, form: str) -> Iterator[str]:
        key = form[::-1]
        at = bisect_left(self.endings, (key,))
        for reversed_, one in islice(self.endings, at, at + _MAX_EXAMINED):
            if not reversed_.startswith(key):
                return
            head = reversed_[len(key) :][::-1]
            if len(head) >= _LEAST_HEAD and (
                len(form) >= _LONG or form in SECOND_PARTS or self._is_first_part(head, besides=one)
            ):
                yield one

    def _is_first_part(self, head: str, *, besides: str) -> bool:
        """Whether a word begins with this, with or without the linking letters."""
        return any(
            self._has_beginning(stem, besides)
            for link in LINKS
            if head.endswith(link) and len(stem := head.removesuffix(link)) >= _LEAST_HEAD
        )

    def _is_second_part(self, rest: str, *, besides: str) -> bool:
        return bool(SECOND_PARTS & {rest, *stems(rest)}) or self._has_beginning(rest, besides)

    def _has_beginning(self, beginning: str, besides: str) -> bool:
        return any(one != besides for one in islice(self._beginning_with(beginning), 2))

    def _beginning_with(self, beginning: str) -> Iterator[str]:
        first = bisect_left(self.ordered, beginning)
        end = bisect_left(self.ordered, beginning + _AFTER_ALL)
        return islice(self.ordered, first, min(end, first + _MAX_EXAMINED))


def index_titles(words: Counter[str]) -> TitleWords:
    """Index the words of titles, each with the number of titles that contain it."""
    endings = sorted((form[::-1], word) for word in words for form in _forms(word))
    return TitleWords(words, sorted(words), endings)


def is_title_word(word: str) -> bool:
    """Whether a text counts as a word of a title."""
    return word.isalpha() and len(word) <= _MAX_LETTERS


def _forms(word: str) -> set[str]:
    """The word, and its stems that are long enough to tell it from others."""
    return {word, *(stem for stem in stems(word) if len(stem) >= _LEAST_RELATED)}

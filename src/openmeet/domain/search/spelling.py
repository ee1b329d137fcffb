"""Correct the words of a search by known words: typing errors, endings, umlauts, compounds. Pure.

All words are folded, without case and diacritics. ``Known`` holds the known words, which callers collect.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

# Shorter words than the first length are not corrected. From the second length on, two letters may be wrong.
_LEAST, _LONG = 4, 8
_LEAST_STEM: Final = 3
# Longer texts are not real words and would have too many variants.
MOST_LETTERS: Final = 24
# Endings of English and German words, longest first.
_ENDINGS: Final = (
    *("innen", "ungen", "ings", "ing", "ung", "ies", "ers", "est", "ern", "en", "er", "es", "em", "ed", "ly"),
    *("s", "n", "e", "y"),
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_REPEATED = re.compile(r"(.)\1\1+")
_UMLAUT = re.compile("([aou])e")


@dataclass(frozen=True, slots=True)
class CorrectedWord:
    """The replacement for a word of a search. ``shown``: the words as people write them."""

    forms: tuple[str, ...]
    shown: str


@dataclass(frozen=True, slots=True)
class Known:
    """Known words, to correct the words of searches.

    ``words``: how often each word occurs. ``variants``: words by what remains of them after some letters are removed.
    ``umlauts``: words by their form without ``e`` after ``a``, ``o`` and ``u``. ``written``: the original spelling of
    words.
    """

    words: Mapping[str, int]
    variants: Mapping[str, Sequence[str]]
    umlauts: Mapping[str, Sequence[str]]
    written: Mapping[str, str]

    def correct(
        self, words: Sequence[str], *, sure: Collection[str] = (), may_drop_words: bool = False
    ) -> list[CorrectedWord] | None:
        """Correct the words. None if nothing changes or if a word is like no known word.

        ``sure``: words that have no typing errors; only their endings may change. ``may_drop_words``: drop a word that
        is like no known word, if another one is known.
        """
        corrected_words: list[CorrectedWord | None] = []
        rest = list(words)
        while rest:
            word, *rest = rest
            joined = word + rest[0] if rest else ""
            if joined in self.words and not (word in self.words and rest[0] in self.words):
                # Join ``wein probe`` to ``weinprobe``.
                rest.pop(0)
                corrected_words.append(CorrectedWord((joined,), self._shown(joined)))
            else:
                corrected_words.append(self._correct(word, is_sure=word in sure))
        corrected = [one for one in corrected_words if one is not None]
        forms = [form for one in corrected for form in one.forms]
        if len(corrected) < len(corrected_words) and not (
            may_drop_words and any(len(form) >= _LEAST_STEM for form in forms)
        ):
            return None
        return None if forms == list(words) else corrected

    def _correct(self, word: str, *, is_sure: bool) -> CorrectedWord | None:
        if not is_word(word) or self._is_beginning(word):
            return CorrectedWord((word,), self.written.get(word, word))
        typed = _REPEATED.sub(r"\1\1", word)
        other = self._other_spelling(typed)
        if other is not None:
            return CorrectedWord((other,), self._shown(other))
        # Prefer whole words: ``running`` becomes ``run`` rather than a prefix of ``runners``.
        endless = sorted(stems(typed), key=lambda stem: stem not in self.words)
        for stem in endless:
            if self._is_beginning(stem):
                return CorrectedWord((stem,), self._shown(stem))
        parts = self._parts(typed)
        if parts:
            return CorrectedWord(parts, " ".join(map(self._shown, parts)))
        nearest = None if is_sure else self._nearest(typed)
        return None if nearest is None else CorrectedWord((nearest,), self._shown(nearest))

    def _is_beginning(self, word: str) -> bool:
        return word in self.words or any(known.startswith(word) for known in self.words)

    def _shown(self, form: str) -> str:
        """The original spelling of a word; for a prefix, that of the most frequent word that begins with it."""
        if form not in self.words:
            form = max((word for word in self.words if word.startswith(form)), key=self.words.__getitem__, default=form)
        return self.written.get(form, form)

    def _other_spelling(self, word: str) -> str | None:
        """Find the known spelling of a word with umlauts, such as ``koln`` for ``koeln`` or the other way round."""
        plain = without_umlauts(word)
        if plain != word and self._is_beginning(plain):
            return plain
        return next(iter(self.umlauts.get(plain, ())), None)

    def _parts(self, word: str) -> tuple[str, ...]:
        """Split ``bookclub`` into ``book`` and ``club``."""
        for at in range(_LEAST_STEM, len(word) - _LEAST_STEM + 1):
            if word[:at] in self.words and word[at:] in self.words:
                return (word[:at], word[at:])
        return ()

    def _nearest(self, word: str) -> str | None:
        most = _errors_in(word)
        if not most:
            return None
        near = {known for left in _without_letters(word, most) for known in self.variants.get(left, ())}
        ranked = sorted(
            (distance, -self.words[known], known)
            for known in near
            if (distance := _distance(word, known)) <= most
            # With two errors, the first letter must be right: ``klettern`` does not mean ``letters``.
            and (distance == 1 or _first_sound(word) == _first_sound(known))
        )
        return ranked[0][2] if ranked else None


def index_words(words: Counter[str], written: Mapping[str, str]) -> Known:
    """Index these words for corrections."""
    variants: dict[str, list[str]] = defaultdict(list)
    umlauts: dict[str, list[str]] = defaultdict(list)
    for word in words:
        for left in _without_letters(word, _errors_in(word)):
            variants[left].append(word)
        if (plain := without_umlauts(word)) != word:
            umlauts[plain].append(word)
    return Known(words, variants, umlauts, written)


def is_word(word: str) -> bool:
    """Whether a text counts as a word, to be corrected or to correct others."""
    return len(word) <= MOST_LETTERS and _WORD.fullmatch(word) is not None


def stems(word: str) -> Iterator[str]:
    """The word without its ending, shortest form first."""
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _LEAST_STEM:
            yield stem
            if stem[-1] == stem[-2] and len(stem) > _LEAST_STEM:
                # ``running`` becomes ``run``.
                yield stem[:-1]


def without_umlauts(word: str) -> str:
    """Turn ``koeln`` into ``koln``."""
    return _UMLAUT.sub(r"\1", word)


def is_same_spelling(typed: Iterable[str], corrected: Iterable[str]) -> bool:
    """Whether two lists of words differ at most in the spelling of umlauts."""
    return list(map(without_umlauts, typed)) == list(map(without_umlauts, corrected))


def _first_sound(word: str) -> str:
    return "f" if word.startswith("ph") else word[0]


def _errors_in(word: str) -> int:
    return 0 if len(word) < _LEAST else 1 if len(word) < _LONG else 2


def _without_letters(word: str, most: int) -> set[str]:
    """The word, and everything that remains of it when up to ``most`` letters are removed."""
    shortened = {word}
    for _ in range(most):
        shortened |= {one[:at] + one[at + 1 :] for one in shortened for at in range(len(one))}
    return shortened


def _distance(one: str, other: str) -> int:
    """Number of letters to replace, insert, delete, or swap with their neighbour (optimal string alignment distance)."""
    before: list[int] = []
    line = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        before, last, line = line, before, [row]
        for column, right in enumerate(other, 1):
            cost = min(before[column] + 1, line[-1] + 1, before[column - 1] + (left != right))
            if row > 1 and column > 1 and left == other[column - 2] and one[row - 2] == right:
                cost = min(cost, last[column - 2] + 1)
            line.append(cost)
    return line[-1]

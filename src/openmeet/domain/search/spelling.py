"""Correct the words of a search by known ones: typing errors, endings, umlauts, compounds. Pure.

Words are folded: without case and marks. ``Known`` has the words, its callers the sources.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

# Words this short are not mended; from the second length on two letters may be wrong.
_LEAST, _LONG = 4, 8
_LEAST_STEM: Final = 3
# Longer words are no words; their variants would be many.
MOST_LETTERS: Final = 24
# Endings of English and German words, the longest first.
_ENDINGS: Final = (
    *("innen", "ungen", "ings", "ing", "ung", "ies", "ers", "est", "ern", "en", "er", "es", "em", "ed", "ly"),
    *("s", "n", "e", "y"),
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_REPEATED = re.compile(r"(.)\1\1+")
_UMLAUT = re.compile("([aou])e")


@dataclass(frozen=True, slots=True)
class MendedWord:
    """What is searched for instead of a word. ``shown``: as people read it."""

    forms: tuple[str, ...]
    shown: str


@dataclass(frozen=True, slots=True)
class Known:
    """Words by which searches are corrected. ``words``: how often each occurs. ``variants``: words by what is left when
    letters are taken out. ``umlauts``: words by their form without ``e`` behind ``a``, ``o`` and ``u``. ``written``: words as somebody
    wrote them.
    """

    words: Mapping[str, int]
    variants: Mapping[str, Sequence[str]]
    umlauts: Mapping[str, Sequence[str]]
    written: Mapping[str, str]

    def mended(
        self, words: Sequence[str], *, sure: Collection[str] = (), may_leave_out: bool = False
    ) -> list[MendedWord] | None:
        """The words, corrected; None where nothing was, or one is like no known word.

        ``sure``: words that have no typing errors, only endings. ``may_leave_out``: a word that is like no known one is left
        out if another is known.
        """
        found: list[MendedWord | None] = []
        rest = list(words)
        while rest:
            word, *rest = rest
            joined = word + rest[0] if rest else ""
            if joined in self.words and not (word in self.words and rest[0] in self.words):
                # ``wein probe`` for ``weinprobe``.
                rest.pop(0)
                found.append(MendedWord((joined,), self._shown(joined)))
            else:
                found.append(self._mended(word, is_sure=word in sure))
        kept = [one for one in found if one is not None]
        forms = [form for one in kept for form in one.forms]
        if len(kept) < len(found) and not (may_leave_out and any(len(form) >= _LEAST_STEM for form in forms)):
            return None
        return None if forms == list(words) else kept

    def _mended(self, word: str, *, is_sure: bool) -> MendedWord | None:
        if not is_word(word) or self._is_beginning(word):
            return MendedWord((word,), self.written.get(word, word))
        typed = _REPEATED.sub(r"\1\1", word)
        other = self._other_spelling(typed)
        if other is not None:
            return MendedWord((other,), self._shown(other))
        # Whole words first: ``running`` is rather ``run`` than the beginning of ``runners``.
        endless = sorted(stems(typed), key=lambda stem: stem not in self.words)
        for stem in endless:
            if self._is_beginning(stem):
                return MendedWord((stem,), self._shown(stem))
        parts = self._parts(typed)
        if parts:
            return MendedWord(parts, " ".join(map(self._shown, parts)))
        nearest = None if is_sure else self._nearest(typed)
        return None if nearest is None else MendedWord((nearest,), self._shown(nearest))

    def _is_beginning(self, word: str) -> bool:
        return word in self.words or any(known.startswith(word) for known in self.words)

    def _shown(self, form: str) -> str:
        """A word as it was written; of a beginning the most frequent word."""
        if form not in self.words:
            form = max((word for word in self.words if word.startswith(form)), key=self.words.__getitem__, default=form)
        return self.written.get(form, form)

    def _other_spelling(self, word: str) -> str | None:
        """``koeln`` for ``köln``, and the other way round."""
        plain = without_umlauts(word)
        if plain != word and self._is_beginning(plain):
            return plain
        return next(iter(self.umlauts.get(plain, ())), None)

    def _parts(self, word: str) -> tuple[str, ...]:
        """``bookclub`` for ``book club``."""
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
            # With two errors the beginning is right: ``klettern`` is not ``letters``.
            and (distance == 1 or _first_sound(word) == _first_sound(known))
        )
        return ranked[0][2] if ranked else None


def known_in(words: Counter[str], written: Mapping[str, str]) -> Known:
    """Prepare these words."""
    variants: dict[str, list[str]] = defaultdict(list)
    umlauts: dict[str, list[str]] = defaultdict(list)
    for word in words:
        for left in _without_letters(word, _errors_in(word)):
            variants[left].append(word)
        if (plain := without_umlauts(word)) != word:
            umlauts[plain].append(word)
    return Known(words, variants, umlauts, written)


def is_word(word: str) -> bool:
    """Whether it is corrected, and others by it."""
    return len(word) <= MOST_LETTERS and _WORD.fullmatch(word) is not None


def stems(word: str) -> Iterator[str]:
    """The word without its ending, the shortest first."""
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _LEAST_STEM:
            yield stem
            if stem[-1] == stem[-2] and len(stem) > _LEAST_STEM:
                # ``running``: ``run``.
                yield stem[:-1]


def without_umlauts(word: str) -> str:
    """``koeln`` as ``koln``."""
    return _UMLAUT.sub(r"\1", word)


def is_same_spelling(typed: Iterable[str], mended: Iterable[str]) -> bool:
    """Whether words differ in the way in which umlauts are written alone."""
    return list(map(without_umlauts, typed)) == list(map(without_umlauts, mended))


def _first_sound(word: str) -> str:
    return "f" if word.startswith("ph") else word[0]


def _errors_in(word: str) -> int:
    return 0 if len(word) < _LEAST else 1 if len(word) < _LONG else 2


def _without_letters(word: str, most: int) -> set[str]:
    """The word, and what is left of it without up to so many letters."""
    found = {word}
    for _ in range(most):
        found |= {one[:at] + one[at + 1 :] for one in found for at in range(len(one))}
    return found


def _distance(one: str, other: str) -> int:
    """Letters to change, add, leave out, or swap with their neighbour (optimal string alignment)."""
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

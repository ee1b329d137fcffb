"""Correct the words of a search by known words: typing errors, endings, umlauts, compounds. Pure.

All words are folded, without case and diacritics. ``KnownWords`` holds the known words, which callers collect.
"""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product, takewhile
from typing import Final

from openmeet.i18n.markdown import folded

# Shorter words than the first length are not corrected. From the second length on, two letters may be wrong.
_MIN_LETTERS, _LONG = 4, 8
# From these lengths on, the first letter may be missing or superfluous, and may be another one. Shorter words that differ
# in nothing else are often different ones: ``Karten`` and ``Garten``, ``rain`` and ``train``.
_LONG_TO_ADD, _LONG_TO_REPLACE = 7, _LONG
_LEAST_STEM: Final = 3
# Shorter stems are not corrected, because they are near too many words.
_LEAST_WRONG_STEM: Final = 6
# Longer texts are not real words and would have too many variants.
MAX_LETTERS: Final = 24
# Endings of English and German words, longest first.
_ENDINGS: Final = (
    *("innen", "ungen", "ings", "ing", "ung", "ies", "ers", "est", "ern", "en", "er", "es", "em", "ed", "ly"),
    *("s", "n", "e", "y"),
)
# Letters that German may insert between the parts of a compound, longest first.
LINKS: Final = ("en", "er", "es", "s", "n", "e", "")
# Common second parts of compounds in titles of events.
SECOND_PARTS: Final = frozenset(
    "abend nacht markt tour lauf fahrt treff treffen kreis runde fest feier kurs konzert kino film theater cafe garten"  # noqa: SIM905 - a list of words is easier to read without quotes
    " park chor musik buch lesung spiel spiele club gruppe tanz gesprach vortrag fuhrung ausstellung fruhstuck brunch"
    " party kuche training turnier rennen wanderung spaziergang werkstatt festival stunde stammtisch night walk ride"
    " workshop".split()
)
# Parts that do not say what an event is about.
_VAGUE: Final = frozenset(
    {"abend", "club", "feier", "fest", "gruppe", "kreis", "kurs", "nacht", "night", "runde", "stunde", "treff"}
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_REPEATED = re.compile(r"(.)\1\1+")
_UMLAUT = re.compile("([aou])e")

# Sounds of letters in German and English, applied in this order to a folded word. A capital letter is a sound that later
# rules leave as it is.
_SOUND_RULES: Final = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        ("tsch", "C"),
        ("sch|sh", "S"),
        ("chs|cks|x", "ks"),
        ("ch", "X"),
        ("ph", "f"),
        ("qu", "kw"),
        ("ck|q|c(?![eiy])", "k"),
        ("t[sz]", "z"),
        ("dt", "t"),
        ("[ae][iy]", "A"),
        ("ie|[jy]", "i"),
        # Silent, except at the beginning.
        ("(?<=.)h", ""),
        # Final ``b``, ``d`` and ``g`` in German.
        ("b$", "p"),
        ("d$", "t"),
        ("g$", "k"),
    )
)
# Letters that are pronounced in two ways: ``v`` in ``Vogel`` and ``Klavier``, ``c`` in ``City`` and ``Celsius``, ``ch`` at
# the beginning of ``Chor`` and ``Chips``.
_TWO_SOUNDS: Final = tuple(
    (re.compile(pattern), sounds) for pattern, sounds in (("v", "fw"), ("c", "sz"), ("^X", "kC"))
)
_DOUBLED: Final = re.compile(r"(.)\1+")


@dataclass(frozen=True, slots=True)
class CorrectedWord:
    """The replacement for a word of a search. ``shown``: the words as people write them."""

    forms: tuple[str, ...]
    shown: str


@dataclass(frozen=True, slots=True)
class KnownWords:
    """Known words, to correct the words of searches.

    ``words``: how often each word occurs; ``ordered``: the same words in order. ``variants``: words by what remains of
    them after some letters are removed. ``umlauts``: words by their form without ``e`` after ``a``, ``o`` and ``u``.
    ``sounds``: words by how they sound. ``written``: the original spelling of words.
    """

    words: Mapping[str, int]
    ordered: Sequence[str]
    variants: Mapping[str, Sequence[str]]
    umlauts: Mapping[str, Sequence[str]]
    sounds: Mapping[str, Sequence[str]]
    written: Mapping[str, str]

    def correct(
        self, words: Sequence[str], *, sure: Collection[str] = (), may_drop_words: bool = False
    ) -> list[CorrectedWord] | None:
        """Correct the words. None if nothing changes or if a word is like no known word.

        ``sure``: words that have no typing errors; only their endings may change. ``may_drop_words``: drop a word that
        is like no known word, if another one is known, and the unknown part of a compound.
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
                found = self._correct(word, is_sure=word in sure)
                corrected_words.append(found or (self._known_part(word) if may_drop_words else None))
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
        alike = None if is_sure or self.words.keys() & endless else self._sounding_like(typed)
        if alike is not None:
            return CorrectedWord((alike,), self._shown(alike))
        for stem in endless:
            if self._is_beginning(stem) if len(stem) >= _MIN_LETTERS else self._is_word_or_first_part(stem):
                return CorrectedWord((stem,), self._shown(stem))
        parts = self._parts(typed)
        if parts:
            return CorrectedWord(parts, " ".join(map(self._shown, parts)))
        nearest = None if is_sure else self._nearest(typed)
        if nearest is not None:
            return CorrectedWord((nearest,), self._shown(nearest))
        parts = () if is_sure else self._nearest_parts(typed)
        return CorrectedWord(parts, " ".join(map(self._shown, parts))) if parts else None

    def _is_beginning(self, word: str) -> bool:
        at = bisect_left(self.ordered, word)
        return at < len(self.ordered) and self.ordered[at].startswith(word)

    def _is_word_or_first_part(self, stem: str) -> bool:
        """``nah`` is the first part of ``nahkurs``. Most other words with the same three letters mean something else."""
        return stem in self.words or any(stem + second in self.words for second in SECOND_PARTS)

    def _shown(self, form: str) -> str:
        """The original spelling of a word; for a part of words, that of the most frequent word that begins with it."""
        if form in self.written:
            return self.written[form]
        first = bisect_left(self.ordered, form)
        longer = list(takewhile(lambda word: word.startswith(form), islice(self.ordered, first, None)))
        longer = [word for word in longer if word in self.written] or longer
        if not longer:
            return form
        most_used = max(longer, key=self.words.__getitem__)
        written = self.written.get(most_used, most_used)
        part = written[: len(form)]
        return part if form in self.words and len(form) >= _MIN_LETTERS and folded(part) == form else written

    def _other_spelling(self, word: str) -> str | None:
        """Find the known spelling of a word with umlauts, such as ``koln`` for ``koeln`` or the other way round."""
        plain = without_umlauts(word)
        if plain != word and self._is_beginning(plain):
            return plain
        return next(iter(self.umlauts.get(plain, ())), None)

    def main_part(self, word: CorrectedWord) -> CorrectedWord:
        """The part of a compound that says what an event is about. A word that was not split is returned as it is."""
        main = next((form for form in reversed(word.forms) if form not in _VAGUE), word.forms[0])
        return word if len(word.forms) == 1 else CorrectedWord((main,), self._shown(main))

    def _parts(self, word: str) -> tuple[str, ...]:
        """Split ``bookclub`` into ``book`` and ``club``, and ``geburtstagsfeier`` into ``geburtstag`` and ``feier``."""
        for head, tail in splits(word):
            if tail in self.words and head in self.words:
                return (head, tail)
        return ()

    def _known_part(self, word: str) -> CorrectedWord | None:
        """The known part of a compound whose other part is unknown, if it ends with a common second part."""
        for head, tail in splits(word):
            if SECOND_PARTS & {tail, *stems(tail)}:
                for part in (tail, head):
                    if part in self.words and part not in _VAGUE:
                        return CorrectedWord((part,), self._shown(part))
        return None

    def _nearest_parts(self, word: str) -> tuple[str, ...]:
        """Split ``jogakurs`` into ``yoga`` and ``kurs``: a wrong word in front of a common second part."""
        for head, tail in splits(word):
            if tail in SECOND_PARTS and tail in self.words:
                nearest = self._sounding_like(head) or self._nearest(head)
                if nearest is not None:
                    return (nearest, tail)
        return ()

    def _nearest(self, word: str) -> str | None:
        """The known word that was probably meant. A word with one error comes before an inflected one with an error, and
        that before a word with two.
        """
        most = _errors_in(word)
        forms = [stem for stem in stems(word) if len(stem) >= _LEAST_WRONG_STEM]
        return (
            self._within(word, min(most, 1))
            or next(filter(None, map(self._sounding_like, forms)), None)
            or next((near for form in forms if (near := self._within(form, 1)) and near[0] == word[0]), None)
            or (self._within(word, most) if most > 1 else None)
        )

    def _sounding_like(self, word: str) -> str | None:
        if len(word) < _MIN_LETTERS:
            return None
        alike = {known for sound in sounds_of(word) for known in self.sounds.get(sound, ())}
        return self._first_within(word, alike, most=_errors_in(word) + 1 if len(word) > _MIN_LETTERS else 1)

    def _within(self, word: str, most: int) -> str | None:
        """The known word with the fewest errors, at most this many."""
        near = {known for left in _without_letters(word, most) for known in self.variants.get(left, ())}
        return self._first_within(word, near, most)

    def _first_within(self, word: str, near: Iterable[str], most: int) -> str | None:
        ranked = sorted(
            (distance, -self.words[known], known)
            for known in near
            if (distance := _distance(word, known)) <= most and _may_begin_like(word, known, distance)
        )
        return ranked[0][2] if ranked else None


def index_words(words: Counter[str], written: Mapping[str, str]) -> KnownWords:
    """Index these words for corrections."""
    variants: dict[str, list[str]] = defaultdict(list)
    umlauts: dict[str, list[str]] = defaultdict(list)
    sounds: dict[str, list[str]] = defaultdict(list)
    for word in words:
        for left in _without_letters(word, _errors_in(word)):
            variants[left].append(word)
        if (plain := without_umlauts(word)) != word:
            umlauts[plain].append(word)
        if len(word) >= _MIN_LETTERS:
            for sound in sounds_of(word):
                sounds[sound].append(word)
    return KnownWords(words, sorted(words), variants, umlauts, sounds, written)


def is_word(word: str) -> bool:
    """Whether a text counts as a word, to be corrected or to correct others."""
    return len(word) <= MAX_LETTERS and _WORD.fullmatch(word) is not None


def stems(word: str) -> Iterator[str]:
    """The word without its ending, shortest form first."""
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _LEAST_STEM:
            yield stem
            if stem[-1] == stem[-2] and len(stem) > _LEAST_STEM:
                # ``running`` becomes ``run``.
                yield stem[:-1]


def splits(word: str) -> Iterator[tuple[str, str]]:
    """The ways to split a word into two, without the letters that link them, the longest first part first."""
    for at in range(len(word) - _LEAST_STEM, _LEAST_STEM - 1, -1):
        for link in reversed(LINKS):
            head = word[:at].removesuffix(link)
            if word[:at].endswith(link) and len(head) >= _LEAST_STEM:
                yield head, word[at:]


def common_parts(word: str) -> Iterator[str]:
    """Both parts of a compound that ends with a common second part."""
    for head, tail in splits(word):
        if tail in SECOND_PARTS:
            yield from (head, tail)


def without_umlauts(word: str) -> str:
    """Turn ``koeln`` into ``koln``."""
    return _UMLAUT.sub(r"\1", word)


def is_same_spelling(typed: Iterable[str], corrected: Iterable[str]) -> bool:
    """Whether two lists of words differ at most in the spelling of umlauts."""
    return list(map(without_umlauts, typed)) == list(map(without_umlauts, corrected))


def _may_begin_like(word: str, known: str, distance: int) -> bool:
    """Whether the errors may include the first letter. With two errors it must be right: ``klettern`` does not mean
    ``letters``.
    """
    if word[0] == known[0] or {one[0] for one in sounds_of(word)} & {one[0] for one in sounds_of(known)}:
        return True
    return distance == 1 and (
        len(word) >= _LONG_TO_REPLACE
        or sorted(word) == sorted(known)
        or (len(word) >= _LONG_TO_ADD and len(word) != len(known))
    )


def _errors_in(word: str) -> int:
    return 0 if len(word) < _MIN_LETTERS else 1 if len(word) < _LONG else 2


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


def sounds_of(word: str) -> set[str]:
    """The sounds of a folded word: one to eight, because some letters are pronounced in two ways. Words that sound alike,
    such as ``joga`` and ``yoga``, have one in common.

    The usual phonetic codes (Kölner Phonetik, Soundex) are too coarse: they are the same for ``Karten`` and ``Garten``.
    """
    for pattern, sound in _SOUND_RULES:
        word = pattern.sub(sound, word)
    found = set()
    for choice in product(*(sounds if pattern.search(word) else sounds[:1] for pattern, sounds in _TWO_SOUNDS)):
        spoken = word
        for (pattern, _), sound in zip(_TWO_SOUNDS, choice, strict=True):
            spoken = pattern.sub(sound, spoken)
        found.add(_DOUBLED.sub(r"\1", spoken))
    return found
